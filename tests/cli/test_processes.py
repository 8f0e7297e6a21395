"""The command line as a user has it: processes, exit statuses, streams."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine.data.sources.messy import messy_folder, photo

ROOT = Path(__file__).parents[2]


def fxtui(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fxtui", *arguments],
        cwd=cwd or ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_demo_as_json(tmp_path: Path) -> None:
    done = fxtui("train", "configs/demo.toml", "--headless", "--json", "--runs", str(tmp_path), "--set", "device=cpu")
    events = events_of(done.stdout)
    assert done.returncode == 0
    assert events[-1]["type"] == "run_finished"
    assert events[-1]["best"]["val_accuracy"] >= 0.85
    shapes = [event["shape_out"] for event in events if event["type"] == "pipeline_stage"]
    assert [1000, 3, 64, 64] in shapes
    assert shapes[-3:] == [[1000, 1280], [800, 10], [200, 10]]
    journal = next(tmp_path.glob("*/events.jsonl")).read_text()
    assert events_of(journal) == events


def test_a_messy_folder_trains_and_says_what_it_left_out(tmp_path: Path) -> None:
    photos = messy_folder(tmp_path / "photos")
    done = fxtui("train", str(photos), "--headless", "--runs", str(tmp_path / "runs"), "--set", "data.image_size=64")
    assert done.returncode == 0, done.stderr
    for word in ("cats/empty.jpg", "empty file", "cats/torn.jpg", "truncated", "finished"):
        assert word in done.stdout
    shown = fxtui("show", "last", "--runs", str(tmp_path / "runs"))
    assert shown.returncode == 0
    assert "torn.jpg" in shown.stdout
    predicted = fxtui("predict", "last", str(photos / "cats" / "cat1.png"), "--runs", str(tmp_path / "runs"), "--json")
    trace = json.loads(predicted.stdout)
    assert trace["input_shape"] == [1, 3, 64, 64]
    assert trace["features"] == 1280
    assert {name for name, _ in trace["probabilities"]} == {"cats", "Vögel klein"}
    assert sum(p for _, p in trace["probabilities"]) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "train.epoch=3"), "train.epoch: unknown key; did you mean train.epochs?"),
        (("--set", "train.epochs=ten"), "train.epochs = 'ten': expected a whole number"),
        (("--set", "train.epochs=-1"), "train.epochs = -1: expected 1 or more"),
        (("--set", "train.lr=0"), "train.lr = 0.0: expected a number above 0"),
        (("--set", "train.schedule=cosinus"), "train.schedule = 'cosinus': expected one of"),
        (("--set", "data.source=nowhere"), "data.source = 'nowhere': no such folder"),
        (("--set", "data.val_fraction=1.5"), "data.val_fraction = 1.5: expected a fraction"),
        (("--set", "device=tpu"), "device = 'tpu': expected auto, cpu, cuda"),
        (("--set", "model.weights=none.pth"), "model.weights = 'none.pth': no such file"),
        (("--set", "nonsense"), "--set nonsense: expected key=value"),
        (("--bogus",), "--bogus"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_known_without_torch_is_said_without_it(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = fxtui("train", "configs/demo.toml", "--headless", "--runs", str(tmp_path / "r"), *arguments, PYTHONPATH=path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "r").exists() or not list((tmp_path / "r").iterdir())


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.backbone=resnet81", "model.backbone = 'resnet81': unknown backbone; did you mean"),
        ("device=cuda:7", "device = 'cuda:7': not on this machine"),
        ("freeze.trainable=layr4", "freeze.trainable: layr4: no such layer"),
    ],
)
def test_the_rest_is_said_before_an_image_is_read(setting: str, words: str, tmp_path: Path) -> None:
    done = fxtui("train", "configs/demo.toml", "--headless", "--runs", str(tmp_path), "--set", setting)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "extract" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_one_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p" / "only").mkdir(parents=True)
    photo(1).save(tmp_path / "p" / "only" / "1.png")
    done = fxtui(str(tmp_path / "p"), "--headless", "--runs", str(tmp_path / "r"))
    assert done.returncode == 2
    assert "only one class, 'only'" in done.stderr


def test_an_interrupted_run_is_saved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fxtui", "train", "configs/demo.toml", "--headless", "--json"]
    command += ["--runs", str(tmp_path), "--set", "train.epochs=100000", "--set", "device=cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if '"epoch_end"' in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    last = json.loads(rest.splitlines()[-1])
    assert process.returncode == 130
    assert (last["type"], last["status"]) == ("run_finished", "stopped")
    assert list(tmp_path.glob("*/checkpoints/last/model.safetensors"))


def test_a_killed_run_leaves_a_journal_and_a_whole_checkpoint(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fxtui", "train", "configs/demo.toml", "--headless", "--json"]
    command += ["--runs", str(tmp_path), "--set", "train.epochs=100000", "--set", "device=cpu"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if '"checkpoint_saved"' in line:
            break
    time.sleep(0.3)
    process.kill()
    process.communicate()
    from fxtui.engine.checkpoints.files import load_checkpoint
    from fxtui.run.store import RunStore

    run = RunStore(tmp_path).find("last")
    state = run.load_state()
    assert state.epochs
    assert not run.is_locked()
    tensors, saved, info = load_checkpoint(run, "last")
    assert info.epoch >= 1
    assert saved["progress"]["step"] == info.step
    assert "classifier.1.weight" in tensors
    listed = fxtui("runs", "--runs", str(tmp_path))
    assert "interrupted" in listed.stdout


def test_layers_of_a_configuration() -> None:
    done = fxtui("layers", "configs/resnet18.toml", "--set", "model.weights=none", "--json")
    rows = events_of(done.stdout)
    assert [row["path"] for row in rows if row.get("trainable") == "all"] == ["fc"]
    assert rows[-1]["trainable_parameters"] == 5130


def test_doctor_and_help_answer() -> None:
    doctor = fxtui("doctor", "--json")
    assert doctor.returncode == 0, doctor.stderr
    assert doctor.stdout.strip()
    helped = fxtui("--help")
    assert helped.returncode == 0
    assert "train" in helped.stdout
    wrong = fxtui("trian")
    assert wrong.returncode == 2
    assert "did you mean train?" in wrong.stderr


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_output_on_a_full_disk_is_one_line_and_a_run_goes_on(tmp_path: Path, options: list[str]) -> None:
    sets = (
        "model.backbone=tests.engine.models:tiny_resnet",
        "model.weights=none",
        "data.limit=75",
        "data.image_size=32",
        "train.epochs=1",
    )
    (tmp_path / "c.toml").write_text('[data]\nsource = "digits"\n')
    runs = ["--runs", str(tmp_path / "runs"), *options]
    train = ["train", str(tmp_path / "c.toml"), "--headless", *(part for one in sets for part in ("--set", one)), *runs]
    for arguments, status in ((train, 0), (["runs", *runs], 1)):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "fxtui", *arguments], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert done.returncode == status, done.stderr
        code = "fxtui: model.backbone names code: tests.engine.models is imported and tiny_resnet called\n"
        assert done.stderr.decode() == ("fxtui: No space left on device\n" if status else code)
    assert '"status": "finished"' in next(tmp_path.glob("runs/*/summary.json")).read_text()
