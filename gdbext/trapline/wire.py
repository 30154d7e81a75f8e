# SPDX-License-Identifier: GPL-3.0-or-later
"""Our packets over GDB's own connection, and what they answer as typed data.

The grammar is protocol/README.md, "Our own packets". Views of the data are view.py's matter.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from typing import Iterator

import gdb

from . import tables

CPU_MODES = ("real", "vm86", "prot16", "prot32", "compat16", "compat32", "long")
MODE_BITS = {"real": 16, "vm86": 16, "prot16": 16, "compat16": 16, "prot32": 32, "compat32": 32, "long": 64}
KIND_WORDS = [word for _, word, _ in tables.EXIT_KINDS]
_XFER_BYTES = 0xF00


class TargetError(gdb.GdbError):
    """The target refused; `name` is a row of protocol/errors.def, "" when it said something else."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class NotOurs(TargetError):
    """The target does not know our packets."""

    def __init__(self) -> None:
        super().__init__("", "the target is not Trapline's stub: it does not know our packets")


# ---- packets -------------------------------------------------------------------------------------


def connection() -> gdb.RemoteTargetConnection:
    """GDB's connection, fit for a packet now; GdbError in one line otherwise."""
    conn = gdb.selected_inferior().connection
    if not isinstance(conn, gdb.RemoteTargetConnection):
        raise gdb.GdbError("not attached: `target remote HOST:PORT` first")
    thread = gdb.selected_thread()
    if thread is not None and thread.is_running():
        raise gdb.GdbError("the guest is running; `interrupt` (or ^C) stops it")
    return conn


def send(packet: str | bytes) -> bytes:
    """One packet, its reply. NotOurs for the empty reply, TargetError for an error."""
    conn = connection()
    _choose_cpu()
    try:
        reply: bytes | None = conn.send_packet(packet)
    except gdb.error as error:
        raise gdb.GdbError(f"the line to the machine is lost: {error}") from None
    if not reply:
        raise NotOurs()
    if reply.startswith(b"E."):
        name, _, text = reply[2:].decode("ascii", "replace").partition(":")
        raise TargetError(name, text.strip() or name)
    if re.fullmatch(rb"E[0-9a-f]{2}", reply):
        row = int(reply[1:], 16) - 1
        name, text = tables.ERRORS[row] if 0 <= row < len(tables.ERRORS) else ("", reply.decode())
        raise TargetError(name, text)
    return reply


def _choose_cpu() -> None:
    """Packets act on the vCPU of GDB's last `Hg`. GDB sends that when it needs to, a memory read being one
    need: so that it and we never disagree, it is made to."""
    inferior = gdb.selected_inferior()
    if len(inferior.threads()) > 1:
        try:
            inferior.read_memory(0, 1)
        except gdb.error:
            pass  # the choice comes before the read


def ask(packet: str) -> str:
    return send(packet).decode("ascii", "replace")


def act(packet: str) -> dict[str, str]:
    """An action; what GDB has cached of the guest is forgotten."""
    try:
        return pairs(ask(packet))
    finally:
        forget()


def forget() -> None:
    """The guest's state was changed behind GDB's back."""
    gdb.execute("maintenance flush register-cache", to_string=True)
    gdb.execute("maintenance flush dcache", to_string=True)


def text_object(name: str, annex: str = "") -> str:
    """The whole text of qXfer:tl.NAME."""
    text = b""
    while True:
        reply = send(f"qXfer:tl.{name}:read:{annex}:{len(text):x},{_XFER_BYTES:x}")
        text += re.sub(rb"(?s)\}(.)", lambda m: bytes([m[1][0] ^ 0x20]), reply[1:])
        if reply[:1] != b"m":
            return text.decode("utf-8", "replace")


def pairs(text: str) -> dict[str, str]:
    found = {}
    for part in text.split(";"):
        key, colon, value = part.partition(":")
        if colon:
            found[key] = value
    return found


def records(reply: str) -> tuple[dict[str, str], list[str]]:
    """Head pairs and the records behind them."""
    head, *rest = reply.split("|")
    return pairs(head), rest


def paged(packet: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """All pages of a list: `next` says where to ask on."""
    at = ""
    while True:
        head, rest = records(ask(packet + at))
        yield head, rest
        if "next" not in head or f":{head['next']}" == at:
            return
        at = f":{head['next']}"


def number(values: dict[str, str], key: str, default: int = 0) -> int:
    try:
        return int(values[key], 16)
    except (KeyError, ValueError):
        return default


# ---- typed results -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    vendor: str
    platform: str
    cpus: int
    efer_where: str
    caps: tuple[str, ...]


@dataclass(frozen=True)
class Exit:
    """The last exit. `extra` is what its kind has: numbers, and words as they came."""

    kind: str
    number: int
    reason: int
    name: str
    info1: int
    info2: int
    len_bytes: int
    rip: int
    cs: int
    mode: str
    stage: str
    verdict: str
    insn: bytes
    extra: dict[str, int | str] = field(default_factory=dict)

    def get(self, key: str) -> int | str:
        """By the key of the wire, or of `extra`."""
        named: dict[str, int | str] = {
            "kind": self.kind, "number": self.number, "reason": self.reason, "name": self.name,
            "info1": self.info1, "info2": self.info2, "qual": self.info1, "len": self.len_bytes,
            "rip": self.rip, "cs": self.cs, "mode": self.mode, "stage": self.stage,
            "verdict": self.verdict,
        }  # fmt: skip
        named.update(self.extra)
        if key not in named:
            raise gdb.GdbError(f"exit {self.kind} has no `{key}`; it has {', '.join(sorted(named))}")
        return named[key]


@dataclass(frozen=True)
class Field:
    number: int
    name: str
    value: int
    text: str = ""


@dataclass(frozen=True)
class AreaEntry:
    slot: int
    index: int
    value: int


@dataclass(frozen=True)
class MsrArea:
    where: str
    entries: tuple[AreaEntry, ...]


@dataclass(frozen=True)
class Msr:
    index: int
    guest: int | None  # None: RDMSR raises #GP
    where: str
    hw: int | None


@dataclass(frozen=True)
class Faces:
    """A control register: what the guest wrote, what it reads, what the CPU holds."""

    wrote: int
    read: int
    real: int


@dataclass(frozen=True)
class Controls:
    cr0: Faces
    cr4: Faces
    efer: Faces
    efer_where: str
    cr2: int
    cr3: int
    ia32e: bool
    mode: str


@dataclass(frozen=True)
class WalkEntry:
    table: str
    level: int
    at: int
    entry: int


@dataclass(frozen=True)
class Walk:
    mode: str
    result: str
    gpa: int | None
    page_bytes: int | None
    rights: str
    nested: str
    hpa: int | None
    entries: tuple[WalkEntry, ...]


@dataclass(frozen=True)
class EventRow:
    id: int
    kinds: tuple[str, ...]
    stage: str
    hits: int
    once: bool
    off: bool
    why: str


@dataclass(frozen=True)
class StopReply:
    """Of the last stop reply: signal, tl.why, and what belongs to it."""

    signal: int
    why: str
    kind: str
    event: int
    stage: str
    reason: int


_RING = struct.Struct("<QQIBBH2Q3Q3QQ4QQQQII")
assert _RING.size == 160


@dataclass(frozen=True)
class RingRecord:
    tsc: int
    number: int
    reason: int
    kind: str
    verdict: int
    cs: int
    info: tuple[int, int]
    rip: int
    rsp: int
    rflags: int
    cr0: int
    cr3: int
    cr4: int
    efer: int
    gpr: tuple[int, int, int, int]  # rax rcx rdx rbx
    value: int
    event: int
    inject: int
    changed: int
    cycles: int

    @staticmethod
    def parse(raw: bytes) -> "RingRecord":
        v = _RING.unpack(raw)
        kind = KIND_WORDS[v[3]] if v[3] < len(KIND_WORDS) else "?"
        return RingRecord(
            v[0], v[1], v[2], kind, v[4], v[5], (v[6], v[7]), v[8], v[9], v[10], v[11], v[12], v[13], v[14],
            (v[15], v[16], v[17], v[18]), v[19], v[20], v[21], v[22], v[23],
        )  # fmt: skip


# ---- names ---------------------------------------------------------------------------------------


def msr_name(index: int) -> str:
    for row in tables.MSRS:
        if row[0] == index:
            return row[1]
    return ""


def msr_index(text: str) -> int:
    """A number, an MSR's name (efer, IA32_EFER), or any expression of GDB."""
    bare = re.sub(r"^(ia32|msr)_", "", text.lower())
    for index, name, manual, _ in tables.MSRS:
        if bare == name or text.upper() == manual:
            return index
    try:
        value = int(gdb.parse_and_eval(text))
    except gdb.error:
        raise gdb.GdbError(f"no MSR `{text}`") from None
    if not 0 <= value <= 0xFFFFFFFF:
        raise gdb.GdbError(f"0x{value:x} is no MSR number")
    return value


def reason_name(vendor: str, reason: int) -> str:
    rows = tables.VMX_REASONS if vendor == "vmx" else tables.SVM_EXITS
    code = reason & 0xFFFF if vendor == "vmx" else reason & 0xFFFFFFFF
    for row in rows:
        if row[0] & (0xFFFF if vendor == "vmx" else 0xFFFFFFFF) == code:
            return row[1]
    return "-"


def field_rows(vendor: str) -> list[tuple[int, int, str, str]]:
    """Number, size in bytes, name, text of the vendor's table."""
    if vendor == "svm":
        return [(offset, size, name, text) for offset, size, name, _, text in tables.VMCB_FIELDS]
    width = {"16": 2, "32": 4, "64": 8, "NAT": 8}
    return [(n, width[w], name, text) for n, w, name, _, text in tables.VMCS_FIELDS]
