/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * guest_load(): which kind of guest the first module is, and the order of the work. Modules are
 * first moved to the top of the guest's RAM, because loaders put them anywhere, also where the
 * guest must go; then the kind's own file loads it.
 */
#include "core/guest_parts.h"
#include "cpu/mem.h"
#include "cpu/paging.h"
#include "lib/log.h"
#include "lib/mem.h"

#define LIMIT_2G     UINT64_C(0x80000000) /* Linux takes no initrd above */
#define LOW_1M       UINT64_C(0x100000)
#define CR0_PE_ET    UINT64_C(0x11) /* protected mode; ET reads as 1 on every CPU */
#define RFLAGS_RESET UINT64_C(2)

/* Order decides: a bzImage also ends its first sector in 55AA. */
static const struct guest_loader *const loaders[] = {&guest_linux, &guest_multiboot, &guest_flat,
                                                     &guest_boot_sector};

static struct memmap guest_map;
static struct guest_plan plan;

const char *guest_refuse(struct guest_plan *at, const char *format, ...)
{
    va_list args;
    size_t len;

    va_start(args, format);
    len = fmt_str(at->error, sizeof(at->error), "guest: ");
    fmt_vstr(at->error + len, sizeof(at->error) - len, format, args);
    va_end(args);
    return at->error;
}

const char *guest_arg(const char *args, const char *word)
{
    size_t word_bytes = strlen(word);

    while (*args) {
        while (*args == ' ')
            args++;
        if (str_starts(args, word) &&
            (word[word_bytes - 1] == '=' || args[word_bytes] == ' ' || args[word_bytes] == '\0'))
            return args + word_bytes;
        while (*args && *args != ' ')
            args++;
    }
    return NULL;
}

void guest_entry_protected(const struct guest_plan *at, struct guest_entry *out)
{
    /* SDM, "Segment Descriptors": flat 4 GiB, 32 bit, accessed code and data. */
    static const uint64_t gdt[GUEST_GDT_BYTES / 8] = {0, 0, UINT64_C(0x00cf9b000000ffff),
                                                      UINT64_C(0x00cf93000000ffff)};
    static const struct hv_segment code = {GUEST_SEL_CODE, 0xffffffff, 0xc09b, 0};
    static const struct hv_segment data = {GUEST_SEL_DATA, 0xffffffff, 0xc093, 0};

    out->mode = GUEST_MODE_PROTECTED;
    out->cr0 = CR0_PE_ET;
    out->rflags = RFLAGS_RESET;
    out->segments[HV_CS] = code;
    for (int seg = HV_ES; seg <= HV_GS; seg++)
        if (seg != HV_CS)
            out->segments[seg] = data;
    out->segments[HV_LDTR] = (struct hv_segment){.rights = HV_SEG_UNUSABLE};
    /* A busy 32-bit TSS: VM entry insists on one. SDM, "Checks on Guest Segment Registers". */
    out->segments[HV_TR] = (struct hv_segment){.limit = 0x67, .rights = 0x8b};
    memcpy(phys_to_virt(at->low_gpa), gdt, sizeof(gdt));
    out->gdt_base_gpa = at->low_gpa;
    out->gdt_limit = sizeof(gdt) - 1;
    out->gprs[GPR_RSP] = at->low_gpa + GUEST_LOW_BYTES;
}

static uint64_t pages_up(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static const char *collect(const struct boot_info *info)
{
    struct memmap_span image = {HV_LOAD_HPA, (uint64_t)(image_end - image_start)};

    plan.info = info;
    plan.map = &guest_map;
    plan.files_count = info->modules_count;
    for (uint32_t i = 0; i < info->modules_count; i++) {
        const struct boot_module *module = &info->modules[i];
        struct memmap_span span = {module->start_hpa, module->size_bytes};

        if (!module->size_bytes)
            return guest_refuse(&plan, "module %u '%s' is empty", i, module->words.name);
        if (memmap_touch(span, image) || !memmap_is_ram(&guest_map, span.base_gpa, span.size_bytes))
            return guest_refuse(&plan,
                                "the loader left module %u '%s' at 0x%lx, which is not free RAM", i,
                                module->words.name, module->start_hpa);
        plan.files[i] =
            (struct guest_file){phys_to_virt(module->start_hpa), module->size_bytes,
                                module->start_hpa, module->words.name, module->words.args};
    }
    return NULL;
}

/* Moves all modules to the top of RAM, in order, each on pages of its own padded with zeros. */
static const char *stage(void)
{
    struct memmap_span avoid[BOOT_MODULES_MAX + 1];
    uint64_t total_bytes = 0, at_gpa;

    for (uint32_t i = 0; i < plan.files_count; i++) {
        avoid[i] = (struct memmap_span){plan.files[i].start_gpa, plan.files[i].len_bytes};
        total_bytes += pages_up(plan.files[i].len_bytes);
    }
    avoid[plan.files_count] = plan.dest;
    if (!memmap_find_high(&guest_map, total_bytes, PAGE_BYTES, LOW_1M, LIMIT_2G, avoid,
                          plan.files_count + 1, &at_gpa))
        return guest_refuse(&plan,
                            "the boot modules (%lu MiB) do not fit into RAM beside the guest: "
                            "give the machine more memory",
                            total_bytes >> 20);
    for (uint32_t i = 0; i < plan.files_count; i++) {
        struct guest_file *file = &plan.files[i];
        uint8_t *to = phys_to_virt(at_gpa);

        memcpy(to, file->bytes, file->len_bytes);
        memset(to + file->len_bytes, 0, pages_up(file->len_bytes) - file->len_bytes);
        file->bytes = to;
        file->start_gpa = at_gpa;
        at_gpa += pages_up(file->len_bytes);
    }
    return NULL;
}

static const char *find_low_block(void)
{
    if (!memmap_find_low(&guest_map, GUEST_LOW_BYTES, PAGE_BYTES, GUEST_LOW_FLOOR_GPA,
                         GUEST_LOW_CEILING_GPA, &plan.dest, 1, &plan.low_gpa))
        return guest_refuse(&plan, "the guest leaves no 64 KiB free below 640 KiB for boot data");
    return NULL;
}

const char *guest_load(const struct boot_info *info, struct guest_entry *out)
{
    const struct guest_loader *loader = NULL;
    const char *why;

    *out = (struct guest_entry){.map = &guest_map};
    if (!info->modules_count)
        return "no guest: the first boot module is the guest, as in qemu -initrd \"bzImage "
               "args,initrd\"";
    why = memmap_build(&guest_map, info, hv_range.base_hpa, hv_range.size_bytes);
    if (!why)
        why = collect(info);
    if (why)
        return why;
    for (size_t i = 0; i < sizeof(loaders) / sizeof(loaders[0]) && !loader; i++)
        if (loaders[i]->matches(&plan.files[0]))
            loader = loaders[i];
    if (!loader)
        return guest_refuse(&plan,
                            "module 0 '%s' is none of: bzImage, multiboot image, boot sector "
                            "(0x55AA at 510), flat binary (append the word `flat`)",
                            plan.files[0].name);
    if (loader->uses_bios)
        guest_bios_reserve(&guest_map);
    why = loader->plan(&plan);
    if (!why)
        why = find_low_block();
    if (!why)
        why = stage();
    if (why)
        return why;
    /* The image the loader put at 1 MiB is a stale copy by now: the guest gets clean memory. */
    memset(phys_to_virt(HV_LOAD_HPA), 0, (uint64_t)(image_end - image_start));
    if (loader != &guest_boot_sector)
        memset(phys_to_virt(plan.low_gpa), 0, GUEST_LOW_BYTES);
    if (loader->uses_bios)
        guest_bios_install(&guest_map);
    out->kind = loader->kind;
    out->name = plan.files[0].name;
    why = loader->load(&plan, out);
    return why;
}
