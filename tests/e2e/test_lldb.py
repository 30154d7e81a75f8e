# SPDX-License-Identifier: GPL-3.0-or-later
"""LLDB 14 on the bare UART and at the broker: the core of what full.gdb does with GDB."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from machine import Platform, symbol, tiny
from test_gdb_full import ROADS


def lldb(work: Path, port: int, *commands: str) -> str:
    cmd = ["lldb-14", "--no-lldbinit", "--no-use-colors", "--batch"]
    # Its Python is a package of its own, and not needed.
    for command in ("settings set plugin.process.gdb-remote.packet-timeout 30", f"gdb-remote localhost:{port}",
                    *commands):
        cmd += ["-o", command]
    run = subprocess.run(
        cmd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        env={"PATH": "/usr/bin:/bin", "HOME": str(work), "LC_ALL": "C"},
    )
    (work / "lldb.txt").write_text(run.stdout)
    assert run.returncode == 0, run.stdout
    return run.stdout


@pytest.mark.parametrize("road", ROADS)
def test_lldb(platform: Platform, road: str, work: Path) -> None:
    at = {name: symbol(tiny("gdb_target"), name) for name in ("round", "spot", "after_write", "watched", "counter")}
    with ROADS[road](work, platform) as port:
        out = lldb(
            work,
            port,
            f"breakpoint set --hardware --address {at['round']:#x}",
            "continue",
            "register read rip",
            "breakpoint delete --force",
            "register write r15 0x1122334455667788",
            "register read r15 cr0 eflags",
            "thread step-inst",
            "register read rip",
            f"memory write {at['watched']:#x} 0x5a 0xa5",
            f"memory read --format x --size 2 --count 1 {at['watched']:#x}",
            f"breakpoint set --address {at['spot']:#x} --condition '*(int *){at['counter']:#x} > 4'",
            "continue",
            f"memory read --format d --size 4 --count 1 {at['counter']:#x}",
            "breakpoint delete --force",
            f"watchpoint set expression --watch write --size 4 -- {at['watched']:#x}",
            "continue",
            "register read rip",
            "watchpoint delete --force",
            "detach",
        )
        again = lldb(work, port, "register read r15", "detach")
    rips = re.findall(r"\brip = 0x0*([0-9a-f]+)", out)
    assert [int(r, 16) for r in rips] == [at["round"], at["round"] + 6, at["after_write"]], out
    assert "r15 = 0x1122334455667788" in out, out
    assert re.search(r"\bcr0 = 0x0*80000011\b", out), out
    assert re.search(rf"{at['watched']:08x}: 0xa55a", out), out
    counts = re.findall(rf"{at['counter']:08x}: (\d+)", out)
    assert counts and int(counts[0]) > 4, out
    assert "r15 = 0x1122334455667788" in again and "detached" in again, again
