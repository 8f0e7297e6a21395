"""Headless lines, as golden text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from fxtui.cli.following.report import EPOCH_HEADING, Report, ending, epoch_row, names_of, reference, trains, weights
from fxtui.protocol import events as ev
from fxtui.protocol.records import SkippedFile, WeightsReport
from fxtui.run.state import RunState, fold
from fxtui.run.store import RunDirectory
from tests.run.samples import epoch, figures, layers, opening, stamped, whole_run

RUN = RunDirectory(Path("runs/20261123-1405-digits-demo"))

WHOLE = """\
run       runs/20261123-1405-digits-demo
data      digits: 800 train, 200 validation, 10 classes
left out  2 files: not images
left out  1 file unusable: a/empty.png (empty file)
model     resnet18 on cpu, 512 features, 120 of 122 tensors from ResNet18_Weights.IMAGENET1K_V1; missing: a, b
trains    5,130 of 11.2M parameters: fc (head)
extracts  1,000 images through the frozen layers
features  1000×512 float32, 2.0 MiB in memory, computed in 3.00 s
epoch   loss  val loss  accuracy  val acc     lr     s  observation
    1 1.0000    1.1000     86.0%    85.0%   1e-3  0.12  best
      · learning rate 1e-3 → 3e-4 for the head
      ! freeze_all: only the head trains
run       runs/20261123-1405-digits-demo
goes on   in epoch 2 of 3, after step 25
    2 0.5000    0.5500     91.0%    90.0%   1e-3  0.12  best
      ◆ layer4 trains: 8.39M more parameters
      ! the clock went back
hello from a user's module
left out  1 file unreadable: b/torn.jpg (truncated)
    3 0.3333    0.3667     94.0%    93.0%   1e-3  0.12  best
      ▸ more epochs
finished  best val 93.0% at epoch 3, 3 epochs in {seconds} s
saved     runs/20261123-1405-digits-demo/checkpoints: best (epoch 3)
predict   fxtui predict 20261123-1405-digits-demo IMAGE
show      fxtui show 20261123-1405-digits-demo
"""


def test_a_whole_run_reads_like_this() -> None:
    report = Report(RUN)
    text = "".join(f"{line.text}\n" for event in whole_run() for line in report.take(event))
    # The time between a run's end and its going on is not its own.
    assert text == WHOLE.format(seconds=f"{(len(whole_run()) - 2) * 0.5:.1f}")


def test_the_report_folds_what_it_is_given() -> None:
    report = Report(RUN)
    for event in whole_run():
        report.take(event)
    assert report.state == fold(whole_run())


@pytest.mark.parametrize(
    ("number", "figures", "row"),
    [
        (1, {}, "    1 1.0000    1.1000     91.0%    90.0%   1e-3  0.12  flat"),
        (12345, {"train_loss": 4e-5, "seconds": 12.34}, "12345 0.0000    0.0001     91.0%    90.0%   1e-3  12.3  flat"),
        (2, {"train_loss": 1e9, "val_loss": math.inf}, "    2 1.0e+09         –     91.0%    90.0%   1e-3  0.12  flat"),
        (3, {"train_loss": 12.3456, "seconds": 360.4}, "    3 12.346    0.3667     91.0%    90.0%   1e-3   360  flat"),
    ],
    ids=["usual", "long", "no number", "wide"],
)
def test_an_epoch_is_one_row(number: int, figures: dict[str, float], row: str) -> None:
    assert epoch_row(epoch(number, 0.9, **figures)) == row


def test_the_table_keeps_to_80_columns_with_the_longest_observation() -> None:
    end = ev.EpochEnd(**{**_fields(epoch(7, 0.9)), "observation": "x" * 24, "lr": 3.3e-4})
    assert len(epoch_row(end)) <= 80
    assert len(EPOCH_HEADING) <= 80


def test_headings_stand_over_the_ends_of_their_numbers() -> None:
    row = epoch_row(epoch(7, 0.9))
    for heading, cell in (("epoch", "7"), ("loss", "0.1429"), ("val loss", "0.1571"), ("lr", "1e-3"), ("  s", "0.12")):
        assert EPOCH_HEADING.index(heading) + len(heading) == row.index(cell) + len(cell)


def test_random_weights_and_differences_are_said_in_words() -> None:
    assert weights(WeightsReport(source="none", loaded=0, total=122)) == "random weights"
    names = tuple(f"layer{n}" for n in range(5))
    report = WeightsReport(source="w.pt", loaded=117, total=122, missing=names, unexpected=("x",))
    assert weights(report) == (
        "117 of 122 tensors from w.pt; missing: layer0, layer1, layer2 and 2 more; unexpected: x"
    )


def test_many_skipped_files_are_counted_and_the_first_named() -> None:
    skipped = [SkippedFile(f"{n}.jpg", "truncated") for n in range(1234)]
    assert names_of(skipped, "unreadable") == (
        "1,234 files unreadable: 0.jpg (truncated), 1.jpg (truncated), 2.jpg (truncated) and 1,231 more"
    )


def test_what_trains_names_stages_and_head() -> None:
    assert trains(fold([layers("layer3", "layer4")])) == "10.5M of 11.2M parameters: layer3, layer4, fc (head)"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"where": "none", "bytes": 0}, "features  1000×512 float32, computed in every batch"),
        ({"where": "device", "reused": True}, "features  1000×512 float32, 2.0 MiB on the device, found again"),
        ({"where": "file", "seconds": 70.0}, "features  1000×512 float32, 2.0 MiB on disk, computed in 1m 10s"),
    ],
)
def test_where_the_features_are_is_said(changes: dict[str, object], line: str) -> None:
    ready = next(event for event in opening() if isinstance(event, ev.CacheReady))
    event = ev.CacheReady(**{**_fields(ready), **changes, "note": "why"})
    assert [shown.text for shown in Report(RUN).take(event)] == [line, "          why"]


def test_an_interrupted_run_says_so_and_how_to_look_at_it() -> None:
    best = epoch(1, 0.9, best=True)
    end = ev.RunFinished(
        status="stopped", best=figures(best), final=figures(best), timings={}, reason="at step 25, saved"
    )
    texts = [line.text for line in ending(fold(stamped([*opening()[:2], best, end])), RUN)]
    assert texts == [
        "stopped   at step 25, saved; best val 90.0% at epoch 1, 1 epoch in 1.50 s",
        "saved     nothing: no checkpoint could be written",
        "show      fxtui show 20261123-1405-digits-demo",
    ]
    assert ending(RunState(), RUN)[0].text.startswith("interrupted")


def test_a_run_elsewhere_is_meant_by_its_path() -> None:
    assert reference(RUN) == "20261123-1405-digits-demo"
    assert reference(RunDirectory(Path("/data/runs/a"))) == "/data/runs/a"


def _fields(record: ev.Event) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}
