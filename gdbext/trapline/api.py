# SPDX-License-Identifier: GPL-3.0-or-later
"""The API for scripts: attach, say what to do at which exit, run until something happens.

A callback sees an Event; conditions are evaluated in the hypervisor, so exits that do not fulfil them cost
no byte on the line.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Callable

import gdb

from . import catch, road, stop, wire
from .inband import StubRoad
from .wire import Exit, StopReply

STOP = object()  # returned by a callback: run() ends here


class TimedOut(gdb.GdbError):
    """run() met its time-out; the guest was interrupted and stands."""


class Registers:
    """Guest registers as attributes; all rows of protocol/regs.def."""

    def __getattr__(self, name: str) -> int:
        if name.startswith("__"):
            raise AttributeError(name)
        value = gdb.parse_and_eval(f"${name}")
        if value.type.code == gdb.TYPE_CODE_VOID:
            raise AttributeError(f"no register {name}")
        try:
            return int(value.cast(gdb.lookup_type("unsigned long")))
        except gdb.error:
            raise AttributeError(f"register {name} is not available on this platform") from None

    def __setattr__(self, name: str, value: int) -> None:
        getattr(self, name)
        gdb.execute(f"set var ${name} = 0x{value & (2**64 - 1):x}", to_string=True)


class Fields:
    """VMCS or VMCB fields as attributes; names of either vendor where the meaning is one."""

    def __init__(self, here: StubRoad) -> None:
        object.__setattr__(self, "_road", here)

    _road: StubRoad

    def __getattr__(self, name: str) -> int:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._road.field(name).value

    def __setattr__(self, name: str, value: int) -> None:
        self._road.set_field(name, value)


class MsrArea:
    """msr_area[INDEX]: the guest's value as the area (SVM: the VMCB) holds it."""

    def __init__(self, here: StubRoad) -> None:
        self._road = here

    def __getitem__(self, index: int) -> int:
        for entry in self._road.msr_area().entries:
            if entry.index == index:
                return entry.value
        raise KeyError(hex(index))

    def __setitem__(self, index: int, value: int) -> None:
        self._road.set_msr_area(index, value)


class Event:
    """A stop of the guest, and what can be done about it."""

    def __init__(self, session: "Session", reply: StopReply) -> None:
        self._road = session.road
        self.why = reply.why
        self.stage = reply.stage
        self.event = reply.event
        self.exit: Exit = session.road.exit()
        self.kind = self.exit.kind
        self.regs = session.regs
        self.vmcs = session.vmcs
        self.msr_area = session.msr_area

    def __getattr__(self, name: str) -> int | str:
        """What the exit has: ev.value, ev.old, ev.index, ev.port ..."""
        if name in self.exit.extra:
            return self.exit.extra[name]
        raise AttributeError(f"exit {self.kind} has no {name}")

    def skip(self) -> int:
        """Past the exiting instruction, without performing it. The new RIP."""
        return self._road.skip()

    def retry(self) -> None:
        """Enter the guest at its RIP again without the handler (after an edit)."""
        self._road.retry()

    def read(self, gva: int, len_bytes: int) -> bytes:
        return bytes(gdb.selected_inferior().read_memory(gva, len_bytes))

    def write(self, gva: int, data: bytes) -> None:
        gdb.selected_inferior().write_memory(gva, data)


@dataclass(frozen=True)
class Stop:
    """How run() ended: `why` is tl.why of the stop, `event` the exit when there was one."""

    why: str
    kind: str
    event: Event
    output: str  # guest console and log, when the line brought them to GDB


_GDB_SAYS = re.compile(r"\n?$|Program received signal|Continuing\.|(0x[0-9a-f]+ in )?\?\? \(\)|\[Switching")
Callback = Callable[[Event], object]
_INTERRUPT_AGAIN_S = 15.0


class Session:
    """An attached machine. Made by attach()."""

    def __init__(self) -> None:
        self.road = road.stub()
        self.regs = Registers()
        self.vmcs = Fields(self.road)
        self.msr_area = MsrArea(self.road)
        self.output = ""
        self._callbacks: dict[int, Callback] = {}

    def _arm(self, words: str) -> int:
        return catch.parse(words, lambda name: self.road.field(name).number).arm(self.road)

    def on(
        self, kinds: str, when: str = "", *, stage: str = "before", only: int | str | None = None
    ) -> Callable[[Callback], Callback]:
        """Decorator: calls the function at each such exit. It may return STOP to end run()."""
        words = f"{kinds} {stage}"
        if only is not None:
            words += f" only {only}"
        if when:
            words += f" if {when}"

        def arm(function: Callback) -> Callback:
            self._callbacks[self._arm(words)] = function
            return function

        return arm

    def forget(self, function: Callback | None = None) -> None:
        """Deletes the events of one callback, or all of this session."""
        for number, known in list(self._callbacks.items()):
            if function is None or known is function:
                self.road.event_delete(number)
                del self._callbacks[number]

    def run(
        self, until: str | Callable[[Event], object] | None = None, timeout: float | None = None
    ) -> Stop:
        """Lets the guest run, calling back, until `until`: words as `trapline catch` takes them, or a
        function that is asked at each callback's stop; else until something else stops it. Raises TimedOut."""
        end = time.monotonic() + timeout if timeout is not None else None
        mine = self._arm(until) if isinstance(until, str) else 0
        output = ""
        try:
            while True:
                left = max(end - time.monotonic(), 0.1) if end is not None else None
                text, interrupted = self._continue(left)
                output += text
                reply = self.road.last_stop()
                event = Event(self, reply)
                if interrupted and reply.why == "break-in":
                    raise TimedOut(f"{timeout:g} s are over; the guest stands at 0x{event.exit.rip:x}")
                if mine and reply.event == mine:
                    return Stop(reply.why, event.kind, event, output)
                function = self._callbacks.get(reply.event) if reply.why == "event" else None
                if function is None or function(event) is STOP or (callable(until) and until(event)):
                    return Stop(reply.why, event.kind, event, output)
        finally:
            self.output += output
            if mine:
                try:
                    self.road.event_delete(mine)
                except gdb.GdbError:
                    pass  # the line is gone, or the event: nothing is left to delete

    def step(self) -> int:
        """One instruction of the guest; the new RIP."""
        self._quietly("stepi")
        return self.regs.rip

    def detach(self) -> None:
        """Deletes this session's events and lets the guest go."""
        self.forget()
        gdb.execute("detach", to_string=True)

    def _quietly(self, command: str) -> str:
        """Runs a command; what it and the line say meanwhile is returned. GDB writes "received signal" to
        a stream that neither to_string nor its logging catches, so the descriptor itself is moved."""
        stop.quiet = True
        with tempfile.TemporaryFile() as log:
            gdb.flush()
            terminal = os.dup(1), os.dup(2)
            for own in (1, 2):  # the guest's console comes to the second
                os.dup2(log.fileno(), own)
            try:
                gdb.execute(command)
            except gdb.error as error:
                raise gdb.GdbError(f"the line to the machine is lost: {error}") from None
            finally:
                gdb.flush()
                for own, kept in enumerate(terminal, 1):
                    os.dup2(kept, own)
                    os.close(kept)
                stop.quiet = False
            log.seek(0)
            said = log.read().decode("utf-8", "replace")
        return "".join(line for line in said.splitlines(True) if not _GDB_SAYS.match(line))

    def _continue(self, seconds: float | None) -> tuple[str, bool]:
        """What came from the line meanwhile, and whether the time was over."""
        if seconds is None:
            return self._quietly("continue"), False
        fired = threading.Event()
        over = threading.Event()

        def interrupt() -> None:
            # The second time GDB gives a silent target up.
            if not over.wait(seconds):
                fired.set()
                os.kill(os.getpid(), signal.SIGINT)
                if not over.wait(_INTERRUPT_AGAIN_S):
                    os.kill(os.getpid(), signal.SIGINT)

        watch = threading.Thread(target=interrupt, daemon=True)
        watch.start()
        try:
            return self._quietly("continue"), fired.is_set()
        finally:
            over.set()
            watch.join()


def attach(target: str | None = None) -> Session:
    """The machine GDB is attached to, or `target remote TARGET` first."""
    if target is not None:
        for setting in ("confirm off", "pagination off", "tcp auto-retry off"):
            gdb.execute(f"set {setting}", to_string=True)
        try:
            gdb.execute(f"target remote {target}", to_string=True)
        except gdb.error as error:
            raise gdb.GdbError(f"cannot attach to {target}: {error}") from None
    wire.connection()
    return Session()
