# SPDX-License-Identifier: GPL-3.0-or-later
"""Two roads lead to the same data: the stub, or the hypervisor's own symbols. This picks one.

A road answers with the types of wire.py. What it cannot do it refuses in one line that names it.
"""

from __future__ import annotations

import gdb

from . import wire
from .wire import Controls, Exit, Field, Msr, MsrArea, RingRecord, Walk


class Road:
    """What both roads have in common; a method not given here is refused."""

    text = "no road"
    vendor = "?"

    def _refuse(self, what: str) -> gdb.GdbError:
        return gdb.GdbError(f"{what}: not by {self.text}; attach to the stub on the debug line")

    def exit(self) -> Exit:
        raise self._refuse("exit")

    def fields(self) -> list[Field]:
        raise self._refuse("fields")

    def field(self, name: str) -> Field:
        raise self._refuse("field")

    def set_field(self, name: str, value: int) -> None:
        raise self._refuse("writing a field")

    def msr_area(self) -> MsrArea:
        raise self._refuse("msr-area")

    def set_msr_area(self, index: int, value: int) -> None:
        raise self._refuse("writing the MSR area")

    def msr(self, index: int) -> Msr:
        raise self._refuse("msr")

    def set_msr(self, index: int, value: int) -> None:
        raise self._refuse("writing an MSR")

    def controls(self) -> Controls:
        raise self._refuse("control registers")

    def walk(self, gva: int) -> Walk:
        raise self._refuse("walk")

    def ring(self, count: int) -> list[RingRecord]:
        raise self._refuse("ring")

    def text_object(self, name: str, annex: str = "") -> str:
        raise self._refuse(name)


_known: tuple[object, Road] | None = None


def current() -> Road:
    """The road of the selected connection; asked once a connection."""
    from .inband import StubRoad
    from .symbols import SymbolRoad

    global _known
    conn = wire.connection()
    if _known is not None and _known[0] is conn:
        return _known[1]
    road: Road
    try:
        road = StubRoad()
    except wire.NotOurs:
        if not SymbolRoad.possible():
            raise gdb.GdbError(
                "the target is not Trapline's stub, and the hypervisor's symbols are not loaded "
                "(`file build/hv/trapline.elf`)"
            ) from None
        road = SymbolRoad()
    _known = (conn, road)
    return road


def stub() -> "inband.StubRoad":
    """The road through the stub, for what only the stub can do."""
    road = current()
    if not isinstance(road, inband.StubRoad):
        raise gdb.GdbError(f"this acts on the guest: not by {road.text}; attach to the stub on the debug line")
    return road


def drop(_: object = None) -> None:
    """The connection is gone: ask anew."""
    global _known
    _known = None


from . import inband  # noqa: E402  at the end: it needs Road
