# SPDX-License-Identifier: GPL-3.0-or-later
"""The two roads besides the bare line: the host program's socket, and the hypervisor's own symbols."""

from __future__ import annotations

import re
import socket
import threading
import time
from pathlib import Path

import machine
import pexpect
from console import marked_env, wait_gone
from gdb_session import gdb
from machine import Machine, tiny


PROMPT = r"\(tl\) "


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def test_through_the_host_program(work: Path) -> None:
    """`trapline run --gdb PORT`: the same commands, over the link."""
    env, mark = marked_env(HOME=str(work))
    child = pexpect.spawn(
        str(machine.TRAPLINE), ["run", "--gdb", "0", str(tiny("long_mode"))], cwd=str(machine.TOP), env=env,
        encoding="utf-8", codec_errors="replace", timeout=60, dimensions=(40, 120),
    )  # fmt: skip
    child.logfile_read = open(work / "screen.txt", "w")
    try:
        child.expect(r"target remote localhost:(\d+)")
        port = child.match.group(1)
        child.expect(PROMPT)
        # Somebody must read what the console prints meanwhile.
        threading.Thread(target=lambda: child.expect("GDB has detached"), daemon=True).start()
        said = gdb(
            f"target remote localhost:{port}",
            "trapline road",
            "trapline catch cr0-write if value & 0x80000000",
            "continue",
            "trapline msr-area",
            "trapline ring 2",
            "trapline check",
            "trapline vmcs nosuch",
            "trapline delete all",
            timeout=40,
        )
        (work / "gdb.txt").write_text(said.text)
    finally:
        child.close(force=True)
    assert said.of("trapline road").startswith("the stub (in-band), svm"), said.text
    assert "[trapline: event" in said.of("continue") and "cr0-write" in said.of("continue"), said.text
    assert "0x100  LME" in said.of("trapline msr-area"), said.text
    assert len(said.of("trapline ring 2").splitlines()) == 2, said.text
    assert "the entry succeeds" in said.of("trapline check"), said.text
    assert said.of("trapline vmcs nosuch") == "no VMCB field matches nosuch", said.text
    assert not wait_gone(mark)


def test_by_symbols(work: Path) -> None:
    """GDB on the hypervisor itself through QEMU's gdbstub: the data come from its structures."""
    port = free_port()
    extra = ["-gdb", f"tcp:127.0.0.1:{port},server=on,wait=off", "-S"]
    guest = tiny("spin_cli")
    with Machine(work, machine.PLATFORMS["qemu-svm"], guest, limit=60, qemu_extra=extra) as vm:
        time.sleep(1)
        said = gdb(
            f"file {machine.HV}",
            f"target remote localhost:{port}",
            "trapline exit",
            "hbreak exit_dispatch if vcpu->exit_count == 5",
            "continue",
            "trapline road",
            "trapline bt",
            "trapline ring 2",
            "trapline msr-area",
            "trapline vmcs guest_cr0",
            "trapline walk 0",
            "trapline skip",
            "p vcpus[0].exit",
            "p vcpus[0].ring->record[0]",
            "p *(struct hv_segment *)&vcpus[0].regs.rip",
            "x/1i exit_dispatch",
            timeout=50,
        )
        assert vm.running() or said.text
    (work / "gdb.txt").write_text(said.text)
    assert "cannot be read yet" in said.of("trapline exit"), said.text
    assert said.of("trapline road") == "the hypervisor's symbols, svm", said.text
    bt = said.of("trapline bt")
    assert "#0  exit_dispatch" in bt and "hv_main" in bt, bt
    assert re.search(r"#-  guest, vCPU 0: rip 0x1001[0-9a-f]{2} .* it left by io-out \(IOIO, reason 0x7b\), exit 5", bt), bt
    assert len(said.of("trapline ring 2").splitlines()) == 2 and "io-out" in said.of("trapline ring 2")
    assert "VMCB save area" in said.of("trapline msr-area") and "c0000080 efer" in said.of("trapline msr-area")
    assert "PE ET" in said.of("trapline vmcs guest_cr0"), said.text
    assert "walk: not by the hypervisor's symbols" in said.of("trapline walk 0")
    assert "attach to the stub" in said.of("trapline skip")
    assert "= io-out, reason 0x7b" in said.of("p vcpus[0].exit") and "port 0x3" in said.of("p vcpus[0].exit")
    assert re.search(r"= 1 io-out +8:1001", said.of("p vcpus[0].ring->record[0]")), said.text
    segment = said.of("p *(struct hv_segment *)&vcpus[0].regs.rip")  # any bytes do
    assert re.fullmatch(r"\$\d+ = 0x1[0-9a-f]+ base 0x[0-9a-f]+ limit 0x[0-9a-f]+ rights 0x[0-9a-f]+( unusable)?", segment)
    assert "push   %rbp" in said.of("x/1i exit_dispatch"), said.text


def test_neither_road(work: Path) -> None:
    """A gdbstub that is not ours, without symbols: one line says both."""
    port = free_port()
    extra = ["-gdb", f"tcp:127.0.0.1:{port},server=on,wait=off", "-S"]
    with Machine(work, machine.PLATFORMS["qemu-svm"], tiny("spin_cli"), limit=30, qemu_extra=extra):
        time.sleep(1)
        said = gdb(f"target remote localhost:{port}", "trapline exit", "python import trapline; trapline.attach()")
    answer = said.of("trapline exit")
    assert answer.startswith("the target is not Trapline's stub, and the hypervisor's symbols are not loaded"), said.text
    assert len(answer.splitlines()) == 1


def test_a_lost_line_is_said_as_such(work: Path) -> None:
    port = free_port()
    vm = Machine(work, machine.PLATFORMS["qemu-svm"], tiny("long_mode"), hv="wait", serial=f"listen:{port}", limit=40)
    with vm:
        time.sleep(2)
        # The guest ends its machine.
        said = gdb(
            f"target remote localhost:{port}",
            "python import trapline; t = trapline.attach()",
            "python t.run(timeout=30)",
            "trapline exit",
        )
    assert "the line to the machine is lost" in said.text, said.text
    assert "not attached" in said.of("trapline exit"), said.text
