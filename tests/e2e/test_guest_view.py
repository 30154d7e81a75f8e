# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that uses its own INT3, TF and DR0-DR3 while GDB has breakpoints of every sort armed: each of
its own checks must still say ok, and ours must have been hit."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

CHECKS = 14  # lines "...: ok" that the guest prints by itself


def test_guest_sees_only_its_own(platform: Platform, work: Path) -> None:
    guest = tiny("int3_tf_dr")
    at = {name: machine.symbol(guest, name) for name in ("after_int3", "step2", "target", "watched", "on_db")}
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                # On the guest's own places: behind its INT3, inside its TF stretch, on its DR1, on the
                # word of its DR0, and in its own #DB handler.
                f"break *0x{at['after_int3']:x}",
                f"hbreak *0x{at['step2']:x}",
                f"break *0x{at['target']:x}",
                f"watch *(int *)0x{at['watched']:x}",
                f"tbreak *0x{at['on_db']:x}",
                *(["continue", 'printf "HIT %#lx\\n", $rip'] * 5),
                f"x/1xb 0x{at['target']:x}",
                "stepi",
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            vm.wait_for(r"guest int3_tf_dr: done")
            vm.wait_end(5)
            said = vm.text()
    text = out + said
    hits = [int(n, 16) for n in re.findall(r"HIT (0x[0-9a-f]+)", out)]
    print(f"{platform.name}: stops at {[hex(n) for n in hits]}")
    for name in ("after_int3", "step2", "on_db", "target"):
        assert at[name] in hits, f"{name} was never hit\n{out}"
    assert re.search(r"Hardware watchpoint 4(.|\n)*New value = 1\b", out), out
    assert re.search(r"0x90$", out, re.MULTILINE), f"the breakpoint shows in memory\n{out}"
    assert "FAILED" not in text, text
    assert "guest int3_tf_dr: done" in text, text
    # What GDB printed arrived on the same line as packets: count what the guest says in both.
    count = len(set(re.findall(r"guest int3_tf_dr: (.*): ok", text)))
    assert count == CHECKS, f"{count} checks\n{text}"
