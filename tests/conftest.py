"""Every test has its own caches and no network's worth of environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No test asserts how long something takes, be it by a default of a library's.
settings.register_profile("fxtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fxtui")


def pytest_configure(config: pytest.Config) -> None:
    """Give every parallel worker a core of its own: threads that wait for each other on shared cores cost minutes."""
    worker = getattr(config, "workerinput", {}).get("workerid", "")
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[int(worker.removeprefix("gw")) % len(cores)]})


@pytest.fixture(autouse=True)
def private_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches and run-time files of a test's own, so that none finds what another left."""
    root = tmp_path_factory.mktemp("xdg")
    monkeypatch.setenv("XDG_CACHE_HOME", str(root / "cache"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root))
    monkeypatch.delenv("FXTUI_DATA", raising=False)
    return root
