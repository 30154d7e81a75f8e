# SPDX-License-Identifier: GPL-3.0-or-later
"""Disassembly by CPU mode: 16- and 32-bit code reads right without `set architecture`.

GDB 13 refuses `set architecture i8086` or i386 while the target describes 64-bit registers, and the
description must stay 64-bit (a guest turns long mode on in mid-flight; "g packet too long" otherwise).
So the register layout stays, and where the CPU does not read 64-bit code Capstone's C library disassembles.
"""

from __future__ import annotations

import ctypes
import ctypes.util

import gdb
import gdb.disassembler

from . import wire

_ARCH_X86, _OPT_SYNTAX, _SYNTAX_INTEL, _SYNTAX_ATT = 3, 1, 1, 2
_MODES = {16: 1 << 1, 32: 1 << 2}


def _insn_struct(bytes_max: int) -> type[ctypes.Structure]:
    class Insn(ctypes.Structure):
        _fields_ = [
            ("id", ctypes.c_uint),
            ("address", ctypes.c_uint64),
            ("size", ctypes.c_uint16),
            ("bytes", ctypes.c_uint8 * bytes_max),
            ("mnemonic", ctypes.c_char * 32),
            ("op_str", ctypes.c_char * 160),
            ("detail", ctypes.c_void_p),
        ]

    return Insn


class Capstone:
    """The few calls of the C library that are needed."""

    def __init__(self) -> None:
        name = ctypes.util.find_library("capstone") or "libcapstone.so.4"
        self.lib = ctypes.CDLL(name)
        self.lib.cs_option.argtypes = [ctypes.c_size_t, ctypes.c_int, ctypes.c_size_t]
        self.lib.cs_disasm.argtypes = [
            ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p,
        ]  # fmt: skip
        self.lib.cs_disasm.restype = ctypes.c_size_t
        self.lib.cs_free.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        # Version 5 made the instruction's byte array longer.
        self.insn = _insn_struct(16 if self.lib.cs_version(None, None) >> 8 < 5 else 24)
        self.handles: dict[int, int] = {}

    def one(self, code: bytes, address: int, bits: int, intel: bool) -> tuple[int, str] | None:
        """Length and text of the first instruction; None if these bytes are none."""
        if bits not in self.handles:
            handle = ctypes.c_size_t()
            if self.lib.cs_open(_ARCH_X86, _MODES[bits], ctypes.byref(handle)):
                return None
            self.handles[bits] = handle.value
        handle_value = self.handles[bits]
        self.lib.cs_option(handle_value, _OPT_SYNTAX, _SYNTAX_INTEL if intel else _SYNTAX_ATT)
        out = ctypes.c_void_p()
        count = self.lib.cs_disasm(handle_value, code, len(code), address, 1, ctypes.byref(out))
        if not count or not out.value:
            return None
        row = self.insn.from_address(out.value)
        found = int(row.size), f"{row.mnemonic.decode():6} {row.op_str.decode()}".rstrip()
        self.lib.cs_free(out.value, count)
        return found


_capstone: Capstone | None = None
_missing = False


def _load() -> Capstone | None:
    global _capstone, _missing
    if _capstone is None and not _missing:
        try:
            _capstone = Capstone()
        except (OSError, AttributeError):
            _missing = True
            print("[trapline: libcapstone is not installed; 16- and 32-bit code is shown as if it were 64-bit]")
    return _capstone


def mode_bits() -> int:
    """16, 32 or 64: how the stopped guest reads code; 64 when the target has no cpu_mode."""
    try:
        mode = gdb.parse_and_eval("$cpu_mode")
    except gdb.error:
        return 64
    if mode.type.code == gdb.TYPE_CODE_VOID or not 0 <= int(mode) < len(wire.CPU_MODES):
        return 64
    return wire.MODE_BITS[wire.CPU_MODES[int(mode)]]


def _read(info: gdb.disassembler.DisassembleInfo) -> bytes:
    """Up to 15 bytes, fewer where memory ends."""
    try:
        return bytes(info.read_memory(15))
    except gdb.MemoryError:
        pass
    code = b""
    while len(code) < 15:
        try:
            code += bytes(info.read_memory(1, len(code)))
        except gdb.MemoryError:
            break
    return code


class ModeDisassembler(gdb.disassembler.Disassembler):
    def __init__(self) -> None:
        super().__init__("trapline")

    def __call__(
        self, info: gdb.disassembler.DisassembleInfo
    ) -> gdb.disassembler.DisassemblerResult | None:
        bits = mode_bits()
        capstone = _load() if bits != 64 else None
        code = _read(info) if capstone else b""
        if not capstone or not code:
            return None
        intel = gdb.parameter("disassembly-flavor") == "intel"
        found = capstone.one(code, info.address, bits, intel) or (1, "(bad)")
        return gdb.disassembler.DisassemblerResult(found[0], string=found[1])


def register() -> None:
    gdb.disassembler.register_disassembler(ModeDisassembler())
