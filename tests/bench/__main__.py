# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measures, prints a table, judges nothing.

A measure is a function below a @measure line: it yields Rows. Numbers that only an idle machine
could repeat are not worth a row: count instructions, bytes, or two runs side by side.
`make bench ARGS="cpuid linux"` runs the measures named.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import line_cost  # noqa: E402
from machine import BUILD, INITRD, KERNEL, KERNEL_ARGS, PLATFORMS, Machine, tiny  # noqa: E402


@dataclass(frozen=True)
class Row:
    what: str
    bare: str
    hv: str
    cost: str
    wanted: str = ""


Measure = Callable[[], Iterator[Row]]
MEASURES: dict[str, Measure] = {}


def measure(function: Measure) -> Measure:
    MEASURES[function.__name__] = function
    return function


def run(name: str, vm: Machine, pattern: str) -> re.Match[str]:
    """Boots `vm` until the line shows `pattern`."""
    with vm:
        seen = vm.wait_for(pattern)
    found = re.search(pattern, vm.text(), re.MULTILINE)
    if not seen or not found:
        raise RuntimeError(f"{name}: never saw {pattern!r}\n{vm.tail()}")
    return found


@measure
def cpuid() -> Iterator[Row]:
    """A guest reads the TSC around a loop of CPUIDs; on Bochs a tick is an instruction."""
    for platform, unit, wanted in (
        (PLATFORMS["bochs-vmx"], "instructions", "<= 200"),
        (PLATFORMS["qemu-svm"], "ticks", ""),
    ):
        ticks = {}
        for bare in (True, False):
            name = f"cpuid-{platform.name}-{'bare' if bare else 'hv'}"
            vm = Machine(BUILD / "bench" / name, platform, tiny("cpuid_loop"), bare=bare, mem=128)
            ticks[bare] = int(run(name, vm, r"ticks each 0x([0-9a-f]+)$")[1], 16)
        yield Row(
            f"CPUID round trip, {unit} ({platform.name})",
            str(ticks[True]),
            str(ticks[False]),
            f"+{ticks[False] - ticks[True]}",
            wanted,
        )


@measure
def linux() -> Iterator[Row]:
    """Debian's kernel to /init by its own clock; on Bochs that clock counts instructions."""
    platform = PLATFORMS["bochs-vmx"]
    uptime = {}
    for bare in (True, False):
        name = f"linux-{platform.name}-{'bare' if bare else 'hv'}"
        vm = Machine(
            BUILD / "bench" / name,
            platform,
            KERNEL,
            args=KERNEL_ARGS,
            modules=[str(INITRD)],
            bare=bare,
            mem=512,
            limit=200,
        )
        uptime[bare] = float(run(name, vm, r"TRAPLINE-GUEST-OK \S+ ([0-9.]+)$")[1])
    yield Row(
        f"Linux, entry to /init, guest seconds ({platform.name})",
        f"{uptime[True]:.2f}",
        f"{uptime[False]:.2f}",
        f"x {uptime[False] / uptime[True]:.3f}",
        "<= x 1.10",
    )


@measure
def line() -> Iterator[Row]:
    """Bytes on the UART: stock GDB bare and at the broker, and dumps."""
    for platform in (PLATFORMS["qemu-svm"], PLATFORMS["bochs-vmx"]):
        work = BUILD / "bench" / f"line-{platform.name}"
        cost = line_cost.gdb_bytes(work, platform)
        where = f"({platform.name})"
        yield Row(f"GDB connects, bare line {where}", "", "", f"{cost.connect:.0f} bytes", "<= 4000")
        yield Row(f"GDB stepi, bare line {where}", "", "", f"{cost.step:.0f} bytes", "<= 400")
        yield Row(f"GDB stepi, broker {where}", "", "", f"{cost.broker_step:.0f} bytes", "<= 150")
        yield Row(f"the same with symbols, 50 steps {where}", "", "", f"{cost.symbols_step:.0f} bytes", "")
        for what, wanted in (("random", ">= 90 %"), ("zeros", ">= 500 %")):
            rate = line_cost.dump_rate(work, platform, what)
            yield Row(f"dump of {what}, of the line rate {where}", "", "", f"{100 * rate:.0f} %", wanted)


@measure
def condition() -> Iterator[Row]:
    """A breakpoint whose condition is false: evaluated by the stub, and by GDB over the line."""
    for platform in (PLATFORMS["bochs-vmx"], PLATFORMS["qemu-svm"]):
        work = BUILD / "bench" / f"condition-{platform.name}"
        host, stub = (line_cost.condition_ticks(work, platform, mode) for mode in ("host", "target"))
        speed = f", {line_cost.CONDITION_IPS // 10**6} MIPS" if platform.emulator == "bochs" else ""
        yield Row(
            f"False condition, 115200 baud, ticks ({platform.name}{speed})",
            f"{host:.0f} by GDB",
            f"{stub:.0f} by stub",
            f"1/{host / stub:.0f}",
            "<= 1/500",
        )


@measure
def events() -> Iterator[Row]:
    """What 1,000 armed events of other kinds add to a CPUID exit, in instructions."""
    for platform in (PLATFORMS["bochs-vmx"], PLATFORMS["qemu-svm"]):
        work = BUILD / "bench" / f"events-{platform.name}"
        none, many = (line_cost.exit_ticks(work, platform, count) for count in (0, 1000))
        yield Row(
            f"CPUID exit, 0 and 1,000 events of other kinds ({platform.name})",
            f"{none / 1000:.2f}",
            f"{many / 1000:.2f}",
            f"{(many - none) / 1000:+.2f}",
            "+0",
        )


@measure
def breakin() -> Iterator[Row]:
    """From the byte at the UART to the stop reply on a bare line, in every state of a guest. Bounds the
    guest's time from above; the reply's own bytes are in it."""
    for platform in (PLATFORMS["qemu-svm"], PLATFORMS["bochs-vmx"]):
        for state, guest in line_cost.BREAK_IN_STATES.items():
            work = BUILD / "bench" / f"breakin-{guest}-{platform.name}"
            took = line_cost.break_in_ms(work, platform, guest)
            yield Row(
                f"Break-in, {state}, guest ms at most ({platform.name})",
                "",
                f"{sorted(took)[len(took) // 2]:.1f}",
                f"max {max(took):.1f}",
                "<= 50",
            )


LIMIT_SECONDS = 300  # a measure


def main() -> int:
    names = sys.argv[1:] or list(MEASURES)
    unknown = [n for n in names if n not in MEASURES]
    if unknown:
        print(f"bench: no measure {', '.join(unknown)}; there are: {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    failed = False
    signal.signal(signal.SIGALRM, out_of_time)
    show(Row("", "bare", "trapline", "cost", "wanted"))
    for name in names:  # each prints as it ends: a later one that fails takes nothing away
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        signal.alarm(LIMIT_SECONDS)
        try:
            for row in MEASURES[name]():
                show(row)
        except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"bench: {name} was not measured: {error}", file=sys.stderr)
            failed = True
        finally:
            signal.alarm(0)
    return 1 if failed else 0


def out_of_time(*_: object) -> None:
    raise RuntimeError(f"it took longer than {LIMIT_SECONDS} s")


def show(row: Row) -> None:
    print(f"{row.what:<58} {row.bare:>10} {row.hv:>10} {row.cost:>10}  {row.wanted}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
