# SPDX-License-Identifier: GPL-3.0-or-later
"""Pretty printers for structures of the hypervisor, when its symbols are loaded."""

from __future__ import annotations

import gdb
import gdb.printing

from . import view, wire

# Members of the exit's union by the beginning of the kind's word.
_MEMBERS = (
    ("cr", "cr"), ("dr-", "dr"), ("rdmsr", "msr"), ("wrmsr", "msr"), ("cpuid", "cpuid"), ("io-", "io"),
    ("exception", "exception"), ("nested-", "nested"), ("xsetbv", "xsetbv"), ("entry-failure", "entry"),
    ("invlpg", "invlpg"),
)  # fmt: skip


def _kind(value: gdb.Value) -> str:
    number = int(value)
    return wire.KIND_WORDS[number] if number < len(wire.KIND_WORDS) else f"kind {number}"


class ExitPrinter:
    """struct hv_exit: the members of its own kind only."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        v = self.value
        kind = _kind(v["kind"])
        info = [int(v["raw_info"][n]) for n in (0, 1)]
        text = f"{kind}, reason 0x{int(v['raw_reason']):x}, info 0x{info[0]:x} 0x{info[1]:x}"
        for prefix, member in _MEMBERS:
            if kind.startswith(prefix):
                part = v[member]
                facts = [f"{f.name} 0x{int(part[f]):x}" for f in part.type.fields()]
                return f"{text}, {', '.join(facts)}"
        return text


class RingPrinter:
    """struct ring_record: the line of `trapline ring`."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        raw = gdb.selected_inferior().read_memory(int(self.value.address), 160)
        return view.ring([wire.RingRecord.parse(bytes(raw))]).strip()


class SegmentPrinter:
    """struct hv_segment."""

    def __init__(self, value: gdb.Value) -> None:
        self.value = value

    def to_string(self) -> str:
        v = self.value
        rights = int(v["rights"])
        text = f"0x{int(v['selector']):x} base 0x{int(v['base']):x} limit 0x{int(v['limit']):x}"
        return f"{text} rights 0x{rights:x}" + (" unusable" if rights & 1 << 16 else "")


def register() -> None:
    printer = gdb.printing.RegexpCollectionPrettyPrinter("trapline")
    printer.add_printer("hv_exit", "^hv_exit$", ExitPrinter)
    printer.add_printer("ring_record", "^ring_record$", RingPrinter)
    printer.add_printer("hv_segment", "^hv_segment$", SegmentPrinter)
    gdb.printing.register_pretty_printer(None, printer, replace=True)
