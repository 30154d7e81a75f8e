# SPDX-License-Identifier: GPL-3.0-or-later
"""The event engine on live machines, both vendors: a hot exit that logs loses no line or says how many, an
event that overspends is disarmed, instructions back to back are all caught."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from console import Result, trapline
from line_cost import (
    BREAK_IN_STATES, BYTES_A_SECOND, break_in_ms, broker, exit_ticks, gdb, waiting,
)
from line_proxy import LineProxy
from machine import Machine, Platform, tiny

HITS = 10000


class Stalling:
    """The way to the client: after so many bytes nothing moves for a while, as with a busy host."""

    def __init__(self, after_bytes: int = 20_000, seconds: float = 1.5) -> None:
        self.left = after_bytes
        self.seconds = seconds

    def __call__(self, data: bytes) -> bytes:
        if 0 < self.left <= len(data):
            time.sleep(self.seconds)
        self.left -= len(data)
        return data


def attach(work: Path, platform: Platform, guest: str, *commands: str, slow: bool) -> Result:
    """A console on a machine that waits, at 115200 baud; `slow`: with a stall in the middle."""
    bochs = platform.emulator == "bochs"
    pace = 0 if bochs else BYTES_A_SECOND
    with LineProxy(work / "line.txt", up=Stalling() if slow else None, pace=pace) as line:
        vm = Machine(
            work, platform, tiny(guest), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown", limit=100
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            words = [w for command in commands for w in ("-e", command)]
            return trapline(
                work, "attach", "--batch", "--timeout", "40", *words, f"127.0.0.1:{line.client_port}"
            )


def count(run: Result) -> tuple[list[int], int]:
    """The hits whose line came, and how many the console was told are missing."""
    came = [int(n) for n in re.findall(r"^hit (\d+)$", run.out, re.MULTILINE)]
    told = re.findall(r"\[lost: \d+ byte\(s\) of log and console, (\d+) log line", run.out)
    return came, sum(int(n) for n in told)


def logging(work: Path, platform: Platform, slow: bool) -> tuple[list[int], int]:
    run = attach(
        work,
        platform,
        "cpuid_hot",
        'catch cpuid do log "hit %d", rsi',
        "catch wbinvd",
        "continue",
        "expect stop wbinvd",
        "info line",
        slow=slow,
    )
    assert run.status == 0, str(run)
    came, lost = count(run)
    assert len(came) == len(set(came)), "a line came twice"
    assert came == sorted(came, reverse=True) and set(came) <= set(range(1, HITS + 1))
    assert len(came) + lost == HITS, f"{len(came)} lines came, {lost} are said to be lost\n{run.out[-2000:]}"
    return came, lost


def test_stalled_line_counts_its_losses(platform: Platform, work: Path) -> None:
    came, lost = logging(work, platform, slow=True)
    print(f"{platform.name}: {len(came)} lines came, {lost} lost and counted")
    assert lost > 0 and came, "the stall showed nothing"


FOREVER = "21000027"  # goto 0; end
TOO_MUCH = "is disarmed: one evaluation used more fuel than an event may"


def test_overspending_event_is_disarmed(platform: Platform, work: Path) -> None:
    """The guest goes on; the console that brokers and the GDB behind it are both told."""
    with waiting(work, platform, "cpuid_hot") as line, broker(work, line) as (port, console):
        out = gdb(
            port,
            f"maintenance packet Qtl.event.add:kinds:cpuid;if:{FOREVER};",
            "maintenance packet Qtl.event.add:kinds:wbinvd;",
            "continue",
            "maintenance packet qtl.events",
            "p/x $esi",
            "detach",
        )
        console.expect_exact(f"[event 1 {TOO_MUCH}]")
    assert f"[event 1 {TOO_MUCH}]" in out, out
    assert "$1 = 0x0" in out, out  # all rounds were made
    assert "why:" in out, out


def test_overspending_event_on_the_bare_line(platform: Platform, work: Path) -> None:
    with waiting(work, platform, "cpuid_hot") as line:
        out = gdb(
            line.client_port,
            f"maintenance packet Qtl.event.add:kinds:cpuid;if:{FOREVER};",
            "maintenance packet Qtl.event.add:kinds:wbinvd;",
            "continue",
            "p/x $esi",
        )
    assert "event 1 disarmed: one evaluation used more fuel than an event may" in out, out
    assert "$1 = 0x0" in out, out


def test_back_to_back_table_loads_are_all_caught(platform: Platform, work: Path) -> None:
    """Instructions that the guest performs itself, intercept lifted: the next one is an event again."""
    flags = ["catch flags-access do log \"flags %x\", rip"] if platform.backend == "svm" else []
    run = attach(
        work,
        platform,
        "table_loads",
        'catch gdtr-idtr do log "tables %x", rip',
        'catch ldtr-tr do log "ldt %x", rip',
        *flags,
        "catch wbinvd",
        "continue",
        "expect stop wbinvd",
        slow=False,
    )
    assert run.status == 0, str(run)
    assert "guest table_loads: GDT as loaded: ok" in run.out, str(run)
    assert "FAILED" not in run.out, run.out
    for word, wanted in (("tables", 7), ("ldt", 4)):  # two at the start, four, and SGDT
        places = re.findall(rf"^{word} ([0-9a-f]+)$", run.out, re.MULTILINE)
        assert len(places) == wanted and len(set(places)) == wanted, (word, places, run.out[-3000:])
    if flags:
        assert len(re.findall(r"^flags ", run.out, re.MULTILINE)) >= 4, run.out


def test_events_of_other_kinds_cost_nothing(platform: Platform, work: Path) -> None:
    """Instructions of 1,000 CPUID exits (counted, not timed): less than one more for each exit."""
    none, many = (exit_ticks(work / str(count), platform, count) for count in (0, 100))
    print(f"{platform.name}: {none} instructions without, {many} with 100 events of other kinds")
    assert none > 1000 * 50, "that many exits take more"
    assert abs(many - none) < 1000, (none, many)


@pytest.mark.parametrize("state", BREAK_IN_STATES)
def test_break_in(platform: Platform, work: Path, state: str) -> None:
    """0x03 stops the guest in every state, again and again (`make bench ARGS=breakin` says how soon)."""
    took = break_in_ms(work, platform, BREAK_IN_STATES[state], rounds=3)
    print(f"{platform.name}, {state}: {', '.join(f'{ms:.1f}' for ms in took)} ms")
    assert len(took) == 3
    if state == "NMI storm":  # the guest's own handler took 100 of them
        assert b"100 NMIs".hex().encode() in (work / "line.txt").read_bytes()
