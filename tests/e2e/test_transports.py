# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to reach a board's UART, and what is said when one of them does not work."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import socket
import struct
import subprocess
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from board import Board, free_port
from console import Result, trapline
from machine import TRAPLINE, tiny

# Enough of everything: every byte value goes over the line both ways (dump, load), and it compares.
WORK = ("print/x rip", "stepi", "load {up} 0x180000", "dump {down} 0x180000 0x181800", "info line")


def session(work: Path, *target: str) -> None:
    up, down = work / "up.bin", work / "down.bin"
    up.write_bytes(bytes(range(256)) * 24)  # a multiple of what Telnet and the link escape
    args: list[str] = ["attach", "--batch", "--timeout", "60"]
    for command in WORK:
        args += ["-e", command.format(up=up, down=down)]
    run = trapline(work, *args, *target)
    assert run.status == 0, str(run)
    assert re.search(r"= 0x10012[0-9a-f]\b", run.out), str(run)
    assert up.read_bytes() == down.read_bytes(), "the line changed the bytes"
    assert " 0 damaged" in run.out and "badcrc=0" in run.out, str(run)


def test_unix_socket(work: Path) -> None:
    with Board(tiny("spin_cli")) as board:
        session(work, f"unix:{board.until(board.sock)}")
    with Board(tiny("spin_cli")) as board:
        session(work, str(board.until(board.sock)))


def test_tcp(work: Path) -> None:
    port = free_port()
    with Board(tiny("spin_cli"), f"tcp:127.0.0.1:{port},server=on,wait=off") as board:
        for target in (f"localhost:{port}", f"tcp:127.0.0.1:{port}"):
            wait_port(port)
            run = trapline(work, "attach", "--batch", "--timeout", "30", "-e", "print/x rip", target)
            assert run.status == 0 and re.search(r"= 0x1001[28]", run.out), str(run)


def wait_port(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        table = Path("/proc/net/tcp").read_text()
        if re.search(rf"0100007F:{port:04X} 00000000:0000 0A", table):
            return
        assert time.monotonic() < end
        time.sleep(0.1)


def test_pty(work: Path) -> None:
    with Board(tiny("spin_cli"), "pty") as board:
        session(work, board.pty_of_qemu())


@pytest.mark.parametrize("speed", ["", ",115200", ",921600"])
def test_tty_with_speed(speed: str, work: Path) -> None:
    with Board(tiny("spin_cli")) as board:
        session(work, f"{board.tty()}{speed}")


@pytest.mark.parametrize("speed", ["", ",57600"])
def test_rfc2217(speed: str, work: Path) -> None:
    """A real ser2net, and the speed it is asked for reaches the device."""
    with Board(tiny("spin_cli")) as board:
        tty = board.tty()
        port = board.ser2net(tty)
        session(work, f"rfc2217://localhost:{port}{speed}")
        # A pty remembers what it was set to, though it sends as fast as it likes.
        held = subprocess.Popen([str(TRAPLINE), "attach", "--batch", "-x", "-",
                                 f"rfc2217://localhost:{port}{speed}"], stdin=subprocess.PIPE,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 15
        while True:
            told = subprocess.run(["stty", "-F", str(tty)], stdout=subprocess.PIPE, text=True, check=True).stdout
            if f"speed {speed[1:] or '115200'} baud" in told:
                break
            assert time.monotonic() < end, told
            time.sleep(0.05)
        _, err = held.communicate("print/x rip\n", timeout=30)
        assert held.returncode == 0, err


def test_ser2net_as_plain_tcp(work: Path) -> None:
    """Without Telnet: the port is as its owner has set it up."""
    with Board(tiny("spin_cli")) as board:
        port = board.ser2net(board.tty(), "tcp")
        run = trapline(work, "attach", "--batch", "--timeout", "40", "-e", "print rip", f"localhost:{port}")
        assert run.status == 0, str(run)


class Server(threading.Thread):
    """Accepts once, says `greeting` and swallows whatever comes; never speaks RSP."""

    def __init__(self, greeting: bytes = b"", hang_up: bool = False, rudely: bool = False) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.greeting, self.hang_up, self.rudely = greeting, hang_up, rudely
        self.start()

    def run(self) -> None:
        peer, _ = self.listener.accept()
        with peer:
            if self.greeting:
                peer.sendall(self.greeting)
            if self.rudely:  # once something has come, a reset
                peer.recv(1)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            if self.hang_up:
                peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass


IAC, SB, SE, DONT, DO, COM = 255, 250, 240, 254, 253, 44


UNHELPFUL = {
    "silent": (b"", r"no answer to the offer"),
    "refused": (bytes([IAC, DONT, COM]), r"does not control its port by RFC 2217: is it a plain TCP port"),
    "other-speed": (bytes([IAC, DO, COM, IAC, SB, COM, 101, 0, 0, 0x25, 0x80, IAC, SE]),
                    r"runs at 9600 baud, not at 115200"),
    "right-speed": (bytes([IAC, DO, COM, IAC, SB, COM, 101, 0, 1, 0xC2, 0, IAC, SE]), r"cable"),
    # Telnet that makes no sense is read over: an endless suboption, unknown verbs, half a command.
    "nonsense": (bytes([IAC, 241, IAC, SB]) + b"x" * 5000 + bytes([IAC, SE, IAC, DO, 99, IAC]),
                 r"no answer to the offer"),
}


def test_rfc2217_servers_that_do_not_help(work: Path) -> None:
    """Each is given the whole time to answer; all at once, because the time is spent waiting."""

    def attach(name: str) -> Result:
        own = work / name
        own.mkdir()
        server = Server(UNHELPFUL[name][0])
        return trapline(own, "attach", "--batch", "--timeout", "40", f"rfc2217://127.0.0.1:{server.port}")

    with ThreadPoolExecutor() as pool:
        runs = dict(zip(UNHELPFUL, pool.map(attach, UNHELPFUL)))
    for name, run in runs.items():
        assert run.status == 3, (name, str(run))
        assert "no hypervisor answers" in run.err and re.search(UNHELPFUL[name][1], run.err), (name, str(run))
        assert len(run.err.strip().splitlines()) == 2, (name, str(run))


@pytest.mark.parametrize("rudely", [False, True], ids=["FIN", "RST"])
def test_server_that_hangs_up(rudely: bool, work: Path) -> None:
    """One end of a connection is as good as the other to the person whose board is gone."""
    server = Server(hang_up=True, rudely=rudely)
    run = trapline(work, "attach", "--batch", "--timeout", "40", f"127.0.0.1:{server.port}")
    assert run.status == 3, str(run)
    assert "closed the line" in run.out + run.err, str(run)


@pytest.mark.parametrize("target,pattern", [
    ("/dev/no-such-tty", r"/dev/no-such-tty: No such file"),
    ("/dev/no-such-tty,9600", r"/dev/no-such-tty: No such file"),
    ("/dev/null", r"/dev/null: not a serial line"),
    ("{tty},12345", r"no such speed"),
    ("{tty},fast", r"no such speed"),
    ("{tty},", r"no such speed"),
    ("{tty},-9600", r"no such speed"),
    ("{file}", r"neither a serial device nor a socket"),
    ("{dir}", r"neither a serial device nor a socket"),
    ("unix:{dir}/none", r"none: No such file"),
    ("unix:" + "x" * 200, r"socket path is too long"),
    ("{sock}", r"Connection refused .is the machine running"),
    ("localhost:1", r"localhost:1: Connection refused"),
    ("localhost:99999", r"localhost:99999: "),
    ("localhost:http-alt-none", r"localhost:http-alt-none: "),
    ("no-such-host.invalid:5555", r"no-such-host\.invalid:5555: "),
    ("localhost", r"expected HOST:PORT"),
    (":", r"expected HOST:PORT"),
    ("rfc2217://localhost", r"expected HOST:PORT"),
    ("rfc2217://localhost:1,x", r"speed is no number"),
    ("rfc2217://localhost:1", r"Connection refused"),
    ("x" * 5000, r"too long|expected HOST:PORT"),
    ("", r"."),
], ids=lambda value: str(value)[:40])
def test_targets_that_are_none(target: str, pattern: str, work: Path) -> None:
    leader, follower = pty.openpty()
    plain = work / "plain.log"
    plain.write_text("a log\n")
    dead = Path("/tmp") / f"tl-dead-{os.getpid()}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    try:
        full = target.format(tty=os.ttyname(follower), file=plain, dir=work, sock=dead)
        run = trapline(work, "attach", "--batch", "--timeout", "20", full, timeout=30)
    finally:
        dead.unlink()
        os.close(leader)
        os.close(follower)
    assert run.status in (2, 3), str(run)
    assert re.search(pattern, run.err), str(run)
    assert len(run.err.strip().splitlines()) == 1, str(run)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody who may not")
@pytest.mark.parametrize("held", [False, True], ids=["no-permission", "in-use"])
def test_line_that_is_not_given(held: bool, work: Path) -> None:
    """Without the right to it; or held by another program, with which it would share the bytes."""
    leader, follower = pty.openpty()
    name = os.ttyname(follower)
    os.chmod(name, 0o666 if held else 0)
    if held:
        fcntl.ioctl(follower, termios.TIOCEXCL)
    # The tree may be where nobody else can look.
    program = Path("/tmp") / f"tl-nobody-{os.getpid()}"
    program.write_bytes(TRAPLINE.read_bytes())
    program.chmod(0o755)
    try:
        run = subprocess.run([str(program), "attach", "--batch", "--timeout", "10", name], text=True, cwd="/",
                             env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             user=65534, group=65534, extra_groups=[], timeout=30)
    finally:
        program.unlink()
        os.close(leader)
        os.close(follower)
    assert run.returncode == 3, run
    assert re.search("busy .another program has it" if held else "Permission denied .*dialout", run.stderr), run
