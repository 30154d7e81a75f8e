# SPDX-License-Identifier: GPL-3.0-or-later
# What stock GDB has words for, on the guest gdb_target: run as
#   gdb -nx -batch -ex 'set $port = PORT' -x tests/e2e/full.gdb gdb_target.elf
# with the guest's ELF as a 64-bit one (objcopy -O elf64-x86-64). Each "CHECK name value" line says 1 when
# it holds; test_gdb_full.py counts them. At the line INTERRUPT-ME somebody must press ^C.
set confirm off
set pagination off
set width 0
set remotetimeout 20
set breakpoint always-inserted on
set architecture i386:x86-64
eval "target remote localhost:%d", $port
info threads

echo == hbreak\n
hbreak *&round
continue
printf "CHECK hbreak %d\n", $rip == (long)&round
delete

echo == stepi 100\n
set $start = *(int *)&counter
stepi 100
printf "CHECK stepi-rip %d\n", $rip == (long)&round
printf "CHECK stepi-count %d\n", *(int *)&counter == $start + 5
# pushfq in the round must not have stored a TF that is not the guest's.
printf "CHECK stepi-no-tf %d\n", (*(long *)((long)$rsp - 24) & 0x100) == 0

echo == break if\n
# GDB compiles no bytecode for a symbol without debug information, but for its address it does.
eval "break *&spot if *(int *)%#lx == %d", (long)&counter, *(int *)&counter + 20
set $want = *(int *)&counter + 20
continue
printf "CHECK break-if %d\n", $rip == (long)&spot && *(int *)&counter == $want
info breakpoints
echo == compare-sections with a breakpoint in place\n
compare-sections
delete

echo == watch\n
watch *(int *)&watched
continue
printf "CHECK watch %d\n", $rip == (long)&after_write && *(int *)&watched == *(int *)&counter
delete
rwatch *(int *)&readme
continue
printf "CHECK rwatch %d\n", $rip == (long)&after_read
delete

echo == pseudo-register, set\n
p/x $guest_cr4 & (1<<5)
printf "CHECK cr4-pae %d\n", ($guest_cr4 & (1<<5)) == 0x20
set $rip = (long)&store_rax
set $rax = 0x1122334455667788
p/x $rax
stepi
printf "CHECK set-rip-rax %d\n", *(long *)&saved == 0x1122334455667788
stepi
printf "CHECK back-at-round %d\n", $rip == (long)&round

echo == x87 registers\n
# QEMU keeps no $fop and no pointers: FXRSTOR drops them there.
set $st1 = 2.5
set $fctrl = 0x27f
maintenance flush register-cache
p $st1
printf "CHECK fpu-write %d\n", $st1 == 2.5 && $fctrl == 0x27f
set $fctrl = 0x37f

echo == find\n
find /w ((long)&needle - 0x80), +0x100, 0xfeedface
printf "CHECK find %d\n", $numfound == 1 && (long)$_ == (long)&needle + 4

echo == dprintf\n
set dprintf-style agent
# GDB 13 sends the commands of a dprintf only with a breakpoint that it inserts later.
set breakpoint always-inserted off
set $format = "DPRINTF counter %d rax %#lx\\n"
eval "dprintf *&spot, \"%s\", *(int *)%#lx, $rax", $format, (long)&counter
eval "break *&round if *(int *)%#lx == %d", (long)&counter, *(int *)&counter + 10
info breakpoints
set $want = *(int *)&counter + 10
continue
printf "CHECK dprintf-end %d\n", $rip == (long)&round && *(int *)&counter == $want
delete

echo == interrupt\n
set $start = *(int *)&counter
echo INTERRUPT-ME\n
continue
printf "CHECK interrupt %d\n", *(int *)&counter > $start
info threads

echo == detach and attach again\n
detach
eval "target remote localhost:%d", $port
printf "CHECK again %d\n", $rip >= (long)&round && $rip < (long)&store_rax
hbreak *&spot
continue
printf "CHECK again-hbreak %d\n", $rip == (long)&spot
delete
detach
echo END\n
