# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded sessions: what a stub said to GDB, kept as text, and a server that says it again.

A file is lines `> PACKET` and `< REPLY`, bytes beyond ASCII as \\xNN. Equal packets get their replies in the
order of the recording, the last one from then on. Console output is not kept. To record anew:
`/usr/bin/python3 tests/gdb/recorded.py qemu-svm|bochs-vmx`.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "recorded"
_PACKET = re.compile(rb"\$([^#]*)#[0-9a-f]{2}|\x03", re.DOTALL)


def frame(body: bytes) -> bytes:
    return b"$" + body + b"#%02x" % (sum(body) & 0xFF)


def to_line(body: bytes) -> str:
    return body.decode("latin-1").encode("unicode_escape").decode("ascii")


def from_line(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


class Replay:
    """A stub made of a recording. `missed` are packets that it has no reply for (answered as unknown)."""

    def __init__(self, path: Path) -> None:
        self.replies: dict[bytes, list[bytes]] = {}
        self.missed: list[bytes] = []
        packet = b""
        for line in path.read_text().split("\n"):
            if line.startswith("> "):
                packet = from_line(line[2:])
                self.replies.setdefault(packet, [])
            elif line.startswith("< "):
                self.replies[packet].append(from_line(line[2:]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Replay":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        self.thread.join(5)

    def _reply(self, packet: bytes) -> bytes:
        known = self.replies.get(packet, [])
        if not known:
            self.missed.append(packet)
            return b""
        return known.pop(0) if len(known) > 1 else known[0]

    def _serve(self) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        with client:
            pending = b""
            while True:
                got = client.recv(4096)
                if not got:
                    return
                pending += got
                while match := _PACKET.search(pending):
                    pending = pending[match.end() :]
                    if match[1] is not None:
                        client.sendall(b"+" + frame(self._reply(match[1])))


class Recorder:
    """Stands between GDB and a stub and writes what a Replay reads."""

    def __init__(self, path: Path, stub_port: int) -> None:
        self.path = path
        self.stub_port = stub_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.lines: list[str] = []
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Recorder":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.join(10)
        self.listener.close()
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("\n".join(self.lines) + "\n")

    def _pump(self, source: socket.socket, sink: socket.socket, mark: str) -> None:
        pending = b""
        while got := source.recv(4096):
            pending += got
            while match := _PACKET.search(pending):
                pending = pending[match.end() :]
                console = mark == "<" and re.match(rb"O[0-9a-f]", match[1] or b"")
                if match[1] is not None and not console:
                    self.lines.append(f"{mark} {to_line(match[1])}")
            sink.sendall(got)  # only now: what it answers is noted behind it
        sink.close()

    def _serve(self) -> None:
        client, _ = self.listener.accept()
        stub = socket.create_connection(("127.0.0.1", self.stub_port))
        back = threading.Thread(target=self._pump, args=(stub, client, "<"), daemon=True)
        back.start()
        try:
            self._pump(client, stub, ">")
        except OSError:
            pass


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "e2e"))
    import machine
    from line_proxy import LineProxy
    from machine import Machine, tiny
    from test_recorded import COMMANDS

    from gdb_session import gdb

    platform = machine.PLATFORMS[sys.argv[1]]
    work = machine.BUILD / "e2e" / "record"
    work.mkdir(parents=True, exist_ok=True)
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, tiny("long_mode"), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), vm.tail()
            with Recorder(FOLDER / f"{platform.name}.rsp", line.client_port) as recorder:
                said = gdb(f"target remote localhost:{recorder.port}", *COMMANDS)
    (FOLDER / f"{platform.name}.txt").write_text(said.text)
    print(said.text)


if __name__ == "__main__":
    main()
