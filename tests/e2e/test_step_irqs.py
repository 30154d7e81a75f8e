# SPDX-License-Identifier: GPL-3.0-or-later
"""`step-irqs` on live machines: with `hold` no timer tick comes between single steps, with `pass` it does,
and what was held off arrives when the guest goes on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console import trapline
from line_cost import waiting
from machine import Platform, symbol, tiny

STEPS = 200  # a step over the line takes longer than a tick: the timer is due all the time


@pytest.mark.parametrize("setting", ["hold", "pass"])
def test_timer_interrupts_while_stepping(work: Path, platform: Platform, setting: str) -> None:
    guest = tiny("timer_ticks")
    at = {name: symbol(guest, name) for name in ("loop_first", "loop_end", "handler_first", "handler_end")}
    script = work / "script.tl"
    work.mkdir(parents=True, exist_ok=True)
    lines = [f"tbreak 0x{at['loop_first']:x}", "continue", f"set option step-irqs {setting}"]
    lines += ["print/x rsi"]
    lines += ["stepi", "print/x rip"] * STEPS
    lines += ["print/x eflags & 0x200", "print/x rsi", "set rbx = 1"]
    lines += [f"tbreak 0x{symbol(guest, 'guest_exit'):x}", "continue", "expect stop breakpoint"]
    script.write_text("".join(f"{line}\n" for line in lines))
    with waiting(work, platform, "timer_ticks") as line:
        run = trapline(
            work, "attach", "--batch", "--timeout", "80", "-x", str(script), f"127.0.0.1:{line.client_port}"
        )
    values = [int(v, 16) for v in re.findall(r"^\$\d+ = (0x[0-9a-f]+)$", run.out, re.MULTILINE)]
    assert len(values) == STEPS + 3, str(run)
    # A tick that comes in a step by TF runs its handler between two steps: the guest's own count tells.
    ticks, rips, own_if = values[-1] - values[0], values[1:-2], values[-2]
    in_handler = [rip for rip in rips if at["handler_first"] <= rip < at["handler_end"]]
    in_loop = [rip for rip in rips if at["loop_first"] <= rip < at["loop_end"]]
    assert len(in_handler) + len(in_loop) == STEPS, [hex(rip) for rip in rips]
    print(f"{platform.name}, {setting}: {ticks} ticks in {STEPS} steps, {len(in_handler)} landed in the handler")
    if setting == "hold":
        assert not in_handler and ticks == 0, (ticks, [hex(rip) for rip in in_handler])
        assert own_if == 0x200, "the guest's own IF is on"
    else:
        assert ticks > 0 and in_loop
    assert run.status == 0 and "guest timer_ticks: twenty ticks" in run.out, str(run)  # they arrive
