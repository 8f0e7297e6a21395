"""What is said of the layers while a run goes on: the whole table, what a change changed, and what contradicts it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from torch import nn

from fxtui.engine.freezing.state import Freezing
from fxtui.engine.layers.drift import Drift
from fxtui.engine.layers.gradients import layer_figures
from fxtui.engine.layers.table import layer_table
from fxtui.engine.optimization.optimizer import Optimization
from fxtui.engine.optimization.step import UpdateFigures
from fxtui.protocol import events as ev

_MEASURE_SECONDS = 1.0
_MEASURE_SHARE = 0.05


class LayerWatch:
    """Reads the layers of a model in training and says how they stand; new contradictions are warned of.

    ``outputs`` gives the shape of a module's output for one image, where it is known.
    """

    def __init__(
        self,
        model: nn.Module,
        freezing: Freezing,
        optimization: Optimization,
        outputs: Mapping[str, ev.Shape],
        emit: Callable[[ev.Event], None],
    ) -> None:
        self._model = model
        self._freezing = freezing
        self._optimization = optimization
        self._outputs = outputs
        self._emit = emit
        self._drift = Drift(model)
        self._began = self._measure_next = 0.0
        self._said: dict[str, ev.LayerRow] = {}

    def settle(self) -> None:
        """Take what is frozen now for what has to stay as it is, and measure the next update."""
        self._drift.remember()
        self._measure_next = 0.0

    def say(self) -> None:
        """Say how every layer stands."""
        table, _ = self._read()
        self._emit(table)

    def look(self, force: bool = False) -> None:
        """See whether everything frozen stays as it is, if it is time or ``force``, and say so if it does not."""
        if self._drift.look(force):
            self.say()

    def changes(self) -> tuple[tuple[ev.LayerRow, ...], int]:
        """The rows that are otherwise than they were last said to be, and how many numbers train."""
        table, changed = self._read()
        return changed, table.trainable_parameters

    def begin_update(self) -> bool:
        """The weights are about to move; True if it is time to measure what becomes of them."""
        self._began = time.monotonic()
        return self._began >= self._measure_next

    def end_update(self, step: int, figures: UpdateFigures) -> None:
        """Say what the update of batch ``step``, counted from 1, did to each layer, and what moved that should not.

        That takes a twentieth of the time at most, and comes once a second at most.
        """
        rows = layer_figures(self._model, figures, self._optimization.rates())
        self._emit(ev.LayerFigures(step=step, figures=rows))
        self.look()
        now = time.monotonic()
        self._measure_next = now + max(_MEASURE_SECONDS, (now - self._began) / _MEASURE_SHARE)

    def _read(self) -> tuple[ev.Layers, tuple[ev.LayerRow, ...]]:
        rates, moved = self._optimization.rates(), self._drift.moved
        table = layer_table(self._model, self._freezing, rates, self._outputs, moved)
        changed = tuple(row for row in table.rows if row != self._said.get(row.path))
        before = {row.fault for row in self._said.values()}
        self._said = {row.path: row for row in table.rows}
        if new := sorted({row.fault for row in table.rows} - before - {""}):
            more = f" ({len(new) - 1} more faults in the layer table)" if len(new) > 1 else ""
            self._emit(ev.RunWarning(text=f"fault: {new[0]}{more}"))
        return table, changed
