"""Commands in words: every one can be said, and what is none is refused in a line that says what would be right."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxtui.protocol import commands as cmd
from fxtui.protocol.command_words import NAMES, WordsError, command_of


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("set_trainable paths=layer4,fc value=true", cmd.SetTrainable(paths=("layer4", "fc"), value=True)),
        ("set_trainable paths=*.bn* value=no only=yes", cmd.SetTrainable(paths=("*.bn*",), value=False, only=True)),
        ("unfreeze layer4", cmd.SetTrainable(paths=("layer4",), value=True)),
        ("unfreeze layer3 layer4 only=true", cmd.SetTrainable(paths=("layer3", "layer4"), value=True, only=True)),
        ("freeze layer4", cmd.SetTrainable(paths=("layer4",), value=False)),
        ("freeze_all", cmd.FreezeAll()),
        ("unfreeze-next", cmd.UnfreezeNext()),
        ("unfreeze_all", cmd.UnfreezeAll()),
        ("undo", cmd.Undo()),
        ("undo depth=2", cmd.Undo(depth=2)),
        ("undo depth=none", cmd.Undo()),
        ("estimate unfreeze_next", cmd.Estimate(change=cmd.UnfreezeNext())),
        ("estimate change=unfreeze_next", cmd.Estimate(change=cmd.UnfreezeNext())),
        ("estimate unfreeze layer4", cmd.Estimate(change=cmd.SetTrainable(paths=("layer4",), value=True))),
        ("set_lr lr=3e-4", cmd.SetLr(lr=3e-4)),
        ("set_epochs epochs=20", cmd.SetEpochs(epochs=20)),
        ("add_epochs", cmd.AddEpochs()),
        ("add_epochs n=-1", cmd.AddEpochs(n=-1)),
        ("toggle_pause", cmd.TogglePause()),
        ("pause", cmd.Pause()),
        ("resume", cmd.Resume()),
        ("stop", cmd.Stop()),
        ("stop when=now", cmd.Stop(when="now")),
        ("checkpoint", cmd.Checkpoint()),
        ("predict images=60,a/b.png", cmd.Predict(images=(60, "a/b.png"))),
        ("evaluate limit=7", cmd.Evaluate(limit=7)),
    ],
)
def test_every_command_can_be_said(words: str, command: cmd.AnyCommand) -> None:
    assert command_of(words.split()) == command


def test_every_command_has_a_name_here() -> None:
    assert {kind().name for kind in (cmd.Pause, cmd.Resume, cmd.TogglePause, cmd.AddEpochs)} <= {*NAMES}
    assert len(NAMES) == len(cmd.AnyCommand.__args__) + 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "COMMAND: missing; expected one of set_trainable, "),
        ("unfroze layer4", "unfroze: no such command; did you mean unfreeze?"),
        ("xyz", "xyz: no such command; expected one of set_trainable, "),
        ("unfreeze", "unfreeze: no layer is named, e.g. unfreeze layer4"),
        ("unfreeze layer4 deep=1", "deep=1: unfreeze takes only"),
        ("set_lr", "set_lr: lr is missing, e.g. lr=0.001"),
        ("set_lr 0.1", "0.1: expected key=value; set_lr takes lr"),
        ("set_lr lr=much", "lr=much: expected a number"),
        ("set_lr lr=nan", "lr=nan: expected a number"),
        ("set_lr rate=1", "rate=1: set_lr takes lr"),
        ("set_lr lr=1 lr=2", "lr=2: lr is given twice"),
        ("set_lr origin=auto", "origin=auto: set_lr takes lr"),
        ("set_epochs epochs=2.5", "epochs=2.5: expected a whole number"),
        ("pause now=1", "now=1: pause takes nothing more"),
        ("stop when=later", "when=later: expected epoch or now"),
        ("undo depth=x", "depth=x: expected a whole number or none"),
        ("set_trainable paths=a value=maybe", "value=maybe: expected true or false"),
        ("set_trainable paths=a,,b value=1", "paths=a,,b: expected names with commas between them"),
        ("set_trainable value=1", "set_trainable: paths is missing, e.g. paths=layer4,fc"),
        ("predict images=", "images=: expected numbers or files with commas between them"),
        ("estimate", "estimate: no change is named; expected one of freeze, freeze_all, "),
        ("estimate pause", "estimate: pause changes no freezing; expected one of freeze, "),
    ],
)
def test_what_is_no_command_is_refused_in_a_line(words: str, message: str) -> None:
    with pytest.raises(WordsError) as caught:
        command_of(words.split())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@given(st.lists(st.one_of(st.sampled_from(NAMES), st.sampled_from(["lr=1", "paths=", "value=true"]), st.text())))
def test_any_words_are_a_command_or_refused(words: list[str]) -> None:
    with contextlib.suppress(WordsError):
        assert command_of(words).name in NAMES
