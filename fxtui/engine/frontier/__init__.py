"""Cutting a model at the freeze boundary: into a part that is computed once for each image, and one that runs in every
batch.
"""
