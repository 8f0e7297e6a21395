"""The prediction trace of an image: what goes in, the features, the logits, the probabilities."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from fxtui.config import ConfigError
from fxtui.engine.backbones.load import load_model
from fxtui.engine.checkpoints.files import has_checkpoint, load_checkpoint
from fxtui.engine.devices import resolve_device
from fxtui.engine.predicting.image_trace import ImageTracer
from fxtui.run.store import RunDirectory

_TOP = 5


class PredictionTrace(Struct, frozen=True, kw_only=True):
    """One image's way through the network. ``logits`` and ``probabilities`` list the top classes, highest first.

    ``feature_norm`` is the Euclidean norm of the vector of ``features`` numbers that the linear layer reads.
    """

    image: str
    input_shape: tuple[int, ...]
    features: int
    feature_norm: float
    logits: tuple[tuple[str, float], ...]
    probabilities: tuple[tuple[str, float], ...]
    predicted: str
    checkpoint: str
    epoch: int


class Predictor:
    """Predicts with the best checkpoint of a run, or with the last where there is no best yet.

    Raises:
        ConfigError: the run has no checkpoint, or it is damaged.
    """

    def __init__(self, run: RunDirectory, device: str = "auto") -> None:
        self._device = resolve_device(device)
        self._kind = "best" if has_checkpoint(run, "best") else "last"
        tensors, _, self._info = load_checkpoint(run, self._kind)
        model = run.load_config().model
        # The checkpoint holds every tensor, so the pretrained weights are not needed, nor a network to fetch them.
        loaded = load_model(model, len(self._info.classes), seed=0, read_weights=False)
        # The model's own mapping carries the versions of its modules, without which MNASNet loads nothing.
        state = loaded.module.state_dict()
        state.clear()
        state.update(tensors)
        try:
            loaded.module.load_state_dict(state)
        except RuntimeError as error:
            first = str(error).splitlines()[0]
            raise ConfigError(f"RUN {run.name}: its checkpoint does not fit {model.backbone}: {first}") from None
        module = loaded.module.to(self._device).eval()
        self._tracer = ImageTracer(module, loaded.head, self._info.preprocessing, self._device)

    def trace(self, path: Path) -> PredictionTrace:
        """Run one image file through the network.

        Raises:
            ConfigError: there is no such file, or it is no readable image.
        """
        images, features, row = self._tracer.run(self._tracer.read(path))
        top = row.topk(min(_TOP, len(row)))
        names = [self._info.classes[int(i)] for i in top.indices]
        chances = row.softmax(0)[top.indices].tolist()
        return PredictionTrace(
            image=str(path),
            input_shape=tuple(images.shape),
            features=len(features),
            feature_norm=float(features.norm()),
            logits=tuple(zip(names, top.values.tolist(), strict=True)),
            probabilities=tuple(zip(names, chances, strict=True)),
            predicted=names[0],
            checkpoint=self._kind,
            epoch=self._info.epoch,
        )
