"""Views of training images: another crop, flip and colouring in every epoch."""
