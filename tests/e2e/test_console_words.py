# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command of the table, given what it was not made for, at a live machine that stands: one clear
line, no control character on the screen, and the guest still stands where it stood."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pexpect
import pytest
from console import marked_env, wait_gone
from machine import TOP, TRAPLINE, tiny

PROMPT = r"\(tl\) "


def commands() -> list[tuple[str, str]]:
    """Names and arguments, as the man page has them: it is made from the command table."""
    man = subprocess.run([str(TRAPLINE), "--print-man"], text=True, stdout=subprocess.PIPE, check=True).stdout
    part = man.split(".SH COMMANDS", 1)[1].split("\n.SH ", 1)[0]
    return [(m[1].replace("\\-", "-"), m[2]) for m in re.finditer(r"(?m)^\.TP\n\\fB([^\\]+)\\fR ?(.*)$", part)]


WRONG = {
    "nothing": b"",
    "garbage": b"@#$ nonsense !!",
    "too-many": b"a b c d e f g h i j k l m n o p",
    "numbers": b"0xffffffffffffffffff 99999999999999999999 -1 1e9",
    "long": b"x" * 10000,
    "quote": b'"never closed',
    "brackets": b"((((((((((((((((((((((((((((((((((((((((((((((((((((",
    "controls": bytes(c for c in range(1, 32) if c not in (9, 10, 13)) + b"\x7f",
    "utf-8": "π 漢字 \u009b31m \u202e".encode(),
    "not-utf-8": b"\xff\xfe\x80\xc3",
    "percent": b"%s%n%99999d%p",
}

# What these do when they are well used is just that, and well used is without a word.
GO_ON = {"continue", "stepi", "nextexit", "skip", "retry", "detach", "reset", "kill", "quit", "interrupt"}
# Any text is a good one.
TAKES_TEXT = {"echo", "send"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> pexpect.spawn:
    """One console for all: what one command leaves behind must not harm the next."""
    work = tmp_path_factory.mktemp("words")
    env, mark = marked_env(HOME=str(work))
    child = pexpect.spawn(str(TRAPLINE), ["run", str(tiny("spin_cli"))], cwd=str(work), env=env, timeout=30,
                          dimensions=(50, 200), encoding="latin-1")
    child.logfile_read = open(work / "screen.txt", "w", encoding="latin-1")
    child.expect(PROMPT)
    yield child
    child.sendline("quit")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert not (left := wait_gone(mark)), left


def ask(child: pexpect.spawn, line: str) -> str:
    """What comes between a line and the next prompt, without readline's own play with the cursor."""
    child.sendline(line)
    child.expect_exact("\n")
    child.expect(PROMPT)
    return str(child.before).replace("\r", "")


@pytest.mark.parametrize("name,arguments", commands(), ids=lambda value: value.split("|")[0] if value else "-")
def test_wrong_words(name: str, arguments: str, console: pexpect.spawn, tmp_path: Path) -> None:
    assert ask(console, f"help {name}").strip(), "no help text"
    for kind, words in WRONG.items():
        if name in GO_ON and kind == "nothing":
            continue
        script = tmp_path / f"{kind}.tl"
        script.write_bytes(name.encode() + b" " + words + b"\n")
        said = ask(console, f"source {script}")
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", said), (kind, said)
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert all(len(line) < 2200 for line in errors), (kind, said)
        if errors:
            # One line about it, one that names the script.
            assert len(errors) == 2 and "the script ends here" in errors[1], (kind, said)
        elif name not in TAKES_TEXT and kind not in ("nothing", "percent"):
            # What was taken for good must say something, and is asked for by name below.
            assert (name, kind) in ACCEPTED or name in ACCEPTED_ANY, (name, kind, said)
        rip = ask(console, "print/x $rip")
        assert "0x100120" in rip, (kind, said, rip)
    ask(console, "delete")
    ask(console, "log off")
    ask(console, "record off")


# A name, a pattern, a file that may be made: these words are fine there.
ACCEPTED_ANY = {"log", "record"}
ACCEPTED: set[tuple[str, str]] = set()
