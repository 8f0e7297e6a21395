"""The dashboard over a session without an engine: keys, rows, questions, sizes, looks."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from textual.command import CommandPalette

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.tui.dashboard.screens.dialogs import HelpDialog, LearningRateDialog, QuitDialog
from fxtui.tui.widgets.layer_tree import LayerTree
from fxtui.tui.widgets.line_view import LineView
from tests.tui.dashboard.watched import made, settle, text_of
from tests.tui.fake import batch, beginning, epoch_end, finished, midway, thaw


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("u", cmd.UnfreezeNext()),
        ("f", cmd.FreezeAll()),
        ("z", cmd.Undo()),
        ("p", cmd.TogglePause()),
        ("s", cmd.Stop()),
        ("c", cmd.Checkpoint()),
        ("+", cmd.AddEpochs(n=1)),
        ("-", cmd.AddEpochs(n=-1)),
        ("space", cmd.SetTrainable(paths=("features.7",), value=True)),
        ("w", cmd.Estimate(change=cmd.SetTrainable(paths=("features.7",), value=True))),
    ],
)
async def test_keys_send_commands(key: str, command: cmd.Command) -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press(key)
        assert session.sent == [command]


async def test_a_row_changes_when_the_engine_says_so() -> None:
    app, session = made(beginning())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        before = next(line for line in text_of(app, "layers").splitlines() if "features.8" in line)
        assert before.startswith(" ○ ")
        session.say(thaw())
        await settle(app, pilot)
        after = next(line for line in text_of(app, "layers").splitlines() if "features.8" in line)
        assert after.startswith(" ● ")
        assert "425k of 3.38M" in text_of(app, "layers")


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(("key", "name"), [("space", "set_trainable"), ("u", "unfreeze_next")])
async def test_what_was_asked_is_marked_at_once_until_the_engine_answers(key: str, name: str, refused: bool) -> None:
    app, session = made(beginning())

    def mark() -> str:
        return next(line for line in text_of(app, "layers").splitlines() if "features.8" in line).split()[0]

    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press(key)
        assert mark() == "◌"
        session.say(batch(1, 20))
        await settle(app, pilot)
        assert mark() == "◌"
        await pilot.press("2")
        await settle(app, pilot)
        assert mark() == "◌"
        if refused:
            session.say(ev.CommandRefused(command=name, reason="not now"))
        else:
            session.say(thaw())
            session.say(ev.CommandDone(command=name, text="features.8 trains"))
        await settle(app, pilot)
        assert mark() == ("○" if refused else "●")


async def test_an_answer_is_shown_before_the_next_frame() -> None:
    app, session = made(beginning())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        # Frames are far between, as on a slow line.
        app.frame = lambda: True  # type: ignore[method-assign]
        await pilot.press("space")
        session.say(thaw())
        session.say(ev.CommandDone(command="set_trainable", text="features.8 trains"))
        while "◌" in text_of(app, "layers"):
            await pilot.pause(0.02)
        assert "425k of 3.38M" in text_of(app, "layers")


async def test_pressed_twice_asks_there_and_back() -> None:
    app, session = made(beginning())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("space", "space", "space")
        assert session.sent == [cmd.SetTrainable(paths=("features.8",), value=value) for value in (True, False, True)]


async def test_blocks_fold_and_their_parts_can_be_toggled() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("right", "down", "right", "down", "space")
        assert session.sent == [cmd.SetTrainable(paths=("features.7.0.0",), value=True)]
        await pilot.press("left", "left", "left")
        selected = app.screen.query_one(LayerTree).selected
        assert selected is not None
        assert selected.path == "features.7"


async def test_a_click_on_a_mark_toggles_that_layer() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("home")
        await pilot.click("#layers", offset=(1, 2))
        assert session.sent == [cmd.SetTrainable(paths=("features.0",), value=True)]


async def test_epochs_and_figures_are_shown() -> None:
    app, _ = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert "step 13 of 25" in text_of(app, "epochs")
        assert "96.2%" in text_of(app, "epochs")
        assert "best 96.2% epoch 9" in text_of(app, "header")
        assert "1000×1280" in text_of(app, "header")
        assert "features.8" in text_of(app, "loss")


@pytest.mark.parametrize("width", [60, 76, 80, 98, 100, 108, 120, 200])
async def test_the_best_is_always_in_the_header_and_more_where_there_is_room(width: int) -> None:
    app, _ = made(midway())
    async with app.run_test(size=(width, 30)) as pilot:
        await settle(app, pilot)
        line = text_of(app, "header").splitlines()[1]
        assert "best 96.2%" in line or width < 76
        assert "run 1m 10s" in line or width < 120


async def test_before_the_first_epoch_the_plots_say_when() -> None:
    app, _ = made(beginning())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert "first point after epoch 1" in text_of(app, "loss")


async def test_while_training_quitting_asks() -> None:
    app, session = made(midway())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("q")
        assert isinstance(app.screen, QuitDialog)
        await pilot.press("escape")
        assert session.sent == []
        await pilot.press("q", "s")
        assert session.sent == [cmd.Stop(when="now")]
        session.say(finished("stopped"))
        await settle(app, pilot)
    assert app.return_value == 0


async def test_an_ended_run_is_left_at_once_with_its_status() -> None:
    app, _ = made([*midway(), finished("failed", "loss is NaN at step 132")])
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert "failed: loss is NaN at step 132" in text_of(app, "header")
        await pilot.press("q")
    assert app.return_value == 1


async def test_keys_that_cannot_act_say_why() -> None:
    app, session = made([*midway(), finished()])
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("u", "p", "space")
        assert session.sent == []
        assert {note.message for note in app._notifications} >= {"u: the run has ended", "p: the run has ended"}


async def test_a_configuration_error_found_late_closes_the_dashboard() -> None:
    app, session = made([])
    async with app.run_test(size=(80, 24)) as pilot:
        session.say(ev.RunFinished(status="failed", best=None, final=None, timings={}, reason="x", exit_status=2))
        await settle(app, pilot)
    assert app.return_value == 2


async def test_the_learning_rate_is_asked_for_and_checked() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        await pilot.press("l")
        assert isinstance(app.screen, LearningRateDialog)
        await pilot.press(*["backspace"] * 8, *"-1", "enter")
        assert session.sent == []
        await pilot.press("backspace", "backspace", *"3e-4", "enter")
        assert session.sent == [cmd.SetLr(lr=3e-4)]


async def test_the_palette_takes_keys_before_its_list_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    # A pilot that waits for a process at rest would be later than anyone who types.
    monkeypatch.setattr("textual._wait.SLEEP_IDLE", math.inf)
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 0.001)
    app, _ = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        for _ in range(10):
            await pilot.press("ctrl+p", *["pageup"] * 12)
            await settle(app, pilot)
            assert isinstance(app.screen, CommandPalette)
            await pilot.press("escape")
            await settle(app, pilot)
            assert not isinstance(app.screen, CommandPalette)


async def test_an_action_of_another_screen_says_where_it_works() -> None:
    app, session = made(midway())
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        # As the palette does it.
        app.call_later(partial(app.action_open, "log"))
        app.call_later(partial(app.action_act, "log_scale"))
        app.call_later(partial(app.action_act, "toggle"))
        await settle(app, pilot)
        said = [note.message for note in app._notifications]
        assert said == ["y: works on Main only", "space: works on Main, Layers only"]
        assert session.sent == []


async def test_help_lists_every_key() -> None:
    app, _ = made(midway())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("?")
        assert isinstance(app.screen, HelpDialog)
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpDialog)


async def test_the_engine_starts_after_the_first_paint() -> None:
    painted: list[bool] = []
    app, _ = made([])
    app._on_ready = lambda: painted.append(app.screen.is_mounted)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert painted == [True]


async def test_any_size_and_any_moment_can_be_shown() -> None:
    generator = random.Random(0)
    events = [*midway(), *[e for n in range(10, 13) for e in (batch(n), epoch_end(n))], finished()]
    app, session = made([])
    async with app.run_test(size=(80, 24)) as pilot:
        while events:
            session.say(events.pop(0))
            await pilot.resize_terminal(generator.randint(20, 250), generator.randint(5, 80))
            await settle(app, pilot)
            await pilot.press(generator.choice(["up", "down", "right", "left", "tab", "y"]))
        await pilot.resize_terminal(120, 40)
        await settle(app, pilot)
        assert "finished" in text_of(app, "header")


async def test_nothing_is_sent_again_when_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _ = made([*midway(), finished()])
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        refreshed: list[object] = []
        monkeypatch.setattr(LineView, "refresh", lambda _self, *regions, **_: refreshed.append(regions))
        app.drain()
        app.drain()
        assert refreshed == []


def test_the_dashboard_loads_no_torch() -> None:
    code = "import sys, fxtui.tui.dashboard.app; sys.exit('torch' in sys.modules or 'fxtui.engine' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), check=False).returncode == 0
