# SPDX-License-Identifier: GPL-3.0-or-later
"""x87 and SSE registers from stock GDB: shown, written, and found by the guest itself. Bits of MXCSR on
which FXRSTOR would fault are refused, and nothing has changed then."""

from __future__ import annotations

import re
from pathlib import Path

import machine
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

FOUND = {
    "st0 low": 0, "st0 high": 0x40040000,  # 2.5 as a double
    "xmm3.0": 0xDEADBEEF, "xmm3.3": 0x01020304, "xmm7.1": 7, "mxcsr": 0x1F00, "fcw": 0x027F,
}


def test_fpu_registers(platform: Platform, work: Path) -> None:
    guest = tiny("fpu_regs")
    at = machine.symbol(guest, "edit_here")
    with LineProxy(work / "line.txt") as line:
        vm = Machine(work, platform, guest, hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown")
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            out = gdb(
                line.client_port,
                # The bare line's short description has no SSE: ask for the full one, connect again.
                "monitor option description=full",
                f"hbreak *0x{at:x}",
                "continue",
                "delete",
                "disconnect",
                f"target remote localhost:{line.client_port}",
                'printf "OLD %#x %#x\\n", $xmm3.v4_int32[0], $mxcsr',
                'printf "ST0 %g\\n", $st0',
                "set $st0 = 2.5",
                "set $xmm3.v4_int32[0] = 0xdeadbeef",
                "set $xmm3.v4_int32[3] = 0x01020304",
                "set $xmm7.uint128 = (7 << 16) << 16",
                "set $xmm7.v4_int32[1] = 7",
                "set $mxcsr = 0x1f00",
                "set $mxcsr = 0xffff0000",
                "set $fctrl = 0x27f",
                "set $fctrl = 0x12345",
                'printf "NEW %g %#x %#x %#x\\n", $st0, $xmm3.v4_int32[0], $mxcsr, $fctrl',
                "detach",
            )
            (work / "gdb.txt").write_text(out)
            vm.wait_for(r"guest fpu_regs: done")
            vm.wait_end(5)
            text = out + vm.text()
    assert "OLD 0x11223344 0x1f80" in out, out
    assert "ST0 1" in out, out
    assert "NEW 2.5 0xdeadbeef 0x1f00 0x27f" in out, out
    assert re.findall(r"Could not write register \"(\w+)\"", out) == ["mxcsr", "fctrl"], out
    said = {k: int(v, 16) for k, v in re.findall(r"guest fpu_regs: (.*) 0x([0-9a-f]+)", text)}
    said["fcw"] &= 0xFFFF
    assert said == FOUND, text
