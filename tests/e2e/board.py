# SPDX-License-Identifier: GPL-3.0-or-later
"""A board on a bench: QEMU that outlives the console, its UART behind what real boards have."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from machine import HV


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Board:
    """`serial` is QEMU's word for the UART's other end; {sock} is a path for a unix socket."""

    def __init__(self, guest: Path, serial: str = "unix:{sock},server=on,wait=off", hv: str = "wait") -> None:
        # Short: a socket's path has 107 bytes.
        self.dir = Path(tempfile.mkdtemp(prefix="tl-board-"))
        self.sock = self.dir / "uart"
        self.others: list[subprocess.Popen[bytes]] = []
        self.said = self.dir / "qemu.txt"
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", "pc,smm=off", "-accel", "tcg", "-cpu", "max", "-m", "256",
             "-display", "none", "-nodefaults", "-no-reboot", "-serial", serial.format(sock=self.sock),
             "-kernel", str(HV), "-initrd", str(guest), "-append", hv],
            stdin=subprocess.DEVNULL, stdout=open(self.said, "wb"), stderr=subprocess.STDOUT)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: type[BaseException] | None, what: BaseException | None,
                 trace: TracebackType | None) -> None:
        for process in [*self.others, self.qemu]:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def until(self, ready: Path) -> Path:
        end = time.monotonic() + 20
        while not ready.exists():
            assert time.monotonic() < end, f"{ready} did not come: {self.said.read_text()}"
            time.sleep(0.05)
        return ready

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=open(self.dir / "more.txt", "ab"),
                                   stderr=subprocess.STDOUT)
        self.others.append(process)
        return process

    def pty_of_qemu(self) -> str:
        """For serial="pty": the device that QEMU says it has made."""
        end = time.monotonic() + 20
        while True:
            found = re.search(r"redirected to (\S+)", self.said.read_text())
            if found:
                return found[1]
            assert time.monotonic() < end, self.said.read_text()
            time.sleep(0.05)

    def tty(self) -> Path:
        """The socket as a serial device, by socat; the process is others[-1]."""
        path = self.dir / "tty"
        self.until(self.sock)
        self.run("socat", f"PTY,link={path},raw,echo=0", f"UNIX-CONNECT:{self.sock}")
        return self.until(path)

    def ser2net(self, tty: Path, accepter: str = "telnet(rfc2217),tcp") -> int:
        port = free_port()
        config = self.dir / "ser2net.yaml"
        config.write_text(
            "%YAML 1.1\n---\n"
            f"connection: &board\n  accepter: {accepter},localhost,{port}\n"
            f"  connector: serialdev,{tty},115200n81,local\n  options:\n    kickolduser: true\n")
        ser2net = shutil.which("ser2net") or "/usr/sbin/ser2net"
        assert os.access(ser2net, os.X_OK), "ser2net is missing: tools/deps installs it"
        self.run(ser2net, "-n", "-c", str(config), "-P", str(self.dir / "ser2net.pid"))
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("localhost", port), timeout=1).close()
                return port
            except OSError:
                assert time.monotonic() < end, (self.dir / "more.txt").read_text()
                time.sleep(0.1)
