"""Made-up runs, event by event, stamped as a recorder would stamp them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable

import msgspec

from fxtui.protocol import events as ev
from fxtui.protocol.records import (
    ClassScore,
    Cost,
    EpochFigures,
    ImageResult,
    LayerFigure,
    LayerRow,
    SkippedFile,
    Thumbnail,
    WeightsReport,
)

STARTED = 1_760_000_000.0
STAGES = ("conv1", "layer1", "layer2", "layer3", "layer4")
SIZES = {"conv1": 9_408, "layer1": 147_968, "layer2": 525_568, "layer3": 2_099_712, "layer4": 8_393_728, "fc": 5_130}


def prediction(epoch: int, number: int = 60, true: int = 8, predicted: int = 1) -> ev.Prediction:
    """What the network makes of a validation image, most likely wrongly."""
    chances = [0.06 if label not in (true, predicted) else 0.4 if label == predicted else 0.12 for label in range(10)]
    scores = sorted(
        (ClassScore(label, math.log(chance) + 2.5, chance) for label, chance in enumerate(chances)),
        key=lambda score: -score.logit,
    )
    shades = bytes(255 * (x + y) // 62 for y in range(32) for x in range(32) for _ in range(3))
    return ev.Prediction(
        image=f"val #{number}",
        number=number,
        true=true,
        predicted=predicted,
        loss=-math.log(chances[true]),
        input_shape=(3, 64, 64),
        pixel_min=0.0,
        pixel_max=1.0,
        pixel_mean=0.29,
        features=1280,
        feature_bins=tuple(abs(math.sin(k * 1.7)) for k in range(40)),
        features_positive=0.61,
        classes=10,
        logit_min=scores[-1].logit,
        logit_max=scores[0].logit,
        entropy=1.76,
        scores=tuple(scores),
        thumbnail=Thumbnail(32, 32, zlib.compress(shades)),
        epoch=epoch,
        step=epoch * 25,
        source="live",
    )


def stamped(events: Iterable[ev.Event], start: float = STARTED, every: float = 0.5) -> list[ev.Event]:
    """The events with ``seq`` from 0 and a time ``every`` so many seconds."""
    return [msgspec.structs.replace(event, seq=n, t=start + n * every) for n, event in enumerate(events)]


def layer_row(path: str, trains: bool = False) -> LayerRow:
    """A stage of a ResNet-18, or its head."""
    share = "all" if trains else "none"
    return LayerRow(
        path=path,
        kind="Linear" if path == "fc" else "Sequential",
        parameters=SIZES[path],
        trainable=share,
        in_optimizer=share,
        mode="train" if trains else "eval",
        lr=1e-3 if trains else None,
        is_stage=path != "fc",
        is_head=path == "fc",
    )


def layers(*trainable: str) -> ev.Layers:
    """The layer table of a ResNet-18 in which these stages train besides the head."""
    rows = tuple(layer_row(path, path == "fc" or path in trainable) for path in (*STAGES, "fc"))
    return ev.Layers(
        rows=rows,
        parameters=sum(SIZES.values()),
        trainable_parameters=sum(row.parameters for row in rows if row.trainable == "all"),
    )


def epoch(number: int, val: float, *, best: bool = False, steps: int = 25, **figures: float) -> ev.EpochEnd:
    """One epoch; only what a test is about needs saying."""
    return ev.EpochEnd(
        epoch=number,
        step=number * steps,
        train_loss=figures.get("train_loss", 1.0 / number),
        train_accuracy=figures.get("train", min(1.0, val + 0.01)),
        val_loss=figures.get("val_loss", 1.1 / number),
        val_accuracy=val,
        lr=1e-3,
        seconds=figures.get("seconds", 0.12),
        observation="best" if best else "flat",
        best=best,
    )


def figures(end: ev.EpochEnd) -> EpochFigures:
    """The same figures as `run_finished` repeats them."""
    return EpochFigures(
        epoch=end.epoch,
        train_loss=end.train_loss,
        train_accuracy=end.train_accuracy,
        val_loss=end.val_loss,
        val_accuracy=end.val_accuracy,
    )


def opening(epochs: int = 3) -> list[ev.Event]:
    """Everything up to the first batch."""
    return [
        ev.RunStarted(name="digits-demo", version="0.1.0", epochs=epochs, config={"seed": 0}, pid=7),
        ev.DataReady(
            source="digits",
            classes=tuple("0123456789"),
            train=800,
            val=200,
            train_per_class=(80,) * 10,
            val_per_class=(20,) * 10,
            not_images=2,
            skipped=(SkippedFile("a/empty.png", "empty file"),),
        ),
        ev.ModelReady(
            backbone="resnet18",
            device="cpu",
            features=512,
            parameters=sum(SIZES.values()),
            weights=WeightsReport(source="ResNet18_Weights.IMAGENET1K_V1", loaded=120, total=122, missing=("a", "b")),
            stages=STAGES,
            head="fc",
        ),
        ev.PipelineStage(stage="images", shape_in=(1000, 3, None, None), shape_out=(1000, 3, 64, 64)),
        ev.PipelineStage(stage="preprocess", shape_in=(1000, 3, 64, 64), shape_out=(1000, 3, 64, 64)),
        layers(),
        ev.ExtractionProgress(done=0, total=1000, images_per_s=0.0),
        ev.ExtractionProgress(done=640, total=1000, images_per_s=320.0),
        ev.ExtractionProgress(done=1000, total=1000, images_per_s=333.0),
        ev.PipelineStage(stage="features", shape_in=(1000, 3, 64, 64), shape_out=(1000, 512)),
        ev.CacheReady(
            frontier=("flatten",),
            shape=((1000, 512),),
            dtype="float32",
            where="host",
            bytes=2_048_000,
            reused=False,
            seconds=3.0,
        ),
        ev.PipelineStage(stage="train", shape_in=(800, 512), shape_out=(800, 10)),
        ev.PipelineStage(stage="validate", shape_in=(200, 512), shape_out=(200, 10)),
    ]


def trained(number: int, val: float, *, best: bool = False, **figures: float) -> list[ev.Event]:
    """An epoch with two batch events, its end, and what follows it."""
    end = epoch(number, val, best=best, **figures)
    batches = [
        ev.BatchEnd(
            epoch=number,
            step=(number - 1) * 25 + batch,
            batch=batch,
            batches=25,
            loss=end.train_loss,
            accuracy=end.train_accuracy,
            lr=1e-3,
        )
        for batch in (12, 25)
    ]
    return [
        *batches,
        ev.ValidationProgress(epoch=number, done=200, total=200),
        end,
        ev.Evaluation(
            epoch=number,
            support=(20,) * 10,
            correct=(18,) * 10,
            confusion=((1, 7, 2),),
            images=(ImageResult(60, 8, 1, 0.713, 2.5026),),
        ),
        prediction(number),
        ev.CheckpointSaved(
            kind="best" if best else "last",
            path=f"checkpoints/{'best' if best else 'last'}",
            epoch=number,
            step=number * 25,
            val_accuracy=val,
            bytes=45_000_000,
        ),
    ]


def unfreezing(epoch: int) -> ev.FreezeChanged:
    """layer4 begins to train after this epoch."""
    return ev.FreezeChanged(
        before=(),
        after=("layer4",),
        origin="unfreeze_next",
        text="layer4 trains: 8.39M more parameters",
        epoch=epoch,
        step=epoch * 25,
        rows=(layer_row("layer4", True),),
        trainable_parameters=SIZES["layer4"] + SIZES["fc"],
    )


def going_on(epoch: int, step: int, epochs: int) -> list[ev.Event]:
    """A run is taken up again: what a new process says up to its first batch."""
    return [ev.RunContinued(epoch=epoch, step=step, epochs=epochs, pid=8), *opening()[1:]]


def estimated() -> ev.CostEstimated:
    """What unfreezing layer4 would cost a run that trains the head alone."""
    head, layer4 = SIZES["fc"], SIZES["layer4"]
    now = Cost(
        trainable_parameters=head,
        optimizer_bytes=8 * head + 8,
        gradient_bytes=4 * head,
        activation_bytes=64 * 1024,
        cache_bytes=2_048_000,
        cache_ready=True,
        seconds_per_epoch=0.4,
        measured=True,
        measured_images=4,
    )
    then = Cost(
        trainable_parameters=head + layer4,
        optimizer_bytes=8 * (head + layer4) + 68,
        gradient_bytes=4 * (head + layer4),
        activation_bytes=210 * 1024**2,
        cache_bytes=16_384_000,
        cache_ready=False,
        seconds_per_epoch=18.96,
        measured=False,
        measured_images=4,
    )
    return ev.CostEstimated(change="unfreeze_next", after=("layer4",), now=now, then=then)


def done(
    command: str, *, epoch: int, batch: int, step: int, origin: ev.CommandOrigin = "user", **arguments: object
) -> ev.CommandDone:
    """A command that was carried out before this batch of the run, ``batch`` batches into its epoch."""
    return ev.CommandDone(
        command=command,
        text=f"{command} done",
        arguments=arguments,
        origin=origin,
        epoch=epoch,
        batch=batch,
        step=step,
    )


def whole_run() -> list[ev.Event]:
    """A run of three epochs with every kind of event in it, to its end."""
    last = epoch(3, 0.93, best=True)
    return stamped(
        [
            *opening(epochs=2),
            *trained(1, 0.85, best=True),
            ev.RunPaused(epoch=1, step=25),
            ev.RunResumed(epoch=1, step=25),
            ev.CommandDone(
                command="set_lr",
                text="learning rate 1e-3 → 3e-4 for the head",
                arguments={"lr": 3e-4},
                epoch=2,
                batch=0,
                step=26,
            ),
            ev.EpochsChanged(before=2, after=3),
            ev.CommandRefused(command="freeze_all", reason="only the head trains"),
            *trained(2, 0.70)[:1],
            ev.RunContinued(epoch=2, step=25, epochs=3, pid=8),
            *trained(2, 0.90, best=True),
            estimated(),
            unfreezing(2),
            ev.LayerFigures(step=51, figures=(LayerFigure("fc", 1.5, 8.7e-4),)),
            ev.RunWarning(text="the clock went back"),
            ev.Output(text="hello from a user's module"),
            ev.ImagesSkipped(skipped=(SkippedFile("b/torn.jpg", "truncated"),), train=799, val=200),
            *trained(3, 0.93, best=True),
            ev.Advice(text="more epochs", key="+"),
            ev.RunHolding(
                epoch=3, step=75, reason="3 of 3 epochs", best=None, device="cpu", held_bytes=1 << 20, minutes=30.0
            ),
            ev.RunFinished(
                status="finished", best=figures(last), final=figures(last), timings={"extract": 3.0, "train": 0.36}
            ),
        ]
    )
