# SPDX-License-Identifier: GPL-3.0-or-later
"""What things cost on the line, in bytes and in guest work: for `make bench` and the budget's test.

QEMU's UART has no pace of its own, Bochs' has the baud rate in guest time. So rates are computed from
the bytes that passed: moved payload over bytes the line carried in that direction.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
from console import marked_env, trapline
from line_proxy import LineProxy
from machine import TOP, TRAPLINE, Machine, Platform, symbol, tiny

STEPS = 50
DUMP_BYTES = {"random": 40 * 1024, "zeros": 64 * 1024}
DUMP_AT = 0x400000
SECONDS = 6
BYTES_A_SECOND = 11520  # 115200 baud, 8n1


@dataclass(frozen=True)
class GdbBytes:
    connect: float
    step: float
    broker_step: float


@contextmanager
def waiting(work: Path, platform: Platform, guest: str) -> Iterator[LineProxy]:
    work.mkdir(parents=True, exist_ok=True)
    with LineProxy(work / "line.txt") as line:
        vm = Machine(
            work, platform, tiny(guest), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown",
            limit=100,
        )
        with vm:
            if not vm.wait_for(r"tl: .*(wait|stopp)"):
                raise RuntimeError(f"never stopped\n{vm.tail()}")
            yield line


def gdb(port: int, *commands: str) -> str:
    cmd = ["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64"]
    for command in (f"target remote localhost:{port}", *commands):
        cmd += ["-ex", command]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C"}
    run = subprocess.run(cmd, capture_output=True, text=True, timeout=200, env=env)
    if "timed out" in run.stdout + run.stderr:
        raise RuntimeError(run.stdout + run.stderr)
    return run.stdout + run.stderr


@contextmanager
def broker(work: Path, line: LineProxy) -> Iterator[int]:
    """`trapline attach --gdb` on the line; yields GDB's port."""
    env, _ = marked_env(HOME=str(work))
    child = pexpect.spawn(
        str(TRAPLINE), ["attach", "--gdb", "0", f"127.0.0.1:{line.client_port}"], cwd=str(TOP), env=env,
        encoding="utf-8", codec_errors="replace", timeout=60, dimensions=(40, 120),
    )
    try:
        child.expect(r"target remote localhost:(\d+)")
        port = int(child.match.group(1))
        child.expect(r"\((?:tl|trapline)[^)\n]*\) ")
        yield port
    finally:
        child.close(force=True)


def bytes_of(line: LineProxy) -> int:
    return line.to_machine + line.to_client


def gdb_bytes(work: Path, platform: Platform) -> GdbBytes:
    """Connecting (and leaving) on the bare line; one stepi there and at the broker."""
    costs = []
    for steps in (0, STEPS):
        with waiting(work, platform, "spin_cli") as line:
            before = bytes_of(line)
            gdb(line.client_port, *["stepi"] * steps)
            costs.append(bytes_of(line) - before)
    brokered = []
    with waiting(work, platform, "spin_cli") as line, broker(work, line) as port:
        for steps in (0, STEPS):
            before = bytes_of(line)
            # `detach` at the broker leaves the guest where it is.
            gdb(port, *["stepi"] * steps, "detach")
            time.sleep(0.2)
            brokered.append(bytes_of(line) - before)
    return GdbBytes(
        costs[0], (costs[1] - costs[0]) / STEPS, max(brokered[1] - brokered[0], 0) / STEPS
    )


def dump_rate(work: Path, platform: Platform, what: str) -> float:
    """Payload of a console's dump over the bytes that the machine sent for it."""
    size = DUMP_BYTES[what]
    source, out = work / f"{what}.bin", work / f"{what}.out"
    with waiting(work, platform, "spin_cli") as line:
        source.write_bytes(os.urandom(size) if what == "random" else bytes(size))
        load = ("-e", f"load {source} 0x{DUMP_AT:x}") if what == "random" else ()  # RAM starts as zeros
        target = f"127.0.0.1:{line.client_port}"
        run = trapline(
            work,
            *("attach", "--batch", "--timeout", "80", "-e", "set option on-disconnect stop", *load),
            target,
        )
        before = line.to_client
        again = trapline(
            work,
            *("attach", "--batch", "--timeout", "80", "-e", f"dump {out} 0x{DUMP_AT:x}, +0x{size:x}"),
            target,
        )
        sent = line.to_client - before
    if not out.exists() or out.read_bytes() != source.read_bytes():
        raise RuntimeError(f"the dump differs from what was loaded\n{run}\n{again}")
    return size / sent


def condition_rounds(work: Path, platform: Platform) -> tuple[float, float]:
    """False hits a second by the stub and by GDB: the same guest, the same script, side by side. The
    guest counts its rounds. QEMU's line takes no time: what GDB's packets need at 115200 baud is added."""
    counter = symbol(tiny("gdb_target"), "counter")
    spot = symbol(tiny("gdb_target"), "spot")
    rates, passed = [], []
    for mode in ("target", "host"):
        with waiting(work, platform, "gdb_target") as line:
            out = gdb(
                line.client_port,
                f"set breakpoint condition-evaluation {mode}",
                f"hbreak *0x{spot:x}",
                "continue",
                "delete",
                f"break *0x{spot:x} if *(int *)0x{counter:x} == 0x7fffffff",
                f"set $before = *(int *)0x{counter:x}",
                "python import threading, os, signal",
                f"python threading.Timer({SECONDS}, lambda: os.kill(os.getpid(), signal.SIGINT)).start()",
                "continue",
                f'printf "ROUNDS %d\\n", *(int *)0x{counter:x} - $before',
            )
        found = re.search(r"ROUNDS (\d+)", out)
        if not found:
            raise RuntimeError(out)
        rates.append(max(int(found[1]), 1) / SECONDS)
        passed.append(bytes_of(line))
    bytes_each = (passed[1] - passed[0]) / (rates[1] * SECONDS)
    return rates[0], 1 / (1 / rates[1] + bytes_each / BYTES_A_SECOND)
