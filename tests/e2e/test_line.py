# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the rows of cases.py: guests under the hypervisor, nobody attached, judged by the line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cases import CASES, Case
from machine import PLATFORMS, Machine, Platform

PAIRS = [(case, PLATFORMS[name]) for case in CASES for name in case.on]


@pytest.mark.parametrize("case,platform", PAIRS, ids=[f"{c.name}-{p.name}" for c, p in PAIRS])
def test_line(case: Case, platform: Platform, work: Path) -> None:
    vm = Machine(
        work,
        platform,
        case.file,
        args=case.args,
        modules=list(case.modules),
        hv=case.hv,
        mem=case.mem,
        limit=case.limit,
    )
    own = rf"^guest {case.name}: done$"
    with vm:
        seen = vm.wait_for(case.stop or own)
        if seen and not case.stop:
            vm.wait_end(10)
    assert seen, f"never saw {case.stop or own!r}\n{vm.tail()}"
    text = vm.text()
    at = 0
    for pattern in case.want:
        found = re.compile(pattern).search(text, at)
        assert found, f"{pattern!r} is missing (or out of order)\n{vm.tail()}"
        at = found.end()
    for pattern in (*case.never, r"FAILED"):
        assert not re.search(pattern, text), f"{pattern!r} must not appear\n{vm.tail()}"
    assert re.search(r"^\[ *\d+\.\d+\] tl: ", text, re.MULTILINE), f"no hypervisor line\n{vm.tail()}"
    if not case.stop:
        assert vm.ended_by_guest(), f"the machine should have ended by itself\n{vm.tail()}"


SELF_ENDING = [c for c in CASES if not c.stop]


@pytest.mark.parametrize("case", SELF_ENDING, ids=[c.name for c in SELF_ENDING])
def test_bare(case: Case, work: Path) -> None:
    """The same guests without a hypervisor: when this fails too, the guest or the harness is wrong."""
    vm = Machine(work, PLATFORMS["qemu-svm"], case.file, bare=True, mem=case.mem, limit=20)
    with vm:
        vm.wait_end()
    text = vm.text()
    assert re.search(rf"^guest {case.name}: done$", text, re.MULTILINE), vm.tail()
    assert "FAILED" not in text, vm.tail()
    assert vm.ended_by_guest(), vm.tail()
