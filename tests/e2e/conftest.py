# SPDX-License-Identifier: GPL-3.0-or-later
"""What every end-to-end test gets: a folder for its artefacts, and a check of what it needs."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import machine  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    sys.dont_write_bytecode = True


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    missing = [str(p) for p in (machine.HV, machine.KERNEL, machine.INITRD) if not p.exists()]
    if missing:
        pytest.exit("not built: " + ", ".join(missing) + " (run make test, or make all guests)", 2)


@pytest.fixture
def work(request: pytest.FixtureRequest) -> Path:
    """build/e2e/TEST: kept, for people to look into after a failure."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.name).strip("-")
    path = machine.BUILD / "e2e" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


@pytest.fixture(params=machine.MAIN_PLATFORMS)
def platform(request: Any) -> machine.Platform:
    return machine.PLATFORMS[request.param]
