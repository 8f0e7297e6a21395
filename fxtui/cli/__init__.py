"""The command line: commands are parsed, carried out and printed here; the work itself is other rooms'."""
