# SPDX-License-Identifier: GPL-3.0-or-later
"""The line budget of stock GDB on the bare UART, counted in bytes of both directions.

At 115200 baud 4 kB are a third of a second, at 9600 four seconds: what a connect and a step cost
decides whether the bare line is of use.
"""

from __future__ import annotations

from pathlib import Path

import line_cost
from line_proxy import LineProxy
from machine import Machine, Platform, tiny
from test_gdb import gdb

CONNECT_MAX, STEP_MAX, BROKER_STEP_MAX, STEPS = 4000, 400, 150, 50
BROKER_SYMBOLS_MAX = 200  # GDB reads code and stack as well; 226 when each stop reads them again


def cost(work: Path, platform: Platform, *commands: str) -> int:
    """Bytes on the line from GDB's first to its last, detach included; the guest then runs in a loop
    that prints nothing."""
    work.mkdir(parents=True, exist_ok=True)
    with LineProxy(work / "line.txt") as line:
        vm = Machine(
            work, platform, tiny("spin_cli"), hv="wait", serial=f"tcp:{line.uart_port}", sync="slowdown"
        )
        with vm:
            assert vm.wait_for(r"tl: .*(wait|stopp)"), f"never stopped\n{vm.tail()}"
            before = line.to_machine + line.to_client
            out = gdb(line.client_port, *commands)
            total = line.to_machine + line.to_client - before
            assert "Remote replied" not in out and "timed out" not in out, out
            assert " in ?? ()" in out, out
            return total


def test_line_budget(platform: Platform, work: Path) -> None:
    connect = cost(work / "connect", platform)
    # Steps stay before the guest's first console output.
    steps = cost(work / "steps", platform, *["stepi"] * STEPS)
    step = (steps - connect) / STEPS
    print(f"{platform.name}: connect {connect} bytes, step {step:.0f} bytes")
    assert 1000 < connect <= CONNECT_MAX
    assert 50 < step <= STEP_MAX


def test_broker_budget(platform: Platform, work: Path) -> None:
    """The link's frames and the console's own questions are counted too."""
    step = line_cost.broker_step_bytes(work / "bare", platform)
    symbols = line_cost.broker_step_bytes(work / "symbols", platform, symbols=True)
    print(f"{platform.name}: step through the broker {step:.0f} bytes, with symbols {symbols:.0f}")
    assert 50 < step <= BROKER_STEP_MAX
    assert step < symbols <= BROKER_SYMBOLS_MAX
