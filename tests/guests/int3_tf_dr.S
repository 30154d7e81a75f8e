/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Uses INT3, TF and DR0-DR3 for itself, as a debugger inside the guest does, and checks each: with
 * a debugger outside that uses the same hardware, every line must still say ok. */
#include "guest.inc"
    GUEST int3_tf_dr
    GATE 1, on_db
    GATE 3, on_bp
    int3
after_int3:
    CHECK "int3 return address", $after_int3, bp_eip
    pushf
    orl $0x100, (%esp)
    popf                    /* the trap comes after the instruction that follows */
    nop
step1:
    nop
step2:
    pushf                   /* 3rd trap: the handler clears TF in the frame */
step3:
    pop %eax
    CHECK "steps", $3, db_count
    CHECK "last step", $step3, db_eip
    CHECK "dr6 of step", $0x4000, db_dr6
    and $0x100, %eax
    CHECK "pushf saw its own tf", $0x100, %eax
    mov $watched, %eax
    mov %eax, %dr0
    mov $target, %eax
    mov %eax, %dr1
    mov $0x00000100, %eax   /* DR0-3 read back what was written */
    mov %eax, %dr2
    mov %dr0, %eax
    CHECK "dr0 reads back", $watched, %eax
    mov %dr2, %eax
    CHECK "dr2 reads back", $0x100, %eax
    mov $0x000d0402, %eax   /* G0: write of 4 bytes at DR0 */
    mov %eax, %dr7
    mov %dr7, %ebx
    CHECK "dr7 reads back", $0x000d0402, %ebx
    movl $0, db_count
    movl $1, watched
after_write:
    CHECK "watchpoint count", $1, db_count
    CHECK "watchpoint address", $after_write, db_eip
    CHECK "dr6 of watchpoint", $1, db_dr6
    mov $0x00000408, %eax   /* G1: execution at DR1 */
    mov %eax, %dr7
    movl $0, db_count
target:
    nop
    CHECK "breakpoint count", $1, db_count
    CHECK "breakpoint address", $target, db_eip
    CHECK "dr6 of breakpoint", $2, db_dr6
    mov $0x400, %eax
    mov %eax, %dr7
    DONE

on_bp:
    push %eax
    mov 4(%esp), %eax
    mov %eax, bp_eip
    pop %eax
    iret
on_db:                      /* EIP, CS, EFLAGS */
    push %eax
    incl db_count
    mov 4(%esp), %eax
    mov %eax, db_eip
    mov %dr6, %eax
    and $0x600f, %eax       /* B0-B3, BD, BS */
    mov %eax, db_dr6
    xor %eax, %eax
    mov %eax, %dr6
    orl $0x10000, 12(%esp)  /* RF: do not hit the same breakpoint again */
    cmpl $3, db_count
    jb 1f
    andl $~0x100, 12(%esp)
1:  pop %eax
    iret
    .bss
    .balign 4
watched: .long 0
bp_eip: .long 0
db_eip: .long 0
db_dr6: .long 0
db_count: .long 0
