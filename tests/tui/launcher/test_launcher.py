"""The launcher: what it lists, what its keys choose, and the form that writes a configuration."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from textual.pilot import Pilot

from fxtui.config import ConfigError, DataConfig, RunConfig, load_config, parse_config, to_dict, to_short_toml
from fxtui.run.nearby import look_around
from fxtui.run.preview import Preview
from fxtui.run.store import RunStore
from fxtui.tui.launcher.app import Choice, GoOn, LauncherApp, StartFile
from fxtui.tui.launcher.form_fields import read_fields
from fxtui.tui.launcher.form_screen import FormHelp, FormScreen, LeaveDialog, StartLine
from fxtui.tui.launcher.home_screen import HomeScreen
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.widgets.field import TextField
from fxtui.tui.widgets.line_view import LineView

_KNOWN = Preview(device="cpu", images=1797, classes=10, train=1438, val=359, parameters=1000, trainable_parameters=50)


def _app(
    folder: Path,
    preview: Callable[[RunConfig], Preview] = lambda _config: _KNOWN,
    names: Sequence[str] = ("resnet18", "resnet50", "vgg11"),
    profile: TerminalProfile | None = None,
) -> LauncherApp:
    return LauncherApp(
        lambda: look_around(folder, folder / "runs"),
        FormHelp(preview, lambda: names, 0.0),
        folder=folder,
        profile=profile,
    )


def _shown(app: LauncherApp) -> str:
    """The text of all lines that are on the screen."""
    views = [view for view in app.screen.query(LineView) if view.display and view.size.width]
    return "\n".join("".join(s.text for s in view.render_line(y)) for view in views for y in range(view.size.height))


async def _until(pilot: Pilot[Any], what: Callable[[], bool]) -> None:
    for _ in range(200):
        if what():
            return
        await pilot.pause(0.01)
    pytest.fail(f"not so: {_shown(pilot.app)}")  # type: ignore[arg-type]


def _field(app: LauncherApp, key: str) -> TextField:
    return app.screen.query_one(f"#field-{key.replace('.', '-')}", TextField)


def _note(app: LauncherApp, key: str) -> str:
    parent = _field(app, key).parent
    assert parent is not None
    return "".join(segment.text for segment in parent.query_one(".note", LineView).render_line(0)).strip()


async def _listed(pilot: Pilot[Any], word: str) -> None:
    await _until(pilot, lambda: word in _shown(pilot.app))  # type: ignore[arg-type]


async def _go_to(pilot: Pilot[Any], name: str) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, HomeScreen)
    for _ in range(30):
        if str(getattr(screen.entry, "path", "")).endswith(name):
            return
        await pilot.press("down")
    pytest.fail(f"{name} is not in the list")


def _config_file(folder: Path, text: str = "") -> Path:
    path = folder / "mine.toml"
    path.write_text(f'[data]\nsource = "digits"\n{text}')
    return path


def _images(folder: Path) -> None:
    for name in ("cat", "dog"):
        (folder / "pets" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "pets" / name / "1.png")


async def _chosen(folder: Path, name: str) -> Choice | None:
    app = _app(folder)
    async with app.run_test(size=(120, 40)) as pilot:
        await _listed(pilot, "demo")
        await _go_to(pilot, name)
        await pilot.press("enter")
        await pilot.pause()
    return app.return_value


async def test_enter_starts_a_configuration(tmp_path: Path) -> None:
    _config_file(tmp_path)
    chosen = await _chosen(tmp_path, "mine.toml")
    assert isinstance(chosen, StartFile)
    assert chosen.path.name == "mine.toml"


async def test_a_wrong_configuration_says_what_is_wrong_and_cannot_be_started(tmp_path: Path) -> None:
    _config_file(tmp_path, "[train]\nlr = -1.0\n")
    app = _app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await _listed(pilot, "mine.toml")
        await _go_to(pilot, "mine.toml")
        await pilot.press("enter", "e")
        assert "train.lr = -1.0: expected a number above 0" in _shown(app)
        assert isinstance(app.screen, HomeScreen)


async def test_enter_goes_on_with_a_run_that_has_a_checkpoint(tmp_path: Path) -> None:
    run = RunStore(tmp_path / "runs").create(RunConfig(name="half", data=DataConfig(source="digits")))
    (run.checkpoints / "last").mkdir(parents=True)
    assert await _chosen(tmp_path, run.path.name) == GoOn(run.path)


async def test_a_run_without_a_checkpoint_fills_in_the_form(tmp_path: Path) -> None:
    run = RunStore(tmp_path / "runs").create(parse_config({"data": {"source": "digits"}, "train": {"epochs": 17}}, []))
    app = _app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await _listed(pilot, run.path.name)
        await _go_to(pilot, run.path.name)
        await pilot.press("enter")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert _field(app, "train.epochs").text == "17"


async def test_runs_are_listed_newest_first_and_with_their_state(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    for name in ("older", "newer"):
        store.create(RunConfig(name=name, data=DataConfig(source="digits"))).journal.touch()
    app = _app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await _listed(pilot, "older")
        text = _shown(app)
    assert text.index("newer") < text.index("older")
    assert "interrupted" in text


async def test_a_wrong_rate_is_named_beside_its_field_and_is_not_started(tmp_path: Path) -> None:
    app = _app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        _field(app, "train.lr").focus_text()
        await pilot.press(*"-3", "f5")
        await pilot.pause()
        assert _note(app, "train.lr") == "! expected a number above 0"
        assert "train.lr = -3" in _shown(app)
        assert isinstance(app.screen, FormScreen)
    assert not list(tmp_path.glob("*.toml"))


async def test_a_folder_becomes_a_file_with_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _images(tmp_path)
    (tmp_path / "pets.toml").write_text("kept = true\n")
    app = _app(Path())
    async with app.run_test(size=(120, 40)) as pilot:
        await _listed(pilot, "pets/")
        await _go_to(pilot, "pets")
        await pilot.press("enter")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        await _until(pilot, lambda: bool(_field(app, "model.backbone").offers))
        _field(app, "model.backbone").focus_text()
        await pilot.press(*"resn", "down")
        await pilot.press("enter")
        _field(app, "train.lr").focus_text()
        await pilot.press(*"3e-3")
        for _ in range(30):
            if isinstance(app.focused, StartLine):
                break
            await pilot.press("tab")
        await pilot.press("enter")
        await pilot.pause()
    assert app.return_value == StartFile(Path("pets-2.toml"), new=True)
    assert (tmp_path / "pets.toml").read_text() == "kept = true\n"
    config = load_config(tmp_path / "pets-2.toml")
    assert (config.name, config.data.source, config.train.lr) == ("pets", "pets", 0.003)
    assert config.model.backbone == "resnet18"


async def test_what_the_preview_refuses_is_named_and_not_started(tmp_path: Path) -> None:
    def refuse(config: RunConfig) -> Preview:
        raise ConfigError(f"model.backbone = '{config.model.backbone}': unknown; did you mean resnet18?")

    app = _app(tmp_path, refuse)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        await _until(pilot, lambda: "did you mean resnet18?" in _note(app, "model.backbone"))
        await pilot.press("f5")
        await pilot.pause()
        assert isinstance(app.screen, FormScreen)
    assert not list(tmp_path.glob("*.toml"))


async def test_figures_are_absent_until_known_and_those_of_the_newest_configuration(tmp_path: Path) -> None:
    go, seeds = threading.Event(), list[int]()

    def slow(config: RunConfig) -> Preview:
        seeds.append(config.seed)
        assert go.wait(10)
        return Preview(device="cpu", parameters=11_000_000, trainable_parameters=1000 + config.seed)

    app = _app(tmp_path, slow)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("n")
        await _until(pilot, lambda: seeds == [0])
        _field(app, "seed").focus_text()
        await pilot.press(*"77")
        assert "11.0M" not in _shown(app)
        go.set()
        await _until(pilot, lambda: "1,077 of 11.0M" in _shown(app))
        assert seeds[-1] == 77


@pytest.mark.parametrize("typed", [False, True])
async def test_escape_asks_only_if_something_was_typed(tmp_path: Path, typed: bool) -> None:
    app = _app(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        if typed:
            _field(app, "name").focus_text()
            await pilot.press(*"cats")
        await pilot.press("escape")
        await pilot.pause()
        if typed:
            assert isinstance(app.screen, LeaveDialog)
            await pilot.press("y")
            await pilot.pause()
        assert isinstance(app.screen, HomeScreen)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_without_signs_beyond_ascii_nothing_else_is_shown(tmp_path: Path, size: tuple[int, int]) -> None:
    _config_file(tmp_path)
    app = _app(tmp_path, profile=TerminalProfile(ascii_only=True, no_color=True))
    async with app.run_test(size=size) as pilot:
        await _listed(pilot, "mine.toml")
        assert _shown(app).isascii()
        assert "?" not in _shown(app)
        await pilot.press("n")
        await _until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.pause()
        assert _shown(app).isascii()
        assert "?" not in _shown(app)


def test_a_short_file_loads_to_the_same_configuration(tmp_path: Path) -> None:
    changes = ["name=a", "train.lr=0.00123456789", "freeze.trainable=layer4,layer3", "train.schedule=cosine", "seed=7"]
    config = parse_config({"data": {"source": "digits"}}, changes)
    (tmp_path / "a.toml").write_text(to_short_toml(config))
    assert load_config(tmp_path / "a.toml") == config
    assert "epochs" not in to_short_toml(config)


def test_fields_keep_what_they_cannot_show() -> None:
    base = parse_config({"data": {"source": "digits"}}, ["train.lr=0.00123456789", "train.ema=0.5"])
    config, faults = read_fields(base, {"train.lr": "0.00123457", "freeze.trainable": "layer4, fc"})
    assert not faults
    assert config is not None
    assert to_dict(config)["train"] == to_dict(base)["train"]
    assert config.freeze.trainable == ("layer4", "fc")
