# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded faults: the stop that each must show, and one verdict, whoever asks.

For each row of fault_cases.py: nobody is attached, the guest dies, the serial log alone must hold the
stop and the verdict; `trapline explain` on that log and the live console must say the same first line.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from console import trapline
from fault_cases import ABSENT, FAULTS, Fault, Shown
from machine import PLATFORMS, TOP, TRAPLINE, Machine, tiny

SHOWN = [(f, name, s) for f in FAULTS for name, s in f.shown.items()]
HARMLESS = [(f, name) for f in FAULTS for name in f.harmless]


def boot(fault: Fault, name: str, work: Path, shown: Shown | None = None) -> Machine:
    return Machine(
        work,
        PLATFORMS[name],
        tiny(fault.guest),
        hv=f"fault={fault.name}",
        mem=128,
        limit=30,
        cpu=shown.cpu if shown else "",
        strict_msrs=shown.strict_msrs if shown else False,
    )


def first_line_of_log(path: Path) -> str:
    run = subprocess.run(
        [str(TRAPLINE), "explain", "--json", str(path)], capture_output=True, text=True, timeout=30
    )
    assert run.returncode == 0, run.stderr  # a crash was found and explained
    return str(first_text(json.loads(run.stdout)))


def first_text(value: object) -> str:
    """The text of the first conclusion, wherever the report keeps its list."""
    if isinstance(value, dict):
        for key in ("conclusions", "items", "explanations"):
            if value.get(key):
                return str(value[key][0]["text"])
        for inner in value.values():
            text = first_text(inner)
            if text:
                return text
    if isinstance(value, list):
        for inner in value:
            text = first_text(inner)
            if text:
                return text
    return ""


@pytest.mark.parametrize("fault,name,shown", SHOWN, ids=[f"{f.name}-{n}" for f, n, _ in SHOWN])
def test_fault_is_named(fault: Fault, name: str, shown: Shown, work: Path) -> None:
    vm = boot(fault, name, work, shown)
    with vm:
        assert vm.wait_for(r"tl: why: [^\n]*\n"), f"no verdict on the line\n{vm.tail()}"
    text = vm.text()
    assert re.search("tl: exit .*" + shown.stop, text), f"another stop\n{vm.tail()}"
    why = re.search(r"tl: why: (.*)$", text, re.MULTILINE)
    assert why and re.search(shown.verdict, why[1]), f"verdict: {why and why[1]}"
    assert first_line_of_log(vm.log_path) == why[1]


@pytest.mark.parametrize("fault,name,shown", SHOWN, ids=[f"{f.name}-{n}" for f, n, _ in SHOWN])
def test_live_console_says_the_same(fault: Fault, name: str, shown: Shown, work: Path) -> None:
    on = PLATFORMS[name].emulator
    args = ["run", "--on", on, "--fault", fault.name, "--mem", "128", "--batch", "--timeout", "60"]
    args += ["--cpu", shown.cpu] if shown.cpu else []
    args += ["--strict-msrs"] if shown.strict_msrs else []
    args += ["-e", "continue", "-e", "explain", str(tiny(fault.guest))]
    result = trapline(work, *args, timeout=90)
    assert re.search(shown.verdict, result.out), str(result)
    assert not result.left, result.left


@pytest.mark.parametrize("fault,name", HARMLESS, ids=[f"{f.name}-{n}" for f, n in HARMLESS])
def test_fault_without_meaning_here(fault: Fault, name: str, work: Path) -> None:
    vm = boot(fault, name, work)
    with vm:
        assert vm.wait_for(rf"^guest {fault.guest}: done$"), vm.tail()


@pytest.mark.parametrize("fault", ["", "nmi-reinject"])
def test_nmi_reinject(fault: str, work: Path) -> None:
    """No death on Bochs 2.7, which enters with a blocked NMI; the state that a CPU refuses is there."""
    args = ["run", "--on", "bochs", "--mem", "128", "--batch", "--timeout", "60"]
    args += ["--fault", fault] if fault else []
    for command in (
        "catch nested-page after",  # the delivery of the NMI, interrupted at the guest's stack
        "continue",
        "print vmcs.guest_interruptibility & 8",
        "ring 1",
        "set vmcs.entry_intr_info = 0x80000202",  # what the entry is about to do
        "check",
        "delete",
        "continue",
    ):
        args += ["-e", command]
    result = trapline(work, *args, str(tiny("nmi_high_stack")), timeout=90)
    assert re.search(r"nested-page .*delivering 2  injects 2", result.out), str(result)
    assert ("$1 = 8" if fault else "$1 = 0") in result.out, str(result)
    named = "guest.interruptibility.nmi: guest_interruptibility = 0x8; must be 0: nmi_blocking"
    assert (named in result.out) == bool(fault), str(result)
    assert ("the entry succeeds" in result.out) == (not fault), str(result)
    assert "NMIs taken: ok" in result.out, str(result)
    assert not result.left, result.left


def test_every_seeded_fault_has_a_case_or_a_reason() -> None:
    rows = (TOP / "hv" / "core" / "seeded.def").read_text()
    names = set(re.findall(r'^SEEDED\(\w+,\s*"([^"]+)"', rows, re.MULTILINE))
    assert names == {f.name for f in FAULTS} | set(ABSENT)
