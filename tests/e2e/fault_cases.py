# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of seeded faults: what each must show when the guest dies, and what `explain` must say.

A row is a fault, the guest that meets it, and for each platform the stop (kind, reason and so on, as
the crash record writes them) and the verdict's first line. A platform that a row does not name cannot
show the fault; `harmless` names those where the guest must run on as if nothing were wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SVM = "qemu-svm"
VMX = "bochs-vmx"

TRIPLE_VMX = "kind=triple-fault reason=0x2 "
TRIPLE_SVM = "kind=triple-fault reason=0x7f "


@dataclass(frozen=True)
class Shown:
    stop: str  # part of "tl: exit ..."
    verdict: str  # part of the first line of `explain`
    cpu: str = ""  # instead of the platform's model
    strict_msrs: bool = False


@dataclass(frozen=True)
class Fault:
    name: str
    guest: str
    shown: dict[str, Shown] = field(default_factory=dict)
    harmless: tuple[str, ...] = ()


def both(verdict: str, svm: str = TRIPLE_SVM, vmx: str = TRIPLE_VMX) -> dict[str, Shown]:
    return {SVM: Shown(svm, verdict), VMX: Shown(vmx, verdict)}


def entry(reason: int, qualification: int) -> str:
    return f"kind=entry-failure reason={reason:#x} name=.* info1={qualification:#x} "


FAULTS = (
    Fault(
        "cr0-ne",
        "long_mode",
        {VMX: Shown(entry(0x80000021, 0), r"guest\.cr0\.fixed: guest_cr0 = 0x80000011; must be 1: NE")},
        harmless=(SVM,),
    ),
    Fault(
        "efer-passthru",
        "long_mode",
        both(
            "EFER.LME was lost: RDMSR/WRMSR reached the hardware MSR, load area entry 0 holds 0",
        ),
    ),
    Fault(
        "ia32e-ctl",
        "long_mode",
        {
            VMX: Shown(
                entry(0x80000022, 1),
                "entry 1 is IA32_EFER: LME would change while CR0.PG=1; IA-32e mode guest is 0",
            ),
            SVM: Shown(TRIPLE_SVM, r"EFER.LMA is 0 while CR0.PG=1 and EFER.LME=1"),
        },
    ),
    Fault(
        "gsbase-passthru",
        "gs_base",
        both(r"GS base was lost: the guest wrote 0xffffffffc0[0-9a-f]{6} with WRMSR, its GS base is 0x0"),
    ),
    Fault(
        "efer-inherit",
        "paging32",
        both("EFER.LME is set although the guest never wrote EFER"),
    ),
    Fault(
        "tr16",
        "long_mode",
        {VMX: Shown(entry(0x80000021, 0), r"guest\.tr\.type: guest_tr_rights = 0x83")},
        harmless=(SVM,),
    ),
    Fault(
        "no-rdtscp",
        "rdtscp",
        {VMX: Shown(TRIPLE_VMX, r"RDTSCP raises #UD: its enabling control .* is 0 although the CPU has it")},
        harmless=(SVM,),
    ),
    Fault(
        "no-invpcid",
        "invpcid",
        {VMX: Shown(TRIPLE_VMX, r"INVPCID raises #UD: its enabling control .* is 0 although the CPU has it")},
        harmless=(SVM,),
    ),
    Fault(
        "no-xsaves",
        "xsaves",
        {VMX: Shown(TRIPLE_VMX, r"XSAVES raises #UD: its enabling control .* is 0 although the CPU has it")},
        harmless=(SVM,),
    ),
    Fault(
        "gpa32",
        "high_page",
        # The guest repeats the exit until the hypervisor gives up.
        both(
            "a guest-physical address was cut to 32 bits: the fault was at 0x140000000, "
            "handled was 0x40000000",
            svm="kind=nested-page reason=0x400 ",
            vmx="kind=nested-page reason=0x30 ",
        ),
    ),
    Fault(
        "ctl-unsupported",
        "msr",
        {VMX: Shown("kind=entry-failure .* instr_error=0x7", r"ctl\.proc2\.reserved: proc2_controls = ")},
        harmless=(SVM,),
    ),
    Fault(
        "host-sel",
        "msr",
        {VMX: Shown("kind=entry-failure .* instr_error=0x8", r"host\.es\.selector: host_es_selector = 0x3")},
        harmless=(SVM,),
    ),
    Fault(
        "cr4-ignore",
        "pae_paging",
        both(r"CR4 bits were lost: the guest wrote CR4 = 0x20, the CPU holds 0x(2000|0); missing: PAE"),
    ),
    Fault(
        "pdpte-stale",
        "pae_paging",
        {VMX: Shown(TRIPLE_VMX, "the PDPTE fields are stale: guest_pdpte0 is 0x0, memory at CR3 says 0x")},
        harmless=(SVM,),
    ),
    Fault(
        "crgpr8",
        "cr0_r15",
        both(r"the cr0-write took the value of register 7 instead of r15"),
    ),
    Fault(
        "ept-misconfig",
        "text_page",
        {
            VMX: Shown(
                "kind=nested-misconfig reason=0x31 ",
                "EPT misconfiguration for GPA 0xb8000: level 1 entry is 0xb8.*, writable but not readable",
            )
        },
        harmless=(SVM,),
    ),
    Fault(
        "drop-idtvec",
        "irq_high_stack",
        both(r"an event was lost: delivery of vector 0x20 \(interrupt\) was interrupted by an exit"),
    ),
    Fault(
        "insnlen0",
        "int3_high_stack",
        # Newer models allow length 0 (IA32_VMX_MISC[30]).
        {
            VMX: Shown(
                "kind=entry-failure .* instr_error=0x7",
                r"ctl\.inject\.length: entry_instr_len = 0x0",
                cpu="corei7_sandy_bridge_2600k",
            )
        },
        harmless=(SVM,),
    ),
    Fault(
        "msr-nofixup",
        "msr_absent",
        # QEMU reads every unknown MSR as 0.
        {
            VMX: Shown(
                "kind=rdmsr reason=0x1f ",
                r"the hypervisor took #GP doing the guest's RDMSR of 0x492",
                strict_msrs=True,
            )
        },
        harmless=(SVM,),
    ),
    Fault(
        "osxsave-host",
        "osxsave",
        both("CPUID showed OSXSAVE=1 while the guest's CR4.OSXSAVE is 0"),
    ),
)

# In the list of faults, but no death to show here, and why.
ABSENT = {
    "nmi-reinject": "Bochs 2.7 does not check it (tests/README.md); test_nmi_reinject proves that",
}
