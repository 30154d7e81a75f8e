# SPDX-License-Identifier: GPL-3.0-or-later
"""Why does a guest die when it turns paging on? An investigation as a script.

    gdb -nx -batch -ex 'target remote localhost:1234' -x gdbext/examples/cr0_pg_triage.py

Stop the machine before its first instruction (`wait` on the hypervisor's command line). Status 0: the guest
keeps EFER.LME and its kernel reaches user space. 1: EFER.LME is lost, or the guest died. 2: no verdict.
TRAPLINE_TARGET may name the target instead of -ex, TRAPLINE_TIMEOUT the seconds for the guest's boot.
"""

import os
import sys

import gdb

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import trapline  # noqa: E402

PG, PAE, LME, EFER = 1 << 31, 1 << 5, 1 << 8, 0xC0000080
PAGING = f"cr0-write if (value & {PG}) && !(old & {PG})"
BOOT_S = float(os.environ.get("TRAPLINE_TIMEOUT", "300"))


def on_off(value: int, bit: int) -> str:
    return "on" if value & bit else "off"


def experiments(t: trapline.Session, ev: trapline.Event) -> None:
    """Two questions to the guest, after which it stands where it stood."""
    at, rax, length = ev.regs.rip, ev.regs.rax, ev.exit.len_bytes or 3

    # Move RIP: does the exit follow it? `mov $imm32,%eax` stands before the MOV to CR0.
    if ev.read(at - 5, 1) == b"\xb8":
        ev.regs.rip = at - 5
        again = t.run(until="cr0-write once", timeout=30)
        same = again.event.regs.rip == at and again.event.value == ev.value
        print(f"experiment 1, RIP moved back 5 bytes: {'the same exit' if same else 'something else'} again")

    # Clear PG in what is loaded: does the guest run on without paging?
    ev.regs.rax = rax & ~PG
    ev.retry()
    after = t.step()
    runs = after == at + length and not ev.regs.cr0 & PG
    print(f"experiment 2, PG cleared: the guest {'runs on, unpaged' if runs else 'does not run on'}")
    ev.regs.rip, ev.regs.rax = at, rax


def triage(t: trapline.Session) -> int:
    wrote = [0]

    @t.on("wrmsr", only=EFER)
    def efer_written(ev: trapline.Event) -> None:
        wrote[0] = int(ev.value)
        print(f"guest writes EFER = 0x{wrote[0]:x} at 0x{ev.regs.rip:x}")

    stop = t.run(until=PAGING, timeout=BOOT_S)
    if stop.kind != "cr0-write":
        print(f"verdict: the guest never turned paging on ({stop.why}, {stop.kind})")
        return 2
    ev = stop.event
    print(f"guest turns paging on: CR0 = 0x{ev.value:x} at 0x{ev.regs.rip:x} ({ev.exit.name}, {ev.exit.mode})")
    experiments(t, ev)

    cr4, area = ev.vmcs.guest_cr4, ev.msr_area[EFER]
    print(f"CR4.PAE {on_off(cr4, PAE)}, EFER.LME {on_off(area, LME)}: the hypervisor keeps EFER = 0x{area:x}")
    if wrote[0] & LME and not area & LME:
        print("verdict: the guest's EFER.LME is lost: it wrote it, and paging goes on without it")
        return 1
    t.forget(efer_written)

    stop = t.run(until="cpuid if (cs & 3) == 3", timeout=BOOT_S)
    if stop.why == "dead":
        print(f"verdict: EFER.LME is kept, and the guest dies later: {stop.kind}")
        print(t.road.text_object("explain"))
        return 1
    print("verdict: EFER.LME is kept; the kernel reached user space (a CPUID of ring 3)")
    return 0


try:
    session = trapline.attach(os.environ.get("TRAPLINE_TARGET"))
    status = triage(session)
    session.detach()
except gdb.GdbError as error:
    print(f"no verdict: {error}")
    status = 2
gdb.execute(f"quit {status}")
