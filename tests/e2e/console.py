# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs build/trapline as a person or a CI job does."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from machine import TOP, TRAPLINE, leftovers

MARK = "TRAPLINE_TEST_MARK"


@dataclass
class Result:
    status: int
    out: str
    err: str
    left: list[str]  # processes still running when the program had ended

    def __str__(self) -> str:
        return f"status {self.status}\n-- stdout\n{self.out}\n-- stderr\n{self.err}"


def marked_env(**extra: str) -> tuple[dict[str, str], str]:
    """An environment whose processes can be found again."""
    mark = f"{MARK}={uuid.uuid4().hex}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("TRAPLINE")}
    env.update(extra)
    env[MARK] = mark.split("=", 1)[1]
    env["TERM"] = "dumb"
    env["NO_COLOR"] = "1"
    return env, mark


def wait_gone(mark: str, seconds: float = 3.0) -> list[str]:
    """Processes with the mark that are still there after a moment."""
    end = time.monotonic() + seconds
    while True:
        found = leftovers(mark)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.1)


def trapline(
    work: Path, *args: str, timeout: float = 120, stdin: str = "", env: dict[str, str] | None = None
) -> Result:
    """Runs to the end; `timeout` is only the test's own belt, --timeout is the program's matter."""
    assert TRAPLINE.exists(), f"{TRAPLINE} is not built"
    full, mark = marked_env(HOME=str(work), **(env or {}))
    cmd = [str(TRAPLINE), *args]
    out_path, err_path = work / "stdout.txt", work / "stderr.txt"
    with open(out_path, "wb") as out, open(err_path, "wb") as err:
        process = subprocess.Popen(
            ["timeout", "-k", "5", str(int(timeout)), *cmd],
            cwd=TOP,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=full,
        )
        process.communicate(stdin.encode())
    return Result(
        process.returncode,
        out_path.read_text(errors="replace").replace("\r", ""),
        err_path.read_text(errors="replace"),
        wait_gone(mark),
    )
