"""A live connection to a run: events come out, commands go in. Runs at rest are read by the files above."""
