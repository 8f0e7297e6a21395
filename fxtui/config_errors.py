"""What is wrong with a configuration's document, in words: which key, which value, and what would be right.

What the document should become is a struct that is handed in: those of a run are in :mod:`fxtui.config`.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, get_args

import msgspec
from msgspec import Struct

from fxtui.protocol.schedule import ENTRY_KEYS

_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"contains unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_TYPE_WORDS = {"int": "a whole number", "float": "a number", "str": "text in quotes", "bool": "true or false"}
_ENTRY = re.compile(r"schedule\[\d+\]")
_ENTRY_HINTS = {"at": ', e.g. at = "epoch 4"', "command": ', e.g. command = "unfreeze_next"'}
_SCHEDULE_HINT = '[[schedule]] tables, each with at and command, e.g. at = "epoch 4" and command = "unfreeze_next"'


def keys_of(struct: type[Struct], prefix: str = "") -> list[str]:
    """Every dotted key that a document of this kind may hold, e.g. ``train.lr``."""
    keys: list[str] = []
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            keys += keys_of(field.type, f"{prefix}{field.encode_name}.")
        else:
            keys.append(prefix + field.encode_name)
    return keys


def type_of(struct: type[Struct], key: str) -> Any:
    """The declared type of a dotted key: one of :func:`keys_of`, or inside a list, e.g. ``schedule[0].when``."""
    kind: Any = struct
    for part in key.split("."):
        name, index, _ = part.partition("[")
        kind = next(f.type for f in msgspec.structs.fields(kind) if f.encode_name == name)
        kind = get_args(kind)[0] if index else kind
    return kind


def explain(message: str, tree: dict[str, Any], struct: type[Struct]) -> str:
    """One line for the user out of msgspec's message on a document that should have been such a struct."""
    found = _AT.search(message)
    path = found["path"] if found else ""
    core = _AT.sub("", message)
    dotted = f"{path}." if path else ""
    if unknown := _UNKNOWN.search(core):
        key = dotted + unknown["name"]
        return f"{key}: unknown key{suggest(key, keys_of(struct))}"
    if missing := _MISSING.search(core):
        key = dotted + missing["name"]
        hint = ', e.g. data.source = "digits"' if key.startswith("data") else ""
        hint = _ENTRY_HINTS.get(missing["name"], "") if _ENTRY.fullmatch(path) else hint
        return f"{'data.source' if key == 'data' else key}: missing{hint}"
    value = _value_at(tree, path)
    expected = re.sub(r"^Expected `([^`]*)`.*$", lambda m: _words_for(m[1]), core)
    if path == "schedule" or _ENTRY.fullmatch(path):
        expected = _SCHEDULE_HINT + ("; did you mean train.schedule?" if isinstance(value, str) else "")
    if core.startswith("Invalid enum value"):
        choices = _choices(type_of(struct, path))
        expected = "one of " + ", ".join(choices)
        close = difflib.get_close_matches(str(value), choices, n=1)
        expected += f" (did you mean {close[0]}?)" if close else ""
    return f"{path} = {value!r}: expected {expected}"


def suggest(key: str, keys: list[str]) -> str:
    """What may have been meant by an unknown key: the nearest one, else those beside it."""
    if entry := _ENTRY.match(key):
        close = difflib.get_close_matches(key.rpartition(".")[2], ENTRY_KEYS, n=1)
        return f"; did you mean {entry[0]}.{close[0]}?" if close else f"; known here: {', '.join(ENTRY_KEYS)}"
    leaves: dict[str, list[str]] = {}
    for known in keys:
        leaves.setdefault(known.rpartition(".")[2], []).append(known)
    close = difflib.get_close_matches(key, keys, n=1, cutoff=0.75)
    if not close:
        leaf = difflib.get_close_matches(key.rpartition(".")[2], leaves, n=1, cutoff=0.75)
        close = leaves[leaf[0]][:1] if leaf else []
    if close:
        return f"; did you mean {close[0]}?"
    section = key.rpartition(".")[0]
    here = [known for known in keys if known.rpartition(".")[0] == section] or keys
    return "; known here: " + ", ".join(known.rpartition(".")[2] for known in here)


def _choices(kind: Any) -> list[str]:
    """The values of a literal type, which may be optional."""
    inner = get_args(kind)
    return [text for part in inner for text in ([part] if isinstance(part, str) else _choices(part))]


def _words_for(kind: str) -> str:
    kind = kind.removesuffix(" | null")
    return _TYPE_WORDS.get(
        kind, {"array": 'a list, e.g. ["layer4"]', "object": "a section such as [data]"}.get(kind, kind)
    )


def _value_at(tree: Any, path: str) -> Any:
    node = tree
    for part in filter(None, re.split(r"[.\[\]]", path)):
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            break
    return node
