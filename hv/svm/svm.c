/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * SVM: is it there and good enough, turn it on, and the table through which core reaches it.
 */
#include "svm/svm.h"

#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

#define CPUID_EXT_FEATURES 0x80000001
#define CPUID_SVM          0x8000000a
#define EXT_ECX_SVM        (1u << 2)
#define EXT_EDX_PAGE1G     (1u << 26)
#define SVM_EDX_NPT        (1u << 0)
#define SVM_EDX_LOCK       (1u << 2)
#define SVM_EDX_NRIP       (1u << 3)
#define SVM_EDX_DECODE     (1u << 7)
#define SVM_EDX_VNMI       (1u << 25)
#define VM_CR_SVMDIS       (UINT64_C(1) << 4)
#define VM_CR_LOCK         (UINT64_C(1) << 3)

_Static_assert(offsetof(struct svm_idts, own) == 10, "svm_entry.S: OWN_IDT");

struct svm_caps svm_caps;

static const struct {
    const char *platform, *text;
    uint32_t bit;
} quirk_rows[] = {
#define SVM_QUIRK(name, platform, text) {platform, text, SVM_QUIRK_##name},
#include "svm/svm_quirks.def"
#undef SVM_QUIRK
};

static uint32_t find_quirks(const char *platform)
{
    uint32_t quirks = 0;

    for (unsigned i = 0; i < sizeof(quirk_rows) / sizeof(quirk_rows[0]); i++)
        if (strcmp(quirk_rows[i].platform, platform) == 0)
            quirks |= quirk_rows[i].bit;
    return quirks;
}

static const char *check_cpu(void)
{
    uint64_t vm_cr;

    if (cpuid(0x80000000, 0).eax < CPUID_SVM || !(cpuid(CPUID_EXT_FEATURES, 0).ecx & EXT_ECX_SVM))
        return "no SVM here (CPUID 80000001h ECX bit 2 is 0): use an AMD CPU, or QEMU with -cpu "
               "max "
               "or -cpu EPYC, or Bochs with an AMD model";
    svm_caps.features = cpuid(CPUID_SVM, 0).edx;
    svm_caps.asid_count = cpuid(CPUID_SVM, 0).ebx;
    if (rdmsr_safe(MSR_vm_cr, &vm_cr) == 0 && (vm_cr & VM_CR_SVMDIS) &&
        (!(svm_caps.features & SVM_EDX_LOCK) || (vm_cr & VM_CR_LOCK)))
        return "SVM is disabled by the firmware (VM_CR.SVMDIS is 1 and locked): enable "
               "\"SVM Mode\" in the firmware's set-up";
    if (!(svm_caps.features & SVM_EDX_NPT))
        return "this CPU has SVM but no nested paging (CPUID 8000000Ah EDX bit 0 is 0): with QEMU "
               "use "
               "-cpu max or -cpu EPYC, not qemu64";
    if (svm_caps.asid_count < 2)
        return "this CPU offers no ASID for a guest (CPUID 8000000Ah EBX): another CPU model is "
               "needed";
    return NULL;
}

static const char *probe(struct hv_caps *caps)
{
    const char *problem = check_cpu();

    if (problem)
        return problem;
    svm_caps.quirks = find_quirks(cpu_platform());
    *caps = (struct hv_caps){
        .vendor = "svm",
        .platform = cpu_platform(),
        .nrip = svm_caps.features & SVM_EDX_NRIP,
        .decode_assists = svm_caps.features & SVM_EDX_DECODE,
        .nested_1g = cpuid(CPUID_EXT_FEATURES, 0).edx & EXT_EDX_PAGE1G,
        .vnmi = svm_caps.features & SVM_EDX_VNMI,
        .maxphyaddr_bits = cpu_maxphyaddr_bits(),
        .halt_forgotten = true, /* a VMCB has no activity state */
        .shadow_lost = !strcmp(cpu_platform(), "qemu-tcg"),
        /* SVM has no enabling controls: what the CPU can, its guests can. */
        .guest_rdtscp = true,
        .guest_invpcid = true,
        .guest_xsaves = true,
        .guest_waitpkg = true,
    };
    return NULL;
}

/* VMSAVE stores FS, GS, TR, LDTR, KernelGSBase, STAR... : ours, loaded again after every exit. */
static void save_host(uint64_t image_hpa)
{
    __asm__ volatile("vmsave %0" : : "a"(image_hpa) : "memory");
}

/* A copy of our IDT whose gates use no IST, and whose #DB goes to svm_entry.S. */
static bool make_idts(struct svm_cpu *svm)
{
    enum { GATES = 256, GATE_BYTES = 16, IST_BYTE = 4 };
    uint64_t entry = (uint64_t)svm_stray_db;
    struct svm_idts *idts = pages_alloc(1);
    uint8_t *copy = pages_alloc(1), *gate;

    if (!idts || !copy)
        return false;
    idts->own = sidt();
    idts->without_ist = (struct table_reg){.limit = GATES * GATE_BYTES - 1, .base = (uint64_t)copy};
    memcpy(copy, (const void *)idts->own.base, GATES * GATE_BYTES);
    for (unsigned i = 0; i < GATES; i++)
        copy[i * GATE_BYTES + IST_BYTE] = 0;
    gate = copy + X86_DB * GATE_BYTES; /* offset 15:0, 31:16, 63:32 */
    memcpy(gate, &entry, 2);
    memcpy(gate + 6, (uint8_t *)&entry + 2, 6);
    svm->idts = idts;
    return true;
}

static const char *cpu_init(struct cpu *cpu)
{
    struct svm_cpu *svm = pages_alloc(1);
    void *save_area = pages_alloc(1), *image = pages_alloc(1);
    uint64_t vm_cr;

    if (!svm || !save_area || !image || (svm_quirk(SVM_QUIRK_stray_db) && !make_idts(svm)))
        return "no page left to turn SVM on: give the machine more memory";
    if (rdmsr_safe(MSR_vm_cr, &vm_cr) == 0 && (vm_cr & VM_CR_SVMDIS) &&
        wrmsr_safe(MSR_vm_cr, vm_cr & ~VM_CR_SVMDIS))
        return "VM_CR.SVMDIS cannot be cleared: enable \"SVM Mode\" in the firmware's set-up";
    if (wrmsr_safe(MSR_efer, rdmsr(MSR_efer) | EFER_SVME))
        return "EFER.SVME cannot be set, although CPUID announces SVM: the machine below does not "
               "allow nested virtualisation";
    if (wrmsr_safe(MSR_vm_hsave_pa, virt_to_phys(save_area)))
        return "VM_HSAVE_PA cannot be written, although CPUID announces SVM";
    svm->host_vmcb_hpa = virt_to_phys(image);
    save_host(svm->host_vmcb_hpa);
    cpu->vendor = svm;
    for (unsigned i = 0; i < sizeof(quirk_rows) / sizeof(quirk_rows[0]); i++)
        if (cpu->id == 0 && strcmp(quirk_rows[i].platform, cpu_platform()) == 0)
            log_debug("svm quirk: %s", quirk_rows[i].text);
    return NULL;
}

const struct hv_backend svm_backend = {
    .name = "svm",
    .probe = probe,
    .cpu_init = cpu_init,
    .vcpu_init = svm_vcpu_init,
    .run = svm_run,
    .get = svm_get,
    .set = svm_set,
    .get_segment = svm_get_segment,
    .set_segment = svm_set_segment,
    .set_cr = svm_set_cr,
    .set_efer = svm_set_efer,
    .set_intercepts = svm_set_intercepts,
    .msr_intercept = svm_msr_intercept,
    .io_bitmap = svm_io_bitmap,
    .msr_area = svm_msr_area,
    .msr_area_set = svm_msr_area_set,
    .field_read = svm_field_read,
    .field_write = svm_field_write,
    .nested_flush = svm_nested_flush,
};
