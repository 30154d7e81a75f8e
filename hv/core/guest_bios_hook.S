/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Real-mode code that guests run: INT 15h, memory size functions, answered from the guest's own map
 * so that a BIOS does not offer them our memory. Everything else goes on to the BIOS. Copied to the
 * start of a segment by guest_bios.c, which fills the words behind it; reads only CS.
 */
    .section .rodata, "a", @progbits
    .code16
    .globl bios_hook_start, bios_hook_old, bios_hook_data, bios_hook_end

    .set SMAP, 0x534d4150
    .set ENTRY_BYTES, 20

bios_hook_start:
    cmpw $0xe820, %ax
    je map_entry
    cmpw $0xe801, %ax
    je two_sizes
    cmpb $0x88, %ah
    je one_size
to_bios:
    ljmpw *%cs:(bios_hook_old - bios_hook_start)

/* In: EBX entry number, ECX room, EDX 'SMAP', ES:DI buffer. Out: EAX 'SMAP', ECX 20, EBX next or 0. */
map_entry:
    cmpl $SMAP, %edx
    jne to_bios
    cmpl $ENTRY_BYTES, %ecx
    jb fail
    cmpl %cs:(entry_count - bios_hook_start), %ebx
    jae fail
    pushw %si
    pushw %di
    imulw $ENTRY_BYTES, %bx, %si
    addw $(bios_hook_end - bios_hook_start), %si
    movw $ENTRY_BYTES, %cx
    cld
    rep movsb %cs:(%si), %es:(%di)
    popw %di
    popw %si
    movl $ENTRY_BYTES, %ecx
    movl $SMAP, %eax
    incl %ebx
    cmpl %cs:(entry_count - bios_hook_start), %ebx
    jb done
    xorl %ebx, %ebx
    jmp done

two_sizes:                      /* KiB between 1 and 16 MiB, 64 KiB blocks above */
    movw %cs:(kib_to_16m - bios_hook_start), %ax
    movw %cs:(blocks_above_16m - bios_hook_start), %bx
    movw %ax, %cx
    movw %bx, %dx
    jmp done
one_size:                       /* KiB above 1 MiB */
    movw %cs:(kib_to_64m - bios_hook_start), %ax

/* Carry is returned in the flags that INT pushed: IP, CS, FLAGS from the stack pointer up. */
done:
    pushw %bp
    movw %sp, %bp
    andb $0xfe, 6(%bp)
    popw %bp
    iretw
fail:
    movb $0x86, %ah
    pushw %bp
    movw %sp, %bp
    orb $1, 6(%bp)
    popw %bp
    iretw

    .balign 4
bios_hook_old:
    .long 0                     /* far pointer */
bios_hook_data:                 /* struct bios_hook_data */
entry_count:
    .long 0
kib_to_16m:
    .word 0
blocks_above_16m:
    .word 0
kib_to_64m:
    .word 0
    .word 0
bios_hook_end:                  /* entries follow */

    .section .note.GNU-stack, "", @progbits
