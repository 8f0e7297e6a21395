"""What is private in Textual and relied on is still there, as it was when it was read."""

from __future__ import annotations

import importlib
import inspect
from importlib import metadata

import pytest

from fxtui.tui.terminal.textual_internals import PARTS, READ_IN, Part


def missing(part: Part) -> str:
    """What is wrong with a part, in a sentence; nothing if it is as it was."""
    version = metadata.version("textual")
    end = f"see fxtui/tui/terminal/textual_internals.py, read in Textual {READ_IN}; used for {part.used_for}"
    module, _, name = part.owner.rpartition(".")
    try:
        owner = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        return f"Textual {version} no longer has {part.owner}: {end}"
    if part.parameters is None:
        # Set in the constructor, mostly, so that the class itself does not have it.
        if hasattr(owner, part.name) or f"self.{part.name}" in inspect.getsource(owner.__init__):
            return ""
        return f"Textual {version} no longer has {part.owner}.{part.name}: {end}"
    method = getattr(owner, part.name, None)
    if method is None:
        return f"Textual {version} no longer has {part.owner}.{part.name}: {end}"
    _, *parameters = inspect.signature(method).parameters
    if tuple(parameters) != part.parameters:
        return f"Textual {version} calls {part.owner}.{part.name} with {parameters}, not {list(part.parameters)}: {end}"
    return ""


@pytest.mark.parametrize("part", PARTS, ids=lambda part: f"{part.owner}.{part.name}")
def test_a_private_part_is_as_it_was(part: Part) -> None:
    assert not (sentence := missing(part)), sentence


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part("textual.app.Application", "x", "tests"), "no longer has textual.app.Application: see "),
        (Part("textual.app.App", "_gone", "tests"), "no longer has textual.app.App._gone: see "),
        (Part("textual.app.App", "_gone", "tests", ()), "no longer has textual.app.App._gone: see "),
        (
            Part("textual.app.App", "_display", "tests", ("screen",)),
            "with ['screen', 'renderable'], not ['screen']",
        ),
    ],
)
def test_a_part_that_is_gone_or_another_is_told_in_a_sentence(part: Part, said: str) -> None:
    assert said in missing(part)
    assert missing(part).endswith("; used for tests")
