"""Rules that read a run's state and say something useful."""
