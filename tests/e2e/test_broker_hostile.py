# SPDX-License-Identifier: GPL-3.0-or-later
"""What may come to the broker's port besides one well-behaved GDB."""

from __future__ import annotations

import socket
from pathlib import Path

import machine
import pytest
from line_cost import broker, waiting


def packet(text: str) -> bytes:
    return f"${text}#{sum(text.encode()) & 0xff:02x}".encode()


def ask(sock: socket.socket, data: bytes, until: bytes = b"#") -> bytes:
    sock.sendall(data)
    got = b""
    while until not in got:
        more = sock.recv(4096)
        if not more:
            break
        got += more
    return got


def test_strangers_on_the_port(work: Path) -> None:
    with waiting(work, machine.PLATFORMS["qemu-svm"], "spin_cli") as line, broker(work, line) as (port, console):
        knocker = socket.create_connection(("127.0.0.1", port), timeout=20)  # never says a word
        first = socket.create_connection(("127.0.0.1", port), timeout=20)
        first.sendall(b"GET / HTTP/1.0\r\n\r\n\x00\xff-$m0,4#00")  # no packet of GDB's in it
        assert b"PacketSize" in ask(first, packet("qSupported:swbreak+"))
        second = socket.create_connection(("127.0.0.1", port), timeout=20)
        assert b"E.busy: another GDB is connected" in ask(second, packet("qSupported"))
        assert b"$#00" in ask(first, packet(""), b"#00")  # an empty packet resumes nothing
        assert b"E.too-long" in ask(first, packet("m" + "0" * 9000))
        console.sendline("continue")
        console.expect_exact("GDB is connected and decides when the guest runs")
        first.sendall(b"$m1000")  # and is gone in the middle of it
        first.close()
        console.expect_exact("[GDB has closed its connection]")
        third = socket.create_connection(("127.0.0.1", port), timeout=20)
        assert b"$T" in ask(third, packet("?"))
        for sock in (knocker, second, third):
            sock.close()


@pytest.mark.parametrize("leave", ["D", "vanish"])
def test_leaving_while_the_guest_runs(work: Path, leave: str) -> None:
    """The stub takes no `z` then: what GDB leaves behind is taken out at the next stop, whoever has come since."""
    with waiting(work, machine.PLATFORMS["qemu-svm"], "spin_cli") as line, broker(work, line) as (port, console):
        first = socket.create_connection(("127.0.0.1", port), timeout=20)
        assert b"PacketSize" in ask(first, packet("qSupported:swbreak+"))
        assert b"$OK#9a" in ask(first, packet("Z0,100000,1"))  # never executed
        first.sendall(packet("vCont;c"))
        if leave == "D":
            assert b"$OK#9a" in ask(first, packet("D"), b"$OK#9a")
        first.close()
        console.expect(r"\[GDB has (detached|closed)")
        second = socket.create_connection(("127.0.0.1", port), timeout=20)
        assert b"$T02" in ask(second, packet("?"))
        second.sendall(packet("qRcmd," + b"breaks".hex()))
        console.expect(r"(\d+) breakpoint\(s\)")
        assert console.match.group(1) == "0"
        second.close()
