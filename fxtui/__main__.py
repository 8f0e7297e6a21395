"""``python -m fxtui``."""

from fxtui.cli.main import run

run()
