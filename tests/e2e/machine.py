# SPDX-License-Identifier: GPL-3.0-or-later
"""Boots one machine on QEMU or Bochs without a screen and reads its serial line.

Everything that a run leaves (line, emulator's own log, ISO, command) stays in the folder given.
What the line should say is the cases' business (cases.py), not this file's.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "build"
HV = BUILD / "hv" / "trapline.elf"
TRAPLINE = BUILD / "trapline"
GUESTS = BUILD / "guests"
KERNEL = GUESTS / "debian12-cloud" / "vmlinuz"
KERNEL_FULL = GUESTS / "debian12" / "vmlinuz"
INITRD = GUESTS / "initrd.gz"
KERNEL_ARGS = "console=ttyS0 panic=-1"

QEMU_PASS = 33  # isa-debug-exit: (0x10 << 1) | 1


@dataclass(frozen=True)
class Platform:
    """One column of the matrix: an emulator and the backend that it can show."""

    name: str
    emulator: str
    backend: str
    cpu: str

    @property
    def slow(self) -> float:
        """Factor on time-outs."""
        return 3.0 if self.emulator == "bochs" else 1.0


PLATFORMS = {
    p.name: p
    for p in (
        Platform("qemu-svm", "qemu", "svm", "max"),
        Platform("bochs-vmx", "bochs", "vmx", "corei3_cnl"),
        Platform("bochs-svm", "bochs", "svm", "trinity_apu"),
    )
}

# Both vendors once: what the tests that need a host program run on.
MAIN_PLATFORMS = ("qemu-svm", "bochs-vmx")

BOCHSRC = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: {mem}
cpu: model={cpu}, count={smp}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs={ignore_msrs}
clock: sync={sync}, time0=946681200
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path="{dir}/boot.iso", status=inserted
boot: cdrom
com1: enabled=1, {com1}
panic: {panic}
error: action=report
info: action=ignore
debug: action=ignore
log: {dir}/bochs.log
"""


@dataclass
class Machine:
    """A machine to boot: fill in, start(), wait_for(), stop()."""

    dir: Path
    platform: Platform
    guest: Path
    args: str = ""
    modules: list[str] = field(default_factory=list)
    hv: str = ""  # the hypervisor's own command line
    bare: bool = False  # the guest without a hypervisor, for comparison
    image: Path = HV
    mem: int = 256
    smp: int = 1
    limit: float = 60.0  # seconds after which the emulator is killed, whoever still waits
    # file; tcp:PORT: the emulator connects to a listener there; QEMU: listen:PORT, telnet:PORT (listens)
    serial: str = "file"
    sync: str = "none"
    ips: int = 10_000_000
    cpu: str = ""  # instead of the platform's
    strict_msrs: bool = False  # Bochs: an MSR that the model lacks raises #GP, as on a real CPU
    qemu_extra: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)
        self.log_path = self.dir / "line.txt"
        self.process: subprocess.Popen[bytes] | None = None
        self.status: int | None = None
        self.limit *= self.platform.slow

    # -- starting ----------------------------------------------------------------------------------

    def qemu_command(self) -> list[str]:
        cmd = ["qemu-system-x86_64", "-machine", "pc,smm=off", "-accel", "tcg"]
        cmd += ["-cpu", self.cpu or self.platform.cpu, "-m", str(self.mem), "-smp", str(self.smp)]
        cmd += ["-display", "none", "-nodefaults", "-no-reboot"]
        cmd += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if self.serial == "file":
            cmd += ["-serial", f"file:{self.log_path}"]
        elif self.serial.startswith("listen:"):
            cmd += ["-serial", f"tcp:127.0.0.1:{self.serial[7:]},server=on,wait=off,nodelay=on"]
        elif self.serial.startswith("telnet:"):
            cmd += ["-serial", f"telnet:127.0.0.1:{self.serial[7:]},server=on,wait=off"]
        else:
            cmd += ["-serial", f"tcp:127.0.0.1:{self.serial[4:]},nodelay=on"]
        initrd = [f"{self.guest} {self.args}".strip(), *self.modules]
        if not self.bare:
            cmd += ["-kernel", str(self.image), "-append", self.hv]
            if self.guest != Path():
                cmd += ["-initrd", ",".join(m.replace(",", ",,") for m in initrd)]
        elif self.guest.suffix == ".bin":
            cmd += ["-drive", f"file={self.guest},format=raw,if=floppy", "-boot", "a"]
        else:
            cmd += ["-kernel", str(self.guest), "-append", self.args]
            if self.modules:
                cmd += ["-initrd", ",".join(self.modules)]
        return cmd + self.qemu_extra

    def bochs_command(self) -> list[str]:
        iso = [str(TOP / "tools" / "mkiso"), str(self.dir / "boot.iso")]
        iso += ["--bare"] if self.bare else ["--hv", str(self.image), "--cmdline", self.hv]
        iso += [str(self.guest), self.args, *self.modules]
        subprocess.run(iso, check=True, timeout=60)
        if self.serial == "file":
            com1 = f"mode=file, dev={self.log_path}"
        else:
            com1 = f"mode=socket-client, dev=localhost:{self.serial[4:]}"
        # A guest's shutdown under SVM reaches Bochs' panic path before the intercept.
        svm = self.platform.backend == "svm"
        text = BOCHSRC.format(
            dir=self.dir,
            mem=self.mem,
            cpu=self.cpu or self.platform.cpu,
            smp=self.smp,
            ips=self.ips,
            sync=self.sync,
            ignore_msrs=0 if self.strict_msrs else 1,
            com1=com1,
            panic="CPU0=report, action=fatal" if svm else "action=fatal",
        )
        (self.dir / "bochsrc").write_text(text)
        (self.dir / "bochs.rc").write_text("c\n" * (1000 if svm else 1) + "q\n")
        return ["bochs", "-f", str(self.dir / "bochsrc"), "-rc", str(self.dir / "bochs.rc")]

    def start(self) -> "Machine":
        if self.serial == "file":
            self.log_path.unlink(missing_ok=True)
        if self.platform.emulator == "qemu":
            cmd = self.qemu_command()
        else:
            cmd = self.bochs_command()
        (self.dir / "command").write_text(shlex.join(cmd) + "\n")
        # `timeout` outlives us: a killed test run leaves no emulator behind for long.
        guard = ["timeout", "-k", "5", str(int(self.limit))]
        with open(self.dir / "emulator.out", "wb") as out:
            self.process = subprocess.Popen(
                guard + cmd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    # -- watching ----------------------------------------------------------------------------------

    def text(self) -> str:
        try:
            return self.log_path.read_bytes().decode("utf-8", "replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def running(self) -> bool:
        if self.process is None:
            return False
        self.status = self.process.poll()
        return self.status is None

    def wait_for(self, pattern: str, timeout: float | None = None) -> bool:
        """True when the line shows `pattern`; False when the machine or the time ends first."""
        wanted = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + (self.limit if timeout is None else timeout * self.platform.slow)
        while True:
            alive = self.running()  # asked before the text: what came last is still seen
            if wanted.search(self.text()):
                return True
            if not alive or time.monotonic() > end:
                return False
            time.sleep(0.05)

    def wait_end(self, timeout: float | None = None) -> int | None:
        """The emulator's exit status, None when it still runs after the time."""
        assert self.process is not None
        try:
            wait = self.limit if timeout is None else timeout * self.platform.slow
            self.status = self.process.wait(wait)
        except subprocess.TimeoutExpired:
            return None
        return self.status

    def ended_by_guest(self) -> bool:
        """True when a tiny guest's guest_exit ended the emulator: its own way, nothing else."""
        if self.platform.emulator == "qemu":
            return self.status == QEMU_PASS
        # Port 0x8900: 'D' breaks into Bochs' debugger, whose script then quits (0); where the script
        # goes on instead, the word "Shutdown" ends it.
        said = (self.dir / "emulator.out").read_text(errors="replace")
        return self.status == 0 or "Shutdown port: shutdown requested" in said

    def stop(self) -> None:
        """Ends the emulator and its children, by their process group."""
        if self.process is None or self.process.poll() is not None:
            return
        for sig in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sig)
                self.process.wait(5)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def __enter__(self) -> "Machine":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tail(self, lines: int = 40) -> str:
        """What to show when a test fails."""
        said = (self.dir / "emulator.out").read_text(errors="replace").splitlines()[-8:]
        return "\n".join(
            [f"-- {self.log_path} (last {lines} lines)"]
            + self.text().splitlines()[-lines:]
            + [f"-- emulator, status {self.status}"]
            + said
        )


def tiny(name: str) -> Path:
    """The file of a tiny guest."""
    for suffix in (".elf", ".bin"):
        path = GUESTS / (name + suffix)
        if path.exists():
            return path
    raise FileNotFoundError(f"no guest {name} in {GUESTS}: run make guests")


def symbol(elf: Path, name: str) -> int:
    """Address of a symbol, by nm."""
    out = subprocess.run(["nm", str(elf)], check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == name:
            return int(words[0], 16)
    raise KeyError(f"{elf} has no symbol {name}")


def leftovers(mark: str) -> list[str]:
    """Processes that carry `mark` in their environment: what a program left running."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if state != "Z":
                    found.append(f"{entry.name}: {words[:120]}")
        except OSError:
            continue
    return found


if sys.version_info < (3, 9):
    sys.exit("the tests need Python 3.9 or newer")
