# SPDX-License-Identifier: GPL-3.0-or-later
"""`trapline attach` over a line that drops, doubles, flips, invents, cuts and delays bytes.

Ten thousand commands (each sends one to five requests), memory writes, reads and `stepi` mixed by a seed,
are held against a model of what they must do. A sled of `inc %ebx` counts executions: after N steps both
RIP and EBX have moved by N, so a lost or a doubled step cannot hide. At the end all of the memory that was
written to is read back over the same line. Further seeds run shorter.
"""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import machine
import pytest
from console import trapline
from line_proxy import LineProxy
from machine import Machine, tiny
from wire_link import Hostile

SLED, DATA, DATA_WORDS = 0x300000, 0x310000, 512
VICES = "drop double flip invent cut delay"
FIVE = ("drop", "double", "flip", "cut", "delay")  # each must have happened, or nothing was proved


class Script:
    """Commands, and what each must answer (a pattern for its output)."""

    def __init__(self, seed: int, commands: int, work: Path) -> None:
        self.sled, self.data_after, self.sled_after = (
            work / name for name in ("sled.bin", "data.after", "sled.after")
        )
        self.random = random.Random(seed)
        self.steps = self.ebx = 0
        self.memory = [0] * DATA_WORDS
        self.lines: list[tuple[str, str]] = []
        zeros = work / "zeros.bin"
        self.sled.write_bytes(b"\x43" * commands)  # inc %ebx
        zeros.write_bytes(bytes(4 * DATA_WORDS))
        self.add(f"load {self.sled} 0x{SLED:x}", "")
        self.add(f"load {zeros} 0x{DATA:x}", "")
        self.add("set rbx = 0", "")
        self.add(f"set rip = 0x{SLED:x}", "")
        while len(self.lines) < commands - 5:
            self.random.choice((self.step, self.write, self.write, self.read, self.read, self.look))()
        self.where()
        self.count()
        self.add(f"dump {self.data_after} 0x{DATA:x}, +{4 * DATA_WORDS}", "")
        self.add(f"dump {self.sled_after} 0x{SLED:x}, +{commands}", "")
        self.add("info line", r"there: +mode=link")

    def memory_is_right(self) -> bool:
        want = b"".join(word.to_bytes(4, "little") for word in self.memory)
        return self.data_after.read_bytes() == want and (
            self.sled_after.read_bytes() == self.sled.read_bytes()
        )

    def add(self, command: str, answer: str) -> None:
        self.lines.append((command, answer))

    def step(self) -> None:
        self.steps += 1
        self.ebx += 1
        self.add("stepi", rf"(?s)step.*0x0*{SLED + self.steps:x}\b")

    def write(self) -> None:
        at, value = self.random.randrange(DATA_WORDS), self.random.getrandbits(32)
        self.memory[at] = value
        self.add(f"set u32(0x{DATA + 4 * at:x}) = 0x{value:x}", "")

    def read(self) -> None:
        at = self.random.randrange(DATA_WORDS)
        self.add(f"print/x u32(0x{DATA + 4 * at:x})", rf"^\$\d+ = 0x{self.memory[at]:x}$")

    def look(self) -> None:
        self.random.choice((self.where, self.count, self.read, self.write))()

    def where(self) -> None:
        self.add("print/x rip", rf"^\$\d+ = 0x{SLED + self.steps:x}$")

    def count(self) -> None:
        self.add("print/x rbx", rf"^\$\d+ = 0x{self.ebx:x}$")


def answers(out: str) -> list[tuple[str, str]]:
    """The commands that a batch run shows, each with what it printed."""
    parts = re.split(r"(?m)^> (.*)$", out)
    return [(parts[n].strip(), parts[n + 1].strip()) for n in range(1, len(parts) - 1, 2)]


# Bochs paces its UART in guest time: a tenth of the commands there.
@pytest.mark.parametrize(
    "name,commands,seed,limit",
    [
        ("qemu-svm", 10_000, 2026, 500),
        ("qemu-svm", 800, 7, 100),
        ("qemu-svm", 800, 8, 100),
        ("bochs-vmx", 1_000, 2026, 170),
    ],
)
def test_commands_on_a_bad_line(name: str, commands: int, seed: int, limit: int, work: Path) -> None:
    platform = machine.PLATFORMS[name]
    script = Script(seed, commands, work)
    assert len(script.lines) == commands
    file = work / "script.tl"
    file.write_text("".join(f"{command}\n" for command, _ in script.lines))
    down, up = Hostile(seed + 31, 1000, VICES), Hostile(seed + 32, 1000, VICES)
    with LineProxy(work / "line.txt", down, up) as line:
        vm = Machine(
            work, platform, tiny("cpuid_loop"), hv="wait", serial=f"tcp:{line.uart_port}",
            sync="slowdown", limit=limit,
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            begin = time.monotonic()
            run = trapline(
                work,
                *("attach", "--batch", "--timeout", str(int(vm.limit)), "-x", str(file)),
                f"127.0.0.1:{line.client_port}",
                timeout=vm.limit + 10,
            )
            seconds = time.monotonic() - begin
            total = line.to_machine + line.to_client
    assert run.status == 0, f"status {run.status}\n{run.out[-3000:]}\n{run.err[-2000:]}"
    got = answers(run.out)
    assert [c for c, _ in got] == [c for c, _ in script.lines], "not every command ran once, in order"
    wrong = [
        (command, want, answer)
        for (command, answer), (_, want) in zip(got, script.lines)
        if not re.search(want, answer, re.MULTILINE) or (not want and re.search("rror|E[0-9.]", answer))
    ]
    assert not wrong, f"{len(wrong)} wrong, the first: {wrong[:5]}"
    assert script.memory_is_right(), "memory is not what the commands wrote"
    assert script.steps > commands / 10 and sum(map(bool, script.memory)) > DATA_WORDS / 3
    counters = got[-1][1]
    here, there = (re.search(p, counters) for p in (r"(\d+) sent again, (\d+) damaged", r"resent=(\w+)"))
    sent = re.search(r"(\d+) packets in, (\d+) out", counters)
    assert here and there and sent, counters
    print(
        f"\n{name}: {len(got)} commands, {sent[2]} requests, {script.steps} steps in {seconds:.0f} s;"
        f" {total} bytes,"
        f" hurt {dict(sorted((down.count + up.count).items()))}; sent again: {here[1]} by the console,"
        f" {int(there[1], 16)} by the hypervisor"
    )
    assert int(sent[2]) >= commands and int(sent[1]) >= commands, counters
    hurt = down.count + up.count
    assert all(hurt[vice] >= commands / 500 for vice in FIVE), f"too good a line: {hurt}"
    # One byte in a thousand, with room for chance (four deviations where there are 60,000 bytes).
    assert 0.5 <= 1000 * sum(hurt.values()) / total <= 1.5, f"{hurt} of {total} bytes"
    assert down.damaged and up.damaged, "one direction was clean"
    assert int(here[1]) + int(there[1], 16) > 0, counters
