"""The benches: tiny ones in earnest, and what rows say of made-up figures. No test looks at a clock."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import msgspec
import pytest
import torch
from msgspec import structs

from fxtui.bench import surroundings as machine
from fxtui.bench.engine import extraction, plain, training
from fxtui.bench.engine.sides import Pass
from fxtui.bench.rows import BenchError, Row, agreement_row, exit_status, rate_row, seconds_row
from fxtui.cli.commands import bench
from fxtui.cli.main import main
from fxtui.config import RunConfig
from fxtui.engine.features.disk_cache import cache_root
from fxtui.protocol.events import EpochEnd
from tests.cli.test_processes import ROOT, events_of, fxtui

KEYS = ["bench", "case", "baseline", "value", "unit", "ratio", "budget", "met"]


def rows_in(text: str) -> list[dict[str, Any]]:
    rows = events_of(text)
    assert rows
    for row in rows:
        assert list(row) == KEYS
        assert row["met"] is None if row["budget"] is None else isinstance(row["met"], bool)
    return rows


def test_bare_bench_lists_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    shown = capsys.readouterr().out
    for name, about in bench.BENCHES:
        assert f"fxtui bench {name}" in shown
        assert about in shown


def test_both_sides_of_the_training_bench_give_the_same_losses(tmp_path: Path) -> None:
    arguments = ("bench", "train", "--images", "40", "--epochs", "1", "--size", "32", "--json")
    done = fxtui(*arguments, TMPDIR=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    rows = rows_in(done.stdout)
    assert len({row["case"] for row in rows}) == len(rows) == 9
    assert {row["bench"] for row in rows} == {"train"}
    speeds = [row for row in rows if row["unit"] == "s"]
    assert [row["budget"] for row in speeds] == [2.5, 100.0, None]
    for row in speeds:
        assert row["ratio"] == pytest.approx(row["baseline"] / row["value"])
        assert row["met"] == (None if row["budget"] is None else row["ratio"] >= row["budget"])
    losses = [row for row in rows if row["unit"] == "loss"]
    assert len(losses) == 6
    for row in losses:
        assert row["met"], row
        assert row["baseline"] == pytest.approx(row["value"], rel=training.LOSS_TOLERANCE)
    assert done.returncode == exit_status([Row(**row) for row in rows])
    assert "cpu, " in done.stderr
    assert "fp32, 40 / 40 / 40 images" in done.stderr
    assert list(tmp_path.iterdir()) == [], "the bench left files behind"


def test_the_extraction_bench_compares_the_same_features(tmp_path: Path) -> None:
    arguments = ("bench", "extract", "--images", "20", "--rounds", "1", "--size", "32", "--json")
    done = fxtui(*arguments, TMPDIR=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"))
    rows = rows_in(done.stdout)
    assert {row["bench"] for row in rows} == {"extract"}
    likeness = [row for row in rows if row["unit"] == "cosine"]
    assert len(likeness) == 4
    assert all(row["met"] for row in likeness), likeness
    speeds = [row for row in rows if row["unit"] == "img/s"]
    assert [row["case"].partition(": ")[2] for row in speeds].count("against DataLoader") == 4
    assert [row["case"].partition(": ")[2] for row in speeds].count("against bare forward") == 2
    assert list(tmp_path.iterdir()) == [], "the bench left files behind"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_bench_that_is_ended_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fxtui", "bench", "train", "--images", "40", "--epochs", "1000", "--size", "32"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1:" in line:
            break
    process.send_signal(number)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--device", "tpu"), "device = 'tpu': expected auto, cpu, cuda"),
        (("extract", "--device", "cuda:7"), "device = 'cuda:7': not on this machine"),
        (("train", "--images", "1"), "--images"),
        (("trian",), "trian"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *arguments]) == 2
    shown = capsys.readouterr()
    assert words in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


def test_seconds_and_rates_are_compared_by_the_best_of_each() -> None:
    row = seconds_row("b", "c", [9.0, 8.0, 50.0], [100.0, 4.0], 2.0)
    assert (row.baseline, row.value, row.unit, row.ratio, row.met) == (8.0, 4.0, "s", 2.0, True)
    row = rate_row("b", "c", 100, [2.0, 3.0], [7.0, 1.0], 2.1)
    assert (row.baseline, row.value, row.unit, row.ratio, row.met) == (50.0, 100.0, "img/s", 2.0, False)
    assert rate_row("b", "c", 100, [2.0], [1.0]).met is None


@pytest.mark.parametrize(
    ("baseline", "value", "met"),
    [
        ([1.0, 2.0], [1.0, 2.0 + 1e-6], True),
        ([1.0, 2.0], [1.001, 2.0], False),
        ([1.0, 2.0], [1.0], False),
        ([], [], False),
        ([1.0], [math.nan], False),
        ([math.nan], [math.nan], False),
        ([math.inf], [math.inf], False),
    ],
)
def test_results_agree_only_where_every_figure_does(baseline: list[float], value: list[float], met: bool) -> None:
    row = agreement_row("b", "c", "loss", baseline, value, 1e-5)
    assert row.met is met
    assert exit_status([row]) == (0 if met else 1)


def case() -> training.TrainCase:
    return training.train_cases(None, 2, None, "cpu")[0]


def measured(plain_seconds: float, our_seconds: float, our_loss: float = 0.5) -> training.Measured:
    epochs = tuple(
        EpochEnd(
            epoch=i,
            step=i,
            train_loss=our_loss,
            train_accuracy=1.0,
            val_loss=0.5,
            val_accuracy=1.0,
            lr=0.001,
            seconds=our_seconds,
            observation="",
        )
        for i in (1, 2, 3)
    )
    return training.Measured((plain.EpochResult(plain_seconds, 0.5, 0.5),) * 3, epochs)


@pytest.mark.parametrize(
    ("made_up", "status", "met"),
    [
        (measured(5.0, 1.0), 0, [True, True, True]),
        (measured(2.0, 1.0), 1, [False, True, True]),
        (measured(5.0, 1.0, our_loss=0.51), 1, [True, False, True]),
    ],
    ids=["kept", "missed", "disagree"],
)
def test_the_status_is_1_if_a_budget_is_missed_or_losses_disagree(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    made_up: training.Measured,
    status: int,
    met: list[bool],
) -> None:
    monkeypatch.setattr(training, "measure_training", lambda *_: training.rows_of(case(), made_up))
    monkeypatch.setattr(machine, "busy_note", lambda: "")
    assert main(["bench", "train", "--json"]) == status
    assert [row["met"] for row in rows_in(capfd.readouterr().out)] == met
    assert main(["bench", "train"]) == status
    shown = capfd.readouterr().out.splitlines()
    assert len(shown) == 2 + 1 + 3
    assert "cpu, " in shown[0]
    assert "fp32" in shown[0]
    assert shown[1].startswith("baseline: the plain loop")
    assert [line.split()[-1] for line in shown[3:]] == ["yes" if kept else "NO" for kept in met]


def test_many_epochs_of_a_head_count_as_one_turn() -> None:
    head = training.train_cases(None, 1, None, "cpu")[1]
    one = measured(2.0, 1.0).ours[0]
    seconds = [*[0.001] * head.every, 0.0001, *[0.01] * (head.every - 1)]
    ours = tuple(structs.replace(one, seconds=taken) for taken in seconds)
    row = next(training.rows_of(head, training.Measured(measured(2.0, 1.0).plain[:2], ours)))
    assert (row.baseline, row.value) == (2.0, 0.01)


def test_a_busy_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert machine.busy_note().startswith("this machine is busy (load 1000.0 on ")
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert machine.busy_note() == ""


@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_run_that_fails_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], json_wanted: bool
) -> None:
    def breaks(*_: object) -> Iterator[Row]:
        raise BenchError("the run came to no end: out of disk")
        yield

    monkeypatch.setattr(training, "measure_training", breaks)
    assert main(["bench", "train", *(["--json"] if json_wanted else [])]) == 1
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines()[-1] == "fxtui: the run came to no end: out of disk"


def test_a_failed_run_is_not_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr(plain.PlainTraining, "epoch", fails)
    tiny = training.train_cases(20, 1, 32, "cpu")[1]
    with pytest.raises(BenchError, match="no such luck"):
        training.take_turns(tiny, tmp_path, lambda _: None)


def features(seconds: float, scale: float = 0.0) -> list[Pass]:
    values = torch.linspace(-1, 1, 20).reshape(4, 5)
    return [Pass(seconds, values + scale * values.square())]


@pytest.mark.parametrize(
    ("fast_bf16", "auto_seconds", "budget", "met"),
    [(True, 1.0, 2.0, True), (True, 1.9, 2.0, False), (False, 1.0, 1.25, True), (False, 1.9, 1.25, False)],
)
def test_extraction_is_held_to_what_this_machine_can(
    fast_bf16: bool, auto_seconds: float, budget: float, met: bool
) -> None:
    passes = {"loader 0": features(2.5), "loader 2": features(2.0), "auto": features(auto_seconds)}
    passes["fp32"] = features(3.0)
    rows = list(extraction.rows_of("jpeg", passes, fast_bf16))
    first = rows[0]
    assert first.baseline == pytest.approx(2.0), "the faster of the two loaders is the baseline"
    assert (first.budget, first.met) == (budget, met)
    exact = next(row for row in rows if row.case.startswith("jpeg, fp32"))
    assert (exact.budget, exact.met) == (None, None), "exact fp32 is the plain network"
    assert exit_status(rows) == int(not met)


def test_other_features_are_a_failure() -> None:
    passes = {"loader 0": features(2.0), "auto": features(0.5, scale=0.5), "fp32": features(0.5)}
    rows = [row for row in extraction.rows_of("tensors", passes, True) if row.unit == "cosine"]
    assert [row.met for row in rows] == [False, True]
    assert exit_status(rows) == 1


def test_the_plain_loop_leaves_the_random_state_and_the_threads_alone() -> None:
    config: RunConfig = training.train_cases(20, 1, 32, "cpu")[2].config
    loop = plain.PlainTraining(config)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    assert loop.epoch(lambda: False) is not None
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert loop.epoch(lambda: True) is None


def test_the_cache_of_a_bench_is_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for before in (str(tmp_path), None):
        if before is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", before)
        outside = cache_root()
        with machine.scratch() as folder:
            assert folder in cache_root().parents
            assert folder.is_relative_to(tempfile.gettempdir())
        assert not folder.exists()
        assert cache_root() == outside


def test_rows_are_plain_json() -> None:
    row = seconds_row("train", "a", [2.0], [1.0])
    assert list(json.loads(msgspec.json.encode(row))) == KEYS
