# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the guest's time goes and where two runs part: stats, ring, trace, diff, on whole boots."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import machine
import pytest
from console import trapline
from machine import KERNEL_ARGS, Platform, tiny

ROW = re.compile(r"^ {2}([a-z0-9-]+) +(?:(\S+) +)?(\d+) +(\d+\.\d)% +(\d+|-) +(\d+|-)", re.M)


def table(out: str, command: str) -> list[tuple[str, str, int, str]]:
    """Rows of one `stats` in a batch's output: kind, index, count, cycles."""
    part = out.split(f"> {command}\n", 1)[1].split("\n> ", 1)[0]
    return [(m[1], m[2] or "", int(m[3]), m[5]) for m in ROW.finditer(part)]


def test_stats_count_every_exit(platform: Platform, work: Path) -> None:
    """2000 CPUIDs of one leaf at one place, and nothing counted twice or not at all."""
    guest = tiny("cpuid_loop")
    saved = work / "stats.json"
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "90"),
        *("-e", f"break 0x{machine.symbol(guest, 'guest_exit'):x}", "-e", "continue"),
        *("-e", "stats", "-e", "stats leaf", "-e", "stats rip 4096", "-e", "stats port by cycles"),
        *("-e", "stats rip 1", "-e", f"stats save {saved}"),
        str(guest),
    )
    assert run.status == 0, str(run)
    kinds = table(run.out, "stats")
    exits = int(re.search(r"(?m)^(\d+) exits$", run.out)[1])  # type: ignore[index]
    assert sum(row[2] for row in kinds) == exits
    assert [row[2] for row in kinds] == sorted((row[2] for row in kinds), reverse=True)
    assert table(run.out, "stats leaf")[0][:3] == ("cpuid", "0x00000000", 2000)
    rips = table(run.out, "stats rip 4096")  # all: each interrupt of a slow line adds a place
    assert rips[0][0] == "cpuid" and rips[0][2] == 2000
    assert sum(row[2] for row in rips) == exits
    ports = table(run.out, "stats port by cycles")
    assert {row[1] for row in ports} >= {"0x03f8"}
    cycles = [int(row[3]) for row in ports]
    assert cycles == sorted(cycles, reverse=True)
    assert len(table(run.out, "stats rip 1")) == 1 and "more rows" in run.out
    data = json.loads(saved.read_text())
    assert data["exits"] == exits and data["tsc_hz"] > 0
    assert sum(row["count"] for row in data["rip"]["rows"]) + data["rip"]["others"] == exits
    assert [row["count"] for row in data["leaf"]["rows"]] == [2000]


@pytest.mark.parametrize("wrong", ["stats bogus", "stats 0", "stats rip 99999", "stats by", "stats by name",
                                   "stats save", "stats rip rip"])
def test_stats_wrong_words(wrong: str, work: Path) -> None:
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", wrong, str(tiny("spin_cli")))
    assert run.status == 2 and run.err.startswith("error: "), str(run)


def boot(work: Path, platform: Platform, *more: str) -> dict[str, Any]:
    """A whole Debian boot, each exit kept: output, ring, trace and statistics."""
    name = "-".join(["boot", *more]).strip("-")
    ring, trace, stats = (work / f"{name}.{end}" for end in ("jsonl", "trace.json", "stats.json"))
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "400", "--hv", "ring=65536"),
        *("--append", KERNEL_ARGS + " quiet", *more),
        *("-e", "expect output TRAPLINE-GUEST-OK within 380", "-e", "interrupt", "-e", "stats"),
        *("-e", "stats msr 100", "-e", f"stats save {stats}", "-e", f"ring save {ring}", "-e", f"ring export {trace}"),
        timeout=440,
    )
    assert run.status == 0, str(run)
    return {"out": run.out, "ring": ring, "trace": trace, "stats": stats}


def refuse(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def check_trace(path: Path) -> list[dict[str, Any]]:
    """The trace-event format, as far as we use it: what Perfetto and chrome://tracing want."""
    trace = json.loads(path.read_text(), parse_constant=refuse)
    assert set(trace) <= {"traceEvents", "displayTimeUnit", "otherData"}
    assert trace["displayTimeUnit"] in ("ms", "ns")
    named, last, complete = set(), 0.0, []
    for event in trace["traceEvents"]:
        assert isinstance(event["name"], str) and event["name"]
        assert isinstance(event["pid"], int) and isinstance(event["tid"], int)
        if event["ph"] == "M":
            assert event["name"] in ("process_name", "thread_name")
            assert isinstance(event["args"]["name"], str)
            named.add((event["name"], event["pid"], event["tid"]))
        else:
            assert event["ph"] == "X", event
            assert isinstance(event["cat"], str) and isinstance(event["args"], dict)
            for key in ("ts", "dur"):
                assert isinstance(event[key], (int, float)) and math.isfinite(event[key]) and event[key] >= 0
            assert event["ts"] >= last
            last = event["ts"]
            complete.append(event)
    for event in complete:
        assert ("thread_name", event["pid"], event["tid"]) in named
    assert any(name == "process_name" for name, _, _ in named)
    # Handlers of one vCPU follow each other: no event ends behind the next one's start (rounding aside).
    for before, after in zip(complete, complete[1:]):
        assert before["ts"] + before["dur"] <= after["ts"] + 0.01, (before, after)
    return complete


def test_a_boot_in_figures(platform: Platform, work: Path) -> None:
    """Shows 4: a whole boot as a table, and as a trace that viewers open."""
    made = boot(work, platform)
    rows = [json.loads(line) for line in made["ring"].read_text().splitlines()]
    assert [int(row["number"], 16) for row in rows] == list(range(1, len(rows) + 1))
    events = check_trace(made["trace"])
    assert [event["args"]["number"] for event in events] == list(range(1, len(rows) + 1))
    kinds = {kind: count for kind, _, count, _ in table(made["out"], "stats")}
    for kind, count in kinds.items():
        assert sum(row["kind"] == kind for row in rows) == count, kind
    assert sum(kinds.values()) == len(rows)
    assert {"cr0-write", "cr4-write", "rdmsr", "wrmsr", "cpuid", "io-out"} <= kinds.keys()
    # The table by MSR is the ring's own story.
    for kind, index, count, _ in table(made["out"], "stats msr 100"):
        assert count == sum(row["kind"] == kind and int(row["rcx"], 16) & 0xFFFFFFFF == int(index, 16)
                            for row in rows), (kind, index)
    stats = json.loads(made["stats"].read_text())
    assert sum(row["count"] for row in stats["leaf"]["rows"]) + 0 == kinds["cpuid"]


def test_a_good_and_a_bad_boot(work: Path) -> None:
    """Shows 3: `ring save` of two boots under KASLR; `diff` names the exit that is the cause."""
    platform = machine.PLATFORMS["qemu-svm"]
    good = boot(work, platform)["ring"]
    again = work / "again"
    again.mkdir()
    same = boot(again, platform)["ring"]
    bad = boot(work, platform, "--fault", "osxsave-host")["ring"]

    def diff(other: Path, ignore: str) -> str:
        run = trapline(work, "run", "--batch", "--timeout", "60", "-e", f"diff {good} {other} {ignore}".strip(),
                       str(tiny("spin_cli")))
        assert run.status == 0, str(run)
        return run.out

    # The first question about OSXSAVE that gets another answer: leaf 1, ECX bit 27.
    found = re.search(r"after (\d+) equal exits the first that differs is:\n- exit \d+  cpuid .*leaf 0x1\n"
                      r"\+ exit \d+  cpuid .*leaf 0x1\n  value +0x([0-9a-f]+) +0x([0-9a-f]+)\n", diff(bad, ""))
    assert found and int(found[2], 16) ^ int(found[3], 16) == 1 << 27
    # Times, the state of devices and addresses that KASLR draws aside, two good boots are one.
    text = diff(same, "ignore value inject info1 nested-page port:0x60-0x64 port:0x3f8-0x3ff port:0x40-0x43 port:0x61")
    # Each was interrupted when the host came to it: one may have gone some exits further.
    assert re.search(r"no difference in \d{3,} exits", text) or (
        re.search(r"after \d{3,} equal exits", text) and "(the ring ends here)" in text), text
    assert "KASLR" in text
    run = trapline(work, "run", "--batch", "--timeout", "60", "-e", "diff a.jsonl", str(tiny("spin_cli")))
    assert run.status == 2 and "no snapshot" in run.err


def test_ring_filters(work: Path) -> None:
    guest = tiny("msr")
    run = trapline(
        work,
        *("run", "--batch", "--timeout", "60", "--hv", "ring=16384"),
        *("-e", f"break 0x{machine.symbol(guest, 'guest_exit'):x}", "-e", "continue"),
        *("-e", "ring 9999 msr:efer", "-e", "echo one", "-e", "ring 9999 rdmsr,wrmsr"),
        *("-e", "echo two", "-e", "ring 9999 ignore io-in io-out port:0x80", "-e", "echo three"),
        *("-e", "ring 9999 msr:0xc0000080-0xc0000084", "-e", "echo four", "-e", "ring 1 port:0x3f8"),
        *("-e", "echo five"),
        str(guest),
    )
    assert run.status == 0, str(run)
    row = re.compile(r"^ +\d+  ([a-z0-9-]+) ", re.M)

    def part(end: str) -> list[str]:
        return row.findall(run.out.split(f"\n> echo {end}\n")[0].rsplit("\n> ring", 1)[1])

    efer = part("one")
    assert efer and set(efer) <= {"rdmsr", "wrmsr"}
    assert len(part("two")) >= len(efer)
    assert part("three") and not set(part("three")) & {"io-in", "io-out"}
    assert len(part("four")) >= len(efer)
    assert part("five") == ["io-out"] or part("five") == ["io-in"]


@pytest.mark.parametrize("wrong", ["ring bogus", "ring 0", "ring ignore", "ring msr:", "ring port:x", "ring save",
                                   "ring rip:9-1", "ring cpu:1", "ring export /no/such/dir/x", "ring 5 5",
                                   "diff", "diff a b c", "diff a ignore"])
def test_ring_wrong_words(wrong: str, work: Path) -> None:
    run = trapline(work, "run", "--batch", "--timeout", "30", "-e", wrong, str(tiny("spin_cli")))
    assert run.status == 2 and run.err.startswith("error: ") and run.err.count("\n") == 1, str(run)


def test_snapshot_diff_ignores(platform: Platform, work: Path) -> None:
    run = trapline(
        work,
        *("run", "--on", platform.emulator, "--batch", "--timeout", "60"),
        *("-e", "snapshot a", "-e", "set rax = 0x1234567", "-e", "set rbx = 0x7654321", "-e", "diff a"),
        *("-e", "echo --", "-e", "diff a ignore rb*,vmc*"),
        str(tiny("spin_cli")),
    )
    assert run.status == 0, str(run)
    first, second = run.out.split("\n> echo --\n")
    assert "0x1234567" in first and "0x7654321" in first
    assert "0x1234567" in second and "0x7654321" not in second and "more that are ignored" in second
