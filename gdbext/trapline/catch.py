# SPDX-License-Identifier: GPL-3.0-or-later
"""What `trapline catch`, `on()` and `until=` share: the words of an event, parsed and armed."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Callable

import gdb

from . import expr, inband, wire


@dataclass(frozen=True)
class Spec:
    """An event as the wire wants it."""

    kinds: str
    stage: str = "before"
    once: bool = False
    only: str = ""
    condition: str = ""
    actions: tuple[str, ...] = ()

    def arm(self, road: "inband.StubRoad") -> int:
        return road.event_add(
            self.kinds, self.condition, stage=self.stage, only=self.only, once=self.once, actions=self.actions
        )


def _only(text: str) -> str:
    """`0xc0000080,0x174-0x176,efer` as the wire wants it."""
    parts = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        numbers = [wire.msr_index(first.strip())] + ([wire.msr_index(last.strip())] if dash else [])
        if dash and numbers[1] < numbers[0]:
            raise gdb.GdbError(f"the range {part} ends before it begins")
        parts.append("-".join(f"{n:x}" for n in numbers))
    if len(parts) > 8:
        raise gdb.GdbError("at most 8 ranges behind `only`")
    return ",".join(parts)


def _split(text: str, separator: str) -> list[str]:
    """Splits outside of quotes and brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(text):
        if char == '"' and (at == 0 or text[at - 1] != "\\"):
            quoted = not quoted
        depth += (char in "([") - (char in ")]")
        if char == separator and not quoted and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return parts + [text[start:]]


def _action(text: str, field_number: Callable[[str], int]) -> str:
    word, _, rest = text.strip().partition(" ")
    if word in ("stop", "skip") and not rest:
        return word
    if word == "log":
        literal, *values = [part.strip() for part in _split(rest, ",")]
        try:
            format_text = ast.literal_eval(literal)
        except (SyntaxError, ValueError):
            format_text = None
        if isinstance(format_text, str) and literal.startswith('"'):
            return "log," + expr.compile_log(format_text, values, field_number)
        raise gdb.GdbError('log takes "FORMAT", EXPR...')
    if word == "set":
        target, equals, value = rest.partition("=")
        if not equals or not target.strip():
            raise gdb.GdbError("set takes X = EXPR: a register, vmcs.FIELD, or a bit of one as cr0.PG")
        return "set," + expr.compile_set(target.strip(), value.strip(), field_number)
    raise gdb.GdbError(
        f'no action `{text.strip()}`; there are stop, skip, log "FORMAT", EXPR..., set X = EXPR'
    )


def parse(text: str, field_number: Callable[[str], int]) -> Spec:
    """KIND[,KIND] [before|after] [once] [only N[-M],...] [if EXPR] [do ACTION;...]"""
    match = re.match(r"(?s)\s*(?P<head>.*?)(?:\bif\b(?P<cond>.*?))?(?:\bdo\b(?P<do>.*))?$", text)
    assert match
    words = match["head"].split()
    if not words:
        raise gdb.GdbError(
            "usage: trapline catch KIND[,KIND] [before|after] [once] [only N,...] [if EXPR] [do ACTION;...]"
        )
    stage, once, only = "before", False, ""
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word in ("before", "after"):
            stage = word
        elif word == "once":
            once = True
        elif word == "only" and rest:
            only = _only(rest.pop(0))
        else:
            raise gdb.GdbError(
                f"`{word}`: behind the kinds may stand before, after, once, only N, if EXPR, do ACTION"
            )
    condition = ""
    if match["cond"] is not None:
        condition = expr.compile_hex(match["cond"].strip(), field_number)
    actions = tuple(_action(a, field_number) for a in _split(match["do"] or "", ";") if a.strip())
    return Spec(inband.kinds_of(words[0]), stage, once, only, condition, actions)
