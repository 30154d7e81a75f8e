# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a single step lands, instruction by instruction, over all that is hard: flags on the stack, shadows,
instructions that exit, software interrupts, faults, SYSCALL. The guest itself looks at every stored flag
word for a TF that it never set."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

# A repeated string instruction traps after each round. SDM, "Single-Step Exception Condition".
LANDS = """
pop_image keep pushf_again popf sti behind_sti cli hlt mov_ss load_ss cpuid_prepare cpuid pop_rbx msr_prepare
rdmsr in_byte out_byte read_cr write_cr read_cr3 write_cr3 invlpg rep_prepare rep_movs rep_movs rep_movs int3
on_bp bp_keep bp_or bp_iret int_n on_int vmcall on_ud ud_iret vmmcall on_ud ud_iret wrmsr_index wrmsr_low
wrmsr_high wrmsr outs_port outs_count rep_outs rep_outs ins_count rep_ins rep_ins xsetbv on_ud ud_iret syscall on_syscall syscall_back behind_syscall sysret_flags sysret_r11 sysret_rcx sysret user user_syscall
on_syscall syscall_back behind_user end
""".split()


def test_steps_land_where_the_manual_says(platform: Platform, work: Path) -> None:
    guest = tiny("step_table")
    at = {name: machine.symbol(guest, f"at_{name}") for name in {"start", *LANDS}}
    names = {address: name for name, address in at.items()}
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                f"hbreak *0x{at['start']:x}",
                "continue",
                "delete",
                *(["stepi", 'printf "STEP %#lx %d\\n", $rip, ($eflags & 0x100) != 0'] * len(LANDS)),
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            vm.wait_for(r"guest step_table: done")
            vm.wait_end(5)
            text = out + vm.text()
    steps = re.findall(r"STEP (0x[0-9a-f]+) (\d)", out)
    landed = [names.get(int(rip, 16), rip) for rip, _ in steps]
    assert landed == LANDS, f"{[p for p in zip(landed, LANDS) if p[0] != p[1]]}\n{out}"
    assert {tf for _, tf in steps} == {"0"}, out
    assert "no tf but its own: ok" in text, text
