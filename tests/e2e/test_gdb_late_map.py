# SPDX-License-Identifier: GPL-3.0-or-later
"""Breakpoints on addresses that are not mapped when they are set, beside four that are: the pages come by
plain stores to page-table entries, without any exit, and every breakpoint is hit at its turn."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

LATE = 0x40000000


def test_breakpoints_on_pages_that_come_late(platform: Platform, work: Path) -> None:
    guest = tiny("late_map")
    at = {name: machine.symbol(guest, name) for name in ("in_a", "in_b", "in_c", "in_d")}
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                "set breakpoint always-inserted on",
                f"hbreak *0x{at['in_a']:x}",
                "continue",
                # The four mapped ones come first: the late ones must still find their registers.
                *(f"break *0x{at[name]:x}" for name in ("in_b", "in_c", "in_d")),
                f"break *0x{LATE:x}",
                f"break *0x{LATE + 0x1000:x}",
                *(["continue", 'printf "HIT %#lx\\n", $rip'] * 6),
                f"x/1xb 0x{LATE:x}",
                "delete",
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            vm.wait_for(r"guest late_map: done")
            vm.wait_end(5)
            text = out + vm.text()
    hits = [int(n, 16) for n in re.findall(r"HIT (0x[0-9a-f]+)", out)]
    assert hits == [LATE, at["in_b"], LATE + 0x1000, at["in_c"], LATE, at["in_d"]], f"{hits}\n{out}"
    assert re.search(r"0x40000000:\s+0xb8$", out, re.MULTILINE), out
    for check in ("mapped late", "moved before use", "rewritten"):
        assert f"{check}: ok" in text, text
