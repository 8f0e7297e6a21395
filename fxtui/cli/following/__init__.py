"""What shows a run while it trains: the dashboard, lines or JSON, and what becomes of signals. No command is here."""
