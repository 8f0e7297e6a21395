"""Folders, manifests and data sets: what is listed, what is left out, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fxtui.config import ConfigError, DataConfig
from fxtui.engine.data.sources.source import open_source
from tests.engine.data.sources.messy import messy_folder, photo


def opened(path: Path | str):  # type: ignore[no-untyped-def]  # whichever source it is
    return open_source(DataConfig(source=str(path)))


def test_a_messy_folder_is_listed_without_preparation(tmp_path: Path) -> None:
    source = opened(messy_folder(tmp_path))
    assert source.classes == ("cats", "Vögel klein")
    names = [source.image_name(i) for i in range(len(source))]
    assert sum(name.startswith("Vögel klein/") for name in names) == 13
    assert "Vögel klein/linked.jpg" in names
    assert not any("hidden" in name or "loop" in name or "Thumbs" in name for name in names)
    assert source.not_images == 2
    assert {(file.path, file.reason) for file in source.skipped} == {
        ("cats/empty.jpg", "empty file"),
        ("cats/gone.jpg", "link to nothing"),
    }
    assert names == [open_source(DataConfig(source=str(tmp_path))).image_name(i) for i in range(len(source))]


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_a_folder_that_is_split_keeps_its_split(tmp_path: Path, val: str) -> None:
    for part, count in (("train", 3), (val, 2), ("test", 1)):
        for name in ("a", "b"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                photo(i).save(tmp_path / part / name / f"{i}.png")
    source = opened(tmp_path)
    assert source.classes == ("a", "b")
    assert np.bincount(source.own_split).tolist() == [6, 4, 2]


def folder(root: Path, **classes: int) -> Path:
    for name, count in classes.items():
        (root / name).mkdir(parents=True)
        for i in range(count):
            photo(i).save(root / name / f"{i}.png")
    return root


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    folder(tmp_path, cats=2, dogs=0)
    (tmp_path / "dogs" / "list.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"class 'dogs' has no image to train on \(1 other files there\)"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("classes", "message"),
    [({}, "has no sub-folders"), ({"cats": 3}, "only one class, 'cats'")],
)
def test_too_few_classes(tmp_path: Path, classes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(folder(tmp_path, **classes))


def test_images_without_class_folders(tmp_path: Path) -> None:
    photo(1).save(tmp_path / "1.png")
    with pytest.raises(ConfigError, match="has images but no sub-folders; expected a sub-folder for each class"):
        opened(tmp_path)


def test_a_class_only_in_validation_is_named(tmp_path: Path) -> None:
    folder(tmp_path / "train", a=1, b=1)
    folder(tmp_path / "val", a=1, c=1)
    with pytest.raises(ConfigError, match="class 'c' is in val/ but not in the training folder"):
        opened(tmp_path)


@pytest.mark.parametrize("source", ["nowhere", "nowhere.csv"])
def test_what_is_not_there(source: str) -> None:
    with pytest.raises(ConfigError, match=f"data.source = '{source}': no such f"):
        opened(source)


def manifest(root: Path, text: str) -> Path:
    for name in ("1", "2", "3", "4"):
        photo(int(name)).save(root / f"{name}.png")
    (root / "list.csv").write_text(text, encoding="utf-8-sig")
    return root / "list.csv"


def test_a_manifest(tmp_path: Path) -> None:
    text = "path,label,split\n1.png,cat,train\n2.png,dög,train\n3.png,cat,val\nnone.png,cat,train\nx.txt,cat,train\n"
    source = opened(manifest(tmp_path, text))
    assert source.classes == ("cat", "dög")
    assert source.labels.tolist() == [0, 1, 0]
    assert source.own_split.tolist() == [0, 0, 1]
    assert [(f.path, f.reason) for f in source.skipped] == [("none.png", "no such file")]
    assert source.not_images == 1
    assert source.read(0).size == (40, 30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line is empty: expected path,label"),
        ("file,class\n1.png,a\n", "first line file,class: expected path,label"),
        ("path,label\n1.png\n", "line 2: expected a path and a label"),
        ("path,label\n1.png,a,b\n", "line 2: more values than columns"),
        ("path,label,split\n1.png,a,maybe\n", "line 2: split 'maybe': expected train, val or test"),
        ("path,label\n1.png,a\n2.png,a\n", "only one class, 'a'"),
        ("path,label\nx.png,a\ny.png,b\n1.png,a\n", "2 of 3 files cannot be used, e.g. x.png: no such file"),
    ],
)
def test_wrong_manifests(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(manifest(tmp_path, text))


def test_digits_come_at_their_size() -> None:
    source = open_source(DataConfig(source="digits", image_size=64))
    assert len(source) == 1797
    assert source.presized
    assert source.read(3).size == (64, 64)


def test_an_unknown_data_set_is_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown data set; did you mean torchvision:CIFAR10\?"):
        opened("torchvision:CIFAR1O")


def test_without_a_network_the_place_and_the_way_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import urllib.request

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network here")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("FXTUI_DATA", str(tmp_path))
    with pytest.raises(ConfigError, match=f"not in {tmp_path}/CIFAR10 and could not be downloaded") as caught:
        opened("torchvision:CIFAR10")
    assert "\n" not in str(caught.value)
