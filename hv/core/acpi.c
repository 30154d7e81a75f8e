/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Finds the RSDP (boot loader's copy, EBDA, BIOS area), then RSDT or XSDT, then the MADT, through the
 * direct map. ACPI specification, "Multiple APIC Description Table (MADT)".
 */
#include "core/acpi.h"

#include "cpu/mem.h"
#include "lib/log.h"
#include "lib/mem.h"

#define BIOS_AREA_HPA   0xe0000u
#define BIOS_AREA_BYTES 0x20000u
#define EBDA_POINTER    0x40eu
#define DEFAULT_IOAPIC  0xfec00000u
#define TABLE_MAX_BYTES (1u << 20)
#define HEADER_BYTES    36u
#define MADT_FIRST      44u

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_X2APIC = 9 };

static uint32_t get32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static bool sums_to_zero(const uint8_t *at, uint32_t len_bytes)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < len_bytes; i++)
        sum += at[i];
    return sum == 0;
}

static bool rsdp_valid(const uint8_t *at)
{
    return memcmp(at, "RSD PTR ", 8) == 0 && sums_to_zero(at, 20);
}

static const uint8_t *scan(uint64_t base_hpa, uint32_t len_bytes)
{
    for (uint32_t at = 0; at + 36 <= len_bytes; at += 16) {
        const uint8_t *candidate = phys_to_virt(base_hpa + at);

        if (rsdp_valid(candidate))
            return candidate;
    }
    return NULL;
}

static const uint8_t *find_rsdp(const struct boot_info *info)
{
    const uint8_t *segment = phys_to_virt(EBDA_POINTER);
    uint64_t ebda_hpa = (uint64_t)(segment[0] | segment[1] << 8) << 4;
    const uint8_t *rsdp = NULL;

    if (info->rsdp_len_bytes >= 20 && rsdp_valid(info->rsdp))
        return info->rsdp;
    if (ebda_hpa >= 0x400 && ebda_hpa < 0xa0000)
        rsdp = scan(ebda_hpa, 1024);
    return rsdp ? rsdp : scan(BIOS_AREA_HPA, BIOS_AREA_BYTES);
}

/* A table at hpa with this signature, whole and with a good checksum; NULL otherwise. */
static const uint8_t *table_at(uint64_t hpa, const char *signature)
{
    const uint8_t *table;
    uint32_t len_bytes;

    if (!hpa || hpa > hv_phys_limit_hpa - HEADER_BYTES)
        return NULL;
    table = phys_to_virt(hpa);
    if (signature && memcmp(table, signature, 4) != 0)
        return NULL;
    len_bytes = get32(table + 4);
    if (len_bytes < HEADER_BYTES || len_bytes > TABLE_MAX_BYTES ||
        len_bytes > hv_phys_limit_hpa - hpa || !sums_to_zero(table, len_bytes))
        return NULL;
    return table;
}

static const uint8_t *find_table(const uint8_t *rsdp, const char *signature)
{
    const uint8_t *xsdt = rsdp[15] >= 2 ? table_at(get64(rsdp + 24), "XSDT") : NULL;
    const uint8_t *root = xsdt ? xsdt : table_at(get32(rsdp + 16), "RSDT");
    unsigned entry_bytes = xsdt ? 8 : 4;

    if (!root)
        return NULL;
    for (uint32_t at = HEADER_BYTES; at + entry_bytes <= get32(root + 4); at += entry_bytes) {
        const uint8_t *table = table_at(xsdt ? get64(root + at) : get32(root + at), signature);

        if (table)
            return table;
    }
    return NULL;
}

/* Calls for every whole entry of the MADT. */
static void read_entries(const uint8_t *madt,
                         void (*take)(struct acpi_facts *, const uint8_t *, void *),
                         struct acpi_facts *facts, void *context)
{
    uint32_t end = get32(madt + 4);

    for (uint32_t at = MADT_FIRST; at + 2 <= end;) {
        uint8_t len_bytes = madt[at + 1];

        if (len_bytes < 2 || at + len_bytes > end)
            return;
        take(facts, madt + at, context);
        at += len_bytes;
    }
}

struct search {
    uint32_t isa_irq, gsi, best_base;
};

static void take_override(struct acpi_facts *facts, const uint8_t *entry, void *context)
{
    struct search *search = context;

    if (entry[0] == MADT_LAPIC && entry[1] >= 8 && get32(entry + 4) & 1)
        facts->cpu_count++;
    if (entry[0] == MADT_X2APIC && entry[1] >= 16 && get32(entry + 8) & 1)
        facts->cpu_count++;
    if (entry[0] == MADT_OVERRIDE && entry[1] >= 10 && entry[2] == 0 &&
        entry[3] == search->isa_irq) {
        search->gsi = get32(entry + 4);
        facts->active_low = (entry[8] & 3) == 3;
        facts->level = (entry[8] >> 2 & 3) == 3;
    }
}

static void take_ioapic(struct acpi_facts *facts, const uint8_t *entry, void *context)
{
    struct search *search = context;
    uint32_t gsi_base;

    if (entry[0] != MADT_IOAPIC || entry[1] < 12)
        return;
    gsi_base = get32(entry + 8);
    if (gsi_base > search->gsi || (facts->ioapic_pin != ~0u && gsi_base < search->best_base))
        return;
    search->best_base = gsi_base;
    facts->ioapic_hpa = get32(entry + 4);
    facts->ioapic_pin = search->gsi - gsi_base;
}

struct acpi_facts acpi_read(const struct boot_info *info, unsigned isa_irq)
{
    struct acpi_facts facts = {.ioapic_pin = ~0u};
    struct search search = {.isa_irq = isa_irq, .gsi = isa_irq};
    const uint8_t *rsdp = find_rsdp(info);
    const uint8_t *madt = rsdp ? find_table(rsdp, "APIC") : NULL;

    if (madt && get32(madt + 4) >= MADT_FIRST) {
        facts.found = true;
        read_entries(madt, take_override, &facts, &search);
        read_entries(madt, take_ioapic, &facts, &search);
    } else {
        log_warn("acpi: no MADT found: one CPU and an IOAPIC at %#x are assumed", DEFAULT_IOAPIC);
    }
    if (!facts.cpu_count)
        facts.cpu_count = 1;
    if (facts.ioapic_pin == ~0u) {
        facts.ioapic_hpa = DEFAULT_IOAPIC;
        facts.ioapic_pin = isa_irq;
    }
    return facts;
}
