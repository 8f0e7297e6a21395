"""``fxtui doctor``: the command, the checks it makes, and what a check finds. What it looks at lies in other rooms."""
