"""Pretrained networks by name: their heads, stages and weights files."""
