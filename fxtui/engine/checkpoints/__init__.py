"""A run's state on disk: what is in it, when it is written, and how a run goes on from it."""
