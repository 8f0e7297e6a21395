"""What one may still ask of a run that has ended: predictions, and how the validation images came out."""

from __future__ import annotations

from typing import Literal

import torch

from fxtui.config import ConfigError
from fxtui.engine.assemble import images_for, load_for, preprocessing_for
from fxtui.engine.checkpoints.files import has_checkpoint, load_checkpoint
from fxtui.engine.checkpoints.resume import Resumed
from fxtui.engine.data.normalise import Normaliser
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import ImageSource, open_source
from fxtui.engine.devices import resolve_device
from fxtui.engine.freezing.modes import eval_mode
from fxtui.engine.metrics.tally import Tally
from fxtui.engine.predicting.image_trace import ImageTracer, Weights
from fxtui.protocol.commands import AnyCommand, Evaluate, Predict
from fxtui.protocol.events import Evaluation, Event
from fxtui.run.store import RunDirectory

_BATCH = 64


class AfterTheRun:
    """Answers with the weights that the last epoch was validated with, as far as they are kept.

    They are those of the last checkpoint; of the best, where averages of the weights validate and only it holds them.

    They are loaded at the first question and kept. ``source``: the images, if they have been opened already.
    """

    def __init__(self, run: RunDirectory, source: ImageSource | None = None) -> None:
        self._run = run
        self._source = source
        self._loaded: _Loaded | None = None

    def __call__(self, command: AnyCommand) -> list[Event]:
        """The events that answer a command.

        Raises:
            ConfigError: it cannot be answered, or there is no checkpoint.
        """
        match command:
            case Predict():
                loaded = self._load()
                return [*loaded.tracer.trace_all(command.images, loaded.images, loaded.weights)]
            case Evaluate():
                return [self._evaluation(command.limit)]
            case _:
                raise ConfigError("the run has ended")

    def _evaluation(self, limit: int) -> Evaluation:
        loaded = self._load()
        images, model = loaded.images, loaded.model
        tally = Tally(len(images.source.classes), loaded.device)
        parts = [images.val[at : at + _BATCH] for at in range(0, len(images.val), _BATCH)]
        with eval_mode(model), torch.inference_mode():
            for rows, batch in images.read(parts):
                if batch.broken:
                    raise ConfigError(f"{images.name(int(rows[batch.broken[0][0]]))}: {batch.broken[0][1]}")
                labels = torch.from_numpy(images.labels[rows]).to(loaded.device)
                tally.add(model(loaded.normalise(batch.pixels.copy())), labels)
        return tally.result().event(loaded.weights.epoch, limit)

    def _load(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = _Loaded(self._run, self._source)
        return self._loaded


class _Loaded:
    def __init__(self, run: RunDirectory, source: ImageSource | None) -> None:
        config = run.load_config()
        kept = Resumed(run)
        kind: Literal["best", "last"] = "best" if config.train.ema and has_checkpoint(run, "best") else "last"
        tensors, _, info = load_checkpoint(run, kind)
        source = open_source(config.data) if source is None else source
        loaded = load_for(config, len(source.classes), read_weights=False)
        preprocessing = preprocessing_for(config, loaded)
        self.images: ImageRows = images_for(config, source, preprocessing)
        kept.restore_images(self.images)
        kept.tensors = tensors
        kept.restore_model(loaded.module, loaded.name)
        self.device = resolve_device(config.device)
        self.model = loaded.module.to(self.device).eval()
        self.normalise = Normaliser(preprocessing, self.device)
        self.tracer = ImageTracer(self.model, loaded.head, preprocessing, self.device)
        self.weights = Weights(info.epoch, info.step, kind)
