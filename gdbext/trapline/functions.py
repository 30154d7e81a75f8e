# SPDX-License-Identifier: GPL-3.0-or-later
"""Convenience functions for GDB's expressions, conditions and scripts."""

from __future__ import annotations

import gdb

from . import road, wire


class TlVmcs(gdb.Function):
    """$tl_vmcs("NAME"): a VMCS or VMCB field by name; names of either vendor where the meaning is one."""

    def __init__(self) -> None:
        super().__init__("tl_vmcs")

    def invoke(self, name: gdb.Value) -> int:
        return road.current().field(name.string()).value


class TlMsr(gdb.Function):
    """$tl_msr(INDEX): an MSR as the guest reads it. INDEX is a number, or a name in quotes."""

    def __init__(self) -> None:
        super().__init__("tl_msr")

    def invoke(self, index: gdb.Value) -> int:
        number = wire.msr_index(index.string()) if index.type.code == gdb.TYPE_CODE_ARRAY else int(index)
        msr = road.current().msr(number)
        if msr.guest is None:
            raise gdb.GdbError(f"the guest's RDMSR of 0x{number:x} raises #GP")
        return msr.guest


class TlExit(gdb.Function):
    """$tl_exit("KEY"): of the last exit: kind number reason name info1 info2 len rip cs mode stage
    verdict, and what its kind has: value old index port leaf vector gpa ..."""

    def __init__(self) -> None:
        super().__init__("tl_exit")

    def invoke(self, key: gdb.Value) -> int | str:
        return road.current().exit().get(key.string())


class TlPc(gdb.Function):
    """$tl_pc(): linear address of the next instruction, CS base included: `x/5i $tl_pc()` in real mode."""

    def __init__(self) -> None:
        super().__init__("tl_pc")

    def invoke(self) -> int:
        road.stub()
        mode = int(gdb.parse_and_eval("$cpu_mode"))
        base = 0 if wire.CPU_MODES[mode] == "long" else int(gdb.parse_and_eval("$cs_base"))
        return (base + int(gdb.parse_and_eval("(unsigned long)$rip"))) & (2**64 - 1)


def register() -> None:
    for function in (TlVmcs, TlMsr, TlExit, TlPc):
        function()
