"""``fxtui layers`` of a run, without torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fxtui.cli.main import main
from tests.cli.recorded import lines, record
from tests.run.samples import whole_run


def test_layers_of_a_run_come_from_its_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, "x", whole_run())
    assert main(["layers", "x", "--runs", str(tmp_path)]) == 0
    assert lines(capsys) == [
        "layer   type        params  grad  optim    lr  mode",
        "conv1   Sequential   9,408  no    no        –  eval",
        "layer1  Sequential    148k  no    no        –  eval",
        "layer2  Sequential    526k  no    no        –  eval",
        "layer3  Sequential   2.10M  no    no        –  eval",
        "layer4  Sequential   8.39M  yes   yes    1e-3  train",
        "fc      Linear       5,130  yes   yes    1e-3  train",
        "",
        "11,181,514 parameters, 8,398,858 train",
    ]
    assert main(["layers", "x", "--runs", str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in lines(capsys)]
    assert [row["type"] for row in rows] == ["layer"] * 6 + ["total"]
    assert rows[-1]["parameters"] == sum(row["parameters"] for row in rows[:-1])
    trains = sum(row["parameters"] for row in rows[:-1] if row["trainable"] == "all")
    assert rows[-1]["trainable_parameters"] == trains
