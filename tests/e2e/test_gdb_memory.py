# SPDX-License-Identifier: GPL-3.0-or-later
"""GDB's reads and writes through the guest's own tables (4-level, 4 KiB and 2 MiB pages) and physical: over a
page boundary into another frame, up to the last mapped byte, where nothing is; and the guest notices none."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

LATE = 0x40000000  # two pages: frame_a, frame_b; the third is not mapped


def test_memory_ends_where_the_mapping_ends(platform: Platform, work: Path) -> None:
    guest = tiny("late_map")
    at_end, frame_b = machine.symbol(guest, "in_d"), machine.symbol(guest, "frame_b")
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                f"hbreak *0x{at_end:x}",
                "continue",
                "delete",
                f"x/4xb 0x{LATE + 0xffe:x}",
                f"x/4xb 0x{LATE + 0x1ffe:x}",
                f"set *(int *)0x{LATE + 0x1ffe:x} = 0x11223344",  # half of it has no page
                "set *(int *)0x380000 = 0x5a17",  # in a 2 MiB page
                f"set *(int *)0x{LATE + 0x1800:x} = 0x77",
                "x/1xb 0x800000000000",
                "maintenance packet Qqemu.PhyMemMode:1",
                "x/1xw 0x380000",
                f"x/1xw 0x{frame_b + 0x800:x}",
                f"x/1xw 0x{LATE:x}",  # no RAM is there
                "maintenance packet Qqemu.PhyMemMode:0",
                f"x/1xb 0x{LATE + 0x1000:x}",
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            vm.wait_for(r"guest late_map: done")
            vm.wait_end(5)
            text = out + vm.text()
    assert re.search(r"0x40000ffe:\s+0x00\s+0x00\s+0xb8\s+0x0b$", out, re.MULTILINE), out
    assert re.search(r"0x40001ffe:\s+0x00\s+0x00\s+Cannot access memory at address 0x40002000", out), out
    assert re.search(r"^Cannot access memory at address 0x40001ffe", out, re.MULTILINE), out
    assert re.search(r"Cannot access memory at address 0x800000000000", out), out
    assert re.search(r"0x380000:\s+0x00005a17", out), out
    assert re.search(rf"0x{frame_b + 0x800:x}:\s+0x00000077", out), out
    assert re.search(r"Cannot access memory at address 0x40000000$", out, re.MULTILINE), out
    assert re.search(r"0x40001000:\s+0xb8", out), out
    for check in ("mapped late", "moved before use", "rewritten"):
        assert f"{check}: ok" in text, text
