"""The plot panel: crosshair by key and mouse, keys of the screen, and nothing drawn without need."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical

from fxtui.run.state import RunState
from fxtui.tui.dashboard.screens.plot_keys import PlotKeys
from fxtui.tui.plotting.scale import GUTTER
from fxtui.tui.terminal.theme import DARK
from fxtui.tui.views.curves import OverlayRun
from fxtui.tui.widgets.line_screen import LineScreen
from fxtui.tui.widgets.line_view import LineView
from fxtui.tui.widgets.panels.plot import PlotPanel
from tests.tui.fake import batch
from tests.tui.views.test_curves import state_of, trained


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Plots(LineScreen[None], PlotKeys):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.panels = [PlotPanel(what, id=what, ascii_only=False, clock=clock) for what in ("loss", "accuracy")]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield from self.panels


class PlotApp(App[None]):
    CSS = "LineView { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.clock = Clock()
        self.plots = Plots(self.clock)
        self.loss, self.accuracy = self.plots.panels

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def on_mount(self) -> None:
        self.push_screen(self.plots)

    def show(self, state: RunState) -> None:
        for panel in self.plots.panels:
            panel.update(state)


def text(panel: PlotPanel) -> str:
    return "\n".join(panel.render_line(y).text for y in range(panel.size.height))


def heading(panel: PlotPanel) -> str:
    return panel.render_line(0).text


async def test_keys_move_the_crosshair_of_both_plots_and_escape_removes_it() -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        state = state_of(trained())
        app.show(state)
        app.loss.focus()
        await pilot.press("left")
        await pilot.pause()
        assert f"step {state.series.step[-1]}" in heading(app.loss)
        assert app.accuracy.crosshair == app.loss.crosshair
        assert f"train {state.series.accuracy[-1]:.1%}" in heading(app.accuracy)
        last = app.loss.crosshair
        assert last is not None
        await pilot.press("left", "left", "pageup", "shift+right", "right", "right")
        assert app.loss.crosshair == pytest.approx(last)
        await pilot.press("right")
        assert app.loss.crosshair == pytest.approx(last)
        await pilot.press("home")
        assert "step 1 " in heading(app.loss)
        await pilot.press("end")
        assert app.loss.crosshair == pytest.approx(last)
        await pilot.press("escape")
        await pilot.pause()
        assert app.loss.crosshair is None
        assert app.accuracy.crosshair is None
        assert "smooth 0.60" in heading(app.loss)


async def test_the_crosshair_follows_the_mouse_until_it_is_pinned() -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        app.show(state_of(trained()))
        await pilot.hover("#loss", offset=(GUTTER + 20, 4))
        first = app.loss.crosshair
        assert first is not None
        await pilot.hover("#loss", offset=(GUTTER + 20, 6))
        assert app.loss.crosshair == first
        await pilot.hover("#accuracy", offset=(1, 1))
        await pilot.pause()
        assert app.loss.crosshair is None
        await pilot.click("#loss", offset=(GUTTER + 10, 4))
        pinned = app.loss.crosshair
        assert pinned is not None
        await pilot.hover("#loss", offset=(GUTTER + 30, 4))
        assert app.loss.crosshair == pinned


async def test_without_points_there_is_no_crosshair() -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        app.show(RunState(epochs_planned=5))
        app.loss.focus()
        await pilot.press("left", "home", "escape")
        await pilot.click("#loss", offset=(20, 4))
        assert app.loss.crosshair is None
        assert "first point after epoch 1" in text(app.loss)


async def test_the_keys_of_the_screen_change_both_plots() -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        app.show(state_of(trained()))
        app.loss.focus()
        await pilot.press("left", "pageup")
        step = heading(app.loss).split("step ")[1].split()[0]
        app.plots.do_x_axis()
        assert f"step {step} " in heading(app.loss)
        assert "step 300" in text(app.loss).splitlines()[-1]
        assert "step 300" in text(app.accuracy).splitlines()[-1]
        app.plots.do_x_axis()
        assert "m" in text(app.loss).splitlines()[-1]
        await pilot.press("escape")
        app.plots.do_x_axis()
        app.plots.do_smooth_more()
        app.plots.do_log_scale()
        assert heading(app.loss).rstrip().endswith("log  epoch  smooth 0.90")
        for _ in range(5):
            app.plots.do_smooth_less()
        assert "by batch" in heading(app.loss)
        app.plots.do_per_batch()
        assert "by epoch" in heading(app.loss)
        app.plots.do_per_batch()
        assert "by batch" in heading(app.loss)


async def test_new_batches_are_taken_twice_a_second_and_the_rest_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        state = state_of(trained())
        app.show(state)
        refreshed: list[Any] = []
        monkeypatch.setattr(LineView, "refresh", lambda _self, *regions, **_: refreshed.append(regions))
        app.show(state)
        assert refreshed == []
        state.apply(batch(5, 6))
        app.show(state)
        assert refreshed == []
        app.clock.now = 0.6
        app.show(state)
        assert refreshed != []
        # Rows with none of the new points in them are not sent again.
        assert len({region for regions in refreshed for region in regions}) < 8
        refreshed.clear()
        state.apply(batch(5, 7))
        app.plots.do_log_scale()
        assert f"{state.series.loss[-1]:.4f}" in heading(app.loss)


async def test_overlays_are_drawn_and_go() -> None:
    app = PlotApp()
    async with app.run_test(size=(75, 22)) as pilot:
        await pilot.pause()
        state = state_of(trained())
        app.show(state)
        before = text(app.loss)
        app.loss.set_overlays([OverlayRun("2", tuple(state.epochs[:3]))])
        assert text(app.loss) != before
        app.loss.set_overlays([])
        assert text(app.loss) == before


@pytest.mark.parametrize("size", [(5, 2), (12, 6), (20, 8), (38, 16), (150, 50)])
async def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.show(state_of(trained(1)))
        app.loss.focus()
        await pilot.press("left", "left")
        assert {len(line) for line in text(app.loss).splitlines()} == {size[0]}
