# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python API and the conditions, in scripts as people write them."""

from __future__ import annotations

import re
from pathlib import Path

import machine
import pytest
from gdb_session import on_machine
from machine import Platform, tiny

SCRIPT = """\
import os, gdb, trapline
t = trapline.attach()
seen = []

@t.on("wrmsr", only=0xc0000080)
def efer(ev):
    seen.append(("efer", ev.value, ev.index))

@t.on("cr0-write", when="value & 0x80000000")
def paging(ev):
    seen.append(("cr0", ev.value, ev.regs.rip))
    print("at", hex(ev.regs.rip), "cr4", hex(ev.vmcs.guest_cr4 & 0x20), "area", hex(ev.msr_area[0xc0000080]))
    ev.msr_area[0xc0000080] = 0x101
    print("area now", hex(ev.msr_area[0xc0000080]))
    ev.msr_area[0xc0000080] = 0x100
    ev.vmcs.guest_rflags = ev.vmcs.guest_rflags | 1
    print("carry", ev.regs.eflags & 1)
    print("bytes", ev.read(ev.regs.rip, 3).hex())
    print("skipped to", hex(ev.skip()))
    return trapline.STOP

stop = t.run(timeout=60)
print("ended", stop.why, stop.kind, seen)
print("console", "start" in stop.output)
t.forget(paging)
t.forget()
print("events", len(t.road.events()))
"""

TIMEOUT_SCRIPT = """\
import time, trapline
t = trapline.attach()
before = time.monotonic()
try:
    t.run(until="hlt", timeout=2)
except trapline.TimedOut as error:
    print("timed out:", error)
print("soon", time.monotonic() - before < 15)
print("events", len(t.road.events()), "rip", hex(t.regs.rip))
try:
    t.regs.nonsense
except AttributeError as error:
    print("refused:", error)
try:
    print("controls", hex(t.regs.entry_controls))
except AttributeError as error:
    print("refused:", error)
"""

# Conditions and what they must give at the stop of PAGING in long_mode: a check of compiler and evaluator.
VALUES = {
    "value": 0x80000001,
    "rip == paging_at": 1,
    "value & 0x80000000 && old & 1": 1,
    "old & 0x80000000 || 0": 0,
    "1 + 2 * 3 - 4 / 2": 5,
    "(1 + 2) * 3 % 4": 1,
    "1 << 4 | 1 << 8 >> 2": 0x50,
    "~0 ^ 1": 2**64 - 2,
    "-1 > 5": 1,
    "2 <= 2": 1,
    "3 >= 4": 0,
    "!0 + !7": 1,
    "kind == cr0-write": 1,
    "msr-area[efer]": 0x100,
    "msr[0xc0000080] & 0x500": 0x100,
    "cr4.PAE": 1,
    "u8(rip)": 0x0F,
    "u16(rip)": 0x220F,
    "u32(rip) & 0xffffff": 0xC0220F,
    "value ? old ? 7 : 8 : 9": 7,
    "0 ? 1 : old == 0 ? 2 : value && 1": 1,
    "vmcs.guest_cr4 & 0x20": 0x20,
    "ecx": 0xC0000080,
    "s8(rip + 2)": 0xFFFFFFFFFFFFFFC0,
}


def test_script(platform: Platform, work: Path) -> None:
    at = machine.symbol(tiny("long_mode"), "paging_on")
    (work / "script.py").write_text(SCRIPT)
    said = on_machine(platform, work, tiny("long_mode"), f"source {work / 'script.py'}")
    for text in (
        f"at 0x{at:x} cr4 0x20 area 0x100",
        "area now 0x101",
        "carry 1",
        "bytes 0f22c0",
        f"skipped to 0x{at + 3:x}",
        f"ended event cr0-write [('efer', 256, 3221225600), ('cr0', 2147483649, {at})]",
        "console True",
        "events 0",
    ):
        assert text in said.text, f"{text} is missing\n{said.text}"
    assert "SIGTRAP" not in said.text, said.text


def test_time_out(platform: Platform, work: Path) -> None:
    spin = machine.symbol(tiny("spin_cli"), "spin")
    (work / "script.py").write_text(TIMEOUT_SCRIPT)
    said = on_machine(platform, work, tiny("spin_cli"), f"source {work / 'script.py'}")
    assert f"timed out: 2 s are over; the guest stands at 0x{spin:x}" in said.text, said.text
    assert "soon True" in said.text and f"events 0 rip 0x{spin:x}" in said.text, said.text
    assert "refused: no register nonsense" in said.text, said.text
    vmx = platform.backend == "vmx"
    controls = "controls 0x" if vmx else "refused: register entry_controls is not available on this platform"
    assert controls in said.text, said.text


@pytest.mark.parametrize("name", ["qemu-svm", "bochs-vmx"])
def test_conditions_mean_what_they_say(name: str, work: Path) -> None:
    """Each expression is printed by a log action in the hypervisor, and compared."""
    at = machine.symbol(tiny("long_mode"), "paging_on")
    table = [(text.replace("paging_at", hex(at)), want) for text, want in VALUES.items()]
    commands = []
    for n, (text, _) in enumerate(table):
        if n % 5 == 0:
            commands.append("trapline catch cr0-write if value & 0x80000000 do ")
        commands[-1] += f'log "<{n}> %lx {n}", {text}; '
    commands[-1] += "stop"
    said = on_machine(machine.PLATFORMS[name], work, tiny("long_mode"), *commands, "continue", "trapline catch")
    got = {int(n): int(value, 16) for n, value in re.findall(r"<(\d+)> ([0-9a-f]+) \1", said.text)}
    wrong = [f"{t}: {got.get(n, -1):#x}, not {want:#x}" for n, (t, want) in enumerate(table) if got.get(n) != want]
    assert not wrong, "\n".join(wrong) + "\n" + said.text
