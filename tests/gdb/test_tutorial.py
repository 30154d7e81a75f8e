# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/tutorial.md: each box is run and must still say what it shows.

A ```console box runs its `$ ` lines in a shell; all ```gdb boxes are one GDB session on Debian's kernel.
`UPDATE_TUTORIAL=1 make e2e CASE=tutorial` writes the boxes anew; read the difference before you keep it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import machine
from console import marked_env, wait_gone
from gdb_session import on_machine

TUTORIAL = machine.TOP / "docs" / "tutorial.md"
BOX = re.compile(r"^```(console|gdb)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Lines that come when they like.
NOISE = re.compile(
    r"^(\[ *\d+\.\d+\]|warning: No exec|determining exec|\[Inferior|Program received|qemu-system\S+: terminating|0x[0-9a-f]+ in|\s*$)", re.M
)


def shell(command: str, work: Path) -> str:
    env, mark = marked_env(HOME=str(work))
    run = subprocess.run(
        ["timeout", "-k", "5", "200", "sh", "-c", command],
        cwd=machine.TOP,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert not wait_gone(mark), "processes were left"
    return run.stdout


def without_noise(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r", "").splitlines() if not NOISE.match(line))


def masked(text: str) -> str:
    """Without what may differ from run to run and kernel to kernel: addresses, counters, temporary names."""
    text = re.sub(r"/tmp/\S+", "TMP", text)
    text = re.sub(r"\b(0x)?[0-9a-f]{6,16}\b", "ADDRESS", text)
    text = re.sub(r"\b(exit|event|pid) \d+", r"\1 N", text)
    return re.sub(r"^ +\d+ (?=[a-z])", "N ", text, flags=re.MULTILINE)


def commands(body: str, prompt: str) -> list[str]:
    return [line[len(prompt) :] for line in body.splitlines() if line.startswith(prompt)]


def test_tutorial(work: Path) -> None:
    text = TUTORIAL.read_text()
    typed = [c for kind, body in BOX.findall(text) if kind == "gdb" for c in commands(body, "(gdb) ")]
    assert len(typed) > 10
    said = on_machine(machine.PLATFORMS["qemu-svm"], work, machine.KERNEL, *typed, linux=True, timeout=120)
    # The same words may be typed twice: answers in order.
    answers = re.split(r"^@@ command (.*)\n", said.text, flags=re.MULTILINE)
    spoken = iter(zip(answers[3::2], answers[4::2]))  # behind `target remote`

    def run(match: re.Match[str]) -> str:
        kind, body = match.groups()
        lines = []
        if kind == "console":
            for command in commands(body, "$ "):
                lines += [f"$ {command}", without_noise(shell(command, work))]
        else:
            for command in commands(body, "(gdb) "):
                shown, answer = next(spoken)
                assert shown == command, said.text
                lines += [f"(gdb) {command}", without_noise(answer)]
        return f"```{kind}\n" + "".join(line + "\n" for line in lines if line) + "```"

    now = BOX.sub(run, text)
    (work / "tutorial.md").write_text(now)
    if os.environ.get("UPDATE_TUTORIAL"):
        TUTORIAL.write_text(now)
        return
    for (_, shows), (_, says) in zip(BOX.findall(text), BOX.findall(now)):
        assert masked(shows) == masked(says), f"the tutorial shows\n{shows}\nand the tools say\n{says}"
