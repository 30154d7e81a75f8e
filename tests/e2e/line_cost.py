# SPDX-License-Identifier: GPL-3.0-or-later
"""What things cost on the line, in bytes and in guest work: for `make bench` and the budget's test.

QEMU's UART has no pace of its own, Bochs' has the baud rate in guest time. So rates are computed from
the bytes that passed: moved payload over bytes the line carried in that direction. What time itself
decides (a condition that GDB evaluates) runs over a paced line.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
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
BYTES_A_SECOND = 11520  # 115200 baud, 8n1
CONDITION_IPS = 50_000_000  # Bochs' CPU where the line's time is counted in its instructions


@dataclass(frozen=True)
class GdbBytes:
    connect: float
    step: float
    broker_step: float
    symbols_step: float


@contextmanager
def waiting(
    work: Path, platform: Platform, guest: str, pace: int = 0, ips: int = 10_000_000
) -> Iterator[LineProxy]:
    work.mkdir(parents=True, exist_ok=True)
    with LineProxy(work / "line.txt", pace=pace) as line:
        vm = Machine(
            work, platform, tiny(guest), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown",
            limit=100, ips=ips,
        )
        with vm:
            if not vm.wait_for(r"tl: .*(wait|stopp)"):
                raise RuntimeError(f"never stopped\n{vm.tail()}")
            yield line


def gdb(port: int, *commands: str, before: tuple[str, ...] = ()) -> str:
    cmd = ["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64"]
    for command in (*before, f"target remote localhost:{port}", *commands):
        cmd += ["-ex", command]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C"}
    run = subprocess.run(cmd, capture_output=True, text=True, timeout=200, env=env)
    if "timed out" in run.stdout + run.stderr:
        raise RuntimeError(run.stdout + run.stderr)
    return run.stdout + run.stderr


@contextmanager
def broker(work: Path, line: LineProxy) -> Iterator[tuple[int, pexpect.spawn]]:
    """`trapline attach --gdb` on the line; yields GDB's port, and the console."""
    env, _ = marked_env(HOME=str(work))
    child = pexpect.spawn(
        str(TRAPLINE), ["attach", "--gdb", "0", f"127.0.0.1:{line.client_port}"], cwd=str(TOP), env=env,
        encoding="utf-8", codec_errors="replace", timeout=60, dimensions=(40, 120),
    )
    try:
        child.expect(r"target remote localhost:(\d+)")
        port = int(child.match.group(1))
        child.expect(r"\((?:tl|trapline)[^)\n]*\) ")
        yield port, child
    finally:
        child.close(force=True)


def drain(child: pexpect.spawn) -> None:
    try:
        child.expect(pexpect.EOF, timeout=None)
    except (pexpect.ExceptionPexpect, OSError, ValueError):
        pass  # it was closed


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
    return GdbBytes(costs[0], (costs[1] - costs[0]) / STEPS, broker_step_bytes(work, platform),
                    broker_step_bytes(work, platform, symbols=True))


def broker_step_bytes(work: Path, platform: Platform, symbols: bool = False) -> float:
    """One stepi of GDB at the broker, both directions, framing and all. With symbols GDB looks at code
    and stack at each stop, through calls and returns here."""
    costs = []
    file = (f"file {tiny('spin_cli')}",) if symbols else ()
    with waiting(work, platform, "spin_cli") as line, broker(work, line) as (port, console):
        # A terminal that nobody reads fills up, and then the console waits for it.
        threading.Thread(target=drain, args=(console,), daemon=True).start()
        gdb(port, "detach")  # the broker learns what lasts a session
        for steps in (0, STEPS):
            before = bytes_of(line)
            # `detach` at the broker leaves the guest where it is.
            gdb(port, *["stepi"] * steps, "detach", before=file)
            time.sleep(0.2)
            costs.append(bytes_of(line) - before)
    return (costs[1] - costs[0]) / STEPS


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


ROUNDS = {"target": (500, 20500), "host": (5, 45)}  # few and many: what both cost alike falls out


def condition_ticks(work: Path, platform: Platform, mode: str) -> float:
    """TSC ticks of a round whose breakpoint condition is false, evaluated by the stub ("target") or by
    GDB ("host"): from a stop to the stop `many` rounds later, less that of `few`. The line carries
    115200 baud: Bochs' UART does so by itself, and its tick is an instruction; QEMU's is paced."""
    counter = symbol(tiny("gdb_target"), "counter")
    spot = symbol(tiny("gdb_target"), "spot")
    pace = BYTES_A_SECOND if platform.emulator == "qemu" else 0
    commands = [
        f"set breakpoint condition-evaluation {mode}",
        f"hbreak *0x{spot:x}",
        "continue",
        "delete",
        f"break *0x{spot:x}",
    ]
    for rounds in ROUNDS[mode]:
        commands += [
            f"set $from = *(int *)0x{counter:x}",
            "maintenance packet qtl.exit",
            f"eval \"condition 2 *(int *)0x{counter:x} == %d\", $from + {rounds}",
            "continue",
            f'printf "ROUNDS %d\\n", *(int *)0x{counter:x} - $from',
            "maintenance packet qtl.exit",
        ]
    with waiting(work / mode, platform, "gdb_target", pace, CONDITION_IPS) as line:
        out = gdb(line.client_port, *commands)
    rounds_done = tuple(int(n) for n in re.findall(r"^ROUNDS (\d+)", out, re.MULTILINE))
    ticks = [int(t, 16) for t in re.findall(r";tsc:([0-9a-f]+);", out)]
    if rounds_done != ROUNDS[mode] or len(ticks) != 4:
        raise RuntimeError(f"{mode}: not the rounds asked for\n{out}")
    few, many = ROUNDS[mode]
    return ((ticks[3] - ticks[2]) - (ticks[1] - ticks[0])) / (many - few)


OTHER_KINDS = ("hlt", "invlpg", "xsetbv", "rdpmc", "triple-fault", "task-switch", "monitor", "mwait")


def exit_ticks(work: Path, platform: Platform, events: int) -> int:
    """Ticks of 1,000 CPUID exits, the cheapest of ten such batches, while so many events of other kinds
    are armed. A tick is an instruction: on Bochs always, on QEMU by -icount."""
    adds = [
        f"maintenance packet Qtl.event.add:kinds:{OTHER_KINDS[n % len(OTHER_KINDS)]};if:220{n % 10}27;"
        for n in range(events)
    ]
    work.mkdir(parents=True, exist_ok=True)
    script = work / f"add{events}.gdb"
    script.write_text("\n".join(adds) + "\n")
    with LineProxy(work / "line.txt") as line:
        vm = Machine(
            work, platform, tiny("cpuid_hot"), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown",
            limit=100, ips=50_000_000,
            qemu_extra=["-icount", "shift=0,sleep=off"] if platform.emulator == "qemu" else [],
        )
        with vm:
            if not vm.wait_for(r"tl: .*(wait|stopp)"):
                raise RuntimeError(f"never stopped\n{vm.tail()}")
            out = gdb(line.client_port, f"source {script}", "maintenance packet qtl.events", "detach")
            count = re.search(r'received: "count:([0-9a-f]+);', out)
            if not count or int(count[1], 16) != events:
                raise RuntimeError(f"not {events} events\n{out[-2000:]}")
            if not vm.wait_for(r"ticks for the cheapest 1,000 0x([0-9a-f]+)$"):
                raise RuntimeError(f"never done\n{vm.tail()}")
            found = re.search(r"ticks for the cheapest 1,000 0x([0-9a-f]+)$", vm.text(), re.MULTILINE)
            assert found
            return int(found[1], 16)


# What the guest does when somebody wants to break in, and the guest that does it.
BREAK_IN_STATES = {
    "running": "gdb_target",
    "IF=0 spin": "spin_cli",
    "HLT with IF=0": "hlt_cli",
    "NMI storm": "nmi_storm",
    "exit storm": "exit_storm",
}


def break_in_ms(work: Path, platform: Platform, guest: str, rounds: int = 5) -> list[float]:
    """Milliseconds from 0x03 into the bare line to the stop reply, each after a moment of running. The
    guest's time never passes faster (sync=slowdown), so that it took the guest no longer."""

    def until(sock: socket.socket, pattern: bytes) -> float:
        seen = b""
        while not re.search(pattern, seen, re.DOTALL):
            data = sock.recv(4096)
            if not data:
                raise RuntimeError(f"{guest}: the line ended: {seen!r}")
            seen += data
        end = time.monotonic()
        sock.sendall(b"+")
        return end

    took = []
    with waiting(work, platform, guest) as line:
        with socket.create_connection(("127.0.0.1", line.client_port), timeout=30) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.sendall(b"$qSupported#37")
            until(sock, rb"PacketSize.*#..")
            for _ in range(rounds):
                sock.sendall(b"$vCont;c#a8")
                time.sleep(0.5)
                begun = time.monotonic()
                sock.sendall(b"\x03")
                took.append(1000 * (until(sock, rb"\$T02.*tl\.why:break-in;.*#..") - begun))
    return took
