# SPDX-License-Identifier: GPL-3.0-or-later
"""`check`, `audit` and the hypervisor's own faults, on both backends, as a person types them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from console import trapline
from machine import HV, TRAPLINE, Machine, Platform, tiny

AUDITS = ("cpuid", "memtype", "reset")
NOT_ON_SVM = "SVM has no enabling control for this instruction"


def ask(work: Path, platform: Platform, guest: str, *commands: str, fault: str = "") -> str:
    args = ["run", "--on", platform.emulator, "--mem", "128", "--batch", "--timeout", "60"]
    args += ["--fault", fault] if fault else []
    for command in commands:
        args += ["-e", command]
    result = trapline(work, *args, str(tiny(guest)), timeout=100)
    assert result.status in (0, 4), str(result)
    assert not result.left, result.left
    return result.out


def section(out: str, command: str) -> str:
    """What one command printed."""
    parts = re.split(r"^> ", out, flags=re.MULTILINE)
    found = [p for p in parts if p.startswith(command)]
    assert found, out
    return found[-1]


# ---- audit -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest", ["long_mode", "real_mode_boot"])
def test_audits_find_nothing_without_a_fault(platform: Platform, guest: str, work: Path) -> None:
    out = ask(work, platform, guest, *(f"audit {a}" for a in AUDITS))
    for audit in AUDITS:
        text = section(out, f"audit {audit}")
        checks = re.search(r"^0 disagreement\(s\) in (\d+) checks", text, re.MULTILINE)
        assert checks and int(checks[1]) >= (4 if audit == "memtype" else 25), text
    types = section(out, "audit memtype")
    assert re.search(r"^0000100000-[0-9a-f]+  MTRRs WB", types, re.MULTILINE), types
    assert ("EPT WB" in types) == (platform.backend == "vmx")
    kind = "boot sector" if guest.endswith("boot") else "multiboot"
    assert kind in section(out, "audit reset")


@pytest.mark.parametrize(
    "fault,word", [("no-invpcid", "INVPCID"), ("no-rdtscp", "RDTSCP"), ("no-xsaves", "XSAVES")]
)
def test_audit_finds_the_missing_control(
    platform: Platform, fault: str, word: str, work: Path
) -> None:
    if platform.backend == "svm":
        pytest.skip(NOT_ON_SVM)
    text = section(ask(work, platform, "long_mode", "audit cpuid", fault=fault), "audit cpuid")
    assert re.search(rf"CPUID shows {word} .*but its enabling control .* is 0", text), text


def test_audit_finds_the_hosts_osxsave(platform: Platform, work: Path) -> None:
    out = ask(work, platform, "long_mode", "audit cpuid", fault="osxsave-host")
    text = section(out, "audit cpuid")
    assert "CPUID shows OSXSAVE (leaf 0x1 ECX bit 27) although bit 18" in text, text
    assert "1 disagreement(s)" in text, text


def test_audit_finds_an_inherited_efer(platform: Platform, work: Path) -> None:
    out = ask(work, platform, "long_mode", "audit reset", fault="efer-inherit")
    assert "EFER = 0x500, should be 0x0" in section(out, "audit reset"), out


def test_audit_finds_changed_mtrrs(platform: Platform, work: Path) -> None:
    if platform.backend == "svm":
        pytest.skip("nested page tables carry no memory type on SVM")
    # the default type becomes UC behind the map's back
    out = ask(work, platform, "long_mode", "set msr[0x2ff] = 0xc00", "audit memtype")
    text = section(out, "audit memtype")
    assert re.search(r"MTRRs UC  EPT WB  DISAGREE", text), text
    assert not re.search(r"^0 disagreement", text, re.MULTILINE), text


# ---- check -------------------------------------------------------------------------------------------


def test_check_follows_edits(platform: Platform, work: Path) -> None:
    out = ask(
        work, platform, "long_mode",
        "catch cr0-write if value & 0x80000000", "continue", "check",
        "check if cr0.PG = 1 and efer.LME = 1 and cr4.PAE = 0 and cr0.PE = 0",
        "set vmcs.guest_dr7 = 0x100000400", "check",
    )  # fmt: skip
    sections = re.split(r"^> ", out, flags=re.MULTILINE)
    checks = [s for s in sections if s.startswith("check")]
    assert len(checks) == 3, out
    assert "no rule matched" in checks[0] and "the entry succeeds" in checks[0], checks[0]
    assert "SDM 325384" in checks[0] and "APM 24593" in checks[0]
    rule = "svm.efer.lme-pae" if platform.backend == "svm" else "guest.cr0.pg-pe"
    assert rule in checks[1], checks[1]
    assert re.search(r"with guest_cr4 = .* instead of 0x(20)?20, all else as it is", checks[1])
    assert "no rule matched" not in checks[1]
    rule = "svm.dr7.high: guest_dr7" if platform.backend == "svm" else "guest.dr7: guest_dr7"
    assert re.search(rule + r" = 0x100000400; must be 0: .*\[(SDM|APM), \"", checks[2]), checks[2]


def test_check_what_if_paging(platform: Platform, work: Path) -> None:
    if platform.backend == "svm":
        pytest.skip("VMRUN computes LMA, no control could disagree")
    out = ask(
        work, platform, "long_mode",
        "catch cr0-write if value & 0x80000000", "continue", "check if cr0.PG = 1",
        "set vmcs.guest_cr4 = 0", "check",
    )  # fmt: skip
    what_if = section(out, "check if")
    assert "LME would change while CR0.PG=1; IA-32e mode guest is 0" in what_if, what_if
    assert "0x80000022" in what_if
    edited = section(out, "check\n")
    assert re.search(r"guest\.cr4\.fixed: guest_cr4 = 0x0; must be 1: VMXE", edited), edited


def test_check_looks_into_the_virtual_apic_page(platform: Platform, work: Path) -> None:
    if platform.backend == "svm":
        pytest.skip("VMX has the TPR threshold")
    out = ask(
        work, platform, "msr",
        "set vmcs.proc_controls = vmcs.proc_controls | 0x200000",
        "set vmcs.virtual_apic_addr = 0x300000", "set vmcs.tpr_threshold = 3",
        "set u8(0x300080) = 0x20", "check", "crash-record", "set u8(0x300080) = 0x30", "check",
    )  # fmt: skip
    first, last = [s for s in re.split(r"^> ", out, flags=re.MULTILINE) if s.startswith("check")]
    assert re.search(r"ctl\.tpr-threshold\.vtpr: tpr_threshold = 0x3; .*above bits 7:4", first), out
    assert re.search(r"cpu maxphyaddr=.* vtpr=0x20$", section(out, "crash-record"), re.MULTILINE), out
    assert "the entry succeeds" in last and "0 could not be judged" in last, out


def test_check_says_what_is_stale(platform: Platform, work: Path) -> None:
    if platform.backend == "svm":
        pytest.skip("VMRUN has no VMfail")
    out = ask(work, platform, "msr", "continue", "check", fault="ctl-unsupported")
    text = section(out, "check")
    assert "VM-instruction error 7" in text and "stale" in text, text
    assert "ctl.proc2.reserved" in text


@pytest.mark.parametrize("words", ["if", "cr0.XX = 1", "cr0.PG = 2", "nothing = 1", "cr0.PG", "= 1"])
def test_check_refuses(platform: Platform, words: str, work: Path) -> None:
    if platform.backend == "vmx":
        pytest.skip("the same code; asked on QEMU")
    args = ["run", "--mem", "128", "--batch", "--timeout", "30", "-e", f"check {words}"]
    result = trapline(work, *args, str(tiny("long_mode")), timeout=60)
    assert result.status != 0 and "error:" in result.err + result.out, str(result)


# ---- the hypervisor's own fault ----------------------------------------------------------------------


@pytest.mark.parametrize("what,chain", [("fault", "fault_inner fault_middle fault_outer"), ("panic", "selftest_run")])
def test_own_fault_carries_its_trace(
    platform: Platform, what: str, chain: str, work: Path
) -> None:
    vm = Machine(work, platform, tiny("hlt_cli"), hv=f"selftest={what}", mem=128, limit=30)
    with vm:
        assert vm.wait_for(r"tl: why: [^\n]*\n"), vm.tail()
    run = subprocess.run(
        [str(TRAPLINE), "explain", "--json", str(vm.log_path)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    why = json.dumps(json.loads(run.stdout))
    trace = re.search(r"addr2line -fip -e \S+((?: 0x[0-9a-f]+)+)", why)
    assert trace, why
    names = subprocess.run(
        ["addr2line", "-f", "-e", str(HV), *trace[1].split()], capture_output=True, text=True
    ).stdout.splitlines()[::2]
    assert " ".join(names).startswith(chain), names
    assert re.search(r"tl: hv-trace 0x", vm.text())
