"""A session without an engine: it hands out events made by hand and remembers the commands it was sent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import msgspec

from fxtui.protocol import events as ev
from fxtui.protocol.commands import AnyCommand
from fxtui.run.session.session import Standing
from fxtui.run.store import RunDirectory
from tests.run.samples import prediction

START = 1_795_500_000.0
STAGES = tuple(f"features.{i}" for i in range(9))
SIZES = (928, 1_400, 16_000, 44_000, 210_000, 480_000, 1_960_000, 700_000, 412_160)


class FakeSession:
    """Hands out what :meth:`say` was given."""

    def __init__(self, events: Iterable[ev.Event] = (), root: Path = Path("runs")) -> None:
        self.run = RunDirectory(root / "20261124-1405-digits-demo")
        self.alive = True
        self.standing = Standing()
        self.sent: list[AnyCommand] = []
        self._waiting: list[ev.Event] = []
        self._seq = 0
        for event in events:
            self.say(event)

    def say(self, event: ev.Event) -> None:
        """Let the engine have said this."""
        t = event.t or START + self._seq
        self._waiting.append(msgspec.structs.replace(event, t=t, seq=self._seq))
        self._seq += 1

    def events(self) -> list[ev.Event]:
        """Everything said since the last call."""
        found, self._waiting = self._waiting, []
        return found

    def send(self, command: AnyCommand) -> None:
        """Remember a command."""
        self.sent.append(command)


def layer_rows(trainable: tuple[str, ...] = ()) -> tuple[ev.LayerRow, ...]:
    """The table of a network of nine stages, the seventh with two blocks."""
    rows = []
    for stage, size in zip(STAGES, SIZES, strict=True):
        paths = [stage, f"{stage}.0", f"{stage}.0.0", f"{stage}.0.1"] if stage == "features.7" else [stage]
        for path in paths:
            trains = stage in trainable
            rows.append(
                ev.LayerRow(
                    path=path,
                    kind="Sequential",
                    parameters=size,
                    trainable="all" if trains else "none",
                    in_optimizer="all" if trains else "none",
                    mode="train" if trains else "eval",
                    lr=1e-3 if trains else None,
                    bn="moving" if trains else "still",
                    output=(112, 4, 4),
                    grad_norm=0.213 if trains else None,
                    update_ratio=2.1e-4 if trains else None,
                    is_stage=path == stage,
                )
            )
    head = ev.LayerRow(
        path="classifier.1",
        kind="Linear",
        parameters=12_810,
        trainable="all",
        in_optimizer="all",
        mode="train",
        lr=1e-3,
        grad_norm=1.042,
        update_ratio=8.7e-4,
        output=(10,),
        is_head=True,
    )
    return (*rows, head)


def beginning() -> list[ev.Event]:
    """Up to the first batch."""
    report = ev.WeightsReport(source="ImageNet (embedded)", loaded=296, total=296)
    name = "20261124-1405-digits-demo"
    return [
        ev.RunStarted(name=name, version="0.1.0", epochs=12, config={}, pid=1),
        ev.DataReady(
            source="digits",
            classes=tuple("0123456789"),
            train=800,
            val=200,
            train_per_class=(80,) * 10,
            val_per_class=(20,) * 10,
        ),
        ev.ModelReady(
            backbone="efficientnet_lite0",
            device="cuda:0",
            features=1280,
            parameters=3_383_818,
            weights=report,
            stages=STAGES,
            head="classifier.1",
        ),
        ev.PipelineStage(stage="images", shape_in=(1000, 3, 64, 64), shape_out=(1000, 3, 64, 64)),
        ev.PipelineStage(stage="preprocess", shape_in=(1000, 3, 64, 64), shape_out=(1000, 3, 64, 64)),
        ev.ExtractionProgress(done=1000, total=1000, images_per_s=1234.0),
        ev.CacheReady(
            frontier=("flatten",), shape=((1000, 1280),), dtype="float32", where="device", bytes=5_120_000, reused=False
        ),
        ev.PipelineStage(stage="features", shape_in=(1000, 3, 64, 64), shape_out=(1000, 1280)),
        ev.PipelineStage(stage="train", shape_in=(800, 1280), shape_out=(800, 10)),
        ev.PipelineStage(stage="validate", shape_in=(200, 1280), shape_out=(200, 10)),
        ev.Layers(rows=layer_rows(), parameters=3_383_818, trainable_parameters=12_810),
    ]


def batch(epoch: int, number: int = 13) -> ev.BatchEnd:
    """A batch in the middle of an epoch."""
    step = (epoch - 1) * 25 + number
    return ev.BatchEnd(
        epoch=epoch, step=step, batch=number, batches=25, loss=2.2 * math.exp(-step / 90), accuracy=0.9, lr=1e-3
    )


def epoch_end(epoch: int, best: bool = True) -> ev.EpochEnd:
    """Figures that fall as those of a good run do."""
    return ev.EpochEnd(
        epoch=epoch,
        step=epoch * 25,
        train_loss=2.1 * math.exp(-epoch / 3.2) + 0.09,
        train_accuracy=1 - 0.55 * math.exp(-epoch / 2.4),
        val_loss=2.0 * math.exp(-epoch / 3.6) + 0.16,
        val_accuracy=1 - 0.5 * math.exp(-epoch / 2.2) - 0.03,
        lr=1e-3,
        seconds=0.09 if epoch < 5 else 2.04,
        observation="best +1.5" if best else "flat 3 epochs",
        best=best,
    )


def thaw(step: int = 100) -> ev.FreezeChanged:
    """features.8 begins to train."""
    return ev.FreezeChanged(
        before=(),
        after=("features.8",),
        origin="unfreeze_next",
        text="features.8 trains: 412,160 more parameters (z undoes)",
        epoch=5,
        step=step,
        rows=layer_rows(("features.8",)),
        trainable_parameters=424_970,
    )


def figures(epoch: int) -> ev.LayerFigures:
    """What one update of an epoch did to the layers that trained in it."""
    rows = layer_rows(("features.8",) if epoch > 4 else ())
    found = [
        ev.LayerFigure(row.path, 0.2, (8e-4 if row.is_head else 2e-4) * 10 ** (0.2 * (3 - epoch)), 1e-3)
        for row in rows
        if row.trainable != "none"
    ]
    return ev.LayerFigures(step=epoch * 25, figures=tuple(found))


def price() -> ev.CostEstimated:
    """What it would cost to train features.7 as well."""
    now = ev.Cost(
        trainable_parameters=424_970,
        optimizer_bytes=3_400_000,
        gradient_bytes=1_700_000,
        activation_bytes=9_000_000,
        cache_bytes=5_120_000,
        cache_ready=True,
        seconds_per_epoch=2.04,
        measured=True,
        measured_images=64,
    )
    then = ev.Cost(
        trainable_parameters=1_124_970,
        optimizer_bytes=9_000_000,
        gradient_bytes=4_500_000,
        activation_bytes=23_000_000,
        cache_bytes=12_288_000,
        cache_ready=False,
        seconds_per_epoch=3.1,
        measured=False,
        measured_images=64,
    )
    return ev.CostEstimated(change="set_trainable", after=("features.7", "features.8"), now=now, then=then)


def evaluation(epoch: int = 9) -> ev.Evaluation:
    """Two hundred images of ten classes, a few of them wrong."""
    wrong = {(8, 1): 3, (4, 1): 1, (5, 9): 1, (1, 9): 2, (9, 3): 1}
    results = []
    number = 0
    for (true, predicted), count in wrong.items():
        for k in range(count):
            results.append(ev.ImageResult(number, true, predicted, 0.7 - 0.05 * number, 2.5 - 0.2 * number - 0.01 * k))
            number += 1
    correct = [20 - sum(n for (true, _), n in wrong.items() if true == label) for label in range(10)]
    for label in range(10):
        for _ in range(correct[label]):
            results.append(ev.ImageResult(number, label, label, 0.3 + number / 300, 0.9 - number / 250))
            number += 1
    pairs = [(label, label, correct[label]) for label in range(10)] + [(*pair, n) for pair, n in wrong.items()]
    return ev.Evaluation(
        epoch=epoch, support=(20,) * 10, correct=tuple(correct), confusion=tuple(pairs), images=tuple(results)
    )


def midway() -> list[ev.Event]:
    """Nine of twelve epochs, one stage unfrozen after the fourth."""
    events = beginning()
    for epoch in range(1, 10):
        events += [batch(epoch, 25), figures(epoch), epoch_end(epoch, best=epoch not in (3, 7))]
        if epoch == 4:
            events.append(thaw())
    return [*events, batch(10), price()]


def looked_at() -> list[ev.Event]:
    """The same, with the validation images evaluated and the worst of them traced."""
    return [*midway(), evaluation(), prediction(9, number=0)]


def finished(status: ev.RunStatus = "finished", reason: str = "") -> ev.RunFinished:
    """The end."""
    return ev.RunFinished(
        status=status, best=None, final=None, timings={}, reason=reason, exit_status=1 if status == "failed" else 0
    )


def holding() -> ev.RunHolding:
    """What was planned is done, and the run waits."""
    return ev.RunHolding(
        epoch=9, step=225, reason="9 of 9 epochs", best=None, device="cuda:0", held_bytes=22 << 20, minutes=30.0
    )
