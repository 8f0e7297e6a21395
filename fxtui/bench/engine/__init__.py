"""Training and extraction measured against plain PyTorch loops."""
