"""fxtui measured against named baselines on the user's machine: rows with budgets, and what they are measured with."""
