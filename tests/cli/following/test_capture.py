"""While the screen is owned, prints of every kind become lines for the log."""

from __future__ import annotations

import json
import subprocess
import sys

CODE = """
import json, os, subprocess, sys, warnings
from fxtui.cli.following.capture import captured_output
lines = []
before = sys.stdout, sys.stderr, sys.__stderr__
try:
    with captured_output(lines.append):
        print("from python")
        warnings.warn("careful")
        os.write(2, b"from C\\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"])
        print("10%\\r50%\\r100%")
        sys.__stderr__.write("to the screen")
        raise KeyError
except KeyError:
    pass
assert before == (sys.stdout, sys.stderr, sys.__stderr__)
print(json.dumps(lines))
"""


def test_everything_printed_is_captured_and_put_back() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    lines = json.loads(done.stdout)
    assert done.stderr == "to the screen"
    assert {"from python", "from C", "from a child", "100%"} <= set(lines)
    assert any("careful" in line for line in lines)
