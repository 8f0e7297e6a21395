"""Frontier tensors kept and handed out, and the freeze boundary that moves: caches in memory and on disk, their
extraction, and what feeds the suffix. Where a model is cut is in `frontier/`.
"""
