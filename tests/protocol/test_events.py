"""Events and commands on the wire."""

from __future__ import annotations

import json
import typing

import msgspec
import pytest

from fxtui.protocol import commands as cmd
from fxtui.protocol import events as ev
from fxtui.protocol.encoding import decode, encode
from tests.run.samples import whole_run


def test_every_event_is_one_json_object_tagged_by_type_with_t_and_seq() -> None:
    for number, event in enumerate(whole_run()):
        line = encode(event)
        assert b"\n" not in line
        record = json.loads(line)
        assert record["type"] == type(event).__struct_config__.tag
        assert record["seq"] == number
        assert record["t"] == event.t


def test_type_names_are_those_of_the_journal() -> None:
    names = {kind.__struct_config__.tag for kind in typing.get_args(ev.AnyEvent)}
    assert {"run_started", "pipeline_stage", "extraction_progress", "cache_ready", "epoch_end", "run_finished"} <= names
    # Its class is called otherwise, so that it shadows no builtin.
    assert "warning" in names


def test_figures_that_are_no_numbers_become_null() -> None:
    line = encode(ev.ExtractionProgress(done=1, total=2, images_per_s=float("inf")))
    assert json.loads(line)["images_per_s"] is None


def test_an_unknown_type_is_none_and_a_known_one_with_wrong_fields_an_error() -> None:
    assert decode(b'{"type":"from_the_future","t":1.0,"seq":0,"x":1}') is None
    with pytest.raises(msgspec.ValidationError):
        decode(b'{"type":"epoch_end","t":1.0,"seq":0}')
    with pytest.raises(msgspec.DecodeError):
        decode(b'{"type":"epo')


def test_fields_added_later_are_ignored() -> None:
    event = decode(b'{"type":"warning","t":1.0,"seq":4,"text":"w","colour":"red"}')
    assert event == ev.RunWarning(text="w", t=1.0, seq=4)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b'{"type":"set_trainable","paths":["layer4"],"value":true}', cmd.SetTrainable(paths=("layer4",), value=True)),
        (b'{"type":"stop"}', cmd.Stop()),
        (b'{"type":"stop","when":"now","interrupted":true}', cmd.Stop(when="now", interrupted=True)),
        (b'{"type":"set_lr","lr":0.01}', cmd.SetLr(lr=0.01)),
    ],
)
def test_commands_come_from_json(line: bytes, command: cmd.Command) -> None:
    assert cmd.decode_command(line) == command
    assert command.name == json.loads(line)["type"]


@pytest.mark.parametrize("line", [b'{"type":"explode"}', b'{"type":"set_lr"}', b'{"type":"set_lr","lr":"x"}', b"{"])
def test_what_is_no_command_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        cmd.decode_command(line)
