# SPDX-License-Identifier: GPL-3.0-or-later
"""make install and make gdb: the extension is found where people's GDB looks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import machine
from gdb_session import gdb
from machine import tiny


def test_install(work: Path) -> None:
    """The tree under DESTDIR: sourced, auto-loaded with the ELF, and imported from GDB's own folder."""
    root = work / "root"
    # `all` counts as made: this test installs what the run before it tests.
    run = subprocess.run(
        ["make", "-o", "all", "install", f"DESTDIR={root}"], cwd=machine.TOP, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    share, lib = root / "usr/local/share/trapline/gdbext", root / "usr/local/lib/trapline"
    said = gdb(f"source {share / 'trapline.py'}", "help trapline ring", extension=False)
    assert "the last N exits" in said.of("help trapline ring"), said.text
    said = gdb(
        f"add-auto-load-safe-path {lib}", f"file {lib / 'trapline.elf'}", "python print(trapline.__file__)",
        "help trapline ring", extension=False,
    )  # fmt: skip
    assert "the last N exits" in said.of("help trapline ring"), said.text
    datadir = root / "usr/share/gdb"
    assert (datadir / "auto-load/usr/local/lib/trapline/trapline.elf-gdb.py").is_file()
    link = datadir / "python/trapline"
    assert str(link.readlink()) == "/usr/local/share/trapline/gdbext/trapline"


def test_private_prefix_keeps_out_of_gdbs_folder(work: Path) -> None:
    root = work / "root"
    run = subprocess.run(
        ["make", "-o", "all", "install", f"DESTDIR={root}", "PREFIX=/opt/tl"],
        cwd=machine.TOP, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert sorted(p.name for p in root.iterdir()) == ["opt"]


def test_hvgdb(work: Path) -> None:
    """What `make gdb` runs: GDB attached, extension loaded; typed at its prompt."""
    run = subprocess.run(
        ["timeout", "-k", "5", "60", "tools/hvgdb", "guest", str(tiny("long_mode"))],
        cwd=machine.TOP,
        input="tl road\nset confirm off\nquit\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=90,
    )
    assert run.returncode == 0 and "the stub (in-band), svm" in run.stdout, run.stdout
