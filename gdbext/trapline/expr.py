# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions, compiled to GDB agent bytecode that the hypervisor evaluates.

The language is the console's (monitor/expr.h): C operators and precedence on unsigned 64-bit values,
registers, words of the exit, `vmcs.FIELD`, `msr-area[MSR]`, `msr[MSR]`, `cr0.PG`, `u8/u16/u32/u64(ADDRESS)`,
kind words; other names are GDB's symbols, taken by address.
"""

from __future__ import annotations

import re
from typing import Callable

import gdb

from . import tables, wire

_OPS = {name: code for code, name, _ in tables.AGENT_OPS}
_REGS = {row[0]: number for number, row in enumerate(tables.REGISTERS)}
_CODE_BYTES_MAX = 1024  # protocol/agent.h, as are these four
_REG_FIELD, _REG_MSR_AREA, _REG_MSR, _VAR_MSR = 0x8000, 0x7F00, 0x7F01, 0xFF00

_WORDS = {
    "kind": "exit_kind", "reason": "exit_reason", "qual": "exit_qual", "qualification": "exit_qual",
    "info1": "exit_qual", "info2": "exit_info2", "value": "exit_value", "old": "exit_old",
    "index": "exit_index", "leaf": "exit_index", "port": "exit_port", "vector": "exit_vector", "error_code": "exit_error",
    "gpa": "exit_gpa", "gva": "exit_gva", "length": "exit_len", "pc": "rip", "sp": "rsp", "fp": "rbp",
    "rflags": "eflags", "eax": "rax", "ebx": "rbx", "ecx": "rcx", "edx": "rdx", "esi": "rsi",
    "edi": "rdi", "ebp": "rbp", "esp": "rsp", "eip": "rip",
}  # fmt: skip

_KINDS = sorted((w for w in wire.KIND_WORDS if "-" in w), key=len, reverse=True)
_TOKEN = re.compile(
    r"\s*(?:(?P<kind>" + "|".join(map(re.escape, _KINDS)) + r")(?![\w])"
    r"|(?P<number>0[xX][0-9a-fA-F]+|\d+)(?!\w)"
    r"|(?P<word>msr-area|\$?[A-Za-z_]\w*)"
    r"|(?P<op>\|\||&&|==|!=|<<|>>|<=|>=|[-+*/%&|^~!<>?:()\[\].,]))"
)

# precedence, opcodes behind both operands
_BINARY: dict[str, tuple[int, tuple[str, ...]]] = {
    "||": (1, ()), "&&": (2, ()), "|": (3, ("bit_or",)), "^": (4, ("bit_xor",)), "&": (5, ("bit_and",)),
    "==": (6, ("equal",)), "!=": (6, ("equal", "log_not")), "<": (7, ("less_unsigned",)),
    ">": (7, ("swap", "less_unsigned")), "<=": (7, ("swap", "less_unsigned", "log_not")),
    ">=": (7, ("less_unsigned", "log_not")), "<<": (8, ("lsh",)), ">>": (8, ("rsh_unsigned",)),
    "+": (9, ("add",)), "-": (9, ("sub",)), "*": (10, ("mul",)), "/": (10, ("div_unsigned",)),
    "%": (10, ("rem_unsigned",)),
}  # fmt: skip


class _Compiler:
    def __init__(
        self, text: str, field_number: Callable[[str], int], code: bytearray | None = None
    ) -> None:
        self.text = text
        self.field_number = field_number
        self.code = bytearray() if code is None else code  # jumps count from its start
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                raise self.error(f"`{text[at:].strip()[0]}` means nothing in a condition", at)
            kind = str(match.lastgroup)
            self.tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self.tokens.append(("end", "", len(text)))

    def error(self, what: str, at: int | None = None) -> gdb.GdbError:
        column = self.tokens[0][2] if at is None else at
        return gdb.GdbError(f"condition `{self.text}`, column {column + 1}: {what}")

    # -- tokens and code ---------------------------------------------------------------------------

    def take(self, *ops: str) -> bool:
        if self.tokens[0][0] == "op" and self.tokens[0][1] in ops:
            self.tokens.pop(0)
            return True
        return False

    def need(self, op: str) -> None:
        if not self.take(op):
            raise self.error(f"`{op}` expected")

    def word(self) -> str:
        kind, text, _ = self.tokens[0]
        if kind != "word":
            raise self.error("a name expected")
        self.tokens.pop(0)
        return text

    def op(self, name: str, operand: int | None = None, operand_bytes: int = 2) -> None:
        self.code.append(_OPS[name])
        if operand is not None:
            self.code += operand.to_bytes(operand_bytes, "big")

    def constant(self, value: int) -> None:
        value &= 2**64 - 1
        for bits in (8, 16, 32, 64):
            if value < 1 << bits:
                return self.op(f"const{bits}", value, bits // 8)

    def jump(self, name: str) -> int:
        self.op(name, 0)
        return len(self.code) - 2

    def land(self, place: int) -> None:
        if len(self.code) > _CODE_BYTES_MAX:
            raise self.error("too long", 0)
        self.code[place : place + 2] = len(self.code).to_bytes(2, "big")

    # -- grammar -----------------------------------------------------------------------------------

    def value(self) -> None:
        """One value on the stack, all of the text used."""
        self.ternary()
        if self.tokens[0][0] != "end":
            raise self.error(f"`{self.tokens[0][1]}` is left over")

    def whole(self) -> bytes:
        self.value()
        self.op("end")
        if len(self.code) > _CODE_BYTES_MAX:
            raise self.error("too long", 0)
        return bytes(self.code)

    def ternary(self) -> None:
        self.depth += 1
        if self.depth > 60:
            raise self.error("nested too deep")
        self.binary(0)
        if self.take("?"):
            self.op("log_not")
            to_no = self.jump("if_goto")
            self.ternary()
            self.need(":")
            to_end = self.jump("goto")
            self.land(to_no)
            self.ternary()
            self.land(to_end)
        self.depth -= 1

    def binary(self, min_precedence: int) -> None:
        self.unary()
        while self.tokens[0][0] == "op" and self.tokens[0][1] in _BINARY:
            name = self.tokens[0][1]
            precedence, ops = _BINARY[name]
            if precedence <= min_precedence:
                return
            self.tokens.pop(0)
            if name in ("&&", "||"):
                self.short_circuit(name, precedence)
                continue
            self.binary(precedence)
            for op in ops:
                self.op(op)

    def short_circuit(self, name: str, precedence: int) -> None:
        if name == "&&":
            self.op("log_not")
        out = self.jump("if_goto")
        self.binary(precedence)
        self.op("log_not")
        self.op("log_not")
        end = self.jump("goto")
        self.land(out)
        self.constant(name == "||")
        self.land(end)

    def unary(self) -> None:
        if self.take("!"):
            self.unary()
            self.op("log_not")
        elif self.take("~"):
            self.unary()
            self.op("bit_not")
        elif self.take("-"):
            self.constant(0)
            self.unary()
            self.op("sub")
        elif self.take("+"):
            self.unary()
        elif self.take("*"):
            self.unary()
            self.op("ref64")
        else:
            self.primary()

    def primary(self) -> None:
        kind, text, at = self.tokens[0]
        if self.take("("):
            self.ternary()
            self.need(")")
        elif kind == "number":
            self.tokens.pop(0)
            if int(text, 0 if text.lower().startswith("0x") else 10) >= 1 << 64:
                raise self.error("does not fit into 64 bits", at)
            self.constant(int(text, 0 if text.lower().startswith("0x") else 10))
        elif kind == "kind":
            self.tokens.pop(0)
            self.constant(wire.KIND_WORDS.index(text))
        elif kind == "word":
            self.name(self.word(), at)
        else:
            raise self.error("a value expected")

    def name(self, text: str, at: int) -> None:
        bare = text.removeprefix("$")
        if bare in ("msr-area", "msr"):
            self.need("[")
            self.msr_number()
            self.need("]")
            self.op("setv", _VAR_MSR)
            self.op("pop")
            self.op("reg", _REG_MSR if bare == "msr" else _REG_MSR_AREA)
        elif re.fullmatch(r"[us](8|16|32|64)", bare) and self.take("("):
            self.ternary()
            self.need(")")
            self.op("ref" + bare[1:])
            if bare[0] == "s":
                self.op("ext", int(bare[1:]), 1)
        elif bare in ("vmcs", "vmcb") and self.take("."):
            name = self.word()
            self.op("reg", _REG_FIELD | self.field_number(name))
            self.bits(name)
        elif bare in _REGS or bare in _WORDS:
            register = bare if bare in _REGS else _WORDS[bare]
            self.op("reg", _REGS[register])
            if bare[0] == "e" and bare in _WORDS and len(bare) == 3:
                self.op("zero_ext", 32, 1)
            self.bits(register)
        elif bare in wire.KIND_WORDS:
            self.constant(wire.KIND_WORDS.index(bare))
        else:
            self.symbol(bare, at)

    def msr_number(self) -> None:
        kind, text, _ = self.tokens[0]
        if kind == "word" and self.tokens[1][1] == "]":
            self.tokens.pop(0)
            self.constant(wire.msr_index(text))
        else:
            self.ternary()

    def bits(self, group: str) -> None:
        if not self.take("."):
            return
        at = self.tokens[0][2]
        name = self.word()
        groups = {group, dict(tables.BITS_OF).get(group, group), "rflags" if group == "eflags" else group}
        for of, high, low, known, _ in tables.BITS:
            if of in groups and known.lower() == name.lower():
                if low:
                    self.constant(low)
                    self.op("rsh_unsigned")
                return self.op("zero_ext", high - low + 1, 1)
        raise self.error(f"{group} has no bit `{name}`", at)

    def target(self) -> tuple[str, int]:
        """What stands left of `=` in an action: the name to read it by, its number for `setv`."""
        at = self.tokens[0][2]
        bare = self.word().removeprefix("$")
        if bare in ("vmcs", "vmcb") and self.take("."):
            name = self.word()
            return f"vmcs.{name}", _REG_FIELD | self.field_number(name)
        register = _WORDS.get(bare, bare)
        if register not in _REGS or tables.REGISTERS[_REGS[register]][4] in ("EXIT", "MODE"):
            raise self.error(f"an action can set registers and vmcs.FIELDs; `{bare}` is neither", at)
        if bare in _WORDS and bare[0] == "e" and len(bare) == 3:
            raise self.error(f"`{bare}` is half of {register}: set {register}", at)
        return register, _REGS[register]

    def target_bits(self, name: str) -> tuple[int, int]:
        """Lowest bit and width behind a name: `.PG`, or the whole."""
        whole = bytearray()
        self.code, kept = whole, self.code
        self.bits(name.rpartition(".")[2])
        self.code = kept
        if not whole:
            return 0, 64
        return (whole[1] if len(whole) > 2 else 0), whole[-1]

    def symbol(self, name: str, at: int) -> None:
        try:
            value = gdb.parse_and_eval(f"(unsigned long) &'{name}'")
        except gdb.error:
            raise self.error(f"no register, word of the exit or symbol `{name}`", at) from None
        self.constant(int(value))


def compile_hex(text: str, field_number: Callable[[str], int]) -> str:
    """Bytecode as the wire wants it. `field_number` gives a field's number by name."""
    return _Compiler(text, field_number).whole().hex()


def compile_set(target: str, value: str, field_number: Callable[[str], int]) -> str:
    """Bytecode of `set TARGET = VALUE`. A bit of a register or field is merged into the whole."""
    left = _Compiler(target, field_number)
    name, number = left.target()
    low, width = left.target_bits(name)
    if left.tokens[0][0] != "end":
        raise left.error(f"`{left.tokens[0][1]}` is left over")
    if width < 64:
        ones = ((1 << width) - 1) << low
        _Compiler(value, field_number).whole()  # its own mistakes, in its own words
        value = f"({name} & ~{ones:#x}) | ((({value}) << {low}) & {ones:#x})"
    right = _Compiler(value, field_number)
    right.value()
    right.op("setv", number)
    right.op("pop")
    right.op("end")
    if len(right.code) > _CODE_BYTES_MAX:
        raise right.error("too long", 0)
    return right.code.hex()


def compile_log(format_text: str, values: list[str], field_number: Callable[[str], int]) -> str:
    """Bytecode that prints: the values are pushed last first, then channel and function."""
    if not format_text.endswith("\n"):
        format_text += "\n"
    if len(re.findall("%[^%]", format_text.replace("%%", ""))) != len(values):
        raise gdb.GdbError(f"the format {format_text!r} and its {len(values)} value(s) do not match")
    code = bytearray()
    for text in reversed(values):
        _Compiler(text, field_number, code).value()
    raw = format_text.encode("ascii", "replace") + b"\0"
    code += bytes([_OPS["const8"], 0, _OPS["const8"], 0, _OPS["printf"], len(values)])
    code += len(raw).to_bytes(2, "big") + raw + bytes([_OPS["end"]])
    if len(code) > _CODE_BYTES_MAX:
        raise gdb.GdbError("the log action is too long")
    return code.hex()
