# SPDX-License-Identifier: GPL-3.0-or-later
"""The road through the stub: the guest's debug line, or the host program's socket."""

from __future__ import annotations

from . import tables, wire
from .road import Road
from .wire import (
    AreaEntry, Controls, EventRow, Exit, Faces, Field, Hello, Msr, MsrArea, RingRecord, StopReply, Walk,
    WalkEntry, number,
)  # fmt: skip

# Keys of qtl.exit that are words; all others are numbers.
_WORDS = {"kind", "name", "mode", "stage", "verdict", "access", "op"}
_COMMON = {
    "cpu", "number", "kind", "reason", "name", "info1", "info2", "len", "rip", "cs", "mode", "stage", "tsc",
    "verdict", "insn",
}  # fmt: skip


class StubRoad(Road):
    text = "the stub (in-band)"

    def __init__(self) -> None:
        values = wire.pairs(wire.ask("qtl.hello"))
        self.hello = Hello(
            values.get("vendor", "?"), values.get("platform", "?"), number(values, "cpus", 1),
            values.get("efer", "?"), tuple(values.get("caps", "").split(",")),
        )  # fmt: skip
        self.vendor = self.hello.vendor

    def exit(self) -> Exit:
        v = wire.pairs(wire.ask("qtl.exit"))
        extra: dict[str, int | str] = {}
        for key, value in v.items():
            if key not in _COMMON:
                extra[key] = value if key in _WORDS else number(v, key)
        return Exit(
            v.get("kind", "?"), number(v, "number"), number(v, "reason"), v.get("name", "-"), number(v, "info1"),
            number(v, "info2"), number(v, "len"), number(v, "rip"), number(v, "cs"), v.get("mode", "?"),
            v.get("stage", "?"), v.get("verdict", "?"), bytes.fromhex(v.get("insn", "")), extra,
        )  # fmt: skip

    def fields(self) -> list[Field]:
        names = {n: (name, text) for n, _, name, text in wire.field_rows(self.vendor)}
        found = []
        for _, rows in wire.paged("qtl.fields"):
            for row in rows:
                left, _, right = row.partition("=")
                name, text = names.get(int(left, 16), ("?", ""))
                found.append(Field(int(left, 16), name, int(right, 16), text))
        return found

    def field(self, name: str) -> Field:
        v = wire.pairs(wire.ask(f"qtl.field:{name}"))
        return Field(number(v, "number"), name, number(v, "value"))

    def set_field(self, name: str, value: int) -> None:
        wire.act(f"Qtl.field:{name}={value:x}")

    def msr_area(self) -> MsrArea:
        head, rows = wire.records(wire.ask("qtl.msr-area"))
        entries = [wire.pairs(row) for row in rows]
        return MsrArea(
            head.get("where", "?"),
            tuple(AreaEntry(number(e, "slot"), number(e, "index"), number(e, "value")) for e in entries),
        )

    def set_msr_area(self, index: int, value: int) -> None:
        wire.act(f"Qtl.msr-area:{index:x}={value:x}")

    def msr(self, index: int) -> Msr:
        v = wire.pairs(wire.ask(f"qtl.msr:{index:x}"))
        return Msr(
            index,
            number(v, "guest") if "guest" in v else None,
            v.get("where", "?"),
            number(v, "hw") if "hw" in v else None,
        )

    def set_msr(self, index: int, value: int) -> None:
        wire.act(f"Qtl.msr:{index:x}={value:x}")

    def controls(self) -> Controls:
        v = wire.pairs(wire.ask("qtl.cr"))

        def faces(name: str) -> Faces:
            return Faces(*(number(v, f"{name}.{face}") for face in ("wrote", "read", "real")))

        return Controls(
            faces("cr0"), faces("cr4"), faces("efer"), v.get("efer.where", "?"), number(v, "cr2"),
            number(v, "cr3"), v.get("ia32e") == "1", v.get("mode", "?"),
        )  # fmt: skip

    def walk(self, gva: int) -> Walk:
        v, rows = wire.records(wire.ask(f"qtl.walk:{gva:x}"))
        entries = [wire.pairs(row) for row in rows]
        return Walk(
            v.get("mode", "?"), v.get("result", "?"), number(v, "gpa") if "gpa" in v else None,
            number(v, "page") if "page" in v else None, v.get("rights", ""), v.get("nested", ""),
            number(v, "hpa") if "hpa" in v else None,
            tuple(
                WalkEntry(e.get("t", "?"), number(e, "level"), number(e, "at"), number(e, "entry"))
                for e in entries
            ),
        )  # fmt: skip

    def ring(self, count: int) -> list[RingRecord]:
        head, rows = wire.records(wire.ask(f"qtl.ring:,{count:x}"))
        found = [RingRecord.parse(bytes.fromhex(row)) for row in rows]
        while "next" in head:
            head, rows = wire.records(wire.ask(f"qtl.ring:{head['next']},{count - len(found):x}"))
            if not rows:
                break
            found += [RingRecord.parse(bytes.fromhex(row)) for row in rows]
        return found

    def text_object(self, name: str, annex: str = "") -> str:
        return wire.text_object(name, annex)

    # ---- only here: what acts on the guest -------------------------------------------------------

    def last_stop(self) -> StopReply:
        """The stop reply, asked for again: GDB keeps our keys to itself."""
        reply = wire.ask("?")
        v = wire.pairs(reply[3:])
        return StopReply(
            int(reply[1:3], 16), v.get("tl.why", "?"), v.get("tl.kind", ""), number(v, "tl.event"),
            v.get("tl.stage", ""), number(v, "tl.reason"),
        )  # fmt: skip

    def skip(self) -> int:
        """RIP behind the exiting instruction, which is not performed. The new RIP."""
        return number(wire.act("Qtl.skip"), "rip")

    def retry(self) -> None:
        wire.act("Qtl.retry")

    def event_add(
        self, kinds: str, code: str = "", *, stage: str = "before", only: str = "", once: bool = False,
        actions: tuple[str, ...] = (),
    ) -> int:  # fmt: skip
        """`kinds` are words of exit_kinds.def with commas between, `code` agent bytecode as hex."""
        packet = f"Qtl.event.add:kinds:{kinds};stage:{stage};"
        packet += f"only:{only};" if only else ""
        packet += f"if:{code};" if code else ""
        packet += "once:1;" if once else ""
        packet += "".join(f"do:{action};" for action in actions)
        return number(wire.pairs(wire.ask(packet)), "event")

    def event_delete(self, which: int | None) -> None:
        wire.ask("Qtl.event.del:" + ("all" if which is None else f"{which:x}"))

    def events(self) -> list[EventRow]:
        found = []
        for _, rows in wire.paged("qtl.events"):
            for row in rows:
                v = wire.pairs(row)
                mask = number(v, "mask")
                kinds = tuple(w for n, w in enumerate(wire.KIND_WORDS) if mask >> n & 1)
                why = bytes.fromhex(v.get("why", "")).decode("ascii", "replace")
                head = number(v, "event"), kinds, v.get("stage", "?"), number(v, "hits")
                found.append(EventRow(*head, once="once" in v, off="off" in v, why=why))
        return found


def kinds_of(words: str) -> str:
    """Checks kind words, takes vendor names too (either vendor's), gives words for the wire."""
    found: list[str] = []
    for word in (w.strip() for w in words.split(",")):
        if word in wire.KIND_WORDS[1:]:
            found.append(word)
            continue
        bare = word.upper().removeprefix("EXIT_REASON_").removeprefix("VMEXIT_")
        enums = {k for rows in (tables.VMX_REASONS, tables.SVM_EXITS) for _, name, k, _ in rows if name == bare}
        named = [w for name, w, _ in tables.EXIT_KINDS if name in enums and name != "NONE"]
        if word.endswith("*"):
            named = [w for w in wire.KIND_WORDS[1:] if w.startswith(word[:-1])]
        if not named:
            raise wire.TargetError("no_kind", f"no exit kind `{word}`; `trapline catch` and TAB list them")
        found += named
    return ",".join(found)
