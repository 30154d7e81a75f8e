# SPDX-License-Identifier: GPL-3.0-or-later
"""Each command and function, live, on both backends."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from gdb_session import gdb, on_machine
from machine import Platform, tiny

PAGING = "trapline catch cr0-write if (value & 0x80000000) && !(old & 0x80000000)"


def test_commands(platform: Platform, work: Path) -> None:
    """The seed's stop, and everything that can be asked there."""
    guest = tiny("long_mode")
    at = machine.symbol(guest, "paging_on")
    svm = platform.backend == "svm"
    said = on_machine(
        platform,
        work,
        guest,
        "trapline road",
        "trapline exit",
        PAGING,
        "tl catch",
        "continue",
        "trapline exit",
        "x/2i $pc",
        "trapline msr-area",
        "trapline msr-area efer",
        "trapline cr",
        "trapline vmcs guest_cr*",
        "trapline vmcs cr4",
        "trapline walk $rip",
        "trapline ring 3",
        "trapline ring 100 cr4-write",
        "trapline explain",
        "trapline check",
        "trapline check guest_rip=0x8000000000000000",
        "trapline check if cr0.PG = 1 and cr4.PAE = 0",
        "trapline check nonsense",
        "trapline audit cpuid",
        "trapline record",
        "trapline registers",
        "trapline registers exit",
        'p/x $tl_vmcs("guest_cr4")',
        "p/x $tl_msr(0xc0000080)",
        'p/x $tl_msr("efer")',
        'p $tl_exit("kind")',
        'p/x $tl_exit("value")',
        "p/x $tl_pc()",
        "trapline snapshot here",
        "trapline skip",
        "trapline diff here",
        "p/x $rip",
        "trapline delete all",
        "trapline catch",
    )
    assert said.of("trapline road").startswith(f"the stub (in-band), {platform.backend} on"), said.text
    assert said.of(PAGING).startswith("event 1:"), said.text
    assert "1 before cr0-write: 0 hit(s)" in said.of("tl catch")
    # The stop handler's one line names the exit, in both vocabularies.
    line = [text for text in said.of("continue").splitlines() if text.startswith("[trapline:")]
    name = "CR0_WRITE" if svm else "CR_ACCESS"
    assert len(line) == 1 and f"cr0-write, {name}" in line[0] and "value 0x80000001" in line[0], said.text
    # The first `trapline exit` was before the guest's first instruction.
    assert said.of("trapline exit").startswith("exit 0: none"), said.text
    stopped = said.text.split("@@ command trapline exit\n")[2]
    assert f"8:{at:x} (prot32)" in stopped and "value    0x80000001  PE PG" in stopped, said.text
    assert re.search(rf"=> 0x{at:x}:\s+movl\s+%eax, %cr0", said.of("x/2i $pc")), said.text
    where = "VMCB save area" if svm else "VM-entry load"
    assert where in said.of("trapline msr-area") and re.search(r"c0000080 efer +0x100  LME", said.of("trapline msr-area"))
    assert [n for n in ("efer", "star") if n in said.of("trapline msr-area efer")] == ["efer"], said.text
    assert re.search(r"cr4   wrote 0x20  PAE", said.of("trapline cr")), said.text
    number = "548" if svm else "6804"
    assert re.search(rf"^ *{number} guest_cr4 +0x[0-9a-f]+  .*PAE", said.of("trapline vmcs guest_cr*"), re.M)
    assert "guest_cr4" in said.of("trapline vmcs cr4") and "guest_cr3" not in said.of("trapline vmcs cr4")
    assert f"gpa 0x{at:x}" in said.of("trapline walk $rip") and "nested ok" in said.of("trapline walk $rip")
    ring = said.of("trapline ring 3").splitlines()
    assert len(ring) == 3 and "cr0-write" in ring[-1] and f"8:{at:x}" in ring[-1], said.text
    assert "value 0x20" in said.of("trapline ring 100 cr4-write"), said.text
    assert "cr0-write" in said.of("trapline explain"), said.text
    assert "the entry succeeds" in said.of("trapline check"), said.text
    if not svm:
        assert re.search(r"(?i)rip", said.of("trapline check guest_rip=0x8000000000000000")), said.text
    assert "cr4" in said.of("trapline check if cr0.PG = 1 and cr4.PAE = 0").lower(), said.text
    assert said.of("trapline check nonsense").startswith("usage: trapline check")
    # Text of the hypervisor's, or its one line that this version has none.
    assert said.of("trapline audit cpuid").strip() and "Traceback" not in said.text
    assert said.of("trapline record").startswith("tl: crash begin") or "crash begin" in said.of("trapline record")
    assert re.search(r"cpu_mode +3  prot32", said.of("trapline registers")), said.text
    assert re.search(r"exit_value +0x80000001", said.of("trapline registers exit")), said.text
    assert int(said.of('p/x $tl_vmcs("guest_cr4")').split("= ")[1], 16) & 0x20
    assert said.of("p/x $tl_msr(0xc0000080)").endswith("= 0x100")
    assert said.of('p/x $tl_msr("efer")').endswith("= 0x100")
    assert said.of('p $tl_exit("kind")').endswith('= "cr0-write"')
    assert said.of('p/x $tl_exit("value")').endswith("= 0x80000001")
    assert said.of("p/x $tl_pc()").endswith(f"= 0x{at:x}")
    assert said.of("trapline skip") == f"rip 0x{at + 3:x}"
    diff = said.of("trapline diff here").splitlines()
    assert re.match(rf"rip +0x{at:x} -> 0x{at + 3:x}", diff[0]) and len(diff) <= 3, said.text
    assert said.of("p/x $rip").endswith(f"0x{at + 3:x}")  # GDB's cache was told
    assert said.of("trapline catch") == "no events"


def test_code_of_each_mode(platform: Platform, work: Path) -> None:
    """A boot sector goes from real mode to 32 bits and back: each piece of code reads right, and the register
    layout never changes under GDB."""
    said = on_machine(
        platform,
        work,
        tiny("real_mode_boot"),
        "x/2i $tl_pc()",
        "trapline catch cr0-write if value & 1",
        "continue",
        "x/2i $tl_pc()",
        "trapline delete all",
        "stepi",
        "stepi",
        "x/2i $pc",
        "p $r15",
        "p/x $cs",
        "set disassembly-flavor intel",
        "x/1i $pc",
    )
    parts = said.text.split("@@ command ")
    first, second = (part for part in parts if part.startswith("x/2i $tl_pc()"))
    assert re.search(r"=> 0x7c00:\s+ljmpw\s+\$0x0:\$0x7c05", first) and "cli" in first, said.text
    assert re.search(r"movl\s+%eax, %cr0\n.*ljmpw\s+\$0x8:\$0x7c", second), said.text
    # Now 32-bit: `mov $0x10,%ax` has its operand-size prefix there.
    assert re.search(r"movw\s+\$0x10, %ax\n", said.of("x/2i $pc")), said.text
    assert said.of("p/x $cs").endswith("= 0x8")
    assert re.search(r"mov\s+ax, 0x10", said.of("x/1i $pc")), said.text
    assert "too long" not in said.text and "Traceback" not in said.text


def test_set_actions(platform: Platform, work: Path) -> None:
    """Registers, a field, a bit of one: written in the hypervisor, with and without a stop."""
    said = on_machine(
        platform,
        work,
        tiny("long_mode"),
        "trapline catch cr4-write after do set r15 = value + 5; set vmcs.guest_cr4.DE = 1",
        "trapline catch cr0-write if value & 0x80000000 do set r14 = 0x7777 & rcx == 1; set rax.nothing = 1",
        "trapline catch cr0-write if value & 0x80000000 do set r14 = u8(rip) | 0x100; log \"r15 %x\", r15; stop",
        "continue",
        "p/x $r15",
        "p/x $r14",
        'p/x $tl_vmcs("guest_cr4") & 8',
        "trapline catch",
    )
    assert "rax has no bit `nothing`" in said.text
    # The first event never stopped: the stop is the second one's.
    assert "[trapline: event 2;" in said.of("continue") and "r15 25" in said.of("continue"), said.text
    assert said.of("p/x $r15").endswith("= 0x25"), said.text
    assert said.of("p/x $r14").endswith("= 0x10f"), said.text  # 0f 22 c0: mov %eax,%cr0
    assert said.of('p/x $tl_vmcs("guest_cr4") & 8').endswith("= 0x8"), said.text
    assert "1 after cr4-write: 1 hit(s)" in said.of("trapline catch"), said.text


def test_kernel_symbols(work: Path) -> None:
    """The offset that KASLR chose, found; the kernel's names where it runs. Nothing in it is a vendor's."""
    names = machine.KERNEL.parent / "System.map"
    load = f"trapline kernel-symbols {names}"
    wrong = work / "wrong.elf"
    wrong.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(33) + b"\xff" * 20)
    said = on_machine(
        machine.PLATFORMS["qemu-svm"],
        work,
        machine.KERNEL,
        load,
        "trapline kernel-symbols Makefile",
        f"trapline kernel-symbols {wrong}",
        "trapline kernel-symbols /nonexistent",
        "trapline catch wrmsr after only lstar",
        "continue",
        load + " 0x200000",  # by hand, and wrong: the next one takes it back
        load,
        'info symbol $tl_msr("lstar")',
        "info symbol $pc",
        "trapline delete all",
        "hbreak kernel_init",
        "continue",
        "p $pc == kernel_init",
        linux=True,
        timeout=60,
    )
    assert said.of(load).startswith("the kernel's place is not known yet"), said.text
    assert "no kernel symbols there" in said.of("trapline kernel-symbols Makefile"), said.text
    assert "damaged" in said.of(f"trapline kernel-symbols {wrong}"), said.text
    assert "No such file" in said.of("trapline kernel-symbols /nonexistent"), said.text
    assert said.of(load + " 0x200000") == "the kernel runs 0x200000 above where it was linked"
    found = re.findall(r"the kernel runs 0x([0-9a-f]+) above", said.text)
    assert len(found) == 2 and int(found[1], 16) % 0x200000 == 0, said.text
    assert said.of('info symbol $tl_msr("lstar")').startswith("entry_SYSCALL_64 in"), said.text
    assert said.of("info symbol $pc").startswith("native_write_msr"), said.text
    assert "in kernel_init ()" in said.text.split("@@ command continue")[2], said.text
    assert said.of("p $pc == kernel_init").endswith("= 1"), said.text
    assert "Traceback" not in said.text


def test_mistakes_are_one_line(work: Path) -> None:
    """What a person gets wrong, and what the target refuses."""
    wrong = {
        "trapline nonsense": "no command `trapline nonsense`",
        "trapline ring many": "`many` is no count",
        "trapline vmcs nosuchfield": "no VMCB field matches nosuchfield",
        "trapline catch sleep": "no exit kind `sleep`",
        "trapline catch cr0-write if valeu == 1": "no register, word of the exit or symbol `valeu`",
        "trapline catch cr0-write if value ==": "a value expected",
        "trapline catch cr0-write if cr0.PX": "cr0 has no bit `PX`",
        "trapline catch cr0-write maybe": "`maybe`: behind the kinds",
        "trapline catch cr0-write do dance": "no action `dance`",
        'trapline catch cr0-write do log "%x"': "do not match",
        "trapline catch cr0-write do set rax": "set takes X = EXPR",
        "trapline catch cr0-write do set eax = 1": "`eax` is half of rax",
        "trapline catch cr0-write do set value = 1": "can set registers and vmcs.FIELDs",
        "trapline catch cr0-write do set rax = valeu": "no register, word of the exit or symbol `valeu`",
        "trapline catch cr0-write do set rax 5 = 1": "`5` is left over",
        "trapline walk": "usage: trapline walk EXPR",
        "trapline audit everything": "invalid choice",
        "trapline delete 77": "no event or breakpoint with this number",
        "trapline diff never": "no snapshot `never`",
        "trapline msr-area 0x12345=1": "no entry in the area",
        "trapline msr-area 0x12345": "MSR 0x12345 is not kept there",
        "trapline skip": "not such an exit",
        'p $tl_vmcs("guest_nonsense")': "no such field",
        'p $tl_exit("nonsense")': "has no `nonsense`",
        "trapline bt": "every frame is the guest's",
    }
    said = on_machine(machine.PLATFORMS["qemu-svm"], work, tiny("spin_cli"), *wrong)
    for command, text in wrong.items():
        answer = said.of(command)
        assert text in answer and len(answer.splitlines()) == 1, f"{command}\n{answer}\n{said.text}"
    assert "Traceback" not in said.text


def test_without_a_target() -> None:
    said = gdb("trapline exit", "tl ring", "p $tl_msr(1)", "help trapline ring", "complete tl catch cr0-")
    for command in ("trapline exit", "tl ring", "p $tl_msr(1)"):
        assert "not attached: `target remote HOST:PORT` first" in said.of(command), said.text
        assert len(said.of(command).splitlines()) == 1, said.text
    assert "the last N exits" in said.of("help trapline ring")
    assert said.of("complete tl catch cr0-").splitlines() == ["tl catch cr0-read", "tl catch cr0-write"]
    assert said.status in (0, 1)
