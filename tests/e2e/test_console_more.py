# SPDX-License-Identifier: GPL-3.0-or-later
"""The console beyond its main road: the seed's case, recordings, reports, GDB beside it, hard ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import machine
import pexpect
import pytest
from console import marked_env, trapline, wait_gone
from machine import TOP, TRAPLINE, Platform, tiny

PROMPT = r"\(tl\) "
CASE = TOP / "tests" / "cases" / "cr0_pg_triple_fault.tl"


def test_seed_case(platform: Platform, work: Path) -> None:
    """The investigation of the seed, as one script with expectations, and its JUnit report."""
    report = work / "report.xml"
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "200", "-x", str(CASE)),
        *("--report", str(report)),
        timeout=240,
    )
    assert run.status == 0, str(run)
    suite = ElementTree.parse(report).getroot()
    assert suite.get("failures") == "0" and suite.get("errors") == "0"
    names = [case.get("name") or "" for case in suite]
    assert sum("expect" in name for name in names) >= 8
    assert not run.left, run.left


def test_every_view(platform: Platform, work: Path) -> None:
    """Each command that shows something answers on a live guest."""
    script = work / "views.tl"
    script.write_text(
        "info caps\ninfo cpus\ninfo cr\ninfo vmcs cr4\ninfo vmcs *rip\ninfo idt\ninfo gdt\ninfo line\n"
        "info options\ninfo registers\ninfo registers all\ninfo registers rip cr0\ninfo msr efer\n"
        "info exit\nx/4xg $rsp\nx/3i $pc\nx/s 0x100000\nwalk\nfind 0x100000, +0x2000, \"guest\"\n"
        "print $rip\nprint $ + 1\nset $rax = 0x1234\nexpect $rax == 0x1234\nsnapshot a\nstepi 3\ndiff a\n"
        "stats\ncheck\nexplain\nring 3\ndisassemble\nhelp catch\ncrash-record\ncatch cpuid\ninfo breakpoints\n"
        "continue\nexpect stop cpuid\ninfo exit\nring 2 cpuid\nskip\ndelete\ninfo symbols\n"
    )
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "100", "-x", str(script)),
        str(tiny("cpuid_loop")),
    )
    assert run.status == 0, str(run)
    for want in (r"vCPU 0  rip 0x", r"guest_cr4", r"IA32_EFER \(0xc0000080\)", r"result: ok", r"values differ",
                 r"leaf 0x", r"tl: |crash end"):
        assert re.search(want, run.out), (want, str(run))


def test_expect_fails(work: Path) -> None:
    report = work / "report.json"
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "30", "--report", str(report)),
        *("-e", "expect rip == 0x100120", "-e", "expect rax == 0x1", "-e", "echo not reached"),
        str(tiny("spin_cli")),
    )
    assert run.status == 1, str(run)
    assert "expect failed: rax == 0x1" in run.err
    rows = json.loads(report.read_text())["commands"]
    assert [row["result"] for row in rows] == ["ok", "failed"]


@pytest.mark.parametrize("command", ["print 1 +", "frobnicate", "catch nonsense", "set rip", "x/9q 0"])
def test_wrong_command_is_2(command: str, work: Path) -> None:
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", command, str(tiny("spin_cli")))
    assert run.status == 2, str(run)
    assert run.err.startswith("error: ")


def test_output_within(work: Path) -> None:
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "60", "-e", "expect output guest [a-z_]+: start within 20"),
        *("-e", "print rip", "-e", "expect output never-said within 1"),
        str(tiny("spin_cli")),
    )
    assert run.status == 1, str(run)
    assert "output `never-said` did not come" in run.err


def test_log_action_stops_nowhere(work: Path) -> None:
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "60"),
        *("-e", 'catch cpuid only 0 do log "%s eax=%#lx at %#lx", kind, rax, rip', "-e", "continue"),
        str(tiny("cpuid_loop")),
    )
    assert run.status == 0, str(run)
    assert len(re.findall(r"^(?:\[[ .0-9]+\] tl: )?cpuid eax=", run.out, re.M)) >= 1, str(run)
    assert "powered the machine off" in run.out


def test_log_of_choices(work: Path) -> None:
    """Values with jumps in their code, one behind the other."""
    action = 'log "%lx %lx %lx", rax == 1 && rcx < 100, rax ? 5 : 6, rax == 0 || rax == 7'
    run = trapline(work, "run", "--batch", "--timeout", "60", "-e", "catch cpuid do " + action,
                   "-e", "continue", str(tiny("osxsave")))
    assert re.search(r"^1 5 0$", run.out, re.MULTILINE), str(run)


def test_record_and_replay(work: Path) -> None:
    """A replay needs no machine and shows the same."""
    record = work / "session.rec"
    commands = ["-e", "catch cr0-write", "-e", "continue", "-e", "info exit", "-e", "info registers rip cr0",
                "-e", "continue", "-e", "expect stop cr0-write"]
    live = trapline(work, "run", "--batch", "--timeout", "60", "--record", str(record), *commands,
                    str(tiny("cr0_write")))
    assert live.status == 0, str(live)
    again = trapline(work, "replay", "--batch", "--timeout", "20", *commands, str(record))
    assert again.status == 0, str(again)

    def told(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.startswith(("[vCPU", "  0", "exit ", "rip", "cr0"))]

    assert len(told(live.out)) >= 6
    assert told(again.out) == told(live.out)
    odd = trapline(work, "replay", "--batch", "-e", "x/4xb 0x123456", str(record))
    assert odd.status == 2 and "not asked" in odd.err


def test_kernel_found_after_kaslr(work: Path) -> None:
    """Symbols are given before the kernel has moved itself; the first stop in it finds where it is."""
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "100", "--append", "console=ttyS0 panic=-1"),
        *("--symbols", str(machine.KERNEL.with_name("System.map")), "-e", "catch wrmsr only lstar"),
        *("-e", "continue", "-e", "delete", "-e", "stepi 4", "-e", "info symbols", "-e", "x/i $rip"),
        *("-e", "tbreak entry_SYSCALL_64", "-e", "continue", "-e", "x/i $rip"),
    )
    assert run.status == 0, str(run)
    assert re.search(r"the kernel (runs|is) 0x[0-9a-f]+ above", run.out), str(run)
    assert re.search(r"=> 0xffffffff[0-9a-f]{8} <entry_SYSCALL_64>:\tswapgs", run.out), str(run)


def test_rings_of_two_runs(work: Path) -> None:
    """`ring save` twice, `diff` names the first exit that differs; a trace that viewers open."""
    paths = []
    for name, change in (("good", "echo as it is"), ("bad", "set rcx = 5")):
        path = work / f"{name}.jsonl"
        run = trapline(
            work,
            *("run", "--batch", "--timeout", "60", "-e", "catch cpuid only 0", "-e", "continue", "-e", change),
            *("-e", "delete", "-e", "nextexit", "-e", "nextexit", "-e", f"ring save {path}"),
            *("-e", f"ring export {work}/{name}.json"),
            str(tiny("cpuid_loop")),
        )
        assert run.status == 0, str(run)
        paths.append(path)
        trace = json.loads((work / f"{name}.json").read_text())["traceEvents"]
        assert any(event["ph"] == "X" for event in trace)
        for event in trace:
            assert {"ph", "pid", "tid", "name"} <= event.keys()
            if event["ph"] == "X":
                assert event["ts"] >= 0 and event["dur"] >= 0
    rows = [[json.loads(line) for line in path.read_text().splitlines()] for path in paths]
    assert all(len(row) >= 2 for row in rows)
    broken = rows[1]
    broken[-1]["rip"] = "0xdead"
    paths[1].write_text("".join(json.dumps(row) + "\n" for row in broken))
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", f"diff {paths[0]} {paths[1]}",
                   str(tiny("spin_cli")))
    assert run.status == 0, str(run)
    assert "the first that differs is" in run.out and "0xdead" in run.out
    assert run.out.count("0xdead") == 1


def test_gdb_beside_the_console(work: Path) -> None:
    """--gdb: stock GDB on the reliable socket, the console usable before and after."""
    env, mark = marked_env(HOME=str(work))
    child = pexpect.spawn(str(TRAPLINE), ["run", "--gdb", "0", str(tiny("long_mode"))], cwd=str(TOP), env=env,
                          encoding="utf-8", timeout=60, codec_errors="replace", dimensions=(40, 120))
    child.logfile_read = open(work / "screen.txt", "w")
    try:
        child.expect(r"target remote localhost:(\d+)")
        port = child.match.group(1)
        child.expect(PROMPT)
        gdb = subprocess.Popen(
            ["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64", "-ex",
             f"target remote localhost:{port}", "-ex", "info registers rip", "-ex", "stepi", "-ex", "stepi",
             "-ex", "p/x $cr0", "-ex", "detach"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        child.expect("GDB has connected")
        child.expect("GDB has detached")
        out, _ = gdb.communicate(timeout=30)
        assert gdb.returncode == 0, out
        assert re.search(r"rip +0x100120", out), out
        assert re.search(r"\$1 = 0x11", out), out
        child.sendline("print/x rip")
        child.expect(r"\$1 = 0x10012[0-9a-f]")
        child.sendline("continue")
        child.expect("64-bit high: ok")
        child.sendline("quit")
        child.expect(pexpect.EOF, timeout=15)
    finally:
        child.close(force=True)
    assert not (left := wait_gone(mark)), left


def test_killed_console_takes_its_machine_along(platform: Platform, work: Path) -> None:
    """SIGKILL leaves no chance to clean up; the emulator and the directory go all the same."""
    tmp = work / "tmp"
    tmp.mkdir()
    env, mark = marked_env(HOME=str(work), TMPDIR="/tmp")
    child = pexpect.spawn(str(TRAPLINE), ["run", "--on", platform.emulator, str(tiny("spin_cli"))],
                          cwd=str(TOP), env=env, encoding="utf-8", timeout=60)
    child.expect(PROMPT)
    dirs = {entry.name for entry in Path("/tmp").glob("trapline-??????") if owner(entry) == child.pid}
    os.kill(child.pid, signal.SIGKILL)
    child.close()
    assert not (left := wait_gone(mark)), left
    time.sleep(0.3)
    assert not [name for name in dirs if (Path("/tmp") / name).exists()]


def owner(path: Path) -> int:
    """The console that an emulator of this directory belongs to, 0 when there is none."""
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            if path.name in (proc / "cmdline").read_text():
                return int((proc / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue
    return 0


def test_vanished_machine_is_told_within_two_seconds(work: Path) -> None:
    """attach: the other end of the line dies under a running guest."""
    path = Path("/tmp") / f"tl-test-{os.getpid()}.sock"
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-machine", "pc,smm=off", "-accel", "tcg", "-cpu", "max",
         "-m", "256", "-display", "none", "-nodefaults", "-serial", f"unix:{path},server=on,wait=off",
         "-kernel", str(machine.HV), "-initrd", str(tiny("spin_cli")), "-append", "wait"],
        stdin=subprocess.DEVNULL)
    child = None
    try:
        for _ in range(100):
            if path.exists():
                break
            time.sleep(0.1)
        time.sleep(1.5)
        env, _mark = marked_env(HOME=str(work))
        child = pexpect.spawn(str(TRAPLINE), ["attach", str(path)], cwd=str(TOP), env=env, encoding="utf-8",
                              timeout=30)
        child.logfile_read = open(work / "screen.txt", "w")
        child.expect(PROMPT)
        child.sendline("continue")
        child.expect("start")
        qemu.kill()
        started = time.monotonic()
        child.expect("the line is lost", timeout=5)
        assert time.monotonic() - started < 2.5
        child.expect("trapline attach")
        child.sendline("info registers")
        child.expect("no machine")
        child.sendline("quit")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 3
    finally:
        if child:
            child.close(force=True)
        qemu.kill()
        qemu.wait()
        path.unlink(missing_ok=True)


def test_attach_again_and_again(work: Path) -> None:
    """Link, plain RSP and link in turn, with `detach` and without: each finds a clean start."""
    path = Path("/tmp") / f"tl-again-{os.getpid()}.sock"
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-machine", "pc,smm=off", "-accel", "tcg", "-cpu", "max", "-m", "256",
         "-display", "none", "-nodefaults", "-serial", f"unix:{path},server=on,wait=off",
         "-kernel", str(machine.HV), "-initrd", str(tiny("spin_cli"))],
        stdin=subprocess.DEVNULL)
    try:
        time.sleep(6)  # booted, also on a loaded machine
        carriers: list[list[str]] = [[], ["--bare"], [], ["--bare"], ["--bare"], []]
        ends: list[list[str]] = [["-e", "detach"], []]
        for extra, end in ((c, e) for c in carriers for e in ends):
            run = trapline(work, "attach", *extra, "--batch", "--timeout", "20", "-e", "interrupt",
                           "-e", "stepi", "-e", "print/x rip", *end, str(path))
            assert run.status == 0, (extra, end, str(run))
            assert re.search(r"= 0x10[0-9a-f]{4}", run.out), str(run)
    finally:
        qemu.kill()
        qemu.wait()
        path.unlink(missing_ok=True)


def screen(session: str) -> str:
    return subprocess.run(["tmux", "-L", session, "capture-pane", "-p", "-t", session], text=True,
                          stdout=subprocess.PIPE, check=True).stdout


def until(session: str, want: str, seconds: float = 20) -> str:
    end = time.monotonic() + seconds
    while True:
        text = screen(session)
        if re.search(want, text):
            return text
        assert time.monotonic() < end, f"no {want!r} on\n{text}"
        time.sleep(0.1)


def test_on_a_terminal(work: Path) -> None:
    """Shows 5 of the console: completion, history, output above the prompt, ^C, resize, in tmux."""
    session = f"tl{os.getpid()}"
    command = f"HOME={work} TERM=screen exec {TRAPLINE} run {tiny('spin_cli')}"

    def tmux(*args: str) -> None:
        subprocess.run(["tmux", "-L", session, *args], check=True, stdout=subprocess.DEVNULL)

    def keys(*args: str) -> None:
        tmux("send-keys", "-t", session, *args)

    tmux("-f", "/dev/null", "new-session", "-d", "-s", session, "-x", "100", "-y", "30", command)
    try:
        until(session, r"\(tl\) $|\(tl\)\s*\Z")
        keys("cat", "Tab")
        until(session, r"\(tl\) catch")
        keys("cr0-w", "Tab")
        until(session, r"catch cr0-write")
        keys("C-u", "info reg", "Tab", "rip", "Enter")
        until(session, r"rip +0x100120")
        keys("Up")
        until(session, r"(?s)rip +0x100120.*\(tl\) info registers rip")
        keys("C-u", "continue", "Enter")
        until(session, r"guest spin_cli: start\n(?s:.*)\(tl running\)")
        keys("half a com")  # typed while the guest runs: the stop appears above it
        tmux("resize-window", "-t", session, "-x", "70", "-y", "24")
        keys("C-c")
        text = until(session, r"\[vCPU 0\] interrupted(?s:.*)\(tl\)")
        assert "half a com" in text.split("interrupted")[1]
        keys("C-u", "quit", "Enter")
        end = time.monotonic() + 10
        while subprocess.run(["tmux", "-L", session, "has-session", "-t", session],
                             stderr=subprocess.DEVNULL).returncode == 0:
            assert time.monotonic() < end, screen(session)
            time.sleep(0.1)
        history = (work / ".local/state/trapline_history").read_text()
        assert "info registers rip" in history and "continue" in history
    finally:
        subprocess.run(["tmux", "-L", session, "kill-server"], stderr=subprocess.DEVNULL)


def test_made_texts() -> None:
    """Man page and bash completion come out of the tables, whole."""
    man = subprocess.run([str(TRAPLINE), "--print-man"], text=True, stdout=subprocess.PIPE, check=True).stdout
    for word in (".TH TRAPLINE 1", "catch", "disassemble", "--timeout".replace("-", "\\-"), ".SH EXIT STATUS"):
        assert word in man, word
    lint = subprocess.run(["man", "--warnings", "-l", "-"], input=man, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, "MANWIDTH": "80"})
    if lint.returncode == 0:
        assert "NAME" in lint.stdout
    script = subprocess.run([str(TRAPLINE), "--print-completion"], text=True, stdout=subprocess.PIPE,
                            check=True).stdout
    assert "\\en and" in man, "a backslash of a help text is troff's"

    def offered(*words: str) -> list[str]:
        line = f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD=$(({len(words)} - 1)); _trapline"
        return subprocess.run(["bash", "-c", line + '; echo "${COMPREPLY[*]}"'], cwd=TOP, text=True,
                              stdout=subprocess.PIPE, check=True).stdout.split()

    assert offered("trapline", "run", "--ba") == ["--batch", "--bare"]
    assert offered("trapline", "run", "--on", "q") == ["qemu"]
    assert offered("trapline", "run", "--cpu", "''") == ["svm", "vmx"]
    assert offered("trapline", "run", "--mem", "''") == []
    assert "README.md" in offered("trapline", "run", "--log", "REA")
    assert "README.md" in offered("trapline", "run", "REA")
