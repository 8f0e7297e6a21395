"""Standard output and error as all commands use them: consoles, JSON lines, tables; not what is said there."""
