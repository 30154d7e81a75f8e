# SPDX-License-Identifier: GPL-3.0-or-later
"""At each stop that GDB can only call SIGTRAP: one line that says which exit it was."""

from __future__ import annotations

import gdb

from . import road, view

quiet = False  # api.py runs the guest itself and wants no lines


def _on_stop(event: gdb.StopEvent) -> None:
    # Steps and breakpoints GDB describes itself, and they shall cost no packet. It calls our events
    # SIGTRAP, which has no event type of its own; only `info program` tells a step from one.
    if quiet or isinstance(event, gdb.BreakpointEvent):
        return
    if "after being stepped" in gdb.execute("info program", to_string=True):
        return
    try:
        here = road.stub()
        stop = here.last_stop()
        if stop.why in ("event", "nextexit", "dead", "hv-fault"):
            print(view.stop_line(stop, here.exit()))
        elif stop.why == "break-in":
            print(view.stop_line(stop, None))
        if stop.why == "dead":
            print("[trapline: the guest cannot go on; `trapline explain` says why]")
    except gdb.GdbError:
        pass  # not our target, or the line went away: GDB itself has said what it knows


def register() -> None:
    gdb.events.stop.connect(_on_stop)
    gdb.events.connection_removed.connect(road.drop)
