# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed data as lines for people. Nothing here talks to a target."""

from __future__ import annotations

import fnmatch

from . import tables, wire
from .wire import Controls, EventRow, Exit, Field, MsrArea, RingRecord, StopReply, Walk

_GROUP_OF = dict(tables.BITS_OF)


def bits(group: str, value: int) -> str:
    """"PE NE PG": the names of the set bits of a group of bits.def, "" without such a group."""
    group = _GROUP_OF.get(group, group)
    words = []
    for of, high, low, name, _ in tables.BITS:
        if of != group:
            continue
        part = value >> low & ((1 << (high - low + 1)) - 1)
        if part:
            words.append(name if high == low else f"{name}=0x{part:x}")
    return " ".join(words)


def _with_bits(group: str, value: int) -> str:
    words = bits(group, value)
    return f"0x{value:x}" + (f"  {words}" if words else "")


def register(name: str, value: int) -> str:
    if name == "cpu_mode":
        return f"{name:22} {value}  {wire.CPU_MODES[value] if value < len(wire.CPU_MODES) else '?'}"
    if name == "exit_kind":
        return f"{name:22} {value}  {wire.KIND_WORDS[value] if value < len(wire.KIND_WORDS) else '?'}"
    if name == "exit_reason":  # the table has VMX's layout only; `trapline exit` names it on both
        return f"{name:22} 0x{value:x}"
    return f"{name:22} " + _with_bits("rflags" if name == "eflags" else name, value)


def exit_line(e: Exit) -> str:
    """One line: which exit it was."""
    line = f"exit {e.number}: {e.kind}, {e.name} (reason 0x{e.reason:x})"
    if e.stage in ("before", "after") and e.kind != "none":
        line += f", {e.stage} its handler"
    line += f", at {e.cs:x}:{e.rip:x} ({e.mode})" if e.mode != "?" else f", at {e.cs:x}:{e.rip:x}"
    facts = []
    for key in ("index", "value", "old", "port", "leaf", "subleaf", "vector", "error", "gpa", "gva", "vmerror"):
        if key in e.extra:
            value = e.extra[key]
            facts.append(f"{key} 0x{value:x}" if isinstance(value, int) else f"{key} {value}")
    return line + (": " + ", ".join(facts) if facts else "")


def exit_full(e: Exit) -> str:
    lines = [exit_line(e), f"  info1 0x{e.info1:x}, info2 0x{e.info2:x}, instruction length {e.len_bytes}"]
    if e.insn:
        lines.append(f"  bytes at RIP: {e.insn.hex(' ')}")
    for key, value in e.extra.items():
        if key in ("vec", "vecerr") and not value:
            continue
        group = f"cr{e.extra.get('index')}" if e.kind.startswith("cr") and key in ("value", "old") else ""
        lines.append(f"  {key:8} " + (_with_bits(group, value) if isinstance(value, int) else value))
    return "\n".join(lines)


def stop_line(stop: StopReply, e: Exit | None) -> str:
    """What the stop handler says."""
    head = f"[trapline: {stop.why}"
    if stop.event:
        head += f" {stop.event}"
    return head + (f"; {exit_line(e)}]" if e else "]")


def fields(rows: list[Field], patterns: list[str]) -> str:
    lines = []
    for row in rows:
        if patterns and not any(_match(p, row) for p in patterns):
            continue
        lines.append(f"{row.number:4x} {row.name:28} {_with_bits(row.name, row.value)}")
    return "\n".join(lines)


def _match(pattern: str, row: Field) -> bool:
    return fnmatch.fnmatch(row.name, pattern if any(c in pattern for c in "*?") else f"*{pattern}*")


def msr_area(area: MsrArea) -> str:
    where = {"area": "VM-entry load / VM-exit store area", "vmcb": "VMCB save area: SVM has no area of its own"}
    lines = [f"guest MSRs, {where.get(area.where, area.where)}"]
    for e in area.entries:
        name = wire.msr_name(e.index)
        lines.append(f"{e.slot:2} {e.index:8x} {name:16} {_with_bits(name, e.value)}")
    return "\n".join(lines)


def controls(c: Controls) -> str:
    lines = []
    for name, faces in (("cr0", c.cr0), ("cr4", c.cr4), ("efer", c.efer)):
        lines.append(f"{name:5} wrote {_with_bits(name, faces.wrote)}")
        lines.append(f"      reads {_with_bits(name, faces.read)}")
        lines.append(f"      real  {_with_bits(name, faces.real)}")
    lines.append(f"cr2   0x{c.cr2:x}")
    lines.append(f"cr3   0x{c.cr3:x}")
    lines.append(f"mode  {c.mode}, EFER kept in {c.efer_where}")
    return "\n".join(lines)


def walk(gva: int, w: Walk) -> str:
    lines = [f"0x{gva:x}: {w.mode} paging" if w.mode != "none" else f"0x{gva:x}: paging is off"]
    for e in w.entries:
        at = "in the CPU" if e.at == 2**64 - 1 else f"at 0x{e.at:x}"
        lines.append(f"  {e.table:6} level {e.level} {at}: 0x{e.entry:x}")
    end = f"  {w.result}"
    if w.gpa is not None:
        end += f": gpa 0x{w.gpa:x}, page 0x{w.page_bytes or 0:x}, rights {w.rights}"
    if w.nested:
        end += f"; nested {w.nested}"
    if w.hpa is not None:
        end += f", hpa 0x{w.hpa:x}"
    return "\n".join(lines + [end])


_VERDICTS = {0: "", 1: " stop", 2: " dead", 0xFF: " ..."}


def ring(records: list[RingRecord]) -> str:
    lines = []
    for r in records:
        line = f"{r.number:8} {r.kind:16} {r.cs:4x}:{r.rip:<16x} reason 0x{r.reason:x}"
        if r.info != (0, 0):
            line += f" info 0x{r.info[0]:x} 0x{r.info[1]:x}"
        if r.value:
            line += f" value 0x{r.value:x}"
        lines.append(line + _VERDICTS.get(r.verdict, " ?"))
    return "\n".join(lines) or "no exit yet"


def events(rows: list[EventRow]) -> str:
    lines = []
    for e in rows:
        kinds = ",".join(e.kinds) if len(e.kinds) <= 4 else f"{len(e.kinds)} kinds"
        notes = (", once" if e.once else "") + (", disabled" if e.off else "") + (f", {e.why}" if e.why else "")
        lines.append(f"{e.id:3} {e.stage} {kinds}: {e.hits} hit(s){notes}")
    return "\n".join(lines) or "no events"


def difference(a: dict[str, int], b: dict[str, int]) -> str:
    lines = []
    for name in a.keys() | b.keys():
        if a.get(name) != b.get(name):
            group = name.split(".")[-1]
            left, right = a.get(name), b.get(name)
            words = bits(group, (left or 0) ^ (right or 0))
            values = [f"0x{v:x}" if v is not None else "-" for v in (left, right)]
            lines.append(f"{name:28} {values[0]} -> {values[1]}" + (f"  ({words})" if words else ""))
    return "\n".join(sorted(lines)) or "no difference"
