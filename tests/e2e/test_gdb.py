# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock GDB against the bare UART: no extension, no host program (Shows 4)."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny

ARCH = "set architecture i386:x86-64"


def gdb(port: int, *commands: str, timeout: float = 120) -> str:
    """What GDB prints; GDB gives up on a packet after its own `remotetimeout`."""
    cmd = ["gdb", "-nx", "-batch", "-ex", ARCH, "-ex", f"target remote localhost:{port}"]
    for command in commands:
        cmd += ["-ex", command]
    run = subprocess.run(
        cmd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C"},
    )
    return run.stdout


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_stock_gdb(platform: Platform, work: Path) -> None:
    """Attach to a machine stopped before its first instruction, look, step, let go."""
    guest = tiny("cr0_write")
    entry = machine.symbol(guest, "_start")
    log = work / "line.txt"
    with LineProxy(log) as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(line.client_port, "info registers", "stepi", "x/4i $pc", "detach")
            (work / "gdb.txt").write_text(out)
            assert re.search(rf"^rip +0x0*{entry:x}\b", out, re.MULTILINE), out
            for name in ("rax", "r15", "rflags|eflags", "cs", "cr0", "cr4", "efer"):
                assert re.search(rf"^({name}) ", out, re.MULTILINE), f"{name} is missing\n{out}"
            # GUEST starts with cli (one byte): a step lands on the next instruction.
            assert re.search(rf"=> 0x0*{entry + 1:x}:?.*\bcld\b", out), out
            assert "detached" in out, out
            assert not re.search(r"(?i)packet error|timed out|refused|Remote replied", out), out
            assert vm.wait_for(r"guest cr0_write: done"), f"did not go on after detach\n{vm.tail()}"
            # What went to GDB is not what the guest said: the log holds packets in between.
    assert line.to_machine > 0


def test_stock_gdb_breaks_in(platform: Platform, work: Path) -> None:
    """Attach while the guest spins with interrupts off; that alone must stop it."""
    guest = tiny("spin_cli")
    spin = machine.symbol(guest, "spin")
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"guest spin_cli: start"), f"never started\n{vm.tail()}"
            out = gdb(line.client_port, "p/x $rip", "p/x $ebx", "x/i $pc", "detach")
            (work / "gdb.txt").write_text(out)
            assert f"$1 = 0x{spin:x}" in out, out
            assert "$2 = 0x5717" in out, out
            assert vm.running(), f"the machine ended\n{vm.tail()}"
            again = gdb(line.client_port, "p/x $rip", "detach")
            assert f"$1 = 0x{spin:x}" in again, f"the second attach failed\n{again}"


def test_stock_gdb_breakpoint(platform: Platform, work: Path) -> None:
    """A software breakpoint at an address, memory, registers written; then the guest goes on."""
    guest = tiny("long_mode")
    at = machine.symbol(guest, "paging_on")
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                f"break *0x{at:x}",
                "continue",
                "p/x $rip",
                "p/x $rax",
                "x/3xb $pc",
                "set $r15 = 0x1234",
                "p/x $r15",
                "delete",
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            assert f"$1 = 0x{at:x}" in out, out
            assert "$2 = 0x80000001" in out, out
            # MOV %eax,%cr0: the breakpoint itself is not to be seen.
            assert re.search(r"0x0f\s+0x22\s+0xc0", out), out
            assert "$3 = 0x1234" in out, out
            assert vm.wait_for(r"guest long_mode: done"), f"did not go on\n{vm.tail()}"


def test_stock_gdb_asks_why(platform: Platform, work: Path) -> None:
    """`monitor explain`, of a guest that lives and of the same one dead."""
    with LineProxy(work / "line.txt") as line:
        vm = Machine(
            work, platform, tiny("triple_fault"), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown"
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(line.client_port, "monitor explain", "continue", "monitor explain")
            (work / "gdb.txt").write_text(out)
            alive, _, dead = out.partition("SIGSEGV")
            assert "the guest is alive" in alive, out
            assert "proven: triple fault: #UD: the instruction at RIP is UD2" in dead, out


def test_stock_gdb_straight_on_the_uart(work: Path) -> None:
    """The very command line of the README: QEMU's UART on TCP, nothing between."""
    port = free_port()
    vm = Machine(
        work, machine.PLATFORMS["qemu-svm"], tiny("spin_cli"), serial=f"listen:{port}", limit=60
    )
    with vm:
        for _ in range(100):
            if vm.wait_for("never", timeout=0.1) or not vm.running():
                break
            with socket.socket() as sock:
                # Only asks whether QEMU listens yet: the line is for GDB.
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
        # What the guest says between GDB's greeting and its first stop comes as an O packet out of turn,
        # which GDB 13 does not forgive: let it come to its loop, which is silent.
        time.sleep(3)
        spin = machine.symbol(tiny("spin_cli"), "spin")
        there = (f"break *{spin:#x}", "continue", "delete")
        out = gdb(port, *there, "info registers", "stepi", "x/4i $pc", "detach")
    (work / "gdb.txt").write_text(out)
    assert re.search(rf"^rip +0x0*{spin:x}\b", out, re.MULTILINE), out
    assert "jmp" in out and "detached" in out, out
