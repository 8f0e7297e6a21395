"""Commands as one types them in a shell: a name, then ``key=value``, each value by the type of the command's field."""

from __future__ import annotations

import difflib
import math
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from fxtui.protocol import commands as cmd
from fxtui.protocol.naming import snake_case

_KINDS: dict[str, type[cmd.Command]] = {snake_case(kind.__name__): kind for kind in cmd.AnyCommand.__args__}
_FREEZING = frozenset(snake_case(kind.__name__) for kind in cmd.FreezeCommand.__args__)
# Short for set_trainable, with the layers as words.
_SHORT = {"unfreeze": True, "freeze": False}
NAMES = (*_KINDS, *_SHORT)
# Not what a command is about, but who meant it.
_SAID_BESIDE = frozenset({"id", "client", "origin"})
_EXAMPLES = {
    "paths": "paths=layer4,fc",
    "value": "value=true",
    "change": "estimate unfreeze_next",
    "lr": "lr=0.001",
    "epochs": "epochs=20",
    "images": "images=60,photo.jpg",
}


class WordsError(ValueError):
    """Words that are no command, and what would be one, in one line."""


def command_of(words: list[str]) -> cmd.AnyCommand:
    """The command that these words say.

    Raises:
        WordsError: they say none.
    """
    if not words:
        raise WordsError(f"COMMAND: missing; expected one of {', '.join(NAMES)}")
    name, rest = words[0].replace("-", "_"), words[1:]
    if name in _SHORT:
        return _short(name, rest)
    kind = _KINDS.get(name)
    if kind is None:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(NAMES)}"
        raise WordsError(f"{words[0]}: no such command; {hint}")
    if kind is cmd.Estimate:
        return cmd.Estimate(change=_change(rest))
    fields = {field.name: field for field in msgspec.structs.fields(kind) if field.name not in _SAID_BESIDE}
    given = {key: _value(key, text, fields[key].type) for key, text in _pairs(name, rest, list(fields)).items()}
    for key, field in fields.items():
        if field.required and key not in given:
            raise WordsError(f"{name}: {key} is missing, e.g. {_EXAMPLES[key]}")
    made: Any = kind(**given)
    assert isinstance(made, cmd.AnyCommand)
    return made


def _short(name: str, words: list[str]) -> cmd.SetTrainable:
    paths = tuple(word for word in words if "=" not in word)
    given = _pairs(name, [word for word in words if "=" in word], ["only"])
    if not paths:
        raise WordsError(f"{name}: no layer is named, e.g. {name} layer4")
    return cmd.SetTrainable(paths=paths, value=_SHORT[name], only=_value("only", given.get("only", "false"), bool))


def _change(words: list[str]) -> cmd.FreezeCommand:
    """The change whose price is asked: ``unfreeze layer4``, or ``change=unfreeze_next``."""
    words = [word.removeprefix("change=") if at == 0 else word for at, word in enumerate(words)]
    known = [*_FREEZING, *_SHORT]
    if not words or words[0].replace("-", "_") not in known:
        got = f"{words[0]} changes no freezing" if words else "no change is named"
        raise WordsError(f"estimate: {got}; expected one of {', '.join(sorted(known))}")
    change = command_of(words)
    assert isinstance(change, cmd.FreezeCommand)
    return change


def _pairs(name: str, words: list[str], known: list[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    takes = f"{name} takes {', '.join(known)}" if known else f"{name} takes nothing more"
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise WordsError(f"{word}: expected key=value; {takes}")
        if key not in known:
            raise WordsError(f"{word}: {takes}")
        if key in given:
            raise WordsError(f"{word}: {key} is given twice")
        given[key] = text
    return given


def _value(key: str, text: str, kind: Any) -> Any:
    """A value of this type.

    Raises:
        WordsError: the text is none.
    """
    try:
        return _parsed(text.strip(), kind)
    except ValueError:
        raise WordsError(f"{key}={text}: expected {_expected(kind)}") from None


def _parsed(text: str, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[_known(text.lower())]
    if kind is float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError
        return number
    if origin is Literal:
        if text not in arguments:
            raise ValueError
        return text
    if origin is tuple:
        parts = [part.strip() for part in text.split(",")]
        if not all(parts):
            raise ValueError
        return tuple(_parsed(part, arguments[0]) for part in parts)
    if origin in (Union, UnionType):
        if type(None) in arguments and text.lower() == "none":
            return None
        if str in arguments and not text.isdecimal():
            return text
        return int(text)
    return int(text) if kind is int else text


def _known(text: str) -> str:
    if text not in ("true", "yes", "1", "false", "no", "0"):
        raise ValueError
    return text


def _expected(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(arguments)
    if origin is tuple:
        return "names with commas between them" if arguments[0] is str else "numbers or files with commas between them"
    if origin in (Union, UnionType):
        return "a whole number or none"
    return {int: "a whole number", float: "a number", bool: "true or false"}[kind]
