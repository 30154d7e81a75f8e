# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto-loaded by GDB with the installed trapline.elf (lib/trapline/): loads the extension beside it."""

import os
import sys

import gdb

_elf = gdb.current_objfile().filename
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(_elf)), "../../share/trapline/gdbext"))

import trapline  # noqa: E402,F401
