# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear line that says what to do, a non-zero status, nothing left running."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from console import trapline
from machine import PLATFORMS, TOP, Machine, Platform, tiny


def refuse(vm: Machine, pattern: str) -> None:
    with vm:
        assert vm.wait_for(rf"(?i)tl: .*({pattern})"), f"no line with {pattern!r}\n{vm.tail()}"
        assert "guest" not in re.sub(r"tl: .*", "", vm.text()), f"the guest ran\n{vm.tail()}"


@pytest.mark.parametrize(
    "cpu,pattern",
    [
        ("qemu64,-svm", "svm"),
        ("qemu64", "nested paging|npt"),
        ("qemu64,-lm", "64-bit|long mode"),
    ],
    ids=["no-svm", "no-npt", "no-long-mode"],
)
def test_machine_lacks_feature_on_qemu(cpu: str, pattern: str, work: Path) -> None:
    refuse(Machine(work, PLATFORMS["qemu-svm"], tiny("cr0_write"), cpu=cpu, limit=15), pattern)


@pytest.mark.parametrize(
    "cpu,pattern",
    [("core2_penryn_t9600", "ept"), ("corei5_lynnfield_750", "unrestricted"), ("athlon64_clawhammer", "vmx|svm")],
    ids=["no-ept", "no-unrestricted-guest", "no-virtualisation"],
)
def test_machine_lacks_feature_on_bochs(cpu: str, pattern: str, work: Path) -> None:
    refuse(Machine(work, PLATFORMS["bochs-vmx"], tiny("cr0_write"), cpu=cpu, limit=15), pattern)


def test_insisting_on_the_wrong_backend(work: Path) -> None:
    refuse(Machine(work, PLATFORMS["qemu-svm"], tiny("cr0_write"), hv="vmx", limit=15), "vmx")


def test_unknown_hypervisor_option(platform: Platform, work: Path) -> None:
    refuse(Machine(work, platform, tiny("cr0_write"), hv="wiat", limit=15), "wiat")


def test_missing_guest(work: Path) -> None:
    """No boot module at all."""
    refuse(Machine(work, PLATFORMS["qemu-svm"], Path(), limit=15), "guest|module")


@pytest.mark.parametrize(
    "name,content",
    [
        ("empty", b""),
        ("truncated-elf", b"\x7fELF\x01\x01\x01" + bytes(3)),
        ("truncated-bzimage", bytes(0x1F1) + b"\x04" + bytes(12) + b"\x55\xaa\xeb\x66HdrS\x0c\x02"),
    ],
    ids=["empty", "truncated-elf", "truncated-bzimage"],
)
def test_guest_that_is_nothing_known(name: str, content: bytes, work: Path) -> None:
    path = work / name
    path.write_bytes(content)
    vm = Machine(work, PLATFORMS["qemu-svm"], path, limit=15)
    if not content:
        # QEMU itself refuses an empty module; the host program has to say so too.
        run = trapline(work, "run", "--batch", "--timeout", "20", "-e", "continue", str(path))
        assert run.status not in (0, 4), str(run)
        assert str(path) in run.err or "empty" in run.err, str(run)
        assert not run.left, run.left
        return
    refuse(vm, "guest")


@pytest.mark.parametrize(
    "args,status,pattern",
    [
        (("run", "--no-such-option"), 2, "no-such-option"),
        (("run", "--on", "vax"), 2, "vax"),
        (("run", "--mem", "lots"), 2, "lots|mem"),
        (("run", "--batch", "/nonexistent/guest"), None, "/nonexistent/guest"),
        (("run", "--batch", "-e", "continue", "Makefile", "/nonexistent/initrd"), None, "nonexistent/initrd"),
        (("run", "--on", "qemu", "--cpu", "vmx", "--batch"), None, "bochs"),
        (("run", "--cpu", "help"), 2, "svm, vmx or a CPU model"),
        (("run", "--cpu", "no_such", "--batch"), 2, "model 'no_such'.*-cpu help"),
        (("run", "--on", "bochs", "--cpu", "no_such", "--batch"), 2, "`no_such`; it has:.* corei3_cnl"),
        (("run", "--strict-msrs", "--batch"), 2, "--on bochs"),
        (("attach", "--batch", "/nonexistent/tty"), 3, "/nonexistent/tty"),
        (("frobnicate",), 2, "frobnicate"),
        (("run", "--batch", "-x", "/nonexistent/script"), None, "/nonexistent/script"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else None,
)
def test_host_program_refuses(
    args: tuple[str, ...], status: int | None, pattern: str, work: Path
) -> None:
    run = trapline(work, *args, timeout=30)
    assert run.status == status if status is not None else run.status not in (0, 4, 124), str(run)
    assert re.search(pattern, run.err), str(run)
    assert len(run.err.strip().splitlines()) <= 3, f"not one clear line\n{run}"
    assert not run.left, run.left


def test_unknown_command_in_a_script(work: Path) -> None:
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "30", "-e", "frobnicate", "-e", "continue"),
        str(tiny("cr0_write")),
    )
    assert run.status == 2, str(run)
    assert "frobnicate" in run.err, str(run)
    assert not run.left, run.left


@pytest.mark.parametrize("emulator", ["qemu", "bochs"])
def test_missing_emulator(emulator: str, work: Path) -> None:
    """PATH without the emulator: says which program and how to get it."""
    bin_dir = work / "bin"
    bin_dir.mkdir()
    for directory in ("/usr/bin", "/bin"):
        for entry in os.scandir(directory):
            if not re.match(r"qemu|bochs", entry.name) and not (bin_dir / entry.name).exists():
                os.symlink(entry.path, bin_dir / entry.name)
    run = trapline(
        work,
        *("run", "--on", emulator, "--batch", "--timeout", "20", "-e", "continue"),
        str(tiny("cr0_write")),
        env={"PATH": str(bin_dir)},
    )
    assert run.status not in (0, 4, 124), str(run)
    assert emulator in run.err.lower(), str(run)
    assert not run.left, run.left


def test_build_help_lists_targets() -> None:
    """`make help` comes from the comments: every target that people type is there."""
    import subprocess

    out = subprocess.run(["make", "-s", "help"], cwd=TOP, capture_output=True, text=True).stdout
    for target in "all deps run test unit e2e bench fuzz lint fmt iso guests size install".split():
        assert re.search(rf"^  {target} ", out, re.MULTILINE), f"{target} is missing\n{out}"


@pytest.mark.parametrize(
    "typed,answer",
    [
        ("info regs", "no `info regs` (`help info` lists what there is)"),
        ("bt", "no command `bt`: GDB has it: start with `--gdb PORT` and attach one"),
        ("why", "no command `why`: `explain` says why"),
        ("contnue", "no command `contnue`; did you mean `continue`?"),
        ("info msr-area efre", "no MSR `efre`; did you mean `efer`?"),
    ],
)
def test_word_that_is_no_command(typed: str, answer: str, work: Path) -> None:
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", typed, str(tiny("cr0_write")))
    assert run.status == 2, str(run)
    assert answer in run.err, str(run)
    assert not run.left, run.left
