# SPDX-License-Identifier: GPL-3.0-or-later
"""What the console survives: a machine that vanishes, a line that is pulled or falls silent, ^C at any
moment, scripts that are no scripts. Each time it says so, gives the prompt back, and ends when asked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pexpect
import pytest
from board import Board
from console import marked_env, trapline, wait_gone
from machine import TOP, TRAPLINE, Platform, tiny

PROMPT = r"\(tl\) "

# What it is doing when it happens; {dir} is the test's own.
MOMENTS = {
    "idle": "",
    "half-a-line": "print/x ri",
    "continue": "continue\r",
    "dump": "dump {dir}/dump.bin 0x100000, +0x4000000\r",
    "load": "load {dir}/load.bin 0x400000\r",
    "find": 'find 0x100000, +0x8000000, "no such text"\r',
    "expect": "expect output never-said within 300\r",
    "stepi": "stepi 10000000\r",
}


class Session:
    """A person at a prompt."""

    def __init__(self, work: Path, *args: str) -> None:
        env, self.mark = marked_env(HOME=str(work))
        self.work = work
        self.child = pexpect.spawn(str(TRAPLINE), list(args), cwd=str(TOP), env=env, encoding="utf-8", timeout=60,
                                   codec_errors="replace", dimensions=(40, 160))
        self.child.logfile_read = open(work / "screen.txt", "w")
        self.child.expect(PROMPT)

    def emulator(self) -> int:
        """The process of the emulator itself, a child of the console."""
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((proc / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.child.pid and re.match("qemu|bochs", (proc / "comm").read_text()):
                    return int(proc.name)
            except (OSError, ValueError, IndexError):
                continue
        raise AssertionError("no emulator")

    def begin(self, moment: str) -> None:
        if moment == "load":
            (self.work / "load.bin").write_bytes(bytes(16 << 20))
        self.child.send(MOMENTS[moment].format(dir=self.work))
        time.sleep(0.7)  # to be in the middle of it

    def finish(self, status: int) -> None:
        self.child.sendcontrol("u")
        self.child.sendline("quit")
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == status, (self.child.exitstatus, self.child.signalstatus)
        assert not (left := wait_gone(self.mark)), left


@pytest.mark.parametrize("moment", MOMENTS)
def test_emulator_is_killed(platform: Platform, moment: str, work: Path) -> None:
    session = Session(work, "run", "--on", platform.emulator, str(tiny("spin_cli")))
    session.begin(moment)
    os.kill(session.emulator(), signal.SIGKILL)
    session.child.expect(r"\[\w+ was killed by signal 9")
    session.child.expect(PROMPT)
    session.child.sendcontrol("u")
    session.child.sendline("x/4xb 0x100000")
    session.child.expect("error: no machine: .*was killed.*`reset` starts it again")
    if moment == "continue":
        session.child.sendline("reset")
        session.child.expect("before the guest's first instruction")
        session.child.sendline("print/x rip")
        session.child.expect(r"= 0x100120")
    session.finish(3)


@pytest.mark.parametrize("moment", MOMENTS)
def test_line_is_pulled(moment: str, work: Path) -> None:
    """A serial adapter that is unplugged: socat, whose pty is the device, dies."""
    with Board(tiny("spin_cli")) as board:
        session = Session(work, "attach", str(board.tty()))
        session.begin(moment)
        board.others[-1].kill()
        session.child.expect(r"\[the line is lost: ")
        session.child.expect(r"check the cable or the machine, then `trapline attach")
        session.child.expect(PROMPT)
        session.child.sendcontrol("u")
        session.child.sendline("x/4xb 0x100000")
        session.child.expect("error: no machine: the line is lost")
        session.finish(3)


@pytest.mark.parametrize("moment", MOMENTS)
def test_line_falls_silent(moment: str, work: Path) -> None:
    """A cable that is pulled and put in again: said, ^C gives the prompt back, and nothing is mixed up."""
    session = Session(work, "run", str(tiny("spin_cli")))
    session.begin(moment)
    emulator = session.emulator()
    os.kill(emulator, signal.SIGSTOP)
    session.child.expect("no answer from the hypervisor for 2 s; the emulator still runs .*`kill` ends it")
    if moment in ("dump", "load", "find"):
        session.child.sendintr()
        session.child.expect(PROMPT)
        session.child.sendline("x/4xb 0x234500")
        time.sleep(0.3)
        session.child.sendintr()
        session.child.expect("error: ")
        session.child.expect(PROMPT)
    os.kill(emulator, signal.SIGCONT)
    session.child.expect("answers again, nothing was lost")
    if moment in ("continue", "expect", "stepi"):
        session.child.sendintr()
        session.child.expect(r"interrupted|\(tl\) ")
    session.child.sendcontrol("u")
    # Late replies to what was given up must not be taken for these.
    session.child.sendline("print/x u32(0x100120)")
    session.child.expect(r"= 0xbcfcfa")
    session.child.sendline("print/x u16(0x100000)")
    session.child.expect(r"= 0xb002")
    session.finish(0)


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupts_by_the_dozen(platform: Platform, moment: str, work: Path) -> None:
    session = Session(work, "run", "--on", platform.emulator, str(tiny("spin_cli")))
    session.begin(moment)
    for _ in range(12):
        session.child.sendintr()
        time.sleep(0.02)
    session.child.expect(PROMPT)
    time.sleep(0.5)
    session.child.sendline("print/x 0x41 + 1")
    session.child.expect(r"= 0x42")
    session.child.sendline("print/x u32(0x100120)")
    session.child.expect(r"= 0xbcfcfa")
    session.finish(0)


@pytest.mark.parametrize("command", ["continue", "dump {dir}/dump.bin 0x100000, +0x4000000", "echo nothing"])
def test_batch_without_its_machine(platform: Platform, command: str, work: Path) -> None:
    """Status 3 and the reason, whatever the script was at; here the next line comes by a pipe."""
    report = work / "report.json"
    env, mark = marked_env(HOME=str(work))
    batch = subprocess.Popen(
        [str(TRAPLINE), "run", "--on", platform.emulator, "--batch", "--timeout", "90", "-x", "-",
         "--report", str(report), str(tiny("spin_cli"))],
        cwd=TOP, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert batch.stdin and batch.stdout
    batch.stdin.write(command.format(dir=work) + "\nprint/x u32(0x100120)\n")
    batch.stdin.flush()
    seen = ""
    while command.split()[0] not in seen:
        seen += batch.stdout.readline()
    time.sleep(1)
    pid = None
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if re.match("qemu|bochs", (proc / "comm").read_text()) and mark.encode() in (
                    proc / "environ").read_bytes():
                pid = int(proc.name)
        except OSError:
            continue
    assert pid
    os.kill(pid, signal.SIGKILL)
    # Standard input stays open: the end is told all the same.
    while "was killed" not in seen:
        line = batch.stdout.readline()
        assert line, seen
        seen += line
    batch.stdin.write("print/x u32(0x100124)\n")
    rest, _ = batch.communicate(timeout=60)
    assert batch.returncode == 3, seen + rest
    assert json.loads(report.read_text())["status"] == 3
    assert not (left := wait_gone(mark)), left


def test_timeout_while_a_pipe_says_nothing(work: Path) -> None:
    env, mark = marked_env(HOME=str(work))
    batch = subprocess.Popen([str(TRAPLINE), "run", "--batch", "--timeout", "4", "-x", "-", str(tiny("spin_cli"))],
                             cwd=TOP, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    assert batch.stdout
    out = batch.stdout.read()  # stdin stays open
    assert batch.wait(timeout=60) == 3, out
    assert "time-out after 4 seconds" in out
    assert not (left := wait_gone(mark)), left


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signal_while_a_pipe_says_nothing(number: str, work: Path) -> None:
    env, mark = marked_env(HOME=str(work))
    batch = subprocess.Popen([str(TRAPLINE), "run", "--batch", "-x", "-", str(tiny("spin_cli"))],
                             cwd=TOP, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
    assert batch.stdin and batch.stdout
    batch.stdin.write("echo here\necho there\n")
    batch.stdin.flush()
    seen = ""
    while "here" not in seen:
        seen += batch.stdout.readline()
    batch.send_signal(getattr(signal, number))
    out = batch.stdout.read()
    assert batch.wait(timeout=60) in (2, 3), out
    assert not (left := wait_gone(mark)), left


def test_scripts_that_are_none(work: Path) -> None:
    """A directory, a loop, a binary, a pipe nobody writes to, a line without end: one clear line each."""
    loop, binary, fifo, long = (work / name for name in ("loop.tl", "binary.tl", "fifo", "long.tl"))
    loop.write_text(f"source {loop}\n")
    binary.write_bytes(bytes(range(256)) * 4)
    os.mkfifo(fifo)
    long.write_text("echo " + "x" * (2 << 20))
    for path, pattern, status in (
        (work, "is a directory", 2), (loop, "call each other", 2), (binary, "no command", 2),
        (fifo, "time-out after 3", 3), (long, "more than a megabyte", 0), (work / "none", "No such file", 2),
    ):
        run = trapline(work, "run", "--batch", "--timeout", "3" if path == fifo else "40", "-x", str(path),
                       str(tiny("spin_cli")), timeout=60)
        assert re.search(pattern, run.err), (path, str(run))
        assert run.status == status or path == long and run.status == 2, (path, str(run))
        assert not run.left, run.left


@pytest.mark.parametrize("command,pattern", [
    ("dump {dir}/fifo 0x100000, +16", "a pipe that nobody reads"),
    ("dump {dir} 0x100000, +16", "[Ii]s a directory"),
    ("dump {dir}/x 0x100010, 0x100000", "ends before it begins"),
    ("dump {dir}/x 0x100000, +0", "is empty"),
    ("dump {dir}/x 0xfffffffffffffff0, +0x11", "ends before it begins"),
    ("dump {dir}/x 0x100000 +16", "with the comma"),
    ("dump {dir}/x 0x100000", "with the comma"),
    ("dump /dev/full 0x100000, +0x2000", "No space left|write failed"),
    ("load {dir} 0x100000", "is a directory"),
    ("load {dir}/fifo 0x100000", "not a regular file"),
    ("load {dir}/none 0x100000", "No such file"),
    ("symbol-file {dir}", "not a regular file"),
    ("symbol-file {dir}/fifo", "not a regular file"),
    ("log {dir}", "[Ii]s a directory"),
    ("log {dir}/fifo", "a pipe that nobody reads"),
    ("record {dir}", "[Ii]s a directory"),
    ("ring save {dir}", "[Ii]s a directory"),
    ("ring save {dir}/fifo", "a pipe that nobody reads"),
    ("stats save /nonexistent/x", "No such file"),
])
def test_files_that_are_none(command: str, pattern: str, work: Path) -> None:
    os.mkfifo(work / "fifo")
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", command.format(dir=work), str(tiny("spin_cli")))
    assert run.status == 2, str(run)
    assert re.search(pattern, run.err) and len(run.err.strip().splitlines()) == 1, str(run)


def test_load_and_dump_whole(work: Path) -> None:
    """Lengths around the pieces they go in, and progress that says of how much."""
    args: list[str] = []
    for size in (1, 511, 512, 513, 1023, 1024, 1025, 70000):
        (work / f"{size}.bin").write_bytes(os.urandom(size))
        args += ["-e", f"load {work}/{size}.bin 0x200000", "-e", f"dump {work}/{size}.out 0x200000, +{size}"]
    run = trapline(work, "run", "--batch", "--timeout", "90", *args, str(tiny("spin_cli")))
    assert run.status == 0, str(run)
    for path in work.glob("*.bin"):
        assert path.read_bytes() == path.with_suffix(".out").read_bytes(), path
    assert re.search(r"(?m)^  64 of 68 KiB$", run.out), str(run)


@pytest.mark.parametrize("path", ["/nonexistent/report.json", "/proc/report.xml"])
def test_report_that_cannot_be_written(path: str, work: Path) -> None:
    """Said before the machine starts, not after an hour."""
    run = trapline(work, "run", "--batch", "--report", path, "-e", "echo hello", str(tiny("spin_cli")))
    assert run.status == 2 and path in run.err and "hello" not in run.out, str(run)


def test_report_of_a_machine_that_does_not_start(work: Path) -> None:
    report = work / "report.json"
    run = trapline(work, "run", "--batch", "--timeout", "60", "--hv", "nonsense", "--report", str(report),
                   "-e", "echo hello", str(tiny("spin_cli")))
    assert run.status == 2, str(run)
    assert json.loads(report.read_text())["status"] == 2
