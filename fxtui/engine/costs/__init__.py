"""What a change of freezing or a whole run would cost, found out without making it. Words for it are in `run/`."""
