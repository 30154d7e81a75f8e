# SPDX-License-Identifier: GPL-3.0-or-later
"""Trapline's words inside GDB: commands, convenience functions, and an API for scripts.

    import trapline
    t = trapline.attach("localhost:1234")

    @t.on("cr0-write", when="value & 0x80000000")
    def paging(ev):
        print(hex(ev.vmcs.guest_cr4), hex(ev.msr_area[0xc0000080]))

    t.run(until="triple-fault", timeout=60)

Importing registers names with GDB and touches no target. gdbext/README.md has the rest.
"""

from pathlib import Path

import gdb

# The tables are generated: beside us when installed, in build/ when run from the source tree.
_BUILT = Path(__file__).resolve().parents[2] / "build" / "gdbext" / "trapline"
if not (Path(__file__).parent / "tables.py").exists():
    if not (_BUILT / "tables.py").exists():
        raise gdb.GdbError(f"trapline: {_BUILT / 'tables.py'} is missing; run make")
    __path__.append(str(_BUILT))

from . import commands, disasm, functions, printers, stop  # noqa: E402
from .api import STOP, Event, Session, Stop, TimedOut, attach  # noqa: E402
from .wire import TargetError  # noqa: E402

__all__ = ["STOP", "Event", "Session", "Stop", "TargetError", "TimedOut", "attach"]

commands.register()
functions.register()
printers.register()
disasm.register()
stop.register()
