/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Instructions that a debugger may ask to exit and that the guest's CPU must perform itself, back to
 * back: LIDT and LGDT (six with the two of the start), SLDT, STR and LLDT (four), PUSHF and POPF. None
 * of them may leave a trace: no TF, no changed table. */
#include "guest.inc"
    GUEST table_loads
    lidt idt_pointer
    lgdt gdt_pointer
    lidt idt_pointer
    lgdt gdt_pointer
    pushf
    pop %eax
    and $0x100, %eax
    CHECK "TF behind table loads", $0, %eax
    xor %eax, %eax
    mov $0x5a5a, %ecx
    sldt %cx
    str %dx
    lldt %ax
    lldt %ax
    pushf
    popf
    pushf
    pop %ebx
    and $0x100, %ebx
    movzx %cx, %ecx
    CHECK "LDTR", $0, %ecx
    CHECK "TF behind PUSHF and POPF", $0, %ebx
    sgdt seen
    mov seen + 2, %eax
    cmp gdt_pointer + 2, %eax
    sete %al
    movzx %al, %eax
    CHECK "GDT as loaded", $1, %eax
    wbinvd                  /* a place for a debugger to stop at */
    DONE
    .bss
    .balign 8
seen: .quad 0
