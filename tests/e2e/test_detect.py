# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the other end of the line is told from the bytes alone: people, modems, GDB, the link.

A guest that echoes its console shows what was taken for typed text. Whatever came before, and however the
client before ended, the guest runs on and the next client finds a clean start.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from machine import PLATFORMS, Machine, Platform, symbol, tiny
from wire_link import RSP, Link, frame, pairs

GREETING = "qSupported:swbreak+;hwbreak+;error-message+"


class Line:
    """Our end of the UART, byte by byte."""

    def __init__(self, sock: socket.socket, slow: float) -> None:
        self.sock = sock
        self.slow = slow
        self.seen = b""

    def put(self, data: bytes) -> None:
        self.sock.sendall(data)

    def get(self, seconds: float) -> bytes:
        """What arrives within this time, at once when something does."""
        self.sock.settimeout(seconds)
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return b""
        self.seen += data
        return data

    def wait(self, pattern: bytes, seconds: float = 10) -> bytes:
        """Waits until it has been said since the last wait; returns all up to its end."""
        end = time.monotonic() + seconds * self.slow
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < end, f"{pattern!r} never came: {self.seen[-500:]!r}"
            self.get(0.2)
        said, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return said

    def quiet(self, seconds: float) -> bytes:
        """All that comes until nothing comes for so long."""
        while self.get(seconds):
            pass
        said, self.seen = self.seen, b""
        return said

    def types(self, text: bytes) -> None:
        """A person at a terminal: the guest must echo just that."""
        self.put(text)
        self.wait(re.escape(text))

    def packet(self, payload: str, answer: bytes, seconds: float = 10) -> bytes:
        """A bare packet, and its reply's payload, which must match."""
        self.put(packet(payload))
        return self.wait(rb"\$" + answer + rb"#[0-9a-f]{2}", seconds)


def packet(payload: str) -> bytes:
    return b"$%s#%02x" % (payload.encode(), sum(payload.encode()) & 0xFF)


@contextmanager
def machine(work: Path, platform: Platform, hv: str = "", guest: str = "console_echo") -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        vm = Machine(work, platform, tiny(guest), hv=hv, serial=f"tcp:{port}", sync="slowdown", limit=100)
        with vm:
            listener.settimeout(vm.limit)
            sock = listener.accept()[0]
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with sock:
                line = Line(sock, platform.slow)
                line.wait(rb"guest \w+: start\r\n" if hv != "wait" else rb"tl: .*(wait|stopp)", 60)
                yield line


def link_of(line: Line, nonce: int) -> Link:
    line.quiet(0.3)
    link = Link(line.sock)
    link.open(nonce, limit=30)
    return link


def runs(line: Line, link: Link) -> None:
    """The guest runs: what is typed through the link comes back."""
    link.ask("Qtl.console:" + b"ping".hex(), limit=60)
    end = time.monotonic() + 30 * line.slow
    while b"ping" not in link.log:
        assert time.monotonic() < end, bytes(link.log)
        link._take(0.2)


def test_people_and_noise_are_text(work: Path, platform: Platform) -> None:
    """Nothing that people, modems and dying programs say wakes the debugger."""
    with machine(work, platform) as line:
        for text in (b"\r", b"help\r", b"\x03", b"echo $HOME $(id) $#\r", b"+++ATH0\r", b"\x1b[A\x7f\x00\xff",
                     b"$g#00", b"$m1000,4", b"+", b"-\r", bytes(range(0x80, 0x100))):
            line.types(text)
            assert b"$" not in line.quiet(0.3)
        # Frames that are none: a flag with something behind it comes back as text, without the flag.
        line.put(b"\x1ekey")
        line.wait(b"key")
        line.put(b"\x1e" + b"y" * 600)
        line.wait(b"y" * 600)
        line.put(b"\x1e" + bytes([0x11, 0, 0]) + b"zz" + b"\x1e")  # a CRC that is wrong
        line.quiet(1)
        line.types(b"still a terminal\r")


def test_bare_behind_noise(work: Path, platform: Platform) -> None:
    """GDB's first packet in the middle of rubbish; then half a packet and silence, then the link."""
    with machine(work, platform) as line:
        line.put(b"\x00\xf8noise$$q#1+" + packet(GREETING))
        assert b"PacketSize=1000" in line.wait(rb"\+\$[^#]*#[0-9a-f]{2}")
        line.put(b"+")
        # 0x03 alone stops the guest only because somebody has greeted.
        line.put(packet("?"))
        line.wait(rb"\$T02[^#]*#..")
        line.put(b"+")
        line.packet("qAttached", b"1")
        line.put(b"rubbish\xff" + packet("qAttached")[:-1] + b"!")  # a bad checksum
        line.wait(rb"-")
        line.packet("qAttached", b"1")
        # GDB dies within a packet. Whoever comes next gets in.
        line.put(b"+$m1000,")
        time.sleep(0.5)
        link = link_of(line, 0x600D)
        assert pairs(link.ask("qtl.state"))["state"] == "stopped"
        link.close()
        line.types(b"the guest runs\r")
        line.put(b"+" + packet(GREETING))  # and bare again, on the line where the link was
        line.wait(rb"PacketSize=1000")
        line.put(packet("D"))
        line.wait(rb"\$OK#9a")
        line.types(b"and on\r")


def test_hello_in_the_middle_of_bare(work: Path, platform: Platform) -> None:
    """A link client takes the line over from a bare one; nothing of the first one is left."""
    with machine(work, platform) as line:
        line.put(packet(GREETING))
        line.wait(rb"PacketSize=1000")
        line.packet("?", rb"T02[^#]*")
        line.packet(f"Z1,{symbol(tiny('console_echo'), 'poll'):x},1", b"OK")
        link = link_of(line, 0xA11CE)
        assert pairs(link.ask("qtl.state"))["state"] == "stopped"
        link.send(b"vCont;c")  # runs: the breakpoint in its loop is gone
        runs(line, link)
        assert not link.replies, link.replies
        link.close()
        line.types(b"text\r")


@pytest.mark.parametrize("option", ["go", "stop"])
def test_client_vanishes(work: Path, platform: Platform, option: str) -> None:
    """No goodbye, a breakpoint set, a stopped guest: after the silence it runs, or stands, as it was told."""
    with machine(work, platform) as line:
        link = link_of(line, 0x0DD)
        assert link.ask("?").startswith(b"T02")
        assert link.ask(f"Z1,{symbol(tiny('console_echo'), 'poll'):x},1") == b"OK"
        assert link.ask(f"Qtl.option:on-disconnect={option}") == b"OK"
        assert link.ask("Qtl.option:link-timeout=5dc") == b"OK"  # 1.5 s
        line.quiet(3 * line.slow)
        line.put(b"is anybody in?\r")
        said = line.quiet(2)
        assert (b"is anybody in?\r" in said) == (option == "go"), said
        again = link_of(line, 0x0DE)
        assert pairs(again.ask("qtl.state"))["state"] == ("running" if option == "go" else "stopped")
        if option == "stop":
            again.send(b"vCont;c")
        runs(line, again)
        assert not again.replies, again.replies  # no breakpoint, no stop
        assert again.ask("Qtl.option:link-timeout=0") == b"OK"


@pytest.mark.parametrize("option", ["go", "stop"])
def test_event_that_stops_for_nobody(work: Path, platform: Platform, option: str) -> None:
    """An event outlives its client. Under `go` it is told and the guest goes on; under `stop` it waits."""
    with machine(work, platform) as line:
        link = link_of(line, 0x0DF)
        assert link.ask("?").startswith(b"T02")
        assert link.ask(f"Qtl.option:on-disconnect={option}") == b"OK"
        event = link.ask("Qtl.event.add:kinds:io-in;")
        assert event.startswith(b"event:"), event
        assert link.ask("D") == b"OK"  # lets it go, whatever the option says
        link.close()
        said = line.quiet(2 * line.slow)
        line.put(b"is anybody in?\r")
        said += line.quiet(2)
        assert (b"is anybody in?\r" in said) == (option == "go"), said
        told = b"hit (io-in), nobody is attached: the guest goes on"
        # Told once; a frame of it that met the BYE comes again as text.
        assert said.split(b"\x1e")[-1].count(told) == (option == "go"), said
        again = link_of(line, 0x0E0)
        if option == "stop":
            assert pairs(again.ask("qtl.state"))["state"] == "stopped"
            assert b"tl.event:1;" in again.ask("?")
        assert int(pairs(again.ask("qtl.events").split(b"|")[1])["hits"], 16) > 0
        assert again.ask("Qtl.event.del:all") == b"OK"


def test_old_session_is_told(work: Path, platform: Platform) -> None:
    """A client that slept through its session's end hears so at its first word, and is not believed."""
    with machine(work, platform) as line:
        link = link_of(line, 0x51EE9)
        assert link.ask("Qtl.option:link-timeout=3e8") == b"OK"
        line.quiet(2.5 * line.slow)
        line.put(frame(link.session, bytes([0x10 | RSP, link.seq, link.expected]) + b"vCont;s:1"))
        said = line.quiet(1)
        assert said in [frame(link.session, bytes([0x50, 0, n])) for n in range(16)], said  # BYE
        line.types(b"a terminal again\r")


def test_two_clients_at_once(work: Path, platform: Platform) -> None:
    """The second one's HELLO takes over; what the first one says from then on is not executed."""
    with machine(work, platform, hv="wait") as line:
        first = link_of(line, 0xF125)
        before = int.from_bytes(bytes.fromhex(first.ask("p1").decode()), "little")
        second = link_of(line, 0x5EC0)
        for _ in range(5):
            value = (before + 1).to_bytes(8, "little").hex()
            body = bytes([0x10 | RSP, first.seq, first.expected]) + f"P1={value}".encode()
            line.put(frame(first.session, body))
            assert int.from_bytes(bytes.fromhex(second.ask("p1").decode()), "little") == before
        assert pairs(second.ask("qtl.state"))["state"] == "stopped"


def test_break_condition_is_no_byte(work: Path) -> None:
    """A BREAK (telnet's IAC BRK to QEMU's UART) reaches nobody: neither the guest nor a packet."""
    platform = PLATFORMS["qemu-svm"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    vm = Machine(work, platform, tiny("console_echo"), serial=f"telnet:{port}", limit=60)
    with vm:
        sock = connect(port)
        with sock:
            line = Line(sock, 1)
            line.wait(rb"guest console_echo: start\r\n", 30)
            line.types(b"before\r")
            line.quiet(0.3)
            for _ in range(3):
                line.put(b"\xff\xf3")  # IAC BREAK
                time.sleep(0.1)
            assert line.quiet(0.5) == b""
            line.types(b"after\r")
            line.put(packet(GREETING)[:9] + b"\xff\xf3" + packet(GREETING)[9:])
            line.wait(rb"PacketSize=1000")


def connect(port: int) -> socket.socket:
    end = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.1)


FLOOD_LINE = b"flood 0x%08x the quick brown fox jumps over it\r\n"


def numbered(text: bytes) -> list[int]:
    """The whole lines of the flood that arrived."""
    return [int(n, 16) for n in re.findall(FLOOD_LINE.replace(b"%08x", b"([0-9a-f]{8})"), text)]


def test_flood_while_commands_run(work: Path, platform: Platform) -> None:
    """The guest talks at full rate; commands are answered meanwhile, and not a byte is missing."""
    with machine(work, platform) as line:
        link = link_of(line, 0xF100D)
        link.ask("Qtl.console:7e")
        asked = 0
        end = time.monotonic() + 120 * line.slow
        while b"flood over" not in link.log:
            assert link.ask(f"qtl.echo:{asked & 0xFF:02x}") == b"%02x" % (asked & 0xFF)
            asked += 1
            assert time.monotonic() < end, f"{asked} answers, {bytes(link.log[-200:])!r}"
        assert numbered(bytes(link.log)) == list(range(400)), "lines are missing or double"
        counters = pairs(link.ask("qtl.line"))
        assert counters["dropped"] == "0", counters
        print(f"{platform.name}: {asked} commands answered during 400 lines; {counters}")
        assert asked >= 5


def test_flood_at_a_stuck_reader(work: Path) -> None:
    """Nobody reads: the guest goes on all the same; what it lost is counted where it is missing."""
    platform = PLATFORMS["qemu-svm"]
    with machine(work, platform) as line:
        link = link_of(line, 0x57CC)
        assert link.ask("Qtl.option:link-timeout=0") == b"OK"
        link.ask("Qtl.console:7e")
        time.sleep(6)  # not a byte is taken, not one acknowledged
        end, heard, arrived = time.monotonic() + 150, 0.0, 0
        while b"flood over" not in link.log:
            assert time.monotonic() < end, bytes(link.log[-300:])
            link._ack(poll=True)
            link._take(0.2)
            if len(link.log) != arrived:
                arrived, heard = len(link.log), time.monotonic()
            elif time.monotonic() - heard > 8:
                break  # the end of it was dropped, too
        assert len(numbered(bytes(link.log))) < 400, "nothing was dropped: nothing was tested"
        runs(line, link)  # and the last notice has time to come
        counters = pairs(link.ask("qtl.line", limit=60))
        told = sum(int(pairs(event)["log"], 16) for event in link.events if event.startswith(b"t:lost;"))
        assert told and int(counters["dropped"], 16) == told, (told, counters)
        # Every byte that the guest sent has arrived, or is in that number.
        console = re.sub(rb"\[ *\d+\.\d+\] tl: [^\n]*\n", b"", bytes(link.log))
        sent = 400 * len(FLOOD_LINE % 0) + len(b"guest console_echo: flood over\r\n")
        assert len(console) - len(b"ping") + told == sent, (len(console), told, sent)
