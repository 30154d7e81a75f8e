# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder of the seed investigation: Debian 11's 5.10 kernel on Bochs/VMX, from serial logs alone.

Stage 0: CR0.NE is lost, and the entry behind Linux's MOV to CR0 fails. Stage 1: EFER reaches the hardware, and the guest dies behind its MOV to CR0. Stage 2: EFER is kept, but
"IA-32e mode guest" does not follow. Stage 3: nothing is wrong, and Linux reaches userspace.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from machine import GUESTS, INITRD, KERNEL_ARGS, PLATFORMS, TRAPLINE, Machine

KERNEL_11 = GUESTS / "debian11" / "vmlinuz"

STAGES = {
    "cr0-ne": (
        "kind=entry-failure reason=0x80000021 name=.* info1=0x0 ",
        "guest.cr0.fixed: guest_cr0 = 0x80000011; must be 1: NE (0x20)",
    ),
    "efer-passthru": (
        "kind=triple-fault reason=0x2 ",
        "EFER.LME was lost: RDMSR/WRMSR reached the hardware MSR, load area entry 0 holds 0",
    ),
    "ia32e-ctl": (
        "kind=entry-failure reason=0x80000022 name=.* info1=0x1 ",
        "entry 1 is IA32_EFER: LME would change while CR0.PG=1; IA-32e mode guest is 0",
    ),
}


def machine(work: Path, fault: str, limit: float) -> Machine:
    return Machine(
        work,
        PLATFORMS["bochs-vmx"],
        KERNEL_11,
        args=KERNEL_ARGS,
        modules=[str(INITRD)],
        hv=f"fault={fault}" if fault else "",
        limit=limit,
    )


@pytest.mark.parametrize("fault", STAGES)
def test_stage_that_dies(fault: str, work: Path) -> None:
    stop, verdict = STAGES[fault]
    vm = machine(work, fault, 40)
    with vm:
        assert vm.wait_for(r"tl: why: [^\n]*\n"), vm.tail()
    text = vm.text()
    assert re.search("tl: exit .*" + stop, text), vm.tail()
    why = re.search(r"tl: why: (.*)$", text, re.MULTILINE)
    assert why and why[1].startswith(verdict), why and why[1]
    # the seed's picture: the exit right behind Linux's own MOV to CR0, EFER in entry 1 of the area
    assert re.search(r"tl: ring .*kind=cr0-write .*value=0x800\d+1 ", text), vm.tail()
    assert re.search(r"tl: msr-load entry=0x1 index=0xc0000080 ", text), vm.tail()
    said = subprocess.run(
        [str(TRAPLINE), "explain", str(vm.log_path)], capture_output=True, text=True, timeout=30
    ).stdout
    assert verdict in said, said


def test_after_the_ladder(work: Path) -> None:
    """The next stop of the investigation, GS base in early Linux: on QEMU/SVM, where it is quick."""
    vm = Machine(
        work,
        PLATFORMS["qemu-svm"],
        KERNEL_11,
        args=KERNEL_ARGS,
        modules=[str(INITRD)],
        hv="fault=gsbase-passthru",
        limit=90,
    )
    with vm:
        assert vm.wait_for(r"tl: why: [^\n]*\n"), vm.tail()
    assert re.search(r"tl: why: GS base was lost: the guest wrote 0xffffffff[0-9a-f]{8} ", vm.text())


def test_stage_that_lives(work: Path) -> None:
    vm = machine(work, "", 250)
    with vm:
        assert vm.wait_for(r"^TRAPLINE-GUEST-OK 5\.10\."), vm.tail()
