/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A straight line of what is hard to step over, in 64-bit code at CPL 0, and a visit to CPL 3. Each `AT name` is where a step
 * has to land; the guest keeps what flags were stored by PUSHF, by events and by SYSCALL, and says at its end
 * whether a TF was among them that it never set.
 */
#include "guest.inc"
#include "long.inc"
    .macro AT name
    .globl at_\name
at_\name:
    .endm
    GUEST step_table
    mov $0xff, %al          /* STI lets nothing in */
    out %al, $0x21
    out %al, $0xa1
    GATE64 3, at_on_bp
    GATE64 6, at_on_ud
    GATE64 32, at_on_int
    LONG_MODE work
    .code64
work:
    mov $SEL_DATA32, %eax
    mov %eax, %ss
    mov $stack_top, %esp
    mov $vars, %ebx
    mov $long_idt_pointer, %eax
    lidt (%rax)
    mov $long_pml4, %eax    /* all of memory is CPL 3's too */
    orl $4, (%rax)
    mov $long_pdpt, %eax
    orl $4, (%rax)
    mov $long_pd, %eax
    orl $4, (%rax)
    orl $4, 8(%rax)
    mov %cr3, %rax
    mov %rax, %cr3
    mov $0xc0000080, %ecx   /* EFER.SCE */
    rdmsr
    or $1, %eax
    wrmsr
    mov $0xc0000081, %ecx   /* STAR: SYSCALL loads 18 and 20, SYSRET 33 and 2b */
    xor %eax, %eax
    mov $0x20 << 16 | SEL_CODE64, %edx
    wrmsr
    mov $0xc0000082, %ecx
    mov $at_on_syscall, %eax
    xor %edx, %edx
    wrmsr
    mov $vars, %esi
    mov $vars, %edi
AT start
    pushfq
AT pop_image
    pop %rax
AT keep
    or %eax, seen - vars(%rbx)
AT pushf_again
    pushfq
AT popf
    popfq
AT sti
    sti
AT behind_sti
    nop
AT cli
    cli
AT hlt
    hlt
AT mov_ss
    mov %ss, %edx
AT load_ss
    mov %edx, %ss
    nop                     /* the trap waits for this one */
AT cpuid_prepare
    push %rbx
AT cpuid
    cpuid
AT pop_rbx
    pop %rbx
AT msr_prepare
    mov $0xc0000080, %ecx
AT rdmsr
    rdmsr
AT in_byte
    in $0x21, %al
AT out_byte
    out %al, $0x80
AT read_cr
    mov %cr0, %rax
AT write_cr
    mov %rax, %cr0
AT read_cr3
    mov %cr3, %rax
AT write_cr3
    mov %rax, %cr3
AT invlpg
    invlpg (%rbx)
AT rep_prepare
    mov $3, %ecx
AT rep_movs
    rep movsb
AT int3
    int3
AT int_n
    int $32
AT vmcall
    .byte 0x0f, 0x01, 0xc1  /* VMCALL: #UD without a hypervisor of its own */
AT vmmcall
    .byte 0x0f, 0x01, 0xd9
AT wrmsr_index
    mov $0xc0000082, %ecx
AT wrmsr_low
    mov $at_on_syscall, %eax
AT wrmsr_high
    xor %edx, %edx
AT wrmsr
    wrmsr
AT outs_port
    mov $0x80, %edx
AT outs_count
    mov $2, %ecx
AT rep_outs
    rep outsb
AT ins_count
    mov $2, %ecx
AT rep_ins
    rep insb
AT xsetbv
    .byte 0x0f, 0x01, 0xd1  /* #UD while CR4.OSXSAVE is 0 */
                        /* no ICEBP: QEMU 7.2 does not know it (#UD) */
AT syscall
    syscall
AT behind_syscall
    nop                     /* SYSCALL left an SS that no IRET could load */
AT sysret_flags
    pushfq
AT sysret_r11
    pop %r11
AT sysret_rcx
    mov $at_user, %ecx
AT sysret
    sysretq
AT user
    nop                     /* CPL 3 */
AT user_syscall
    syscall
AT behind_user
    nop
AT end
    COMPAT_MODE done

at_on_bp:                   /* RIP, CS, RFLAGS, RSP, SS */
    pushq 16(%rsp)
AT bp_keep
    pop %rax
AT bp_or
    or %eax, seen - vars(%rbx)
AT bp_iret
    iretq
at_on_int:
    iretq
at_on_ud:
    addq $3, (%rsp)
AT ud_iret
    iretq
at_on_syscall:
    or %r11d, seen - vars(%rbx)
AT syscall_back
    jmp *%rcx
    .code32
done:
    mov seen, %eax
    and $0x100, %eax
    CHECK "no tf but its own", $0, %eax
    DONE
    .bss
    .balign 16
vars: .skip 16
seen: .long 0
