/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Who made the CPU and what runs us. Bochs says nothing in CPUID, so it is told by what no real
 * machine has: a chip set of 1996 under a CPU with virtualisation, or its own BIOS.
 */
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/mem.h"

#define PCI_ADDRESS          0xcf8
#define PCI_DATA             0xcfc
#define PCI_ENABLE           UINT32_C(0x80000000)
#define PCI_SUBSYSTEM_OFFSET 0x2c
#define PCI_VENDOR_QEMU      0x1af4 /* as subsystem vendor of QEMU's chip sets */

#define BIOS_START_HPA UINT64_C(0xe0000)
#define BIOS_END_HPA   UINT64_C(0x100000)

static enum cpu_vendor vendor = CPU_OTHER;
static char platform[16] = "hardware";
static uint8_t maxphyaddr_bits = 36;

enum cpu_vendor cpu_vendor(void)
{
    return vendor;
}

const char *cpu_platform(void)
{
    return platform;
}

uint8_t cpu_maxphyaddr_bits(void)
{
    return maxphyaddr_bits;
}

static uint32_t host_bridge_read(uint8_t offset)
{
    out32(PCI_ADDRESS, PCI_ENABLE | offset); /* bus 0, device 0, function 0 */
    return in32(PCI_DATA);
}

/* The chip sets that Bochs 2.7 emulates: i430FX, i440FX, i440BX. */
static bool old_chipset(uint32_t id)
{
    return id == UINT32_C(0x01228086) || id == UINT32_C(0x12378086) || id == UINT32_C(0x71908086);
}

static bool bios_mentions(const char *text)
{
    const uint8_t *at = phys_to_virt(BIOS_START_HPA);
    size_t len_bytes = strlen(text);

    for (size_t i = 0; i + len_bytes <= BIOS_END_HPA - BIOS_START_HPA; i++)
        if (at[i] == (uint8_t)text[0] && memcmp(at + i, text, len_bytes) == 0)
            return true;
    return false;
}

static bool is_bochs(void)
{
    if (bios_mentions("The Bochs Project"))
        return true;
    return old_chipset(host_bridge_read(0)) &&
           (host_bridge_read(PCI_SUBSYSTEM_OFFSET) & 0xffff) != PCI_VENDOR_QEMU;
}

static void identify_platform(void)
{
    static const struct {
        char signature[13], name[9];
    } known[] = {
        {"TCGTCGTCGTCG", "qemu-tcg"},
        {"KVMKVMKVM", "kvm"},
    };
    struct cpuid_regs leaf;
    char signature[13] = {0};

    if (!(cpuid(1, 0).ecx >> 31)) { /* no hypervisor announces itself */
        if (is_bochs())
            str_copy(platform, sizeof(platform), "bochs");
        return;
    }
    leaf = cpuid(0x40000000, 0);
    memcpy(signature, &leaf.ebx, 4);
    memcpy(signature + 4, &leaf.ecx, 4);
    memcpy(signature + 8, &leaf.edx, 4);
    str_copy(platform, sizeof(platform), signature[0] ? signature : "unknown");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(signature, known[i].signature) == 0)
            str_copy(platform, sizeof(platform), known[i].name);
}

void cpu_identify(void)
{
    struct cpuid_regs leaf = cpuid(0, 0);
    char name[13] = {0};

    memcpy(name, &leaf.ebx, 4);
    memcpy(name + 4, &leaf.edx, 4);
    memcpy(name + 8, &leaf.ecx, 4);
    if (strcmp(name, "GenuineIntel") == 0)
        vendor = CPU_INTEL;
    else if (strcmp(name, "AuthenticAMD") == 0 || strcmp(name, "HygonGenuine") == 0)
        vendor = CPU_AMD;
    if (cpuid(0x80000000, 0).eax >= 0x80000008)
        maxphyaddr_bits = (uint8_t)cpuid(0x80000008, 0).eax;
    identify_platform();
}
