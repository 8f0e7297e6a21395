"""A checkpoint read to go on from, as if the run had not stopped, and what can keep it from doing so to the bit."""

from __future__ import annotations

import os
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from fxtui.config import ConfigError
from fxtui.engine.checkpoints.files import CheckpointInfo, load_newest
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.freezing.state import Freezing
from fxtui.engine.metrics.progress import Progress
from fxtui.machine.cpu import cpu_count
from fxtui.protocol.events import RunContinued, WeightsReport
from fxtui.run.store import RunDirectory


class Resumed:
    """The last checkpoint of a run, read to continue it. ``note`` says where it is another, and why.

    Raises:
        ConfigError: there is none, it is damaged, or it was written by a version that kept less.
    """

    def __init__(self, run: RunDirectory) -> None:
        (tensors, state, info), self.note = load_newest(run)
        if "progress" not in state or "freezing" not in state:
            raise ConfigError(f"RUN {run.name}: its checkpoint was written by an older fxtui and cannot be continued")
        self.tensors: dict[str, Tensor] = tensors
        self.state: dict[str, Any] = state
        self.info: CheckpointInfo = info
        self.progress = Progress.from_state(state["progress"])
        self.weights = msgspec.convert(state["weights"], WeightsReport)

    def restore_model(self, model: nn.Module, name: str) -> None:
        """Give a model the checkpoint's tensors.

        Raises:
            ConfigError: they are another model's.
        """
        # The model's own mapping carries the versions of its modules, without which MNASNet loads nothing.
        state = model.state_dict()
        state.clear()
        state.update(self.tensors)
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            first = str(error).splitlines()[0]
            raise ConfigError(f"the checkpoint does not fit {name}: {first}") from None
        # The model has them now.
        self.tensors = {}

    def restore_freezing(self, freezing: Freezing) -> None:
        """Give the freezing its state and the history that undo walks back."""
        saved = self.state["freezing"]
        freezing.trainable = frozenset(saved["trainable"])
        freezing.history[:] = [frozenset(names) for names in saved["history"]]
        freezing.apply()

    def restore_images(self, images: ImageRows) -> None:
        """Leave out what was known to be broken when the epoch under way began; see :meth:`later_broken`.

        Raises:
            ConfigError: the classes are others now.
        """
        if images.source.classes != self.info.classes:
            raise ConfigError(
                f"data.source = '{images.source.name}': has {len(images.source.classes)} classes, "
                f"{', '.join(images.source.classes[:3])} ...; the run was trained on {len(self.info.classes)}, "
                f"{', '.join(self.info.classes[:3])} ..."
            )
        if self._same_data(images):
            broken = self.state["data"]["broken"]
            images.drop({row: broken[row] for row in self.progress.left_out})

    def later_broken(self, images: ImageRows) -> dict[int, str]:
        """The rows found to be broken during the epoch under way, with the reasons."""
        if not self._same_data(images):
            return {}
        return {row: why for row, why in self.state["data"]["broken"].items() if row not in self.progress.left_out}

    def continued(self, images: ImageRows, device: torch.device, pid: int) -> RunContinued:
        """The event that says where the run goes on, and why it may not be to the bit."""
        reasons = []
        if not self._same_data(images):
            reasons.append("the images have changed")
        if self.state["threads"] != cpu_count():
            reasons.append(f"{cpu_count()} cores instead of {self.state['threads']}")
        if self.state["device"] != str(device):
            reasons.append(f"on {device} instead of {self.state['device']}")
        elif device.type != "cpu":
            reasons.append(f"sums on {device} are not reproducible")
        if self.note and self.state.get("average"):
            reasons.append("the best checkpoint holds averaged weights")
        if self.state["torch"] != torch.__version__:
            reasons.append(f"torch {torch.__version__} instead of {self.state['torch']}")
        return RunContinued(
            epoch=self.progress.epoch + 1,
            step=self.progress.step,
            epochs=self.progress.epochs,
            pid=pid,
            host=os.uname().nodename,
            exact=not reasons,
            note=f"not to the bit: {', '.join(reasons)}" if reasons else "",
        )

    def _same_data(self, images: ImageRows) -> bool:
        return bool(self.state["data"]["fingerprint"] == images.source.fingerprint())


def surroundings(images: ImageRows, device: torch.device, weights: WeightsReport) -> dict[str, Any]:
    """What a resumed run is compared with: the data, the device, the threads and the versions."""
    return {
        "data": {"fingerprint": images.source.fingerprint(), "broken": dict(images.broken)},
        "device": str(device),
        "threads": cpu_count(),
        "torch": str(torch.__version__),
        "weights": msgspec.to_builtins(weights),
    }
