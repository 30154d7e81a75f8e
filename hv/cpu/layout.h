/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Numbers shared by C and assembly: selectors of our GDT and the place of the boot stack. The C
 * side asserts that its structures agree (cpu/desc.c).
 */
#pragma once

#define SEL_CODE64 0x08
#define SEL_DATA   0x10
#define SEL_TSS    0x20 /* 16 bytes long in 64-bit mode */

/* struct cpu_stacks: the first stack is the main one; its top 16 bytes hold the cpu pointer. */
#define CPU_STACK_GUARD_BYTES 4096
#define CPU_MAIN_STACK_BYTES  32768
#define CPU_STACK_HEAD_BYTES  16
#define CPU_MAIN_STACK_TOP    (CPU_STACK_GUARD_BYTES + CPU_MAIN_STACK_BYTES - CPU_STACK_HEAD_BYTES)

/* struct cpu, for the NMI entry */
#define CPU_NMI_SEEN 68
