# SPDX-License-Identifier: GPL-3.0-or-later
"""The CI recipe of the README: its own lines are run, so that it cannot drift."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from machine import TOP


def commands() -> list[str]:
    """The `run:` blocks of the recipe, in order."""
    recipe = re.search(r"```yaml\n(.*?)```", (TOP / "README.md").read_text(), re.DOTALL)
    assert recipe, "the README has no CI recipe"
    blocks = re.findall(r"run: \|\n((?: {10}.*\n)+)", recipe[1])
    return ["\n".join(line[10:] for line in block.splitlines()) for block in blocks]


def run(command: str, work: Path) -> subprocess.CompletedProcess[str]:
    here = command.replace("build/trapline", str(TOP / "build" / "trapline"))
    return subprocess.run(
        ["timeout", "-k", "5", "300", "sh", "-ec", here],
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_recipe(work: Path) -> None:
    boot, explain = commands()
    result = run(boot, work)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "tl: guest Linux bzImage" in (work / "serial.log").read_text(errors="replace")
    suite = ElementTree.parse(work / "report.xml").getroot()
    cases = suite.iter("testcase")
    assert sum(1 for _ in cases) >= 3
    # a log without a crash is told apart from one with
    said = run(explain, work)
    assert said.returncode == 1 and "no crash" in (said.stdout + said.stderr).lower(), said
    died = boot.replace("--on qemu", "--on qemu --fault efer-passthru")
    died = re.sub(r"-e 'expect.*", "-e continue", died, flags=re.DOTALL)
    assert run(died, work).returncode == 4
    said = run(explain, work)
    assert "EFER.LME was lost" in said.stdout, said
