# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Debian's GDB with the extension on a machine, and takes its output apart by command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform

LOADER = machine.TOP / "gdbext" / "trapline.py"
MARK = "@@ command"


@dataclass
class Said:
    """What GDB said, whole and by command."""

    status: int
    text: str

    def of(self, command: str) -> str:
        """Output of the first such command."""
        parts = self.text.split(MARK + " ")
        for part in parts[1:]:
            line, _, rest = part.partition("\n")
            if line == command:
                return rest.strip("\n")
        raise AssertionError(f"{command!r} never ran\n{self.text}")


def gdb(
    *commands: str, env: dict[str, str] | None = None, timeout: float = 120, extension: bool = True
) -> Said:
    """One GDB in batch mode; a command that fails does not end it."""
    cmd = ["timeout", "-k", "5", str(int(timeout)), "gdb", "-nx", "-batch", "-ex", "set width 0"]
    if extension:
        cmd += ["-ex", f"source {LOADER}"]
    for command in commands:
        shown = command.partition("\n")[0]
        cmd += ["-ex", f"python print({MARK + ' ' + shown!r}, flush=True)", "-ex", command]
    run = subprocess.run(
        cmd + ["-ex", f"python print({MARK + ' end'!r}, flush=True)"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd=machine.TOP,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C", **(env or {})},
    )
    return Said(run.returncode, run.stdout)


def on_machine(
    platform: Platform,
    work: Path,
    guest: Path,
    *commands: str,
    hv: str = "wait",
    linux: bool = False,
    timeout: float = 100,
    env: dict[str, str] | None = None,
) -> Said:
    """A machine that waits before its first instruction, GDB on its bare line; TARGET in a command is it."""
    more = {"args": machine.KERNEL_ARGS, "modules": [str(machine.INITRD)], "mem": 512} if linux else {}
    with LineProxy(work / "line.txt") as line:
        serial, target = f"tcp:{line.uart_port}", f"localhost:{line.client_port}"
        vm = Machine(
            work, platform, guest, hv=hv, serial=serial, sync="slowdown", limit=timeout + 20, **more  # type: ignore[arg-type]
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            known = {"TARGET": target, **(env or {})}
            attach = [] if env and "TRAPLINE_TARGET" in env else [f"target remote {target}"]
            if env and "TRAPLINE_TARGET" in env:
                known["TRAPLINE_TARGET"] = target
            said = gdb(*attach, *commands, env=known, timeout=timeout * platform.slow)
    (work / "gdb.txt").write_text(said.text)
    return said
