# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands `trapline ...`, alias `tl`: one class a command, its docstring is the help.

A command asks the road and prints a view; a person's mistake is one line (gdb.GdbError).
"""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path
from typing import NoReturn

import gdb

from . import catch, inband, kernel, road, tables, view, wire


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise gdb.GdbError(f"{message}; usage: {self.format_usage()[7:].strip()}")


class Command(gdb.Command):
    """A command below `trapline`. `words` gives what TAB offers."""

    name = ""
    words: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__(f"trapline {self.name}", gdb.COMMAND_STATUS)
        self.parser = _Parser(prog=f"trapline {self.name}", add_help=False)
        self.arguments(self.parser)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds what the command takes; nothing by default."""

    def run(self, args: argparse.Namespace) -> str:
        """Does it and returns what to print."""
        raise NotImplementedError

    def offer(self) -> list[str]:
        return list(self.words)

    def invoke(self, argument: str, from_tty: bool) -> None:
        try:
            words = shlex.split(argument)
        except ValueError as error:
            raise gdb.GdbError(str(error)) from None
        self.say(self.run(self.parser.parse_args(words)))

    def complete(self, text: str, word: str | None) -> list[str]:
        # GDB breaks words at `-`, we at blanks and commas: it wants only what is behind its own break.
        typed = re.split(r"[\s,]", text)[-1]
        known = len(typed) - len(word or "")
        return [w[known:] for w in self.offer() if w.startswith(typed)]

    @staticmethod
    def say(text: str) -> None:
        if text:
            gdb.write(text if text.endswith("\n") else text + "\n")


class Prefix(gdb.Command):
    """Trapline: what the hypervisor knows of its guest. `tl` for short; `help trapline` lists the commands."""

    def __init__(self) -> None:
        super().__init__("trapline", gdb.COMMAND_STATUS, gdb.COMPLETE_COMMAND, True)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if argument:
            raise gdb.GdbError(f"no command `trapline {argument.split()[0]}`; `help trapline` lists them")
        gdb.execute("help trapline")


class Road(Command):
    """trapline road: which way the data comes: the stub, or the hypervisor's symbols."""

    name = "road"

    def run(self, args: argparse.Namespace) -> str:
        here = road.current()
        text = f"{here.text}, {here.vendor}"
        if isinstance(here, inband.StubRoad):
            hello = here.hello
            where = "the VMCB" if here.vendor == "svm" else {"area": "the MSR area"}.get(hello.efer_where, "the controls")
            text += f" on {hello.platform}, {hello.cpus} CPU(s), EFER kept in {where}"
        return text


class Catch(Command):
    """trapline catch KIND[,KIND] [before|after] [once] [only N[-M],...] [if EXPR] [do ACTION;...]

    Stops when the guest exits so. Kinds are those of the console (cr0-write, wrmsr, cpuid, io-out ...; TAB
    lists them) or a vendor's name; `cr*` is all that begin so. `only` names MSRs, ports or vectors.
    EXPR is evaluated in the hypervisor: registers, words of the exit (value, old, index, port, gpa ...),
    vmcs.FIELD, msr-area[MSR], cr0.PG, u32(ADDRESS). Actions: stop, skip, log "FORMAT", EXPR...,
    set X = EXPR (X: a register, vmcs.FIELD, or a bit as cr0.PG). The guest goes on unless one is stop.
    Without arguments: the list of events."""

    name = "catch"
    words = (*wire.KIND_WORDS[1:], "before", "after", "once", "only", "if", "do")

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not argument.strip():
            return self.say(view.events(road.stub().events()))
        here = road.stub()
        spec = catch.parse(argument, lambda name: here.field(name).number)
        self.say(f"event {spec.arm(here)}: {argument.strip()}")


class Delete(Command):
    """trapline delete ID|all: deletes events made by `trapline catch`."""

    name = "delete"
    words = ("all",)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("id")

    def run(self, args: argparse.Namespace) -> str:
        if args.id != "all" and not args.id.isdigit():
            raise gdb.GdbError(f"`{args.id}` is no event number; `trapline catch` lists them")
        road.stub().event_delete(None if args.id == "all" else int(args.id))
        return ""


class Exit(Command):
    """trapline exit: everything of the last exit."""

    name = "exit"

    def run(self, args: argparse.Namespace) -> str:
        return view.exit_full(road.current().exit())


class MsrArea(Command):
    """trapline msr-area [MSR|MSR=VALUE]: the guest MSRs of the MSR area (SVM: of the VMCB): all, one, or
    writes one."""

    name = "msr-area"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("assignment", nargs="?", metavar="MSR|MSR=VALUE")

    def run(self, args: argparse.Namespace) -> str:
        here = road.current()
        if not args.assignment:
            return view.msr_area(here.msr_area())
        left, equals, right = args.assignment.partition("=")
        index = wire.msr_index(left)
        if equals:
            here.set_msr_area(index, int(gdb.parse_and_eval(right)) & (2**64 - 1))
            return view.msr_area(here.msr_area())
        area = here.msr_area()
        entries = tuple(e for e in area.entries if e.index == index)
        if not entries:
            raise gdb.GdbError(f"MSR {left} is not kept there (`trapline msr-area` lists those that are)")
        return view.msr_area(wire.MsrArea(area.where, entries))


class Cr(Command):
    """trapline cr: CR0, CR4, EFER: what the guest wrote, what it reads, what the CPU holds."""

    name = "cr"

    def run(self, args: argparse.Namespace) -> str:
        return view.controls(road.current().controls())


_GROUPS = {
    "general": ("GPR", "RIP", "FLAGS"), "segments": ("SELECTOR", "BASE", "TABLE"),
    "control": ("CONTROL", "EFER", "MODE"), "debug": ("DEBUG",), "exit": ("EXIT",), "fields": ("FIELD",),
}  # fmt: skip


class Registers(Command):
    """trapline registers [GROUP]: one group of registers with the names of their bits: general, segments,
    control (default), debug, exit (the last exit's facts), fields (of the VMCS or VMCB)."""

    name = "registers"
    words = tuple(_GROUPS)

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("group", nargs="?", default="control", choices=self.words)

    def run(self, args: argparse.Namespace) -> str:
        road.stub()
        lines = []
        for name, _, _, _, source in tables.REGISTERS:
            if source in _GROUPS[args.group]:
                value = gdb.parse_and_eval(f"${name}")
                if value.is_optimized_out or "<unavailable>" in str(value):
                    continue
                lines.append(view.register(name, int(value.cast(gdb.lookup_type("unsigned long")))))
        return "\n".join(lines)


class Vmcs(Command):
    """trapline vmcs [PATTERN...] [FIELD=VALUE]: fields of the VMCS or VMCB whose name contains or
    matches PATTERN (`*` and `?` as in a shell); with `=` writes one."""

    name = "vmcs"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("pattern", nargs="*")

    def offer(self) -> list[str]:
        try:
            vendor = road.current().vendor
        except gdb.GdbError:
            vendor = "vmx"
        return [name for _, _, name, _ in wire.field_rows(vendor)]

    def run(self, args: argparse.Namespace) -> str:
        here = road.current()
        patterns = []
        for word in args.pattern:
            name, equals, value = word.partition("=")
            if equals:
                here.set_field(name, int(gdb.parse_and_eval(value)) & (2**64 - 1))
            patterns.append(name)
        text = view.fields(here.fields(), patterns)
        if not text:
            table = "VMCB" if here.vendor == "svm" else "VMCS"
            raise gdb.GdbError(f"no {table} field matches {' '.join(patterns)}")
        return text


class Walk(Command):
    """trapline walk EXPR: translates a guest-linear address: guest tables, then EPT/NPT, level by level."""

    name = "walk"

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not argument.strip():
            raise gdb.GdbError("usage: trapline walk EXPR")
        gva = int(gdb.parse_and_eval(f"(unsigned long)({argument})")) & (2**64 - 1)
        self.say(view.walk(gva, road.current().walk(gva)))

    def complete(self, text: str, word: str | None) -> list[str]:
        return []


class Ring(Command):
    """trapline ring [N] [KIND,...]: the last N exits (default 16), newest last; of those, the ones of these kinds."""

    name = "ring"
    words = tuple(wire.KIND_WORDS[1:])

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("count", nargs="?", default="16")
        parser.add_argument("kind", nargs="?")

    def run(self, args: argparse.Namespace) -> str:
        if not args.count.isdigit() or not 0 < int(args.count) <= 65536:
            raise gdb.GdbError(f"`{args.count}` is no count from 1 to 65536; usage: trapline ring [N] [KIND]")
        kinds = inband.kinds_of(args.kind).split(",") if args.kind else wire.KIND_WORDS
        return view.ring([r for r in road.current().ring(int(args.count)) if r.kind in kinds])


class Explain(Command):
    """trapline explain: why it stopped, and what will break; the hypervisor's own verdict."""

    name = "explain"

    def run(self, args: argparse.Namespace) -> str:
        return road.current().text_object("explain")


class Check(Command):
    """trapline check [if NAME = VALUE and NAME.BIT = VALUE ...]: the VM-entry rules on the state as it is,
    with these fields, registers or bits changed for the question only."""

    name = "check"
    words = ("if", "and")
    _CHANGE = re.compile(r"(?:(?:if|and)\b|&&|,|\s)*([A-Za-z_][\w.]*)\s*=\s*([^\s,&]+)")

    def invoke(self, argument: str, from_tty: bool) -> None:
        changes, at = [], 0
        while argument[at:].strip():
            match = self._CHANGE.match(argument, at)
            if not match:
                raise gdb.GdbError("usage: trapline check [if NAME = VALUE and NAME.BIT = VALUE ...]")
            value = int(gdb.parse_and_eval(match[2])) & (2**64 - 1)
            changes.append(f"{match[1]}={value:x}")
            at = match.end()
        self.say(road.current().text_object("check", ",".join(changes)))


class Audit(Command):
    """trapline audit cpuid|memtype|reset: an audit of what the guest is given, as text."""

    name = "audit"
    words = ("cpuid", "memtype", "reset")

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("what", choices=self.words)

    def run(self, args: argparse.Namespace) -> str:
        return road.current().text_object("audit", args.what)


class Record(Command):
    """trapline record: the crash record of this moment, as it would stand in a log."""

    name = "record"

    def run(self, args: argparse.Namespace) -> str:
        return road.current().text_object("record")


class Skip(Command):
    """trapline skip: RIP goes past the exiting instruction, which is not performed."""

    name = "skip"

    def run(self, args: argparse.Namespace) -> str:
        return f"rip 0x{road.stub().skip():x}"


class Retry(Command):
    """trapline retry: the next resume enters the guest at RIP again, without the exit's handler."""

    name = "retry"

    def run(self, args: argparse.Namespace) -> str:
        road.stub().retry()
        return ""


_snapshots: dict[str, dict[str, int]] = {}


def snapshot() -> dict[str, int]:
    """Registers, fields and MSRs of the area by name."""
    here = road.stub()
    state = {}
    for name, bits, _, _, source in tables.REGISTERS:
        if source in ("FPU", "EXIT", "FIELD") or bits > 64:
            continue
        state[name] = int(gdb.parse_and_eval(f"(unsigned long)${name}")) & (2**64 - 1)
    for field in here.fields():
        state[f"{'vmcb' if here.vendor == 'svm' else 'vmcs'}.{field.name}"] = field.value
    for entry in here.msr_area().entries:
        state[f"msr-area.{wire.msr_name(entry.index) or hex(entry.index)}"] = entry.value
    return state


class Snapshot(Command):
    """trapline snapshot NAME: keeps registers, fields and the MSR area for `trapline diff`."""

    name = "snapshot"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("snapshot", metavar="NAME")

    def run(self, args: argparse.Namespace) -> str:
        _snapshots[args.snapshot] = snapshot()
        return ""


class Diff(Command):
    """trapline diff A [B]: what differs between two snapshots, or between A and now."""

    name = "diff"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("a")
        parser.add_argument("b", nargs="?")

    def offer(self) -> list[str]:
        return sorted(_snapshots)

    def run(self, args: argparse.Namespace) -> str:
        for name in (args.a, args.b):
            if name and name not in _snapshots:
                raise gdb.GdbError(f"no snapshot `{name}`; there is {', '.join(_snapshots) or 'none'}")
        return view.difference(_snapshots[args.a], _snapshots[args.b] if args.b else snapshot())


class KernelSymbols(Command):
    """trapline kernel-symbols FILE [OFFSET]: names of a Linux guest, at the addresses where it runs.

    FILE is the kernel's System.map, or a vmlinux with symbols. The KASLR offset is found from LSTAR or the IDT,
    as soon as the kernel has set one; OFFSET gives it by hand. After that `break start_kernel`, `info symbol $pc`
    and so on know the guest's names. Again, after a reboot: the old ones are dropped."""

    name = "kernel-symbols"

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("offset", nargs="?")

    def run(self, args: argparse.Namespace) -> str:
        offset = int(gdb.parse_and_eval(args.offset)) if args.offset else None
        found = kernel.load(Path(args.file).expanduser(), offset)
        return f"the kernel runs 0x{found:x} above where it was linked"


class Backtrace(Command):
    """trapline bt: the hypervisor's frames, and below them where the guest left. Needs the hypervisor's
    symbols and an emulator's gdbstub; on the stub's line `bt` is the guest's own."""

    name = "bt"

    def run(self, args: argparse.Namespace) -> str:
        from .symbols import SymbolRoad

        here = road.current()
        if not isinstance(here, SymbolRoad):
            raise gdb.GdbError(f"by {here.text} every frame is the guest's: use `bt`")
        return str(gdb.execute("backtrace", to_string=True)) + f"#-  {here.guest_frame()}"


def register() -> None:
    Prefix()
    for command in (
        Road, Catch, Delete, Exit, MsrArea, Cr, Registers, Vmcs, Walk, Ring, Explain, Check, Audit, Record, Skip, Retry,
        Snapshot, Diff, KernelSymbols, Backtrace,
    ):  # fmt: skip
        command()
    gdb.execute("alias tl = trapline", to_string=True)
