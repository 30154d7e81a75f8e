# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads the extension into GDB: `source gdbext/trapline.py`.

All of it is the package of the same name beside this file; a package wins over a module of one name.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import trapline  # noqa: E402,F401  registers commands, functions, printers
