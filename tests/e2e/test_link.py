# SPDX-License-Identifier: GPL-3.0-or-later
"""The link layer against the hypervisor itself, by a client written from the document.

What counts: under a line that damages one byte in 400 every command is executed exactly once. A sled
of `inc` instructions tells: after N steps RBX and RIP must both have moved by N.
"""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

from machine import Machine, Platform, tiny
from wire_link import Hostile, Link, pairs

SLED, STEPS = 0x300000, 150
REG_RBX, REG_RIP = 1, 16


class Attached:
    """A machine that waits before its first instruction, its UART on a socket of ours."""

    def __init__(self, work: Path, platform: Platform) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        self.vm = Machine(work, platform, tiny("cpuid_loop"), hv="wait", serial=f"tcp:{port}", limit=90)

    def __enter__(self) -> socket.socket:
        self.vm.start()
        self.listener.settimeout(self.vm.limit)
        self.line = self.listener.accept()[0]
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seen = b""
        self.line.settimeout(self.vm.limit)
        while not re.search(rb"tl: .*(wait|stopped)", seen):
            data = self.line.recv(4096)
            assert data, f"the machine ended: {seen!r}"
            seen += data
        time.sleep(0.3)
        return self.line

    def __exit__(self, *_: object) -> None:
        self.line.close()
        self.listener.close()
        self.vm.stop()


def register(link: Link, number: int) -> int:
    return int.from_bytes(bytes.fromhex(link.ask(f"p{number:x}").decode()), "little")


def set_register(link: Link, number: int, value: int) -> None:
    assert link.ask(f"P{number:x}={value.to_bytes(8, 'little').hex()}") == b"OK"


def test_hello_and_channels(work: Path, platform: Platform) -> None:
    with Attached(work, platform) as line:
        link = Link(line)
        link.open(0x1234567)
        hello = pairs(link.ask("qtl.hello"))
        assert hello["protocol"] == "1" and hello["vendor"] == platform.backend, hello
        assert hello["state"] == "stopped", hello
        assert hello["efer"] == ("vmcb" if platform.backend == "svm" else "area"), hello
        first = pairs(link.ask("qtl.exit"))  # the guest has not run yet
        assert first["kind"] == "none" and first["name"] == "-" and first["number"] == "0", first
        assert link.ask("qtl.echo:c0ffee") == b"c0ffee"
        assert link.ask("qtl.nonsense") == b""
        assert link.ask("qtl.field:guest_rip").startswith(b"number:")
        assert link.ask("qtl.field:gest_rip").startswith((b"E.no-field", b"E0"))
        # A long answer comes in fragments: the whole target description.
        xml = link.ask("qXfer:features:read:target.xml:0,ffb")
        assert xml[:1] == b"l" and xml.endswith(b"</target>"), xml[-80:]
        assert link.ask("Qtl.option:on-disconnect=stop") == b"OK"
        rip = register(link, REG_RIP)
        link.close()
        # A new client finds a clean start, and the guest where it was left.
        again = Link(line)
        again.open(0x7654321)
        assert again.ask("qtl.echo:01") == b"01"
        assert pairs(again.ask("qtl.state"))["state"] == "stopped"
        assert register(again, REG_RIP) == rip
        # One that vanishes without a word is replaced as well.
        third = Link(line)
        third.open(0x1112223)
        assert register(third, REG_RIP) == rip


def test_stop_that_nobody_waits_for(work: Path, platform: Platform) -> None:
    """The client let the guest go and keeps the line; what stops it then is told on EVENTS."""
    with Attached(work, platform) as line:
        link = Link(line)
        link.open(0x2345671)
        assert link.ask("Qtl.event.add:kinds:cpuid;") == b"event:1;"
        assert link.ask("D") == b"OK"
        assert link.wait_event() == b"t:state;state:stopped;"
        assert link.ask("?").startswith(b"T05")
        assert pairs(link.ask("qtl.exit"))["kind"] == "cpuid"
        assert not link.events and not link.replies


def test_every_step_once_on_a_bad_line(work: Path, platform: Platform) -> None:
    with Attached(work, platform) as line:
        vices = Hostile(seed=5, one_in=400)
        link = Link(line, vices)
        link.open(0x55AA55)
        assert link.ask(f"M{SLED:x},c8:" + "43" * 0xC8) == b"OK"  # inc %ebx
        set_register(link, REG_RBX, 0)
        set_register(link, REG_RIP, SLED)
        for n in range(1, STEPS + 1):
            stop = link.ask("vCont;s:1")
            assert stop.startswith(b"T05"), (n, stop)
            rip = re.search(rb"10:([0-9a-f]{16});", stop)
            assert rip and int.from_bytes(bytes.fromhex(rip[1].decode()), "little") == SLED + n, (n, stop)
        assert register(link, REG_RBX) == STEPS
        assert register(link, REG_RIP) == SLED + STEPS
        counters = pairs(link.ask("qtl.line"))
        print(
            f"{STEPS} steps, {vices.damaged} damaged bytes: {link.resent} frames sent again here,"
            f" {link.bad} bad ones seen; the hypervisor says {counters}"
        )
        assert vices.damaged > 20 and link.resent > 0
        assert int(counters["badcrc"], 16) > 0, counters
