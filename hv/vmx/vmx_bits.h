/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Names of the bits that the VMX backend programs and decodes. Values only; the tables that people
 * see (names and texts) are in protocol/.
 */
#pragma once

#include <stdint.h>

/* SDM, "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT (1u << 0)
#define PIN_NMI                (1u << 3)
#define PIN_VIRTUAL_NMIS       (1u << 5)
#define PIN_PREEMPTION_TIMER   (1u << 6)

/* SDM, "Processor-Based VM-Execution Controls" */
#define PROC_INTERRUPT_WINDOW (1u << 2)
#define PROC_TSC_OFFSETTING   (1u << 3)
#define PROC_HLT              (1u << 7)
#define PROC_INVLPG           (1u << 9)
#define PROC_MWAIT            (1u << 10)
#define PROC_RDPMC            (1u << 11)
#define PROC_RDTSC            (1u << 12)
#define PROC_CR3_LOAD         (1u << 15)
#define PROC_CR3_STORE        (1u << 16)
#define PROC_CR8_LOAD         (1u << 19)
#define PROC_CR8_STORE        (1u << 20)
#define PROC_NMI_WINDOW       (1u << 22)
#define PROC_MOV_DR           (1u << 23)
#define PROC_UNCOND_IO        (1u << 24)
#define PROC_IO_BITMAPS       (1u << 25)
#define PROC_MTF              (1u << 27)
#define PROC_MSR_BITMAPS      (1u << 28)
#define PROC_MONITOR          (1u << 29)
#define PROC_PAUSE            (1u << 30)
#define PROC_SECONDARY        (1u << 31)

/* SDM, table "Definitions of Secondary Processor-Based VM-Execution Controls" */
#define PROC2_EPT                (1u << 1)
#define PROC2_DESCRIPTOR_TABLE   (1u << 2)
#define PROC2_RDTSCP             (1u << 3)
#define PROC2_VPID               (1u << 5)
#define PROC2_WBINVD             (1u << 6)
#define PROC2_UNRESTRICTED_GUEST (1u << 7)
#define PROC2_INVPCID            (1u << 12)
#define PROC2_XSAVES             (1u << 20)
#define PROC2_USER_WAIT_PAUSE    (1u << 26)

/* SDM, "VM-Exit Controls" */
#define EXIT_SAVE_DEBUG            (1u << 2)
#define EXIT_HOST_64BIT            (1u << 9)
#define EXIT_ACK_INTERRUPT         (1u << 15)
#define EXIT_SAVE_PAT              (1u << 18)
#define EXIT_LOAD_PAT              (1u << 19)
#define EXIT_SAVE_EFER             (1u << 20)
#define EXIT_LOAD_EFER             (1u << 21)
#define EXIT_SAVE_PREEMPTION_TIMER (1u << 22)

/* SDM, "VM-Entry Controls" */
#define ENTRY_LOAD_DEBUG (1u << 2)
#define ENTRY_IA32E      (1u << 9)
#define ENTRY_LOAD_PAT   (1u << 14)
#define ENTRY_LOAD_EFER  (1u << 15)

/* SDM, "Capability Reporting for VMX" (VPID and EPT) */
#define EPTCAP_4_LEVEL       (UINT64_C(1) << 6)
#define EPTCAP_WB            (UINT64_C(1) << 14)
#define EPTCAP_2M            (UINT64_C(1) << 16)
#define EPTCAP_1G            (UINT64_C(1) << 17)
#define EPTCAP_INVEPT        (UINT64_C(1) << 20)
#define EPTCAP_INVEPT_SINGLE (UINT64_C(1) << 25)
#define EPTCAP_INVEPT_ALL    (UINT64_C(1) << 26)
#define EPTCAP_INVVPID       (UINT64_C(1) << 32)
#define EPTCAP_INVVPID_ONE   (UINT64_C(1) << 41)
#define EPTP_WB              UINT64_C(6)
#define EPTP_4_LEVEL         (UINT64_C(3) << 3)

#define BASIC_TRUE_CONTROLS  (UINT64_C(1) << 55)
#define BASIC_INS_OUTS_INFO  (UINT64_C(1) << 54)
#define BASIC_MEMORY_TYPE(b) (((b) >> 50) & 15)
#define BASIC_REVISION(b)    ((uint32_t)(b)&0x7fffffff)
#define MISC_TIMER_SHIFT(m)  ((m)&31)
#define MISC_ACTIVITY_HLT    (UINT64_C(1) << 6)

#define FEATURE_CONTROL_LOCK  (UINT64_C(1) << 0)
#define FEATURE_CONTROL_VMXON (UINT64_C(1) << 2) /* outside SMX operation */

/* SDM, "Guest Non-Register State": interruptibility and activity */
#define BLOCKING_STI    (1u << 0)
#define BLOCKING_MOV_SS (1u << 1)
#define BLOCKING_NMI    (1u << 3)
#define ACTIVITY_ACTIVE 0u
#define ACTIVITY_HLT    1u

#define PENDING_DEBUG_BS (UINT64_C(1) << 14)
#define DEBUGCTL_BTF     (UINT64_C(1) << 1)

/* Interruption information; one layout for exit, IDT-vectoring and entry (SDM, "VM-Entry Controls
 * for Event Injection"). Bit 12 is the exit's "NMI unblocking due to IRET". */
#define INTR_VECTOR(i)      ((uint8_t)((i)&0xff))
#define INTR_TYPE(i)        ((uint8_t)(((i) >> 8) & 7))
#define INTR_HAS_ERROR      (1u << 11)
#define INTR_NMI_UNBLOCKING (1u << 12)
#define INTR_VALID          (1u << 31)

#define EXIT_REASON_BASIC(r)   ((uint16_t)(r))
#define EXIT_REASON_ENTRY_FAIL (1u << 31)

/* Capability and feature MSRs that the backend itself reads. */
#define MSR_FEATURE_CONTROL  0x3au
#define MSR_SYSENTER_CS      0x174u
#define MSR_SYSENTER_ESP     0x175u
#define MSR_SYSENTER_EIP     0x176u
#define MSR_DEBUGCTL         0x1d9u
#define MSR_PAT              0x277u
#define MSR_VMX_BASIC        0x480u
#define MSR_VMX_MISC         0x485u
#define MSR_VMX_CR0_FIXED0   0x486u
#define MSR_VMX_CR0_FIXED1   0x487u
#define MSR_VMX_CR4_FIXED0   0x488u
#define MSR_VMX_CR4_FIXED1   0x489u
#define MSR_VMX_PROC2        0x48bu
#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define MSR_VMX_TRUE_PIN     0x48du
#define MSR_VMX_TRUE_PROC    0x48eu
#define MSR_VMX_TRUE_EXIT    0x48fu
#define MSR_VMX_TRUE_ENTRY   0x490u
#define MSR_XSS              0xda0u
#define MSR_EFER             0xc0000080u
#define MSR_STAR             0xc0000081u
#define MSR_LSTAR            0xc0000082u
#define MSR_CSTAR            0xc0000083u
#define MSR_FMASK            0xc0000084u
#define MSR_FS_BASE          0xc0000100u
#define MSR_GS_BASE          0xc0000101u
#define MSR_KERNEL_GS_BASE   0xc0000102u
#define MSR_TSC_AUX          0xc0000103u
