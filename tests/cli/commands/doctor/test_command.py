"""The doctor: findings in words, whatever is wrong with the machine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from fxtui.cli.commands.doctor import checks
from fxtui.cli.commands.doctor.command import describe, doctor
from fxtui.cli.commands.doctor.findings import Finding, findings


def test_a_check_that_breaks_is_itself_a_finding() -> None:
    def breaks() -> Iterator[Finding]:
        yield Finding("first", "ok", "fine")
        raise RuntimeError("no such luck")

    found = list(findings([("broken", breaks), ("next", lambda: iter([Finding("next", "ok", "still done")]))]))
    assert [(finding.check, finding.level) for finding in found] == [
        ("first", "ok"),
        ("broken", "error"),
        ("next", "ok"),
    ]
    assert found[1].text == "could not be checked: RuntimeError: no such luck"


@pytest.mark.parametrize(
    ("level", "line"),
    [("ok", "✓ cpu           a b"), ("warning", "! cpu           a b"), ("error", "✗ cpu           a b")],
)
def test_a_finding_is_one_line(level: str, line: str) -> None:
    assert describe(Finding("cpu", level, "a\n  b")) == line  # type: ignore[arg-type]


@pytest.mark.parametrize(("levels", "status"), [(["ok", "warning"], 0), (["ok", "error", "ok"], 1)])
def test_only_an_error_is_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], levels: list[str], status: int
) -> None:
    made_up = [Finding("x", level, "text") for level in levels]  # type: ignore[arg-type]
    monkeypatch.setattr(checks, "CHECKS", (("x", lambda: iter(made_up)),))
    assert doctor(json=True) == status
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["level"] for record in records] == levels
    assert set(records[0]) == {"check", "level", "text"}
    assert doctor(json=False) == status
    assert len(capsys.readouterr().out.splitlines()) == len(levels)
