"""Which parameters train: the state, the modes that follow from it, the paths and patterns that name them."""
