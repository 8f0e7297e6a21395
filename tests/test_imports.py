"""Who may import whom, as contracts and in earnest."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import fxtui.run.session.local, fxtui.config, fxtui.advice.rules",
        "from fxtui.cli.main import main; main(['--help'])",
        "from fxtui.cli.main import main; main(['runs', '--runs', '/nonexistent'])",
        "import fxtui.run.notices.words; from fxtui.cli.main import main; main(['show', 'last', '--line'])",
        "import fxtui.engine.job, fxtui.engine.data.sources.source, fxtui.engine.backbones.names",
    ],
)
def test_torch_and_textual_are_not_loaded(statement: str) -> None:
    code = f"import sys\n{statement}\nprint([n for n in ('torch', 'torchvision', 'textual') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
