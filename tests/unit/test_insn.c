/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The instruction decoder against Capstone: lengths over real code (every executable segment in this
 * process, GRUB's 32-bit modules, firmware in 16-bit mode where installed) and over generated
 * encodings in all three modes; then operands and addresses against hand-made truths.
 */
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>
#include <cmocka.h>

#include "core/insn.h"

struct oracle {
    csh handle;
    cs_insn *out;
    enum insn_mode mode;
    unsigned long compared, disagreed;
};

static struct oracle oracles[3];

static int open_oracles(void **state)
{
    static const struct {
        cs_mode cs;
        enum insn_mode ours;
    } modes[3] = {
        {CS_MODE_16, INSN_MODE_16}, {CS_MODE_32, INSN_MODE_32}, {CS_MODE_64, INSN_MODE_64}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        if (cs_open(CS_ARCH_X86, modes[i].cs, &oracles[i].handle) != CS_ERR_OK)
            return -1;
        oracles[i].out = cs_malloc(oracles[i].handle);
        oracles[i].mode = modes[i].ours;
    }
    return 0;
}

static int close_oracles(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        cs_free(oracles[i].out, 1);
        cs_close(&oracles[i].handle);
    }
    return 0;
}

/* Length by Capstone, 0 if it knows no such instruction. */
static unsigned oracle_length(struct oracle *o, const uint8_t *bytes, size_t len)
{
    uint64_t address = 0x1000;

    return cs_disasm_iter(o->handle, &bytes, &len, &address, o->out) ? o->out->size : 0;
}

/* Is it VEX, EVEX or XOP behind a prefix that makes it #UD (SDM, "VEX Prefix"; Capstone decodes it)? */
static bool prefixed_vex(const struct insn *insn, const uint8_t *bytes)
{
    bool bad = false;

    for (;; bytes++) {
        switch (*bytes) {
        case 0x66:
        case 0xf2:
        case 0xf3:
        case 0xf0:
            bad = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x67:
            break;
        case 0x62:
        case 0xc4:
        case 0xc5:
        case 0x8f:
            return bad;
        default:
            if (insn->mode != INSN_MODE_64 || (*bytes & 0xf0) != 0x40)
                return false;
            bad = true;
        }
    }
}

/* Disagreements that are the oracle's: each with its reason. NULL: none known. */
static const char *explained(const struct insn *insn, const uint8_t *bytes, unsigned theirs)
{
    if (insn->status == INSN_UNDEFINED) {
        if (prefixed_vex(insn, bytes))
            return "66, F2, F3, LOCK or REX before VEX is #UD";
        if (insn->map == 0 && insn->opcode == 0x8e && insn->len_bytes == theirs)
            return "MOV to CS, or to segment 6 or 7, is #UD";
        if (insn->map == 1 && insn->opcode >= 0x20 && insn->opcode <= 0x23)
            return "CR1, CR5-7, CR9-15, DR8-15 do not exist";
        if (insn->map == 1 && insn->opcode == 1 && insn->modrm == 0xf8)
            return "SWAPGS exists in 64-bit code only";
        if (insn->map == 1 && (insn->opcode == 0xa6 || insn->opcode == 0xa7))
            return "VIA PadLock, on no CPU that has SVM or VMX as we need it";
        if (insn->map == 1 && (insn->opcode == 0x78 || insn->opcode == 0x79))
            return "VMREAD and VMWRITE take no prefix (SDM, \"VMREAD\")";
    }
    if (insn->status == INSN_OK && insn->map == 1 && (insn->opcode == 0xff || insn->opcode == 0xb9))
        return "UD0 and UD1 have ModRM (SDM, \"UD\")";
    if (insn->status == INSN_OK && insn->map == 1 && insn->opcode == 0x78 &&
        insn->len_bytes == theirs + 2u)
        return "66 or F2 makes it EXTRQ, INSERTQ with two immediate bytes (APM \"EXTRQ\")";
    if (insn->status == INSN_OK && insn->map == 0 && theirs == insn->len_bytes + 2u) {
        if (insn->opcode == 0xc2 && insn->rexw)
            return "RET imm16 has two bytes, REX.W or not";
        if (insn->opcode == 0x68 && insn->osize && insn->rep)
            return "66 with F2 or F3: the operand size is still 16 bits";
        if ((insn->opcode == 0xe8 || insn->opcode == 0xe9) && insn->osize)
            return "66 before a near branch: AMD obeys it in 64-bit code; F2 (BND) does not undo "
                   "it";
    }
    if (insn->status == INSN_OK && insn->map == 0 && insn->opcode == 0xe8 && insn->rexw &&
        insn->addr_bytes == 4 && insn->len_bytes == theirs + 2u)
        return "67 and REX.W leave a near CALL its 32-bit displacement";
    if (insn->status == INSN_OK && insn->vex && bytes[0] == 0x62 && insn->modrm >= 0xc0)
        return "EVEX with a register operand and embedded rounding has no displacement";
    return NULL;
}

static void report(struct oracle *o, const uint8_t *bytes, const struct insn *insn, unsigned theirs)
{
    if (++o->disagreed > 15)
        return;
    fprintf(stderr, "mode %d:", o->mode);
    for (int i = 0; i < 15; i++)
        fprintf(stderr, " %02x", bytes[i]);
    fprintf(stderr, "  ours %u (%s) capstone %u %s %s\n", insn->len_bytes,
            insn_status_text(insn->status), theirs, theirs ? o->out->mnemonic : "",
            theirs ? o->out->op_str : "");
}

/* Compares one instruction where Capstone decodes it; returns how far to go on. */
static unsigned compare(struct oracle *o, const uint8_t *bytes, size_t len)
{
    unsigned theirs = oracle_length(o, bytes, len);
    struct insn insn = insn_decode(bytes, len, o->mode);

    if (!theirs)
        return 1;
    o->compared++;
    if (insn.status != INSN_OK || insn.len_bytes != theirs) {
        if (!explained(&insn, bytes, theirs))
            report(o, bytes, &insn, theirs);
    }
    return theirs;
}

static void sweep(struct oracle *o, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at + 16 < len;)
        at += compare(o, bytes + at, len - at < 16 ? len - at : 16);
}

static void check_clean(struct oracle *o, unsigned long at_least)
{
    print_message("[          ] mode %d: %lu instructions compared, %lu disagreements\n", o->mode,
                  o->compared, o->disagreed);
    assert_int_equal(o->disagreed, 0);
    assert_true(o->compared >= at_least);
    o->compared = 0;
}

static int sweep_segments(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

        if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) && !(ph->p_flags & PF_W) &&
            ph->p_memsz > 0x4000)
            sweep(&oracles[2], (const uint8_t *)(info->dlpi_addr + ph->p_vaddr), ph->p_memsz);
    }
    return 0;
}

static void test_own_text_64(void **state)
{
    (void)state;
    dl_iterate_phdr(sweep_segments, NULL);
    check_clean(&oracles[2], 100000);
}

static uint8_t file_bytes[1 << 20];

static size_t read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t len = 0;

    if (file) {
        len = fread(file_bytes, 1, sizeof(file_bytes), file);
        fclose(file);
    }
    return len;
}

static void test_grub_32(void **state)
{
    static const char *const names[] = {"normal", "linux", "ext2", "gzio", "multiboot", "zfs"};
    char path[128];
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len;

        snprintf(path, sizeof(path), "/usr/lib/grub/i386-pc/%s.mod", names[i]);
        len = read_file(path);
        sweep(&oracles[1], file_bytes, len);
        total += len;
    }
    if (!total) {
        print_message("SKIP: no GRUB i386-pc modules installed (package grub-pc-bin)\n");
        skip();
    }
    check_clean(&oracles[1], 1000);
}

static void test_firmware_16(void **state)
{
    size_t len = read_file("/usr/share/seabios/bios.bin");

    (void)state;
    if (!len) {
        print_message("SKIP: no SeaBIOS image (package seabios)\n");
        skip();
    }
    sweep(&oracles[0], file_bytes, len);
    check_clean(&oracles[0], 1000);
}

/* Every opcode of the four legacy maps with every ModRM, under prefix combinations. */
static void test_generated(void **state)
{
    static const char *const prefixes[] = {"",     "\x66",     "\x67", "\xf2",
                                           "\xf3", "\x66\x67", "\x2e", "\x65\x66",
                                           "\x48", "\x66\x4f", "\x41"};
    static const char *const escapes[] = {"", "\x0f", "\x0f\x38", "\x0f\x3a"};
    uint8_t bytes[24];

    (void)state;
    for (int m = 0; m < 3; m++) {
        for (size_t p = 0; p < sizeof(prefixes) / sizeof(prefixes[0]); p++) {
            for (int e = 0; e < 4; e++) {
                for (int op = 0; op < 0x10000; op++) {
                    size_t at = strlen(prefixes[p]);

                    memset(bytes, 0x11 * (op & 7), sizeof(bytes));
                    memcpy(bytes, prefixes[p], at);
                    memcpy(bytes + at, escapes[e], strlen(escapes[e]));
                    at += strlen(escapes[e]);
                    bytes[at] = op >> 8;
                    bytes[at + 1] = op & 0xff;
                    compare(&oracles[m], bytes, 15);
                }
            }
        }
        check_clean(&oracles[m], 100000);
    }
}

static void test_random(void **state)
{
    uint64_t x = 0x9e3779b97f4a7c15;
    uint8_t bytes[16];

    (void)state;
    for (int n = 0; n < 3000000; n++) {
        for (int i = 0; i < 16; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            bytes[i] = (uint8_t)(x >> 32);
        }
        /* Half of them start with what random bytes seldom hit: VEX, EVEX, two-byte opcodes. */
        if (n & 1)
            bytes[0] = "\xc4\xc5\x62\x0f\x66\xf2\xf3\x8f"[(n >> 1) & 7];
        compare(&oracles[n % 3], bytes, 15);
    }
    for (int m = 0; m < 3; m++)
        check_clean(&oracles[m], 10000);
}

#define DECODE(mode_, ...)                                                                         \
    insn_decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), mode_)

static void test_errors(void **state)
{
    static const uint8_t nops[16] = {[0 ... 15] = 0x66};

    (void)state;
    assert_int_equal(DECODE(INSN_MODE_64, 0x48, 0xc7, 0x45, 0x08, 1, 0, 0).status, INSN_TRUNCATED);
    assert_int_equal(DECODE(INSN_MODE_64, 0x48, 0xc7, 0x45, 0x08, 1, 0, 0, 0).status, INSN_OK);
    assert_int_equal(DECODE(INSN_MODE_64, 0x0f).status, INSN_TRUNCATED);
    assert_int_equal(insn_decode(nops, 0, INSN_MODE_32).status, INSN_TRUNCATED);
    assert_int_equal(insn_decode(nops, 14, INSN_MODE_32).status, INSN_TRUNCATED);
    assert_int_equal(insn_decode(nops, 16, INSN_MODE_32).status, INSN_TOO_LONG);
    assert_int_equal(DECODE(INSN_MODE_64, 0x06).status, INSN_UNDEFINED);
    assert_int_equal(DECODE(INSN_MODE_32, 0x06).status, INSN_OK);
    assert_int_equal(DECODE(INSN_MODE_64, 0x0f, 0x20, 0xc8).status, INSN_UNDEFINED); /* CR1 */
    assert_int_equal(DECODE(INSN_MODE_64, 0x8e, 0xc8).status, INSN_UNDEFINED);       /* MOV CS */
    assert_int_equal(DECODE(INSN_MODE_64, 0x0f, 0x01, 0xc6).status, INSN_UNDEFINED);
}

/* Rows: bytes, mode, and what the decoder must say. */
static void test_classes(void **state)
{
    static const struct {
        uint8_t bytes[8], len, mode, class;
    } rows[] = {
        {{0x0f, 0xa2}, 2, 8, INSN_CPUID},
        {{0x0f, 0x01, 0xd9}, 3, 8, INSN_VMMCALL},
        {{0x0f, 0x01, 0xc1}, 3, 4, INSN_VMCALL},
        {{0x0f, 0x01, 0xd8}, 3, 8, INSN_SVM},
        {{0x0f, 0x01, 0xd1}, 3, 8, INSN_XSETBV},
        {{0x0f, 0x01, 0xf9}, 3, 8, INSN_RDTSCP},
        {{0x0f, 0x01, 0x38}, 3, 8, INSN_INVLPG},
        {{0x0f, 0x01, 0xdf}, 3, 8, INSN_INVLPGA},
        {{0x0f, 0x01, 0xc8}, 3, 8, INSN_MONITOR},
        {{0x0f, 0x01, 0xc9}, 3, 8, INSN_MWAIT},
        {{0x0f, 0x01, 0x10}, 3, 8, INSN_LGDT},
        {{0x0f, 0x00, 0xd8}, 3, 8, INSN_LTR},
        {{0xcd, 0x80}, 2, 4, INSN_INT_N},
        {{0xcc}, 1, 8, INSN_INT3},
        {{0xce}, 1, 4, INSN_INTO},
        {{0xf1}, 1, 8, INSN_ICEBP},
        {{0x48, 0xcf}, 2, 8, INSN_IRET},
        {{0x9c}, 1, 8, INSN_PUSHF},
        {{0x9d}, 1, 8, INSN_POPF},
        {{0xfb}, 1, 8, INSN_STI},
        {{0xfa}, 1, 8, INSN_CLI},
        {{0x8e, 0xd0}, 2, 8, INSN_MOV_SS},
        {{0x17}, 1, 4, INSN_POP_SS},
        {{0x0f, 0x05}, 2, 8, INSN_SYSCALL},
        {{0x48, 0x0f, 0x07}, 3, 8, INSN_SYSRET},
        {{0xf4}, 1, 8, INSN_HLT},
        {{0xf3, 0x90}, 2, 8, INSN_PAUSE},
        {{0x90}, 1, 8, INSN_OTHER},
        {{0x0f, 0x06}, 2, 8, INSN_CLTS},
        {{0x0f, 0x30}, 2, 8, INSN_WRMSR},
        {{0xe8, 0, 0, 0, 0}, 5, 8, INSN_CALL},
        {{0xff, 0xd0}, 2, 8, INSN_CALL},
        {{0xff, 0xe0}, 2, 8, INSN_JMP},
        {{0xc3}, 1, 8, INSN_RET},
        {{0xcb}, 1, 8, INSN_FAR_BRANCH},
        {{0x74, 0xfe}, 2, 8, INSN_JCC},
        {{0x0f, 0x0b}, 2, 8, INSN_UD},
        {{0x0f, 0x08}, 2, 8, INSN_INVD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct insn insn = insn_decode(rows[i].bytes, rows[i].len, rows[i].mode);

        if (insn.status != INSN_OK || insn.class != rows[i].class || insn.len_bytes != rows[i].len)
            fail_msg("row %zu: status %u class %u length %u", i, insn.status, insn.class,
                     insn.len_bytes);
    }
}

static void test_control_registers(void **state)
{
    struct insn insn = DECODE(INSN_MODE_64, 0x41, 0x0f, 0x22, 0xc7); /* mov cr0, r15 */

    (void)state;
    assert_int_equal(insn.class, INSN_MOV_CR);
    assert_true(insn.store);
    assert_int_equal(insn.reg, 0);
    assert_int_equal(insn.rm, GPR_R15);
    assert_int_equal(insn.op_bytes, 8);

    insn = DECODE(INSN_MODE_64, 0x44, 0x0f, 0x20, 0xc0); /* mov rax, cr8 */
    assert_int_equal(insn.reg, 8);
    assert_false(insn.store);
    insn = DECODE(INSN_MODE_32, 0xf0, 0x0f, 0x20, 0xc1); /* lock mov ecx, cr0: AMD's CR8 */
    assert_int_equal(insn.reg, 8);
    assert_int_equal(insn.rm, GPR_RCX);
    insn = DECODE(INSN_MODE_32, 0x0f, 0x20, 0x45, 0x99); /* mod is ignored: mov ebp, cr0 */
    assert_int_equal(insn.len_bytes, 3);
    assert_int_equal(insn.rm, GPR_RBP);
    insn = DECODE(INSN_MODE_32, 0x0f, 0x23, 0xfb); /* mov dr7, ebx */
    assert_int_equal(insn.class, INSN_MOV_DR);
    assert_true(insn.store);
    assert_int_equal(insn.reg, 7);
    assert_int_equal(insn.rm, GPR_RBX);
    insn = DECODE(INSN_MODE_32, 0x0f, 0x01, 0xf0); /* lmsw ax */
    assert_int_equal(insn.class, INSN_LMSW);
    assert_false(insn.mem);
    assert_int_equal(insn.rm, GPR_RAX);
    insn = DECODE(INSN_MODE_16, 0x0f, 0x01, 0x36, 0x34, 0x12); /* lmsw [0x1234] */
    assert_int_equal(insn.class, INSN_LMSW);
    assert_true(insn.mem);
    assert_int_equal(insn.mem_bytes, 2);
    insn = DECODE(INSN_MODE_64, 0x48, 0x0f, 0x01, 0xe1); /* smsw rcx */
    assert_int_equal(insn.class, INSN_SMSW);
    assert_int_equal(insn.op_bytes, 8);
}

static void test_port_io(void **state)
{
    struct insn insn = DECODE(INSN_MODE_16, 0xf3, 0x26, 0x6e); /* rep outs dx, es:[si] */

    (void)state;
    assert_int_equal(insn.class, INSN_OUTS);
    assert_int_equal(insn.segment, HV_ES);
    assert_int_equal(insn.addr_bytes, 2);
    assert_int_equal(insn.op_bytes, 1);
    assert_int_equal(insn.rep, 0xf3);
    insn = DECODE(INSN_MODE_64, 0x65, 0x67, 0x6d); /* GS does not move the destination of INS */
    assert_int_equal(insn.class, INSN_INS);
    assert_int_equal(insn.segment, HV_ES);
    assert_int_equal(insn.addr_bytes, 4);
    assert_int_equal(insn.op_bytes, 4);
    insn = DECODE(INSN_MODE_32, 0x66, 0xe5, 0xfe); /* in ax, 0xfe */
    assert_int_equal(insn.class, INSN_IN);
    assert_int_equal(insn.imm, 0xfe);
    assert_int_equal(insn.op_bytes, 2);
    insn = DECODE(INSN_MODE_64, 0xee); /* out dx, al */
    assert_int_equal(insn.class, INSN_OUT);
    assert_false(insn.imm_form);
    assert_int_equal(insn.op_bytes, 1);
}

static void test_memory_forms(void **state)
{
    struct guest_regs regs = {.rax = 0x1000,
                              .rcx = 0x20,
                              .rbx = 0x3000,
                              .rbp = 0x11111111fff0,
                              .rsi = 0xfff8,
                              .r12 = 0x500,
                              .rip = 0x400000};
    struct insn insn;

    (void)state;
    insn = DECODE(INSN_MODE_64, 0x89, 0x54, 0x88, 0x10); /* mov [rax+rcx*4+0x10], edx */
    assert_int_equal(insn.class, INSN_MOV);
    assert_true(insn.store && insn.mem);
    assert_int_equal(insn.reg, GPR_RDX);
    assert_int_equal(insn.mem_bytes, 4);
    assert_int_equal(insn_gva(&insn, &regs, 0), 0x1090);

    insn =
        DECODE(INSN_MODE_64, 0x44, 0x8a, 0x35, 0x00, 0x01, 0x00, 0x00); /* mov r14b, [rip+0x100] */
    assert_true(insn.rip_relative && !insn.store);
    assert_int_equal(insn.reg, GPR_R14);
    assert_int_equal(insn.mem_bytes, 1);
    assert_int_equal(insn_gva(&insn, &regs, 0), 0x400107);

    insn = DECODE(INSN_MODE_64, 0x41, 0x83, 0x0c, 0x24, 0xfe); /* or dword [r12], -2 */
    assert_int_equal(insn.class, INSN_ALU);
    assert_int_equal(insn.alu, ALU_OR);
    assert_true(insn.imm_form && insn.store);
    assert_int_equal(insn.imm, (uint64_t)-2);
    assert_int_equal(insn_gva(&insn, &regs, 0), 0x500);

    insn = DECODE(INSN_MODE_64, 0x0f, 0xb6, 0x01); /* movzx eax, byte [rcx] */
    assert_int_equal(insn.class, INSN_MOVZX);
    assert_int_equal(insn.mem_bytes, 1);
    assert_int_equal(insn.op_bytes, 4);
    insn = DECODE(INSN_MODE_64, 0x48, 0x63, 0x01); /* movsxd rax, [rcx] */
    assert_int_equal(insn.class, INSN_MOVSX);
    assert_int_equal(insn.mem_bytes, 4);
    assert_int_equal(insn.op_bytes, 8);

    insn = DECODE(INSN_MODE_64, 0x48, 0xa1, 8, 7, 6, 5, 4, 3, 2, 1); /* mov rax, [moffs64] */
    assert_int_equal(insn.class, INSN_MOV);
    assert_true(insn.mem && !insn.store);
    assert_int_equal(insn_gva(&insn, &regs, 0), 0x0102030405060708);
    insn = DECODE(INSN_MODE_32, 0xc7, 0x05, 0xb0, 0x00, 0xe0, 0xfe, 0, 0, 0, 0); /* APIC EOI */
    assert_true(insn.imm_form && insn.store && insn.mem);
    assert_int_equal(insn_gva(&insn, &regs, 0), 0xfee000b0);

    /* 16-bit addresses wrap inside the segment; BP means SS. */
    insn = DECODE(INSN_MODE_16, 0x8b, 0x84, 0x10, 0x00); /* mov ax, [si+0x10] */
    assert_int_equal(insn_offset(&insn, &regs), 0x0008);
    assert_int_equal(insn.segment, HV_DS);
    insn = DECODE(INSN_MODE_16, 0x8b, 0x46, 0x20); /* mov ax, [bp+0x20] */
    assert_int_equal(insn.segment, HV_SS);
    assert_int_equal(insn_gva(&insn, &regs, 0x12340), 0x12350);
    insn = DECODE(INSN_MODE_64, 0x64, 0x3e, 0x8b, 0x00); /* DS after FS is ignored in 64-bit code */
    assert_int_equal(insn.segment, HV_FS);

    insn = DECODE(INSN_MODE_32, 0xf3, 0xab); /* rep stosd */
    assert_int_equal(insn.class, INSN_STOS);
    assert_int_equal(insn.mem_bytes, 4);
    insn = DECODE(INSN_MODE_64, 0xf6, 0x00, 0x80); /* test byte [rax], 0x80 */
    assert_int_equal(insn.class, INSN_TEST);
    assert_int_equal(insn.mem_bytes, 1);
    assert_int_equal(insn.len_bytes, 3);
}

static void test_partial_registers(void **state)
{
    struct guest_regs regs = {.rbx = 0x1122334455667788, .rsp = 0x1000};
    struct insn insn = DECODE(INSN_MODE_64, 0x88, 0x38); /* mov [rax], bh */

    (void)state;
    assert_int_equal(insn_gpr_get(&insn, &regs, insn.reg, 1), 0x77);
    insn_gpr_set(&insn, &regs, insn.reg, 1, 0xaa);
    assert_true(regs.rbx == 0x112233445566aa88);
    insn = DECODE(INSN_MODE_64, 0x40, 0x88, 0x38); /* mov [rax], dil: REX changes the name */
    insn_gpr_set(&insn, &regs, insn.reg, 1, 0x5c);
    assert_true(regs.rdi == 0x5c);
    insn_gpr_set(&insn, &regs, GPR_RBX, 4, 0xffffffff89abcdef);
    assert_true(regs.rbx == 0x89abcdef);
    insn_gpr_set(&insn, &regs, GPR_RBX, 2, 0x1234);
    assert_true(regs.rbx == 0x89ab1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_text_64),
        cmocka_unit_test(test_grub_32),
        cmocka_unit_test(test_firmware_16),
        cmocka_unit_test(test_generated),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_control_registers),
        cmocka_unit_test(test_port_io),
        cmocka_unit_test(test_memory_forms),
        cmocka_unit_test(test_partial_registers),
    };

    return cmocka_run_group_tests(tests, open_oracles, close_oracles);
}
