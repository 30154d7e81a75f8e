# SPDX-License-Identifier: GPL-3.0-or-later
"""GDB's memory in every paging mode: an alias that only the guest's tables know, the byte behind the last
mapped one, a write that the guest's own frame shows. test_gdb_memory.py has four levels in depth."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import machine
import pytest
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb


@dataclass(frozen=True)
class Mode:
    guest: str
    at: str  # the instruction that turns paging on, or one behind it
    steps: int
    alias_gva: int  # of the frame at symbol `frame`
    frame: str
    mapped_bytes: int  # behind the alias; what follows has no mapping. 0: all is mapped


MODES = {
    "none": Mode("paging32", "_start", 0, 0, "data", 0),
    "32-bit": Mode("paging32", "paging_on", 1, 0x400000, "data", 4096),
    "pae": Mode("pae_paging", "paging_on", 1, 0x40000000, "data", 4096),
    "5-level": Mode("five_levels", "at_needle", 0, 1 << 48, "needle", 0),
}


@pytest.mark.parametrize("name", MODES)
def test_memory_in_mode(platform: Platform, name: str, work: Path) -> None:
    mode = MODES[name]
    guest = tiny(mode.guest)
    frame, at = machine.symbol(guest, mode.frame), machine.symbol(guest, mode.at)
    alias = mode.alias_gva if mode.mapped_bytes else mode.alias_gva + frame
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            if name == "5-level" and platform.emulator == "bochs":
                gdb(line.client_port, "detach")  # no model of Bochs 2.7 has LA57: the guest says so
                assert vm.wait_for(r"guest five_levels: la57: absent"), vm.tail()
                return
            out = gdb(
                line.client_port,
                *((f"hbreak *{at:#x}", "continue", "delete") if mode.at != "_start" else ()),
                *("stepi",) * mode.steps,
                f"x/1xw {alias:#x}",
                f"x/2xw {alias + mode.mapped_bytes - 4:#x}" if mode.mapped_bytes else "echo",
                f"set *(int *){alias + 8:#x} = 0x5a17c0de",
                f"x/1xw {frame + 8:#x}",
                "print/x $cr2",
                "maintenance packet Qqemu.PhyMemMode:1",
                f"x/1xw {frame:#x}",
                "maintenance packet Qqemu.PhyMemMode:0",
                "detach",
            )
            assert vm.wait_for(rf"guest {mode.guest}: done"), f"{out}\n{vm.tail()}"
            said = vm.text()
    assert re.search(rf"^{alias:#x}:\s+0xfeedface$", out, re.MULTILINE), out
    if mode.mapped_bytes:
        end = alias + mode.mapped_bytes
        assert re.search(rf"{end - 4:#x}:\s+0x\w+\s+Cannot access memory at address {end:#x}", out), out
    assert re.search(rf"^{frame + 8:#x}:\s+0x5a17c0de$", out, re.MULTILINE), out
    assert re.search(rf"^{frame:#x}:\s+0xfeedface$", out, re.MULTILINE), out
    assert re.search(r"^\$\d+ = 0x0$", out, re.MULTILINE), f"a read left a fault's address\n{out}"
    assert "FAILED" not in said, said
