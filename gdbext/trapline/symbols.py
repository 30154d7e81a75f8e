# SPDX-License-Identifier: GPL-3.0-or-later
"""The road through the hypervisor's own symbols, for those who debug the hypervisor itself.

Needs build/hv/trapline.elf loaded and an emulator's gdbstub (`make debug`). It reads struct vcpu, the exit
ring, the VMCB or the MSR area as they lie in memory. A VMCS cannot be read so: only the CPU knows it.
"""

from __future__ import annotations

import gdb

from . import wire
from .road import Road
from .wire import AreaEntry, Exit, Field, MsrArea, RingRecord


def _value(expression: str) -> gdb.Value:
    try:
        return gdb.parse_and_eval(expression)
    except gdb.error as error:
        raise gdb.GdbError(f"the hypervisor's memory cannot be read yet: {error}") from None


def _int(expression: str) -> int:
    return int(_value(expression))


def _memory(address: int, len_bytes: int) -> bytes:
    try:
        return bytes(gdb.selected_inferior().read_memory(address, len_bytes))
    except gdb.error as error:
        raise gdb.GdbError(f"the hypervisor's memory cannot be read yet: {error}") from None


class SymbolRoad(Road):
    text = "the hypervisor's symbols"

    def __init__(self) -> None:
        if not _int("(unsigned long)hv_backend"):
            raise gdb.GdbError("the hypervisor has not chosen a backend yet; go on to `hbreak vcpu_init` or later")
        self.vendor = str(_value("hv_backend->name").string())

    @staticmethod
    def possible() -> bool:
        """Are the hypervisor's symbols loaded?"""
        return all(
            gdb.lookup_static_symbols(name) or gdb.lookup_global_symbol(name)
            for name in ("vcpus", "hv_backend")
        )

    def _vmcb(self) -> int:
        self._need_vcpu()
        return _int("(unsigned long)((struct svm_vcpu *)vcpus[0].vendor)->vmcb")

    def _need_vcpu(self) -> None:
        if not _int("(unsigned long)vcpus[0].vendor"):
            raise gdb.GdbError("the vCPU is not set up yet; let the hypervisor run to its first entry")

    def exit(self) -> Exit:
        self._need_vcpu()
        e = _value("vcpus[0].exit")
        kind = int(e["kind"])
        reason = int(e["raw_reason"])
        return Exit(
            wire.KIND_WORDS[kind] if kind < len(wire.KIND_WORDS) else "?", _int("vcpus[0].exit_count"), reason,
            wire.reason_name(self.vendor, reason), int(e["raw_info"][0]), int(e["raw_info"][1]),
            int(e["instr_len_bytes"]), _int("vcpus[0].regs.rip"), int(e["cs_selector"]), "?", "?", "?", b"",
        )  # fmt: skip

    def fields(self) -> list[Field]:
        if self.vendor != "svm":
            raise gdb.GdbError(
                "a VMCS cannot be read from memory, only by VMREAD: attach to the stub on the debug line"
            )
        page = _memory(self._vmcb(), 4096)
        return [
            Field(offset, name, int.from_bytes(page[offset : offset + size], "little"), text)
            for offset, size, name, text in wire.field_rows("svm")
        ]

    def field(self, name: str) -> Field:
        for row in self.fields():
            if row.name == name:
                return row
        raise gdb.GdbError(f"no VMCB field `{name}`")

    def msr_area(self) -> MsrArea:
        self._need_vcpu()
        if self.vendor == "svm":
            names = {f"guest_{wire.msr_name(index)}": index for index in _SVM_MSRS}
            names["guest_sfmask"] = 0xC0000084
            found = [(names[f.name], f.value) for f in self.fields() if f.name in names]
            # The VMCB's EFER carries SVME, which is ours; the guest's own lies beside it.
            own = _int("((struct svm_vcpu *)vcpus[0].vendor)->efer")
            entries = [AreaEntry(n, i, own if i == 0xC0000080 else v) for n, (i, v) in enumerate(found)]
            return MsrArea("vmcb", tuple(entries))
        vmx = "((struct vmx_vcpu *)vcpus[0].vendor)"
        count = _int(f"{vmx}->guest_area_count")
        rows = [_value(f"{vmx}->guest_area[{n}]") for n in range(count)]
        return MsrArea("area", tuple(AreaEntry(n, int(r["index"]), int(r["value"])) for n, r in enumerate(rows)))

    def ring(self, count: int) -> list[RingRecord]:
        self._need_vcpu()
        total, mask = _int("vcpus[0].ring->count"), _int("vcpus[0].ring->mask")
        count = min(count, total, mask + 1)
        base = _int("(unsigned long)&vcpus[0].ring->record[0]")
        return [
            RingRecord.parse(_memory(base + 160 * (n & mask), 160)) for n in range(total - count, total)
        ]

    def guest_frame(self) -> str:
        """Where the guest left, below the hypervisor's own frames."""
        self._need_vcpu()
        regs = _value("vcpus[0].regs")
        where = f"rip 0x{int(regs['rip']):x} rsp 0x{int(regs['rsp']):x} rax 0x{int(regs['rax']):x}"
        e = self.exit()
        why = f"{e.kind} ({e.name}, reason 0x{e.reason:x}), exit {e.number}"
        return f"guest, vCPU 0: {where} cs 0x{e.cs:x}; it left by {why}"


_SVM_MSRS = (0xC0000080, 0xC0000081, 0xC0000082, 0xC0000083, 0xC0000102)
