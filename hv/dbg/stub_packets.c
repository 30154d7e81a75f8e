/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of all packets. The first row whose name begins the packet wins, so longer names come
 * before their prefixes.
 */
#include "dbg/stub_impl.h"
#include "lib/mem.h"

static const struct packet_row rows[] = {
    {"?", packet_stop_query, WHEN_STOPS, true},
    {"g", packet_g, WHEN_STOPPED, true},
    {"G", packet_G, WHEN_STOPPED, false},
    {"p", packet_p, WHEN_STOPPED, false},
    {"P", packet_P, WHEN_STOPPED, false},
    {"m", packet_m, WHEN_STOPPED, false},
    {"M", packet_M, WHEN_STOPPED, false},
    {"x", packet_x, WHEN_STOPPED, false},
    {"X", packet_X, WHEN_STOPPED, false},
    {"c", packet_c, WHEN_STOPPED, false},
    {"s", packet_s, WHEN_STOPPED, false},
    {"C", packet_C, WHEN_STOPPED, false},
    {"S", packet_S, WHEN_STOPPED, false},
    {"vCont?", packet_vcont_query, WHEN_ANY, true},
    {"vCont", packet_vcont, WHEN_STOPPED, true},
    {"vMustReplyEmpty", packet_empty, WHEN_ANY, true},
    {"Z", packet_Z, WHEN_STOPPED, false},
    {"z", packet_z, WHEN_STOPPED, false},
    {"H", packet_H, WHEN_ANY, false},
    {"T", packet_T, WHEN_ANY, false},
    {"D", packet_detach, WHEN_ANY, true},
    {"k", packet_kill, WHEN_ANY, true},
    {"qSupported", packet_supported, WHEN_ANY, true},
    {"QStartNoAckMode", packet_no_ack, WHEN_ANY, true},
    {"qfThreadInfo", packet_threads_first, WHEN_ANY, true},
    {"qsThreadInfo", packet_threads_next, WHEN_ANY, true},
    {"qThreadExtraInfo", packet_thread_extra, WHEN_ANY, true},
    {"qC", packet_current_thread, WHEN_ANY, true},
    {"qAttached", packet_attached, WHEN_ANY, true},
    {"qSymbol", packet_ok, WHEN_ANY, true},
    {"qRcmd,", packet_rcmd, WHEN_ANY, false},
    {"qXfer:", packet_xfer, WHEN_ANY, false},
    {"qCRC:", packet_crc, WHEN_STOPPED, false},
    {"qSearch:memory:", packet_search, WHEN_STOPPED, false},
    {"qqemu.PhyMemMode", packet_phys_query, WHEN_ANY, true},
    {"Qqemu.PhyMemMode:", packet_phys_set, WHEN_ANY, false},
    {"qtl.", packet_tl_query, WHEN_ANY, false},
    {"Qtl.", packet_tl_action, WHEN_ANY, false},
};

const struct packet_row *packet_find(const char *bytes, size_t len_bytes)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t name_len = strlen(rows[i].name);

        if (len_bytes < name_len || memcmp(bytes, rows[i].name, name_len))
            continue;
        if (rows[i].whole && len_bytes > name_len && bytes[name_len] != ':' &&
            bytes[name_len] != ';' && bytes[name_len] != ',')
            continue;
        return &rows[i];
    }
    return NULL;
}
