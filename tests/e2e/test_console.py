# SPDX-License-Identifier: GPL-3.0-or-later
"""The console, driven as the README drives it: batch runs, and a person at the prompt."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path

import machine
import pexpect
import pytest
from console import marked_env, trapline, wait_gone
from machine import TOP, TRAPLINE, Platform, tiny

PROMPT = r"\(tl\) "  # "(tl running) " is the other one


def test_paging_of_linux(platform: Platform, work: Path) -> None:
    """Shows 2: Debian's own MOV to CR0 that turns paging on, seen, and then on to userspace."""
    log = work / "line.log"
    commands = (
        "catch cr0-write if value & 0x80000000",
        "continue",
        "info exit",
        "disassemble $pc-8, +16",
        "info msr-area",
        "print/x cr4 & (1<<5)",
        "continue",
    )
    args = ["run", "--on", platform.emulator, "--batch", "--timeout", "900", "--log", str(log)]
    for command in commands:
        args += ["-e", command]
    run = trapline(work, *args, timeout=960)
    assert run.status == 0, str(run)
    assert re.search(r"cr0-write", run.out), str(run)
    # Both values, in full, and the bit by its name.
    assert re.search(r"cr0-write +0x11 -> 0x80050033 .*\bPG 0->1\b", run.out), str(run)
    assert re.search(r"mov[a-z]*\s+%[re]ax,\s*%cr0|mov[a-z]*\s+cr0,\s*[re]ax", run.out), str(run)
    # EFER in the area, LME set, by name or by number.
    assert re.search(r"(?i)efer\b.*(0x0*[1-9a-f]?[1357bdf]00|\bLME\b)", run.out), str(run)
    assert re.search(r"(?m)(= |^)0x20$", run.out), str(run)
    assert re.search(r"TRAPLINE-GUEST-OK 6\.1\.\S+ \d+\.\d+", run.out), str(run)
    # The raw line: text until the console attached, the link's frames afterwards.
    raw = log.read_bytes()
    assert re.match(rb"\[ *\d+\.\d+\] tl: ", raw) and b"GUEST-OK" in raw, raw[:200]
    assert not run.left, run.left


def test_break_and_skip(platform: Platform, work: Path) -> None:
    """Break at an address, step, skip an instruction, change a register, go on."""
    guest = tiny("long_mode")
    at = machine.symbol(guest, "paging_on")
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "120"),
        *("-e", f"break 0x{at:x}", "-e", "continue", "-e", "print/x rip", "-e", "info registers"),
        *("-e", "stepi", "-e", "print/x rip", "-e", "set rbp = 0x1234", "-e", "print/x rbp"),
        *("-e", "x/4xb 0x100000", "-e", "delete", "-e", "continue"),
        str(guest),
    )
    assert run.status == 0, str(run)
    assert re.search(rf"0x0*{at:x}\b", run.out), str(run)
    assert re.search(rf"0x0*{at + 3:x}\b", run.out), str(run)
    assert "0x1234" in run.out, str(run)
    assert re.search(r"0x02\s+0xb0\s+0xad\s+0x1b", run.out), str(run)  # multiboot magic
    assert "guest long_mode: done" in run.out, str(run)
    assert not run.left, run.left


def test_dead_guest_ends_with_4(platform: Platform, work: Path) -> None:
    """A guest that dies without the script asking for it: status 4, and the reason is shown."""
    report = work / "report.json"
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "60", "-e", "continue"),
        *("--report", str(report), str(tiny("triple_fault"))),
    )
    assert run.status == 4, str(run)
    assert "#UD: the instruction at RIP is UD2" in json.loads(report.read_text())["why"]
    assert "triple-fault" in run.out + run.err, str(run)
    assert not run.left, run.left


@pytest.mark.parametrize(
    "guest,why", [("spin_cli", "spins in a jump to itself"), ("hlt_cli", "sleeps in HLT")]
)
def test_timeout_says_where(platform: Platform, guest: str, why: str, work: Path) -> None:
    """A guest that hangs: status 3, and the place and the reason, here and in the log."""
    log = work / "line.log"
    seconds = {"qemu": "8", "bochs": "16"}[platform.emulator]  # for the start, on a loaded machine
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", seconds, "--log", str(log)),
        *("-e", "continue", str(tiny(guest))),
        timeout=40,
    )
    assert run.status == 3, str(run)
    assert not run.left, run.left
    assert f"time-out after {seconds} seconds" in run.err
    assert f"{why}" in run.out and "(IF=0)" in run.out, str(run)
    explained = trapline(work, "explain", "--symbols", str(tiny(guest)), str(log))
    place = {"spin_cli": "spin", "hlt_cli": "halted"}[guest]
    assert why in explained.out and f"<{place}" in explained.out, str(explained)


def start(work: Path, *args: str) -> tuple[pexpect.spawn, str]:
    env, mark = marked_env(HOME=str(work))
    child = pexpect.spawn(
        str(TRAPLINE), list(args), cwd=str(TOP), env=env, encoding="utf-8", timeout=40,
        codec_errors="replace", dimensions=(40, 120),
    )
    child.logfile_read = open(work / "screen.txt", "w")
    return child, mark


@pytest.mark.parametrize("guest", ["spin_cli", "hlt_cli"])
def test_interrupt(platform: Platform, guest: str, work: Path) -> None:
    """Shows 5: a guest with interrupts off is stopped by `interrupt`, and can go on and again."""
    place = machine.symbol(tiny(guest), {"spin_cli": "spin", "hlt_cli": "halted"}[guest])
    child, mark = start(work, "run", "--on", platform.emulator, str(tiny(guest)))
    try:
        child.expect(PROMPT)
        for _ in range(2):
            child.sendline("continue")
            if _ == 0:
                child.expect(f"guest {guest}: start")
                time.sleep(0.5)  # the end of its line
            child.sendline("interrupt")
            child.expect(PROMPT)
            child.sendline("print/x rip")
            child.expect(rf"0x0*({place:x}|{place + 1:x})\b")
        child.expect(PROMPT)
        child.sendline("kill")
        child.expect(PROMPT)
        child.sendline("quit")
        child.expect(pexpect.EOF, timeout=15)
        assert "(tl" not in child.before.rsplit("quit", 1)[1], "a prompt behind `quit`"
    finally:
        child.close(force=True)
    assert not (left := wait_gone(mark)), left


def test_prompt_stops_before_first_instruction(work: Path) -> None:
    """Shows 1: `make run` reaches the prompt with nothing of the guest executed."""
    guest = tiny("cr0_write")
    entry = machine.symbol(guest, "_start")
    child, mark = start(work, "run", str(guest))
    try:
        child.expect(PROMPT)
        child.sendline("print/x rip")
        child.expect(rf"0x0*{entry:x}\b")
        child.sendline("help")
        child.expect("continue")
        child.expect(PROMPT)  # before it the terminal, not the console, would take ^D
        child.sendcontrol("d")
        child.expect(pexpect.EOF, timeout=15)
        assert "(tl" not in child.before, "no prompt behind the last command"
    finally:
        child.close(force=True)
    assert not (left := wait_gone(mark)), left


@pytest.mark.parametrize("how", ["interrupt twice", "SIGTERM", "SIGHUP"])
def test_nothing_left_running(platform: Platform, how: str, work: Path) -> None:
    """However the console goes, its emulator goes with it."""
    child, mark = start(work, "run", "--on", platform.emulator, str(tiny("spin_cli")))
    try:
        child.expect(PROMPT)
        child.sendline("continue")
        child.expect("guest spin_cli: start")
        if how == "interrupt twice":
            child.sendintr()
            child.expect(PROMPT)  # ^C stops the guest, never the console
            child.sendline("quit")
        else:
            child.kill(getattr(signal, how))
        child.expect(pexpect.EOF, timeout=15)
    finally:
        child.close(force=True)
    assert not (left := wait_gone(mark)), left


if sys.version_info < (3, 9):
    sys.exit("the tests need Python 3.9 or newer")
