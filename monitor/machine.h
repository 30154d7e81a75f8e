/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The emulator that `trapline run` starts, from command line to the last process gone. One file an
 * emulator (machine_qemu.c, machine_bochs.c); machine.c owns the child, the temporary directory and
 * the keeper that cleans up should the console itself be killed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "monitor/transport.h"

#define MACHINE_ERROR_BYTES 1024
#define MACHINE_MODULES_MAX 16
#define MACHINE_ARGS_MAX    64

enum machine_kind { MACHINE_QEMU, MACHINE_BOCHS, MACHINE_KVM };
enum machine_cpu { MACHINE_CPU_ANY, MACHINE_CPU_SVM, MACHINE_CPU_VMX };

struct machine_spec {
    enum machine_kind kind;
    enum machine_cpu cpu;
    const char *model; /* CPU model in the emulator's words, or NULL: ours for it */
    bool strict_msrs;  /* Bochs: an MSR that the model lacks raises #GP */
    unsigned smp, mem_mib;
    const char *hv_image;   /* trapline.elf */
    const char *hv_options; /* its command line */
    const char *guest;      /* first module */
    const char *guest_args; /* "" when none */
    const char *modules[MACHINE_MODULES_MAX];
    size_t module_count;
    const char *mkiso; /* tools/mkiso, for Bochs */
    const char *extra; /* extra emulator arguments (QEMU only), or NULL */
};

/* How a machine ended. */
enum machine_end {
    MACHINE_RUNNING,
    MACHINE_POWERED_OFF, /* the guest switched itself off */
    MACHINE_RESET,       /* the guest, or a triple fault of the host CPU, reset it */
    MACHINE_CRASHED,     /* the emulator died: a signal, a panic of its own */
    MACHINE_KILLED,      /* by us */
};

struct machine {
    struct machine_spec spec;
    char dir[64]; /* temporary directory, removed at the end */
    pid_t pid;
    int pid_fd;    /* readable when the emulator has ended; -1 when there is none */
    int keeper_fd; /* closing it without a word makes the keeper clean up */
    pid_t keeper;
    int control_fd;          /* QMP of QEMU, else -1 */
    char control_line[4096]; /* QMP text not yet ended by a newline */
    size_t control_len_bytes;
    bool control_ready; /* QMP answers: the machine is made */
    bool saw_power_off, saw_reset;
    enum machine_end end;
    char why[256]; /* one line about the end */
};

/*
 * Starts the machine and gives the line to its UART. Needs an empty struct. On failure returns NULL,
 * leaves nothing running, and `error` (MACHINE_ERROR_BYTES) says what to do.
 */
struct transport *machine_start(struct machine *machine, const struct machine_spec *spec,
                                char *error);

/* Looks whether the emulator has ended; fills `why` when it has. Never blocks. */
enum machine_end machine_poll(struct machine *machine);

/* Kills what still runs, removes the temporary directory. Harmless when called twice. */
void machine_stop(struct machine *machine);

/* Reads what the emulator says on its control socket (poll control_fd). */
void machine_control(struct machine *machine);
