# SPDX-License-Identifier: GPL-3.0-or-later
"""The other end of the line, written from protocol/README.md alone: link client and packet codec.

A second implementation keeps the document honest. It is the simplest one that the document allows:
one DATA frame under way at a time. `Hostile` damages the bytes of both directions by a seed.
"""

from __future__ import annotations

import random
import re
import socket
import time
import zlib
from collections import Counter

FLAG, ESC, STUFFED = 0x1E, 0x1D, frozenset(b"\x03\x0a\x11\x13\x1d\x1e")
DATA, ACK, HELLO, WELCOME, BYE = range(1, 6)
RSP, CONSOLE, LOG, EVENTS = range(1, 5)


class Hostile:
    """Hurts about one byte in `one_in`, by a seed: drops, doubles, flips or invents it; and, when
    asked for, cuts the line for some bytes or delays it."""

    CUT_BYTES_MAX, DELAY_SECONDS_MAX = 12, 0.03

    def __init__(self, seed: int, one_in: int, vices: str = "drop double flip invent") -> None:
        self.random = random.Random(seed)
        self.one_in = one_in
        self.vices = vices.split()
        self.count: Counter[str] = Counter()
        self._cut = 0

    @property
    def damaged(self) -> int:
        return sum(self.count.values())

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for byte in data:
            if self._cut:
                self._cut -= 1
                continue
            if not self.one_in or self.random.randrange(self.one_in):
                out.append(byte)
                continue
            vice = self.random.choice(self.vices)
            self.count[vice] += 1
            if vice == "double":
                out += bytes([byte, byte])
            elif vice == "flip":
                out.append(byte ^ 1 << self.random.randrange(8))
            elif vice == "invent":
                out += bytes([self.random.randrange(256), byte])
            elif vice == "cut":
                self._cut = self.random.randrange(self.CUT_BYTES_MAX)
            elif vice == "delay":
                time.sleep(self.random.random() * self.DELAY_SECONDS_MAX)
                out.append(byte)
        return bytes(out)


def crc(session: int, body: bytes) -> int:
    # zlib inverts its start value, the document's start is ~0 ^ session: so zlib's is `session`.
    return zlib.crc32(body, session)


def frame(session: int, body: bytes) -> bytes:
    out = bytearray([FLAG])
    for byte in body + crc(session, body).to_bytes(4, "little"):
        out += bytes([ESC, byte ^ 0x40]) if byte in STUFFED else bytes([byte])
    return bytes(out + bytes([FLAG]))


def decode_reply(data: bytes) -> bytes:
    """Undoes escapes and runs of packet data."""
    out = bytearray()
    at = 0
    while at < len(data):
        byte = data[at]
        if byte == ord("}"):
            at += 1
            out.append(data[at] ^ 0x20)
        elif byte == ord("*"):
            at += 1
            out += bytes([out[-1]]) * (data[at] - 29)
        else:
            out.append(byte)
        at += 1
    return bytes(out)


class Link:
    """A session over a connected socket."""

    def __init__(self, line: socket.socket, vices: Hostile | None = None) -> None:
        self.line = line
        self.vices = vices or Hostile(0, 0)
        self.session = 0
        self.seq = self.expected = 0
        self.acked = 0
        self.inside = bytearray()
        self.parts: dict[int, bytearray] = {n: bytearray() for n in range(8)}
        self.replies: list[bytes] = []
        self.events: list[bytes] = []
        self.log = bytearray()
        self.resent = self.bad = 0

    # -- the wire --

    def _write(self, data: bytes) -> None:
        self.line.sendall(self.vices(data))

    def _frames(self, wait: float) -> list[bytes]:
        """Unstuffed bodies with their CRC that arrived within `wait` seconds."""
        self.line.settimeout(max(wait, 0.001))
        try:
            data = self.vices(self.line.recv(4096))
        except (TimeoutError, BlockingIOError):
            return []
        whole = []
        for byte in data:
            if byte != FLAG:
                self.inside.append(byte)
                continue
            if self.inside:
                raw = re.sub(rb"\x1d(.)", lambda m: bytes([m[1][0] ^ 0x40]), self.inside, flags=re.S)
                whole.append(raw)
            self.inside.clear()
        return whole

    def _ack(self, poll: bool = False) -> None:
        body = bytes([ACK << 4 | poll, 0, self.expected, 0])
        self._write(frame(self.session, body))

    def _take(self, wait: float) -> None:
        for raw in self._frames(wait):
            body = raw[:-4]
            if len(raw) < 7 or crc(self.session, body) != int.from_bytes(raw[-4:], "little"):
                self.bad += 1
                continue
            kind, seq, self.acked = body[0], body[1], body[2]
            if kind >> 4 == DATA:
                if seq == self.expected:
                    self.expected = (self.expected + 1) & 0xFF
                    self._message(kind & 7, body[3:], bool(kind & 8))
                self._ack()
            elif kind >> 4 == ACK and kind & 1:
                self._ack()

    def _message(self, channel: int, part: bytes, more: bool) -> None:
        self.parts[channel] += part
        if more:
            return
        whole = bytes(self.parts[channel])
        self.parts[channel].clear()
        if channel == RSP:
            self.replies.append(decode_reply(whole))
        elif channel in (CONSOLE, LOG):
            self.log += whole
        elif channel == EVENTS:
            self.events.append(whole)

    # -- what tests use --

    def open(self, nonce: int, limit: float = 10.0) -> None:
        hello = bytes([HELLO << 4, 0, 0, 1, 0, 0, 0]) + nonce.to_bytes(4, "little")
        end = time.monotonic() + limit
        while time.monotonic() < end:
            self._write(frame(0, hello))
            for raw in self._frames(0.25):
                body = raw[:-4]
                if len(raw) != 19 or crc(0, body) != int.from_bytes(raw[-4:], "little"):
                    continue
                client, server = (int.from_bytes(body[n : n + 4], "little") for n in (7, 11))
                if body[0] >> 4 != WELCOME or client != nonce:
                    continue
                turned = (server << 16 | server >> 16) & 0xFFFFFFFF
                self.session = (nonce ^ turned) or 1
                self._ack()
                return
        raise TimeoutError("no WELCOME")

    def send(self, packet: bytes, limit: float = 10.0) -> None:
        """Sends one message on RSP and waits until it is acknowledged."""
        assert len(packet) <= 480
        body = bytes([DATA << 4 | RSP, self.seq])
        want = (self.seq + 1) & 0xFF
        end = time.monotonic() + limit
        tries = 0
        while self.acked != want:
            if time.monotonic() > end:
                raise TimeoutError(f"{packet!r} was never acknowledged")
            self._write(frame(self.session, body + bytes([self.expected]) + packet))
            self.resent += tries > 0
            tries += 1
            until = time.monotonic() + 0.15
            while self.acked != want and time.monotonic() < until:
                self._take(until - time.monotonic())
        self.seq = want

    def ask(self, packet: str | bytes, limit: float = 20.0) -> bytes:
        """Sends a packet and returns its reply."""
        self.send(packet.encode() if isinstance(packet, str) else packet, limit)
        end = time.monotonic() + limit
        while not self.replies:
            if time.monotonic() > end:
                raise TimeoutError(f"no reply to {packet!r}")
            self._take(0.1)
        return self.replies.pop(0)

    def wait_event(self, limit: float = 20.0) -> bytes:
        """The next message on EVENTS."""
        end = time.monotonic() + limit
        while not self.events:
            if time.monotonic() > end:
                raise TimeoutError("no event")
            self._take(0.1)
        return self.events.pop(0)

    def close(self) -> None:
        for _ in range(3):
            self._write(frame(self.session, bytes([BYE << 4, 0, self.expected])))


def pairs(reply: bytes) -> dict[str, str]:
    """`key:value;...` of a reply's header as a dictionary."""
    head = reply.decode("latin-1").split("|")[0]
    return dict(p.split(":", 1) for p in head.split(";") if ":" in p)
