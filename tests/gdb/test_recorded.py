# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command against recorded sessions of both vendors: no emulator, a second each.

What the commands say is compared with what they said when it was recorded: a change of a view shows here,
and is kept by recording anew (recorded.py).
"""

from __future__ import annotations

import re

import pytest
from gdb_session import gdb
from recorded import FOLDER, Replay

COMMANDS = (
    "trapline road",
    "trapline catch cr0-write if value & 0x80000000",
    "trapline catch",
    "continue",
    "trapline exit",
    "x/2i $pc",
    "trapline msr-area",
    "trapline cr",
    "trapline vmcs",
    "trapline vmcs *cr0* cr4",
    "trapline registers general",
    "trapline registers exit",
    "trapline registers fields",
    "trapline walk $rip",
    "trapline ring 4",
    "trapline explain",
    "trapline check",
    'p/x $tl_vmcs("guest_cr4")',
    'p/x $tl_msr("efer")',
    'p $tl_exit("mode")',
    "trapline snapshot a",
    "trapline skip",
    "trapline diff a",
    "trapline delete all",
)


def said_behind_target(text: str) -> str:
    """Without the port, and without the guest's console, which is not recorded."""
    behind = re.sub(r"^@@ command target remote.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^guest .*\n", "", behind, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["qemu-svm", "bochs-vmx"])
def test_recorded(name: str) -> None:
    with Replay(FOLDER / f"{name}.rsp") as stub:
        said = gdb(f"target remote localhost:{stub.port}", *COMMANDS, timeout=30)
    assert not stub.missed, f"the extension asks what was never recorded: {stub.missed}\n{said.text}"
    assert said_behind_target(said.text) == said_behind_target((FOLDER / f"{name}.txt").read_text())
    assert "Traceback" not in said.text
