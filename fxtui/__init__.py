"""fxtui: transfer learning in PyTorch, live in the terminal."""

__version__ = "0.1.0"
