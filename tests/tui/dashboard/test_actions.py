"""Every action has who carries it out, and every key has a name of its own by which it can be bound anew."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

import fxtui.tui
from fxtui.machine.meters import Meters
from fxtui.run.state import RunState
from fxtui.run.store import RunDirectory
from fxtui.tui.dashboard.actions import ACTIONS, SCREENS, ByScreen, bindings_on
from fxtui.tui.dashboard.screens.base import RunScreen
from fxtui.tui.dashboard.screens.opening import open_screen
from fxtui.tui.dashboard.surroundings import Surroundings
from fxtui.tui.terminal.profile import TerminalProfile
from fxtui.tui.terminal.traffic import TerminalUse, Traffic


def classes() -> Iterator[type[DOMNode]]:
    """Every class of the interface that may bind keys."""
    for module in pkgutil.walk_packages(fxtui.tui.__path__, "fxtui.tui."):
        for found in vars(importlib.import_module(module.name)).values():
            if isinstance(found, type) and issubclass(found, DOMNode) and found.__module__ == module.name:
                yield found


def bindings_of(owner: type[DOMNode]) -> list[Binding]:
    """Its own, not those of what it is made from."""
    bindings = [it for it in owner.__dict__.get("BINDINGS", []) if isinstance(it, Binding)]
    assert len(bindings) == len(owner.__dict__.get("BINDINGS", [])), f"{owner}: a binding without a name"
    return bindings


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    use = TerminalUse(0.0, 0, None, 0.25, 0.0)
    return Surroundings(
        TerminalProfile(), RunDirectory(tmp_path / "run"), Meters(tmp_path), Traffic(), lambda: use, "full colour"
    )


@pytest.mark.parametrize("name", list(SCREENS))
def test_the_actions_of_a_screen_are_those_that_it_can_do(surroundings: Surroundings, name: str) -> None:
    screen = open_screen(name, RunState(), surroundings)
    assert name == screen.NAME
    able = {it.id for it in ACTIONS if isinstance(it.handler, ByScreen) and isinstance(screen, it.handler.owner)}
    assert able == {it.id for it in ACTIONS if isinstance(it.handler, ByScreen) and name in it.screens}


def test_what_a_screen_does_works_on_certain_screens_only() -> None:
    assert [it.id for it in ACTIONS if isinstance(it.handler, ByScreen) and not it.screens] == []


def test_there_is_no_screen_of_another_name(surroundings: Surroundings) -> None:
    with pytest.raises(KeyError):
        open_screen("printer", RunState(), surroundings)


def test_every_binding_has_an_id_of_its_own() -> None:
    seen = 0
    by_others: Counter[str] = Counter()
    for owner in classes():
        ids = [binding.id or f"{owner.__name__}: {binding.key}, without an id" for binding in bindings_of(owner)]
        seen += len(ids)
        assert [it for it, count in Counter(ids).items() if count > 1 or " " in it] == []
        if not issubclass(owner, RunScreen):
            by_others.update(ids)
    # Any widget or dialog may be on, or over, any screen; two screens are never one over the other.
    assert [it for it, count in by_others.items() if count > 1] == []
    for owner in classes():
        if issubclass(owner, RunScreen):
            assert not by_others.keys() & {binding.id for binding in bindings_of(owner)}
    assert seen > 150


@pytest.mark.parametrize("name", list(SCREENS))
def test_the_keys_of_a_screen_have_ids_of_their_own(name: str) -> None:
    ids = [binding.id for binding in bindings_on(name)]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_every_screen_was_looked_at() -> None:
    found = {owner.__name__ for owner in classes() if issubclass(owner, Screen)}
    assert {"MainScreen", "SystemScreen", "QuitDialog", "HomeScreen", "FormScreen", "LeaveDialog"} <= found
