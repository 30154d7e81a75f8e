/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * void relocate_switch(void *dst, const void *src, uint64_t len_bytes, uint64_t cr3)
 * The image with our own stack in it is copied and its copy mapped in its place; the stack is not
 * written between the two, so the return address is the same in both. CR4.PGE is off until here, so
 * loading CR3 leaves no old translation.
 */
    .text
    .globl relocate_switch
relocate_switch:
    movq %rcx, %rax
    movq %rdx, %rcx
    cld
    rep movsb
    movq %rax, %cr3
    ret

    .section .note.GNU-stack, "", @progbits
