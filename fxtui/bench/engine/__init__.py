"""What is measured on the user's machine, and against what. Reached through ``fxtui bench``."""
