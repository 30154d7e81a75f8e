/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Inside the stub: the packet table's rows and the handlers, by file.
 */
#pragma once

#include "dbg/stub.h"

enum packet_when { WHEN_ANY, WHEN_STOPPED, WHEN_STOPS /* stops a running guest, then answers */ };

/* Handlers write stub->reply. They answer STUB_REPLY but for the few that resume. */
typedef enum stub_answer (*packet_handler)(struct stub *stub, struct args args);

struct packet_row {
    const char *name; /* prefix of the packet, taken off before the handler sees the rest */
    packet_handler handler;
    uint8_t when; /* enum packet_when */
    bool whole;   /* the name must be followed by nothing, or one of ":;," */
};

/* The row whose name the packet begins with; NULL: unknown, the reply is empty. */
const struct packet_row *packet_find(const char *bytes, size_t len_bytes);

/* Make the reply E.syntax, OK, or an error with more about it (detail may be NULL). */
enum stub_answer stub_syntax(struct stub *stub);
enum stub_answer stub_ok(struct stub *stub);
enum stub_answer stub_fail(struct stub *stub, enum tl_error error, const char *detail);

/* stub_regs.c */
enum stub_answer packet_g(struct stub *stub, struct args args);
enum stub_answer packet_G(struct stub *stub, struct args args);
enum stub_answer packet_p(struct stub *stub, struct args args);
enum stub_answer packet_P(struct stub *stub, struct args args);
void stub_put_reg(struct stub *stub, struct reply *reply, unsigned cpu, unsigned regno);

/* stub_mem.c */
enum stub_answer packet_m(struct stub *stub, struct args args);
enum stub_answer packet_x(struct stub *stub, struct args args);
enum stub_answer packet_M(struct stub *stub, struct args args);
enum stub_answer packet_X(struct stub *stub, struct args args);
enum stub_answer packet_crc(struct stub *stub, struct args args);
enum stub_answer packet_search(struct stub *stub, struct args args);
enum stub_answer packet_phys_query(struct stub *stub, struct args args);
enum stub_answer packet_phys_set(struct stub *stub, struct args args);
enum stub_answer tl_follow(struct stub *stub, struct args args);
/* The checksum of what is followed, as a pair of the stop reply; nothing when a byte is out of reach. */
void stub_put_follow(struct stub *stub, struct reply *reply);
enum stub_answer tl_phys(struct stub *stub, struct args args);
enum stub_answer tl_phys_set(struct stub *stub, struct args args);

/* stub_run.c */
enum stub_answer packet_c(struct stub *stub, struct args args);
enum stub_answer packet_s(struct stub *stub, struct args args);
enum stub_answer packet_C(struct stub *stub, struct args args);
enum stub_answer packet_S(struct stub *stub, struct args args);
enum stub_answer packet_vcont(struct stub *stub, struct args args);
enum stub_answer packet_vcont_query(struct stub *stub, struct args args);
enum stub_answer packet_Z(struct stub *stub, struct args args);
enum stub_answer packet_z(struct stub *stub, struct args args);
enum stub_answer packet_stop_query(struct stub *stub, struct args args);
enum stub_answer packet_detach(struct stub *stub, struct args args);
enum stub_answer packet_kill(struct stub *stub, struct args args);
enum stub_answer tl_nextexit(struct stub *stub, struct args args);

/* stub_query.c */
enum stub_answer packet_supported(struct stub *stub, struct args args);
enum stub_answer packet_no_ack(struct stub *stub, struct args args);
enum stub_answer packet_empty(struct stub *stub, struct args args);
enum stub_answer packet_ok(struct stub *stub, struct args args);
enum stub_answer packet_H(struct stub *stub, struct args args);
enum stub_answer packet_T(struct stub *stub, struct args args);
enum stub_answer packet_threads_first(struct stub *stub, struct args args);
enum stub_answer packet_threads_next(struct stub *stub, struct args args);
enum stub_answer packet_thread_extra(struct stub *stub, struct args args);
enum stub_answer packet_current_thread(struct stub *stub, struct args args);
enum stub_answer packet_attached(struct stub *stub, struct args args);
enum stub_answer packet_xfer(struct stub *stub, struct args args);
/* Thread id: 0 any and -1 all give the chosen vCPU. False: no such thread. */
bool stub_thread(struct stub *stub, struct args *args, unsigned *cpu);

/* stub_monitor.c */
enum stub_answer packet_rcmd(struct stub *stub, struct args args);

/* stub_tl.c, stub_events.c */
enum stub_answer packet_tl_query(struct stub *stub, struct args args);
enum stub_answer packet_tl_action(struct stub *stub, struct args args);
enum stub_answer stub_object(struct stub *stub, struct args args);
enum stub_answer tl_event_add(struct stub *stub, struct args args);
enum stub_answer tl_event_change(struct stub *stub, enum tl_packet packet, struct args args);
enum stub_answer tl_events(struct stub *stub, struct args args);
/* Option by name; 0, or -1: no such name, -2: not a value of it. */
int stub_option_set(struct stub *stub, struct args name, struct args value);
void stub_options_list(struct stub *stub, struct reply *reply, bool pairs);
