/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the loader's hand-over to hv_main(): descriptor tables, boot information, the debug line,
 * relocation. Reads no option but `uart=`, which the first log line needs.
 */
#include "boot/parse.h"
#include "boot/relocate.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/paging.h"
#include "dev/uart.h"
#include "lib/log.h"
#include "lib/mem.h"

#define EARLY_MAP_BYTES UINT64_C(0x100000000)

_Noreturn void boot_main(uint32_t magic, uint32_t info_hpa); /* called by entry.S only */

static struct boot_info boot_info;

static const char *parse(uint32_t magic, uint32_t info_hpa)
{
    const struct boot_source source = {phys_to_virt(0), EARLY_MAP_BYTES};

    if (magic == MB1_LOADER_MAGIC)
        return boot_parse_mb1(&boot_info, &source, info_hpa);
    if (magic == MB2_LOADER_MAGIC)
        return boot_parse_mb2(&boot_info, &source, info_hpa);
    return boot_refuse(&boot_info, "not started by a multiboot loader (EAX was 0x%x)", magic);
}

/* Opens the debug line; a bad `uart=` falls back to COM1, so that the complaint is seen. */
static const char *open_line(void)
{
    size_t len_bytes = 0;
    const char *spec =
        boot_info.words.args ? boot_word_value(boot_info.words.args, "uart=", &len_bytes) : NULL;
    const char *error = NULL;
    uint16_t base = UART_DEFAULT_BASE;
    uint32_t baud = UART_DEFAULT_BAUD;

    if (spec)
        error = uart_parse(spec, len_bytes, &base, &baud);
    uart_init(&hv_uart, base, baud);
    log_sink = uart_log_sink;
    return error;
}

static void log_map(void)
{
    static const char names[][10] = {"?", "RAM", "reserved", "ACPI", "NVS", "bad"};

    for (uint32_t i = 0; i < boot_info.regions_count; i++) {
        const struct boot_region *region = &boot_info.regions[i];

        log_debug("memory 0x%lx-0x%lx %s", region->base_hpa,
                  region->base_hpa + region->size_bytes - 1,
                  region->type < sizeof(names) / sizeof(names[0]) ? names[region->type] : "?");
    }
    for (uint32_t i = 0; i < boot_info.modules_count; i++) {
        const struct boot_module *module = &boot_info.modules[i];

        log_debug("module %u at 0x%lx, %lu bytes: %s %s", i, module->start_hpa, module->size_bytes,
                  module->words.name, module->words.args);
    }
}

_Noreturn void boot_main(uint32_t magic, uint32_t info_hpa)
{
    const char *parse_error, *uart_error;

    cpu_init_bsp();
    hv_range.base_hpa = HV_LOAD_HPA; /* until relocation, for virt_to_phys() */
    hv_range.size_bytes = (uint64_t)(image_end - image_start);
    parse_error = parse(magic, info_hpa);
    uart_error = open_line();
    cpu_identify();
    tsc_init();
    log_clock_us = tsc_now_us;
    log_info("Trapline on %s, TSC %lu MHz, started by %s (multiboot %u)", cpu_platform(),
             tsc_khz / 1000, boot_info.loader[0] ? boot_info.loader : "an unnamed loader",
             boot_info.multiboot);
    if (parse_error)
        hv_refuse("boot information: %s", parse_error);
    if (uart_error)
        hv_refuse("option uart=: %s", uart_error);
    relocate(&boot_info);
    log_map();
    hv_main(&boot_info);
}
