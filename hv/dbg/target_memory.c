/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Addresses, for our own packets: the walk of a guest address down to the machine's memory, and the
 * hypervisor's own bytes.
 */
#include "core/backend.h"
#include "core/guest_mem.h"
#include "core/nested.h"
#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "dbg/target_impl.h"

/* How the nested walk came out for whoever wants to read, write and execute there. */
static const char *nested_word(const struct nested_path *path)
{
    uint8_t type = path->memory_type;

    if (!path->present)
        return "not-present";
    /* SDM, "EPT Misconfigurations": writable but not readable, or a reserved memory type */
    if (target_vendor() == TL_VMX &&
        ((path->rights & (HV_READ | HV_WRITE)) == HV_WRITE || type == 2 || type == 3 || type == 7))
        return "misconfig";
    return path->rights == (HV_READ | HV_WRITE | HV_EXEC) ? "ok" : "rights";
}

int target_query_walk(struct vcpu *vcpu, struct args args, struct reply *reply)
{
    static const char *const modes[] = {[GUEST_PAGING_NONE] = "none",
                                        [GUEST_PAGING_32] = "32",
                                        [GUEST_PAGING_PAE] = "pae",
                                        [GUEST_PAGING_4] = "4",
                                        [GUEST_PAGING_5] = "5"};
    static const char *const results[] = {[WALK_OK] = "ok",
                                          [WALK_NOT_PRESENT] = "not-present",
                                          [WALK_RESERVED] = "reserved",
                                          [WALK_NON_CANONICAL] = "non-canonical",
                                          [WALK_BAD_TABLE] = "bad-table"};
    struct nested_path path = {0};
    struct guest_walk walk;
    uint64_t gva;

    if (!args_number(args, &gva))
        return TARGET_FAIL(syntax);
    walk = guest_translate(vcpu, gva);
    reply_fmt(reply, "mode:%s;root:%lx;result:%s;", modes[walk.paging],
              hv_backend->get(vcpu, HV_ST_CR3), results[walk.result]);
    if (walk.result == WALK_OK) {
        path = nested_walk(walk.gpa);
        reply_fmt(reply, "gpa:%lx;page:%lx;rights:r%s%s%s;nested:%s;", walk.gpa, walk.page_bytes,
                  walk.writable ? "w" : "", walk.execute ? "x" : "", walk.user ? "u" : "",
                  nested_word(&path));
        if (path.present)
            reply_fmt(reply, "hpa:%lx;", path.hpa);
    }
    for (unsigned i = 0; i < walk.level_count; i++)
        reply_fmt(reply, "|t:guest;level:%x;at:%lx;entry:%lx;", walk.level[i].level,
                  walk.level[i].entry_gpa, walk.level[i].entry);
    for (unsigned i = 0; i < path.level_count; i++)
        reply_fmt(reply, "|t:nested;level:%x;at:%lx;entry:%lx;", path.level[i].level,
                  path.level[i].entry_hpa, path.level[i].entry);
    return 0;
}

/* Only our own image and pool, and all memory through the direct map: nothing else is mapped. */
static bool own_readable(uint64_t hva, uint64_t len_bytes)
{
    uint64_t last = hva + len_bytes - 1;

    if (!len_bytes || last < hva)
        return false;
    if (hva >= HV_LINK_BASE)
        return last - HV_LINK_BASE < hv_range.size_bytes;
    return hva >= HV_DIRECT_MAP && last - HV_DIRECT_MAP < hv_phys_limit_hpa &&
           ((hva - HV_DIRECT_MAP >= hv_range.base_hpa &&
             last - HV_DIRECT_MAP < hv_range.base_hpa + hv_range.size_bytes) ||
            guest_is_ram(hva - HV_DIRECT_MAP, len_bytes));
}

int target_query_own(struct args args, struct reply *reply)
{
    uint64_t hva, len_bytes;

    if (!args_hex(&args, &hva) || !args_char(&args, ',') || !args_number(args, &len_bytes))
        return TARGET_FAIL(syntax);
    if (len_bytes > REPLY_CAP_BYTES / 2)
        len_bytes = REPLY_CAP_BYTES / 2;
    if (!own_readable(hva, len_bytes))
        return TARGET_FAIL(no_memory);
    reply_hex(reply, (const void *)hva, (size_t)len_bytes);
    return 0;
}
