"""What both sides of a bench start from."""

from __future__ import annotations

from dataclasses import dataclass

from fxtui.config import RunConfig
from fxtui.engine.assemble import images_for, load_for, preprocessing_for
from fxtui.engine.backbones.load import LoadedModel
from fxtui.engine.data.rows import ImageRows
from fxtui.engine.data.sources.source import open_source


@dataclass(frozen=True, slots=True)
class Start:
    """The images and the freshly loaded model that a configuration means."""

    images: ImageRows
    loaded: LoadedModel


def start_of(config: RunConfig) -> Start:
    """The images and a model of one's own, as a run with this configuration has them at its start.

    Raises:
        ConfigError: the configuration cannot be run.
    """
    source = open_source(config.data)
    loaded = load_for(config, len(source.classes))
    return Start(images_for(config, source, preprocessing_for(config, loaded)), loaded)
