"""One file a command: its options, and how its result is said. Exit statuses are :mod:`fxtui.cli.main`'s."""
