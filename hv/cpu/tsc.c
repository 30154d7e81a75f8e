/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rate of the time stamp counter, good enough for time stamps and device time-outs. Measured
 * with PIT channel 2, which no interrupt hangs on; every wait is bounded.
 */
#include "cpu/cpu.h"
#include "cpu/x86.h"

#define PIT_CHANNEL2  0x42
#define PIT_COMMAND   0x43
#define PORT_SPEAKER  0x61 /* bit 0 gate of channel 2, bit 1 speaker, bit 5 output of channel 2 */
#define PIT_HZ        1193182u
#define PIT_COUNT     (PIT_HZ / 100) /* 10 ms */
#define PIT_WAIT_MAX  2000000u       /* reads of the port; each takes 1 us or much less */
#define TSC_KHZ_GUESS 1000000u

uint64_t tsc_khz = TSC_KHZ_GUESS;
static uint64_t tsc_start;

/* Ticks during 10 ms of the PIT, or 0 when its output never rose. */
static uint64_t measure_10ms(void)
{
    uint8_t speaker = in8(PORT_SPEAKER);
    uint64_t start, ticks = 0;

    out8(PORT_SPEAKER, (uint8_t)((speaker & ~3u) | 1)); /* gate on, speaker off */
    out8(PIT_COMMAND, 0xb0);                            /* channel 2, both bytes, mode 0 */
    out8(PIT_CHANNEL2, PIT_COUNT & 0xff);
    out8(PIT_CHANNEL2, PIT_COUNT >> 8);
    start = rdtsc();
    for (uint32_t i = 0; i < PIT_WAIT_MAX; i++) {
        if (in8(PORT_SPEAKER) & 0x20) {
            ticks = rdtsc() - start;
            break;
        }
    }
    out8(PORT_SPEAKER, speaker);
    return ticks;
}

/* SDM, "CPUID--CPU Identification": leaf 15H (crystal and ratio), leaf 16H (base frequency). */
static uint64_t khz_by_cpuid(void)
{
    uint32_t max = cpuid(0, 0).eax;

    if (max >= 0x15) {
        struct cpuid_regs leaf = cpuid(0x15, 0);

        if (leaf.eax && leaf.ebx && leaf.ecx)
            return (uint64_t)leaf.ecx / 1000 * leaf.ebx / leaf.eax;
    }
    if (max >= 0x16)
        return (uint64_t)(cpuid(0x16, 0).eax & 0xffff) * 1000;
    return 0;
}

void tsc_init(void)
{
    uint64_t ticks = measure_10ms();

    tsc_khz = ticks ? ticks / 10 : khz_by_cpuid();
    if (!tsc_khz)
        tsc_khz = TSC_KHZ_GUESS;
    tsc_start = rdtsc();
}

/* The counter is the guest's to write (IA32_TSC). Our clock stands still where it falls back, or every
 * time-out of the line would wait for it to catch up. */
uint64_t tsc_now_us(void)
{
    static uint64_t last;
    uint64_t now = rdtsc(), ticks;

    if (now < last)
        tsc_start -= last - now;
    last = now;
    ticks = now - tsc_start;

    /* Two steps, so that the product cannot overflow. */
    return ticks / tsc_khz * 1000 + ticks % tsc_khz * 1000 / tsc_khz;
}

void tsc_delay_us(uint64_t us)
{
    uint64_t start = rdtsc(), ticks = us * tsc_khz / 1000;

    while (rdtsc() - start < ticks)
        cpu_pause();
}
