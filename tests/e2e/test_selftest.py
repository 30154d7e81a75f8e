# SPDX-License-Identifier: GPL-3.0-or-later
"""The differential self-test of the entry rules: damaged states, the rules' word, the CPU's deed.

`make test` tries 2,000 states on each backend. `make selftest` sets TRAPLINE_SELFTEST_STATES and
TRAPLINE_SELFTEST_SEEDS, and prints the coverage table (how often each rule was violated).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from machine import PLATFORMS, Machine, tiny

STATES = int(os.environ.get("TRAPLINE_SELFTEST_STATES", "2000"))
SEEDS = [int(s) for s in os.environ.get("TRAPLINE_SELFTEST_SEEDS", "1").split(",")]
LONG = STATES > 2000

# Rules that no state can violate there, and why: tests/README.md, "Rules without a hit".
UNHIT = Path(__file__).resolve().parent / "selftest_unhit.txt"


@dataclass
class Report:
    totals: dict[str, int]
    hits: dict[str, int]
    disagreements: list[str] = field(default_factory=list)


def parse(text: str) -> Report:
    last = re.search(r"selftest: entry \w+ (seed=.*)", text)
    assert last, "the self-test did not come to its end"
    totals = {k: int(v) for k, v in re.findall(r"([a-z-]+)=(\d+)", last[1])}
    hits = {r: int(n) for r, n in re.findall(r"selftest: rule (\S+) +(\d+)", text)}
    return Report(totals, hits, re.findall(r"selftest: disagree .*", text))


def run(name: str, seed: int, work: Path) -> Report:
    vm = Machine(
        work,
        PLATFORMS[name],
        tiny("hlt_cli"),
        hv=f"selftest=entry,seed={seed},count={STATES}",
        mem=128,
        limit=60 + STATES / 50,
    )
    with vm:
        vm.wait_for(r"selftest: entry \w+ seed=.*\n")
    report = parse(vm.text())
    assert report.totals["states"] == STATES
    return report


def reasons(name: str) -> dict[str, str]:
    rows = (line.split(None, 2) for line in UNHIT.read_text().splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == name}


def table(total: dict[str, int], why: dict[str, str]) -> str:
    return "\n".join(
        f"  {rule:36} {count:7}  {'' if count else why.get(rule, '?')}"
        for rule, count in total.items()
    )


@pytest.mark.parametrize("name", PLATFORMS)
def test_rules_agree_with_the_cpu(name: str, work: Path) -> None:
    total: dict[str, int] = {}
    for seed in SEEDS:
        report = run(name, seed, work / str(seed))
        print(f"\n{name} seed {seed}: {report.totals}")
        assert not report.disagreements, "\n".join(report.disagreements)
        assert report.totals["disagreements"] == 0
        assert report.totals["tried"] > STATES // 3
        assert report.totals["entered"] > 0 and report.totals["failed"] > 0
        for rule, count in report.hits.items():
            total[rule] = total.get(rule, 0) + count
    why = reasons(name)
    print(table(total, why))
    never = {rule for rule, count in total.items() if not count}
    if LONG:
        assert never <= set(why), f"rules never violated: {sorted(never - set(why))}"
    assert not [rule for rule in why if total.get(rule)], "a reason for a rule that was hit"
