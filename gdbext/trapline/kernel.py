# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux guest's symbols where it really runs: the KASLR offset found, GDB told.

The offset is the distance between where the kernel was linked and what the running CPU says: LSTAR is
the system-call entry, gate 0 of the IDT the handler of #DE. GDB reads ELF only; from a System.map a
little ELF file is made that holds nothing but the names.
"""

from __future__ import annotations

import atexit
import re
import shutil
import struct
import tempfile
from pathlib import Path

import gdb

from . import road, wire

_KERNEL_BASE = 0xFFFFFFFF80000000  # the kernel's own image; below it lie per-CPU offsets and modules
_ALIGN = 0x200000  # CONFIG_PHYSICAL_ALIGN: KASLR moves by multiples
_EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_SYM = struct.Struct("<IBBHQQ")
_SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS = 2, 3, 8

Names = dict[str, tuple[int, str]]  # address where linked, letter as in System.map

_loaded = ""  # what GDB was given last, to be taken back
_folder: Path | None = None


def read_map(text: str) -> Names:
    found: Names = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([0-9a-f]{8,16}) (\w) (\S+)", line)
        if match and int(match[1], 16) >= _KERNEL_BASE:
            found.setdefault(match[3], (int(match[1], 16), match[2]))
    return found


def read_elf(raw: bytes) -> Names:
    """Names of an ELF64 file's symbol table. Any number in it may be wrong."""
    found: Names = {}
    try:
        head = _EHDR.unpack_from(raw)
        sections = [_SHDR.unpack_from(raw, head[6] + i * _SHDR.size) for i in range(head[12])]
        for section in sections:
            if section[1] != _SHT_SYMTAB:
                continue
            strings = sections[section[6]][4]
            for value_at in range(section[4], section[4] + section[5] - _SYM.size + 1, _SYM.size):
                name_at, info, _, _, value, _ = _SYM.unpack_from(raw, value_at)
                if value >= _KERNEL_BASE and info & 15 <= 2:
                    end = raw.index(b"\0", strings + name_at)
                    name = raw[strings + name_at : end].decode("ascii", "replace")
                    found.setdefault(name, (value, "t" if info & 15 == 2 else "d"))
    except (struct.error, IndexError, ValueError):
        raise gdb.GdbError("the ELF file is damaged: its symbol table cannot be read") from None
    return found


def read(path: Path) -> Names:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise gdb.GdbError(f"{path}: {error.strerror}") from None
    names = read_elf(raw) if raw.startswith(b"\x7fELF\x02") else read_map(raw.decode("ascii", "replace"))
    if not names:
        raise gdb.GdbError(f"{path}: no kernel symbols there; give it a System.map or a vmlinux with symbols")
    return names


def _seen() -> list[tuple[tuple[str, ...], int]]:
    """Addresses that the CPU holds now, each with the names it may have."""
    here = road.stub()
    lstar = here.msr(wire.msr_index("lstar")).guest or 0
    found: list[tuple[tuple[str, ...], int]] = [(("entry_SYSCALL_64",), lstar)]
    base = int(gdb.parse_and_eval("(unsigned long)$idtr_base")) & (2**64 - 1)
    try:
        gate = bytes(gdb.selected_inferior().read_memory(base, 16))
    except gdb.error:
        return found
    low, middle, high = struct.unpack("<H4xHI4x", gate)
    handler = low | middle << 16 | high << 32
    return found + [(("asm_exc_divide_error", "divide_error"), handler)]


def slide(names: Names) -> int:
    """How far above its linked addresses the kernel runs."""
    for candidates, address in _seen():
        for name in candidates:
            if name not in names or address < _KERNEL_BASE:
                continue
            distance = address - names[name][0]
            if 0 <= distance < 1 << 31 and distance % _ALIGN == 0:
                return distance
    raise gdb.GdbError(
        "the kernel's place is not known yet: neither LSTAR nor the IDT points into it. "
        "`trapline catch wrmsr after only lstar`, `continue`, then again"
    )


def write_elf(names: Names, distance: int, path: Path) -> None:
    """An ELF64 file of one empty section that spans all names, and the names at their real addresses."""
    rows = sorted((address + distance, letter, name) for name, (address, letter) in names.items())
    first, last = rows[0][0] & ~0xFFF, rows[-1][0] + 0x1000
    strings, symbols = bytearray(b"\0.text\0.symtab\0.strtab\0"), bytearray(_SYM.size)
    for address, letter, name in rows:
        info = (letter.isupper() << 4) | (2 if letter in "tTwW" else 1)
        symbols += _SYM.pack(len(strings), info, 0, 1, address, 0)
        strings += name.encode("ascii", "replace") + b"\0"
    at = _EHDR.size
    table = _SHDR.pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    table += _SHDR.pack(1, _SHT_NOBITS, 6, first, at, last - first, 0, 0, 16, 0)
    table += _SHDR.pack(7, _SHT_SYMTAB, 0, 0, at, len(symbols), 3, 1, 8, _SYM.size)
    at += len(symbols)
    table += _SHDR.pack(15, _SHT_STRTAB, 0, 0, at, len(strings), 0, 0, 1, 0)
    at += len(strings)
    head = _EHDR.pack(b"\x7fELF\x02\x01\x01" + bytes(9), 2, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 4, 3)
    path.write_bytes(head + symbols + strings + table)


def load(path: Path, distance: int | None = None) -> int:
    """Gives GDB the names where the kernel runs, in place of those given before. Returns the offset."""
    global _loaded, _folder
    names = read(path)
    distance = slide(names) if distance is None else distance
    if _folder is None:
        _folder = Path(tempfile.mkdtemp(prefix="trapline-gdb-"))
        atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    if _loaded:
        gdb.execute(f"with confirm off -- remove-symbol-file {_loaded}", to_string=True)
        _loaded = ""
    if path.read_bytes()[:4] == b"\x7fELF":
        file, option = path, f" -o 0x{distance:x}"
    else:
        file, option = _folder / f"kernel-{distance:x}.elf", ""
        write_elf(names, distance, file)
    gdb.execute(f"with confirm off -- add-symbol-file {file}{option}", to_string=True)
    _loaded = str(file)
    return distance
