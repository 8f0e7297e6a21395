"""Rules that read a run's state and say what to try next, each with its evidence. Doing it is others' work."""
