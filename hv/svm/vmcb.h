/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The VMCB: its layout as an expansion of protocol/vmcb_fields.def, and the names of the bits in it.
 * APM volume 2, "Layout of VMCB", and "Control Area" bit tables.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint8_t vmcb_uint_1;
typedef uint16_t vmcb_uint_2;
typedef uint32_t vmcb_uint_4;
typedef uint64_t vmcb_uint_8;
typedef struct {
    uint8_t bytes[7];
} vmcb_uint_7; /* instruction bytes 8-14 */

/* Every member sits at its row's offset; the union is one page. */
union vmcb {
    uint8_t bytes[4096];
#define VMCB_FIELD(offset, size, name, access, text)                                               \
    struct __attribute__((packed)) {                                                               \
        uint8_t before_##name[offset];                                                             \
        vmcb_uint_##size name;                                                                     \
    };
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD
};
_Static_assert(sizeof(union vmcb) == 4096, "a VMCB is one page");
#define VMCB_FIELD(offset, size, name, access, text)                                               \
    _Static_assert(offsetof(union vmcb, name) == (offset), "offset of " #name);                    \
    _Static_assert(sizeof(((union vmcb *)0)->name) == (size), "size of " #name);
#include "protocol/vmcb_fields.def"
#undef VMCB_FIELD

#define VMCB_SAVE_START 0x400
#define VMCB_SAVE_END   0x6a0 /* end of what VMRUN and VMSAVE touch without SEV */

/* intercept_misc1 */
#define SVM1_INTR        (1u << 0)
#define SVM1_NMI         (1u << 1)
#define SVM1_INIT        (1u << 3)
#define SVM1_VINTR       (1u << 4)
#define SVM1_IDTR_READ   (1u << 6)
#define SVM1_GDTR_READ   (1u << 7)
#define SVM1_LDTR_READ   (1u << 8)
#define SVM1_TR_READ     (1u << 9)
#define SVM1_IDTR_WRITE  (1u << 10)
#define SVM1_GDTR_WRITE  (1u << 11)
#define SVM1_LDTR_WRITE  (1u << 12)
#define SVM1_TR_WRITE    (1u << 13)
#define SVM1_RDTSC       (1u << 14)
#define SVM1_RDPMC       (1u << 15)
#define SVM1_PUSHF       (1u << 16)
#define SVM1_POPF        (1u << 17)
#define SVM1_CPUID       (1u << 18)
#define SVM1_IRET        (1u << 20)
#define SVM1_INTN        (1u << 21)
#define SVM1_INVD        (1u << 22)
#define SVM1_PAUSE       (1u << 23)
#define SVM1_HLT         (1u << 24)
#define SVM1_INVLPG      (1u << 25)
#define SVM1_INVLPGA     (1u << 26)
#define SVM1_IOIO        (1u << 27)
#define SVM1_MSR         (1u << 28)
#define SVM1_TASK_SWITCH (1u << 29)
#define SVM1_SHUTDOWN    (1u << 31)

/* intercept_misc2 */
#define SVM2_VMRUN   (1u << 0)
#define SVM2_VMMCALL (1u << 1)
#define SVM2_VMLOAD  (1u << 2)
#define SVM2_VMSAVE  (1u << 3)
#define SVM2_STGI    (1u << 4)
#define SVM2_CLGI    (1u << 5)
#define SVM2_SKINIT  (1u << 6)
#define SVM2_RDTSCP  (1u << 7)
#define SVM2_ICEBP   (1u << 8)
#define SVM2_WBINVD  (1u << 9)
#define SVM2_MONITOR (1u << 10)
#define SVM2_MWAIT   (1u << 11)
#define SVM2_XSETBV  (1u << 13)

/* vintr */
#define VINTR_IRQ        (UINT64_C(1) << 8)
#define VINTR_PRIO_MAX   (UINT64_C(0xf) << 16)
#define VINTR_IGNORE_TPR (UINT64_C(1) << 20)
#define VINTR_MASKING    (UINT64_C(1) << 24)

#define NESTED_ENABLE  UINT64_C(1)
#define TLB_FLUSH_ALL  1
#define TLB_FLUSH_ASID 3

/* event_inject and exit_int_info */
#define EVENT_VECTOR(v_)  ((uint8_t)(v_))
#define EVENT_TYPE(v_)    ((uint8_t)((v_) >> 8 & 7))
#define EVENT_TYPE_SHIFT  8
#define EVENT_HAS_ERROR   (UINT64_C(1) << 11)
#define EVENT_VALID       (UINT64_C(1) << 31)
#define EVENT_ERROR_SHIFT 32

/* exit_info1 by exit code */
#define CR_INFO_MOV      (UINT64_C(1) << 63) /* decode assists: MOV CR, GPR in 3:0 */
#define IOIO_IN          (1u << 0)
#define IOIO_STRING      (1u << 2)
#define IOIO_REP         (1u << 3)
#define IOIO_SIZE(v_)    ((uint8_t)((v_) >> 4 & 7)) /* bit 0: 1 byte, 1: 2, 2: 4 */
#define IOIO_ADDR(v_)    ((uint8_t)((v_) >> 7 & 7)) /* bit 0: 16 bits, 1: 32, 2: 64 */
#define IOIO_SEGMENT(v_) ((uint8_t)((v_) >> 10 & 7))
#define IOIO_PORT(v_)    ((uint16_t)((v_) >> 16))
#define NPF_PRESENT      (UINT64_C(1) << 0)
#define NPF_WRITE        (UINT64_C(1) << 1)
#define NPF_RESERVED     (UINT64_C(1) << 3)
#define NPF_FETCH        (UINT64_C(1) << 4)
#define NPF_FINAL        (UINT64_C(1) << 32)
#define NPF_WALK         (UINT64_C(1) << 33)

/* Codes that the decoder treats one by one; all of them are in protocol/exit_reasons.def. */
#define SVM_EXIT_INVALID INT64_C(-1)
