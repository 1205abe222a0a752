/* SPDX-License-Identifier: MIT */
/* The unit's caches, and what invalidates them: queue and registers. */
#include "tests/unit/model/vtd_model.h"

/* A status word further than this from the stack pointer is not a variable on the stack. */
#define STACK_DISTANCE MIB(8)

void vtd_model_drop_context(struct vtd_model *unit, bool all, uint16_t domain, uint16_t source)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (all || (unit->context_cache[i].source == source &&
                    (unit->scalable || unit->context_cache[i].domain == domain)))
            unit->context_cache[i].valid = false;
}

void vtd_model_drop_iotlb(struct vtd_model *unit, uint16_t domain, uint64_t address, unsigned order)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        bool matches = order == 65 || unit->iotlb_cache[i].domain == domain;
        if (order < 64)
            matches &= unit->iotlb_cache[i].page >= address &&
                       unit->iotlb_cache[i].page < address + (PAGE_SIZE << order);
        if (matches)
            unit->iotlb_cache[i].valid = false;
    }
}

void vtd_model_drop_interrupts(struct vtd_model *unit, bool all, uint32_t index)
{
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (all || unit->interrupt_cache[i].index == index)
            unit->interrupt_cache[i].valid = false;
}

/* False: the descriptor has something in it that is reserved on this unit. */
static bool context_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned granularity = (unsigned)FIELD(low, 5, 4);
    if (high != 0 || (low & (BITS(15, 6) | BITS(63, 50))) != 0 || granularity == 0)
        return false;
    if (granularity == 1) {
        unit->counts.context_global++;
        unit->needs_context = false;
        vtd_model_drop_context(unit, true, 0, 0);
    } else if (granularity == 3) {
        unit->counts.context_device++;
        if ((unit->ecap & VTD_ECAP_C) != 0 && unit->root != 0)
            unit->counts.context_present += vtd_model_has_context(unit, (uint16_t)(low >> 32));
        vtd_model_drop_context(unit, false, (uint16_t)(low >> 16), (uint16_t)(low >> 32));
    } else {
        unit->counts.context_other++;
    }
    return true;
}

static bool iotlb_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned granularity = (unsigned)FIELD(low, 5, 4);
    uint16_t domain = (uint16_t)(low >> 16);
    unsigned order = (unsigned)FIELD(high, 5, 0);
    if ((low & (BITS(15, 8) | BITS(63, 32))) != 0 || granularity == 0 ||
        ((low & VTD_DESCRIPTOR_DR) && !(unit->cap & VTD_CAP_DRD)) ||
        ((low & VTD_DESCRIPTOR_DW) && !(unit->cap & VTD_CAP_DWD)))
        return false;
    if (granularity == 1) {
        unit->counts.iotlb_global++;
        unit->needs_iotlb = false;
        vtd_model_drop_iotlb(unit, 0, 0, 65);
    } else if (granularity == 2) {
        unit->counts.iotlb_domain++;
        vtd_model_drop_iotlb(unit, domain, 0, 64);
    } else {
        uint64_t address = high & BITS(63, 12);
        if (!(unit->cap & VTD_CAP_PSI) || order > VTD_CAP_MAMV(unit->cap) ||
            !IS_ALIGNED(address, PAGE_SIZE << order))
            return false;
        unit->counts.iotlb_page++;
        vtd_model_drop_iotlb(unit, domain, address, order);
    }
    return true;
}

/* By the domain that the entries name, or all of them (VT-d 6.5.2.2). */
static bool pasid_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned granularity = (unsigned)FIELD(low, 5, 4);
    if (high != 0 || (low & (BITS(15, 6) | BITS(63, 52))) != 0 || !(unit->ecap & VTD_ECAP_SMTS) ||
        (granularity != 0 && granularity != 3))
        return false;
    if (unit->needs_context)
        vtd_model_violation("the PASID cache is invalidated before the context cache: what is "
                            "still there fills it again (VT-d 6.5.2.2)");
    unit->counts.pasid_global += granularity == 3;
    unit->counts.pasid_domain += granularity == 0;
    for (unsigned i = 0; i < MODEL_CACHE; i++)
        if (granularity == 3 || unit->pasid_cache[i].domain == (uint16_t)(low >> 16))
            unit->pasid_cache[i].valid = false;
    unit->needs_pasid = unit->needs_pasid && granularity != 3;
    return true;
}

static bool interrupt_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    if (high != 0 || (low & (BITS(26, 5) | BITS(63, 48))) != 0 || !(unit->ecap & VTD_ECAP_IR))
        return false;
    bool all = (low & VTD_DESCRIPTOR_IEC_INDEX) == 0;
    if (all) {
        unit->counts.iec_global++;
        unit->needs_iec = false;
    } else {
        uint64_t entry = (unit->irt & VTD_IRTA_MASK) + FIELD(low, 47, 32) * sizeof(struct vtd_irte);
        unit->counts.iec_index++;
        if ((unit->ecap & VTD_ECAP_C) != 0)
            unit->counts.iec_present += (vtd_model_memory(unit, entry) & VTD_IRTE_P) != 0;
    }
    vtd_model_drop_interrupts(unit, all, (uint32_t)FIELD(low, 47, 32));
    return true;
}

static bool wait_descriptor(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    if ((low & BITS(31, 8)) != 0 || (high & 3) != 0)
        return false;
    unit->counts.wait++;
    if ((low & BITS(6, 4)) != VTD_DESCRIPTOR_WAIT_SW) {
        vtd_model_violation("wait descriptor %#llx: more or less than a status write",
                            (unsigned long long)low);
        return false;
    }
    uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    if (MAX(here, high) - MIN(here, high) < STACK_DISTANCE)
        vtd_model_violation("wait descriptor reports to the stack");
    if (!unit->waits_dropped)
        vtd_model_memory_write(unit, high, (uint32_t)(low >> 32));
    return true;
}

static bool execute(struct vtd_model *unit, uint64_t low, uint64_t high)
{
    switch (VTD_DESCRIPTOR_TYPE(low)) {
    case VTD_DESCRIPTOR_CONTEXT:
        return context_descriptor(unit, low, high);
    case VTD_DESCRIPTOR_IOTLB:
        return iotlb_descriptor(unit, low, high);
    case VTD_DESCRIPTOR_PASID_CACHE:
        return pasid_descriptor(unit, low, high);
    case VTD_DESCRIPTOR_IEC:
        return interrupt_descriptor(unit, low, high);
    case VTD_DESCRIPTOR_WAIT:
        return wait_descriptor(unit, low, high);
    default:
        return false;
    }
}

/* The error this descriptor is to meet, by the test's wish. */
static uint32_t injected_error(struct vtd_model *unit)
{
    if (unit->fail_in == 0 || ++unit->fail_count < unit->fail_in)
        return 0;
    unit->fail_count = 0;
    if (!unit->fail_again)
        unit->fail_in = 0;
    return unit->fail_error;
}

void vtd_model_queue_run(struct vtd_model *unit)
{
    if ((unit->gsts & VTD_GLOBAL_QIE) == 0 || unit->queue_silent)
        return;
    if (unit->fsts & VTD_FSTS_IQE)
        return;
    while (unit->iqh != unit->iqt) {
        uint64_t address = (unit->iqa & BITS(63, 12)) + unit->iqh;
        uint64_t low = vtd_model_memory(unit, address);
        uint64_t high = vtd_model_memory(unit, address + 8);
        uint32_t error = injected_error(unit);
        const bool wide = (unit->iqa & BIT(11)) != 0;
        if (unit->scalable && !wide) {
            vtd_model_violation("a descriptor of 128 bits in scalable mode: IQA.DW is 0");
            error = VTD_FSTS_IQE;
        }
        if (wide && (!(unit->ecap & VTD_ECAP_SMTS) || unit->iqh % 32 != 0 ||
                     (vtd_model_memory(unit, address + 16) | vtd_model_memory(unit, address + 24))))
            vtd_model_violation("descriptor at %#llx: 256 bits, of which the upper half is 0",
                                (unsigned long long)unit->iqh);
        if (error == VTD_FSTS_IQE || (error == 0 && !execute(unit, low, high))) {
            if (error == 0)
                vtd_model_violation("descriptor %#llx %#llx is not valid", (unsigned long long)low,
                                    (unsigned long long)high);
            unit->fsts |= VTD_FSTS_IQE;
            return;
        }
        unit->fsts |= error;
        if (error == VTD_FSTS_ITE)
            unit->waits_dropped = true;
        unit->iqh = (unit->iqh + (wide ? 32 : 16)) % PAGE_SIZE;
    }
    unit->waits_dropped = false;
}

/* --- register-based invalidation --- */

void vtd_model_context_command(struct vtd_model *unit, uint64_t value)
{
    unit->ccmd = value;
    if ((value & VTD_CCMD_ICC) == 0)
        return;
    if (unit->gsts & VTD_GLOBAL_QIE)
        vtd_model_violation("context command while the queue is on");
    unit->counts.register_context++;
    unit->ccmd_countdown = unit->latency;
    unsigned granularity = (unsigned)FIELD(value, 62, 61);
    if (unit->refuses_commands)
        granularity = 0;
    if (granularity == 1) {
        vtd_model_drop_context(unit, true, 0, 0);
        unit->needs_context = false;
    } else if (granularity == 3) {
        vtd_model_drop_context(unit, false, (uint16_t)value, (uint16_t)(value >> 16));
    }
    unit->ccmd = (value & ~BITS(60, 59)) | (uint64_t)granularity << 59;
}

void vtd_model_iotlb_command(struct vtd_model *unit, uint64_t value)
{
    unit->iotlb = value;
    if ((value & VTD_IOTLB_IVT) == 0)
        return;
    if (unit->gsts & VTD_GLOBAL_QIE)
        vtd_model_violation("IOTLB command while the queue is on");
    unit->counts.register_iotlb++;
    unit->iotlb_countdown = unit->latency;
    unsigned granularity = (unsigned)FIELD(value, 61, 60);
    uint16_t domain = (uint16_t)(value >> 32);
    if (unit->refuses_commands)
        granularity = 0;
    if (granularity == 1) {
        vtd_model_drop_iotlb(unit, 0, 0, 65);
        unit->needs_iotlb = false;
    } else if (granularity == 2) {
        vtd_model_drop_iotlb(unit, domain, 0, 64);
    } else if (granularity == 3) {
        vtd_model_drop_iotlb(unit, domain, unit->iva & BITS(63, 12),
                             (unsigned)FIELD(unit->iva, 5, 0));
    }
    unit->iotlb = (value & ~BITS(58, 57)) | (uint64_t)granularity << 57;
}
