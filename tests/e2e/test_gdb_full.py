# SPDX-License-Identifier: GPL-3.0-or-later
"""Stock GDB's whole vocabulary (full.gdb): against the bare UART and against the broker of
`trapline run --gdb`, on both backends. The core of it with LLDB is test_lldb.py's.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import machine
import pexpect
import pytest
from console import wait_gone
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_console import PROMPT, start

SCRIPT = Path(__file__).with_name("full.gdb")
CHECKS = (
    "hbreak stepi-rip stepi-count stepi-no-tf break-if watch rwatch cr4-pae set-rip-rax back-at-round fpu-write find"
    " dprintf-end interrupt again again-hbreak"
).split()


def elf64(work: Path) -> Path:
    """The guest as a 64-bit ELF: what a debugger wants for 64-bit code."""
    out = work / "gdb_target.elf"
    subprocess.run(["objcopy", "-O", "elf64-x86-64", str(tiny("gdb_target")), str(out)], check=True)
    return out


@contextmanager
def bare_uart(work: Path, platform: Platform) -> Iterator[int]:
    """A machine that waits; yields the port on which its UART is."""
    with LineProxy(work / "line.txt") as line:
        vm = Machine(
            work, platform, tiny("gdb_target"), hv="wait", serial=f"tcp:{line.uart_port}",
            sync="slowdown", limit=150,
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            yield line.client_port


@contextmanager
def broker(work: Path, platform: Platform) -> Iterator[int]:
    """`trapline run --gdb 0` at a prompt; yields the broker's port."""
    child, mark = start(
        work, "run", "--on", platform.emulator, "--gdb", "0", str(tiny("gdb_target"))
    )
    try:
        child.expect(r"target remote localhost:(\d+)", timeout=60)
        port = int(child.match.group(1))
        child.expect(PROMPT, timeout=120)
        # Somebody must read what the console prints meanwhile.
        reader = threading.Thread(target=read_all, args=(child,), daemon=True)
        reader.start()
        yield port
        child.sendline("kill")
        child.sendline("quit")
        reader.join(20)
    finally:
        child.close(force=True)
        assert not wait_gone(mark), "processes were left"


def read_all(child: pexpect.spawn) -> None:
    try:
        while True:
            child.expect(pexpect.EOF, timeout=1)
            return
    except pexpect.TIMEOUT:
        read_all_again = not child.closed
        if read_all_again:
            read_all(child)
    except (pexpect.EOF, OSError, ValueError):
        return


ROADS = {"uart": bare_uart, "broker": broker}


def run_debugger(command: list[str], work: Path, limit: float) -> str:
    """Runs GDB or LLDB; presses ^C a second after it says INTERRUPT-ME."""
    out = work / "debugger.txt"
    with open(out, "wb") as sink:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/bin:/bin", "HOME": str(work), "LC_ALL": "C"},
            start_new_session=True,
        )
        end = time.monotonic() + limit
        pressed = False
        try:
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.1)
                if not pressed and re.search(r"INTERRUPT-ME\n", out.read_text(errors="replace")):
                    pressed = True
                    time.sleep(1)
                    process.send_signal(signal.SIGINT)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return out.read_text(errors="replace")


@pytest.mark.parametrize("road", ROADS)
def test_gdb_vocabulary(platform: Platform, road: str, work: Path) -> None:
    elf = elf64(work)
    with ROADS[road](work, platform) as port:
        command = ["gdb", "-nx", "-batch", "-ex", f"set $port = {port}", "-x", str(SCRIPT), str(elf)]
        out = run_debugger(command, work, 100 * platform.slow)
    checks = dict(re.findall(r"^CHECK (\S+) (\d)$", out, re.MULTILINE))
    assert checks == dict.fromkeys(CHECKS, "1"), f"{checks}\n{out}"
    assert "END" in out, out
    for refusal in ("timed out", "Remote replied", "packet error", "Cannot", "MIS-MATCHED", "warning: Err"):
        assert refusal.lower() not in out.lower(), f"{refusal!r} in\n{out}"
    # The condition was the target's: GDB says so, and so does its count of hits.
    assert re.search(r"stop only if .*\(target evals\)", out), out
    assert re.search(r"breakpoint already hit 1 time\b", out), out
    assert re.search(r"Section .text, range .*: matched", out), out
    assert re.search(r"\* 1 +Thread 1\b", out), out
    assert re.search(r"^\$\d+ = 0x20$", out, re.MULTILINE), out
    # dprintf ran on the target, once a round.
    said = [int(n) for n in re.findall(r"DPRINTF counter (\d+)", out)]
    assert len(said) >= 9 and said == list(range(said[0], said[0] + len(said))), f"{said}\n{out}"
    assert re.search(r"received signal SIGINT", out), out
