# SPDX-License-Identifier: GPL-3.0-or-later
"""gdbext/examples/cr0_pg_triage.py: the verdict, and its exit status, on both backends."""

from __future__ import annotations

from pathlib import Path

import machine
from gdb_session import on_machine
from machine import Platform, tiny

TRIAGE = f"source {machine.TOP / 'gdbext/examples/cr0_pg_triage.py'}"
TARGET = {"TRAPLINE_TARGET": "", "TRAPLINE_TIMEOUT": "240"}


def test_linux_reaches_user_space(work: Path) -> None:
    """VMX; test_tutorial.py has the same on QEMU with SVM."""
    platform = machine.PLATFORMS["bochs-vmx"]
    said = on_machine(platform, work, machine.KERNEL, TRIAGE, linux=True, timeout=150, env=TARGET)
    assert said.status == 0, said.text
    for text in (
        "experiment 1, RIP moved back 5 bytes: the same exit again",
        "experiment 2, PG cleared: the guest runs on, unpaged",
        "CR4.PAE on, EFER.LME on",
        "verdict: EFER.LME is kept; the kernel reached user space",
    ):
        assert text in said.text, f"{text} is missing\n{said.text}"


def test_lost_lme_is_found(platform: Platform, work: Path) -> None:
    said = on_machine(platform, work, tiny("long_mode"), TRIAGE, hv="wait fault=efer-passthru", env=TARGET)
    assert said.status == 1, said.text
    assert "CR4.PAE on, EFER.LME off" in said.text, said.text
    assert "verdict: the guest's EFER.LME is lost" in said.text, said.text


def test_no_verdict_without_a_machine(work: Path) -> None:
    from gdb_session import gdb

    said = gdb(TRIAGE, env={"TRAPLINE_TARGET": "localhost:1"})
    assert said.status == 2 and "no verdict: cannot attach to localhost:1" in said.text, said.text
