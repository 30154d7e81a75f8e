# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of cases that need no host program: boot a guest, read the line.

A row is a guest, what the line must show (in this order), and what it must never show. Each row runs
on every platform of machine.PLATFORMS that it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import machine

ALL = ("qemu-svm", "bochs-vmx", "bochs-svm")
QEMU = ("qemu-svm",)
BOCHS = ("bochs-vmx",)


@dataclass(frozen=True)
class Case:
    name: str
    guest: str = ""  # a tiny guest; default: the case's name
    args: str = ""
    modules: tuple[str, ...] = ()
    hv: str = ""
    want: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    stop: str = ""  # ends the run; default: the guest says "done" and ends the machine itself
    on: tuple[str, ...] = ALL
    limit: float = 30.0
    mem: int = 128
    kernel: Path | None = None

    @property
    def file(self) -> Path:
        return self.kernel or machine.tiny(self.guest or self.name)


# Mistakes of a kernel's own (the letters of own_fault.S), and what the crash record must call them.
OWN_FAULTS = {
    "a": r"#GP: MOV to CR0 of 0x80000001 turns paging on with EFER\.LME=1 and CR4\.PAE=0",
    "b": r"#GP: MOV to CR4 of 0x80000020 sets bits that this CPU does not have: 31",
    "c": r"entry 0 is 0x\w+ \(LME was written to MSR 0xc0000081 at RIP",
    "d": r"#PF: RIP 0x\w+ does not translate: level 2 entry 0x8000000000000083 has NX \(bit 63\)",
    "e": r"#PF: the instruction reads 0x40000000, which is not mapped: level 3 entry 0x0",
    "f": r"#GP: .*0x8000000000000000.* is not canonical",
    "g": r"#GP: an SSE move that needs 16-byte alignment goes to 0x\w+8,",
    "h": r"#UD: an SSE instruction with CR4\.OSFXSR=0",
    "i": r"#PF: the instruction pushes to 0x3ffffff8, which is not mapped",
    "j": r"#PF: the instruction writes 0x200000, a read-only page: level 2 entry 0x200081",
}

CASES = (
    Case("cr0_write", want=(r"mov to cr0: ok", r"clts: ok", r"lmsw: ok", r"smsw: ok", r"bits off: ok")),
    Case("msr", want=(r"efer 0x00000000", r"efer.sce: ok", r"kernel_gs_base high: ok",
                      r"reserved efer bits faulted 0x00000001", r"bad values faulted 0x00000007")),
    Case("port_io", want=(r"uart byte of a word 0x0000000c", r"string out", r"outsb moved esi: ok")),
    Case("cpuid_loop", want=(r"ticks each 0x[0-9a-f]{8}",)),
    Case("long_mode", want=(r"efer.lme and lma: ok", r"64-bit high: ok", r"efer after paging off: ok")),
    Case("pae_paging", want=(r"alias read: ok", r"after cr3 reload: ok")),
    Case("paging32", want=(r"page fault code: ok", r"hole filled: ok")),
    Case("exceptions", want=(r"divide vector: ok", r"int3 vector: ok", r"no gate code: ok")),
    Case("nmi_high_stack", want=(r"NMIs taken: ok",)),
    Case("high_page", want=(r"high byte 0x000000(ff|00)",)),
    Case("invpcid", want=(r"invpcid: ok",), on=BOCHS),
    Case("xsaves", want=(r"st0 came back: ok",), on=BOCHS),
    Case("int3_tf_dr", want=(r"steps: ok", r"watchpoint count: ok", r"breakpoint count: ok")),
    Case("real_mode", guest="real_mode_boot", want=(r"bios: ok", r"back: ok")),
    # INT 15h: with 128 MiB our 32 MiB lie at 0x5e00000, and the guest must be told to keep off.
    Case("e820", guest="e820_boot", want=(r"0000000005E00000 0000000002000000 00000002", r"e801 04E03C00")),
    # Shows 3: a guest that dies leaves a crash record, whoever listens.
    Case(
        "triple_fault",
        stop=r"tl: crash end",
        want=(
            r"guest triple_fault: start",
            r"tl: crash begin",
            r"triple-fault",
            r"600df00d",
            r"tl: crash end",
        ),
        never=(r"done",),
    ),
    *(
        Case(
            f"own_fault-{letter}",
            guest="own_fault",
            args=letter,
            stop=r"tl: why: [^\n]*\n",
            want=(rf"verdict triple fault: .*{why}.*\(proven\)", r"tl: why: triple fault: "),
            never=(r"done",),
            on=("qemu-svm", "bochs-vmx"),
        )
        for letter, why in OWN_FAULTS.items()
    ),
    Case(
        "no_idt",
        guest="no_idt_boot",
        stop=r"tl: why: [^\n]*\n",
        want=(r"tl: why: triple fault: an interrupt \(RFLAGS\.IF is 1, .*, and the IDT is still the real-mode",),
        on=("qemu-svm", "bochs-vmx"),
    ),
    # Shows 3: Debian's kernels with nobody attached. Bochs boots one in test_console.py.
    *(
        Case(
            name,
            kernel=kernel,
            args=machine.KERNEL_ARGS,
            modules=(str(machine.INITRD),),
            want=(r"Linux version 6\.1\.", r"TRAPLINE-GUEST-OK 6\.1\.\S+ \d+\.\d+"),
            never=(r"tl: crash", r"Kernel panic"),
            stop=r"TRAPLINE-GUEST-OK .*\n",
            on=QEMU,
            limit=180,
            mem=512,
        )
        for name, kernel in (("linux-cloud", machine.KERNEL), ("linux-generic", machine.KERNEL_FULL))
    ),
)
