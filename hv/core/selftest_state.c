/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the entry self-test starts from: the backend's own state, made so that a guest which gets in
 * leaves at once (the preemption timer stands at 0 on VMX, a virtual interrupt is pending and
 * intercepted on SVM, the nested page map is empty), and which states may be entered at all.
 */
#include "core/selftest_state.h"

#include "cpu/cpu.h"
#include "cpu/mem.h"
#include "cpu/x86.h"
#include "lib/log.h"
#include "lib/mem.h"
#include "protocol/tables.h"

static struct entry_state base;
static bool svm;
static uint16_t free_rows[SNAPSHOT_ROWS_MAX]; /* rows that may be damaged */
static unsigned free_row_count;
static uint64_t pin_may; /* pin-based controls that may be 1 */

/* Fields that a successful entry or exit would use on the hypervisor's own behalf, to write memory
 * or to come back: tried only where a rule about that very field says that the entry fails. */
static const uint16_t dangerous[] = {
    VMCS_ROW_exit_msr_store_addr,
    VMCS_ROW_exit_msr_store_count,
    VMCS_ROW_exit_msr_load_addr,
    VMCS_ROW_exit_msr_load_count,
    VMCS_ROW_entry_msr_load_addr,
    VMCS_ROW_entry_msr_load_count,
    VMCS_ROW_exit_controls,
    VMCS_ROW_host_cr0,
    VMCS_ROW_host_cr3,
    VMCS_ROW_host_cr4,
    VMCS_ROW_host_rip,
    VMCS_ROW_host_rsp,
    VMCS_ROW_host_gs_base,
    VMCS_ROW_host_tr_base,
    VMCS_ROW_host_gdtr_base,
    VMCS_ROW_host_idtr_base,
    VMCS_ROW_host_cs_selector,
    VMCS_ROW_host_ss_selector,
    VMCS_ROW_host_tr_selector,
    VMCS_ROW_host_pat,
    VMCS_ROW_host_efer,
    VMCS_ROW_host_perf_global_ctrl,
    VMCS_ROW_virtual_apic_addr,
    VMCS_ROW_posted_intr_desc_addr,
    VMCS_ROW_pml_addr,
    VMCS_ROW_ve_info_addr,
    VMCS_ROW_guest_perf_global_ctrl,
};

bool entry_row_is_dangerous(uint16_t row)
{
    for (unsigned i = 0; !svm && i < sizeof(dangerous) / sizeof(dangerous[0]); i++)
        if (dangerous[i] == row)
            return true;
    return false;
}

/* Never touched: what identifies the VMCS, or means nothing to an entry. */
static bool row_is_fixed(uint16_t row)
{
    if (svm)
        return row == VMCB_ROW_nested_cr3 || row == VMCB_ROW_nested_control ||
               row == VMCB_ROW_vintr || row == VMCB_ROW_virt_ext || row == VMCB_ROW_avic_bar ||
               row == VMCB_ROW_clean_bits || row == VMCB_ROW_intercept_misc1;
    return row == VMCS_ROW_preemption_timer_value || row == VMCS_ROW_executive_vmcs;
}

uint64_t entry_mask(uint16_t row)
{
    unsigned count;
    const struct tl_field *field = &tl_fields(svm ? TL_SVM : TL_VMX, &count)[row];

    return field->size_bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << 8 * field->size_bytes) - 1;
}

const struct entry_state *entry_base_state(void)
{
    return &base;
}

uint16_t entry_free_row(void)
{
    return free_rows[entry_random(free_row_count)];
}

static void vmx_base(uint64_t empty_root_hpa, uint64_t page_hpa)
{
    uint64_t *v = base.value;

    v[VMCS_ROW_eptp] = (v[VMCS_ROW_eptp] & 0xfff) | empty_root_hpa;
    v[VMCS_ROW_pin_controls] |= pin_may & (1u << 6); /* the timer, at 0 */
    v[VMCS_ROW_exit_controls] &= ~(UINT64_C(1) << 22);
    v[VMCS_ROW_preemption_timer_value] = 0;
    v[VMCS_ROW_virtual_apic_addr] = page_hpa;
    v[VMCS_ROW_apic_access_addr] = page_hpa;
    v[VMCS_ROW_guest_cr3] = page_hpa;
    v[VMCS_ROW_host_efer] = rdmsr(MSR_efer); /* for the controls that load them */
    v[VMCS_ROW_host_pat] = rdmsr(MSR_pat);
    v[VMCS_ROW_tsc_multiplier] = UINT64_C(1) << 48;
    v[VMCS_ROW_entry_intr_info] = 0;
    v[VMCS_ROW_guest_pending_debug] = v[VMCS_ROW_guest_interruptibility] = 0;
    base.list.present = true;
    base.list.count = 7;
    for (unsigned i = 0; i < 7; i++) {
        static const uint32_t indices[7] = {0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083,
                                            0xc0000084, 0xc0000102, 0x174};

        base.list.entries[i] = (struct snapshot_msr){indices[i], 0, 0};
    }
    v[VMCS_ROW_entry_msr_load_count] = base.list.count;
    v[VMCS_ROW_entry_msr_load_addr] = page_hpa + PAGE_BYTES;
}

static void svm_base(uint64_t empty_root_hpa)
{
    uint64_t *v = base.value;

    v[VMCB_ROW_nested_cr3] = empty_root_hpa;
    v[VMCB_ROW_event_inject] = 0;
    v[VMCB_ROW_vintr] |= UINT64_C(1) << 8 | UINT64_C(1) << 20; /* V_IRQ, whatever the TPR */
    v[VMCB_ROW_intercept_misc1] |= 1 << 4;                     /* VINTR */
    v[VMCB_ROW_guest_dr7] = 0x400;
    v[VMCB_ROW_guest_idtr_limit] = 0xfff;
}

void entry_base(struct vcpu *vcpu, uint64_t empty_root_hpa, uint64_t page_hpa,
                const struct snapshot *caps)
{
    const struct tl_field *fields;
    unsigned row_count;

    svm = hv_backend == &svm_backend;
    fields = tl_fields(svm ? TL_SVM : TL_VMX, &row_count);
    for (unsigned i = 0; i < row_count; i++) {
        base.used[i] = fields[i].writable &&
                       hv_backend->field_read(vcpu, fields[i].number, &base.value[i]) == 0 &&
                       hv_backend->field_write(vcpu, fields[i].number, base.value[i]) == 0;
        if (base.used[i] && !row_is_fixed((uint16_t)i))
            free_rows[free_row_count++] = (uint16_t)i;
    }
    if (svm) {
        svm_base(empty_root_hpa);
    } else {
        /* of the TRUE MSRs, bit 55 of IA32_VMX_BASIC is demanded at start-up */
        uint64_t pin = 0;

        snapshot_cap(caps, 0x48d, &pin);
        pin_may = pin >> 32;
        vmx_base(empty_root_hpa, page_hpa);
    }
}

/* QEMU 7.2 comes back with its own paging off from a guest with EFER.LME=1 but neither paging nor PAE,
 * and from refusing it; Bochs 2.7 panics over an IA-32e guest in real mode, which it does not refuse. */
bool entry_is_deadly(const struct entry_state *state)
{
    const uint64_t *v = state->value;

    if (svm && !strcmp(hv_caps.platform, "bochs")) /* its change_cpu_mode panics */
        return (v[VMCB_ROW_guest_efer] & EFER_LME) && (v[VMCB_ROW_guest_cr0] & CR0_PG) &&
               !(v[VMCB_ROW_guest_cr0] & CR0_PE);
    if (svm)
        return !(v[VMCB_ROW_guest_cr0] & CR0_PG) && !(v[VMCB_ROW_guest_cr4] & CR4_PAE) &&
               (v[VMCB_ROW_guest_efer] & EFER_LME) && !strcmp(hv_caps.platform, "qemu-tcg");
    if (strcmp(hv_caps.platform, "bochs"))
        return false;
    /* "unsupported event injection type 7": a pending MTF exit, on a model without that flag, which
     * it should refuse */
    if (v[VMCS_ROW_entry_intr_info] >> 31 & 1 && (v[VMCS_ROW_entry_intr_info] >> 8 & 7) == 7)
        return true;
    return (v[VMCS_ROW_entry_controls] >> 9 & 1) && !(v[VMCS_ROW_guest_cr0] & CR0_PE);
}

bool entry_is_safe(const struct entry_state *state)
{
    /* QEMU 7.2 does not apply the nested map while the guest's paging is off: the guest would run in
     * our own memory, unless the virtual interrupt takes it out before its first instruction */
    if (svm)
        return (state->value[VMCB_ROW_guest_cr0] & CR0_PG) ||
               ((state->value[VMCB_ROW_guest_rflags] & RFLAGS_IF) &&
                !(state->value[VMCB_ROW_event_inject] >> 31 & 1));
    /* no timer: nothing takes the guest out; wait-for-SIPI: not even the timer does */
    if (!(state->value[VMCS_ROW_pin_controls] >> 6 & 1) && (pin_may >> 6 & 1))
        return false;
    /* nor does it on Bochs 2.7 in HLT and shutdown: the CPU stands still for ever */
    if (state->value[VMCS_ROW_guest_activity] && !strcmp(hv_caps.platform, "bochs"))
        return false;
    /* without EPT the guest's paging would walk our own memory */
    return (state->value[VMCS_ROW_proc2_controls] >> 1 & 1) &&
           state->value[VMCS_ROW_proc_controls] >> 31 && state->value[VMCS_ROW_guest_activity] != 3;
}
