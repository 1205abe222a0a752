/* SPDX-License-Identifier: MIT */
/* Scalable mode: what the unit reads from memory between the root table and the second-stage
 * tables, and what it remembers of that. */
#include "hypervisor/setup/iommu_registers.h"
#include "tests/unit/model/vtd_model.h"

static uint64_t context_at(const struct vtd_model *unit, uint16_t source)
{
    uint64_t half = vtd_model_memory(unit, unit->root + (uint64_t)(source >> 8) * 16 +
                                               ((source & 0x80) != 0 ? 8 : 0));
    if ((half & BITS(11, 1)) != 0)
        vtd_model_violation("root entry of bus %02x: bits 11:1 of a half are reserved",
                            source >> 8);
    return (half & VTD_ROOT_P) == 0 ? 0 : (half & VTD_ROOT_ADDRESS) + (source & 0x7f) * 32u;
}

bool vtd_model_scalable_has_context(const struct vtd_model *unit, uint16_t source)
{
    uint64_t context = context_at(unit, source);
    return context != 0 && (vtd_model_memory(unit, context) & VTD_CONTEXT_P) != 0;
}

/* What is wrong with a context entry that is present; NULL: nothing. */
static const char *context_problem(const struct vtd_model *unit, uint64_t at)
{
    uint64_t low = vtd_model_memory(unit, at), high = vtd_model_memory(unit, at + 8);
    if ((low & BITS(8, 5)) != 0 || (high & BITS(63, 21)) != 0 ||
        (vtd_model_memory(unit, at + 16) | vtd_model_memory(unit, at + 24)) != 0)
        return "reserved bits are set";
    if ((low & (VTD_CONTEXT_DTE | VTD_CONTEXT_PASIDE | BIT(4))) != 0)
        return "DTE, PASIDE or PRE is set: the device would choose its own translations";
    if ((low & VTD_PASID_ADDRESS) == 0)
        return "it leads to no PASID directory";
    return NULL;
}

static const char *pasid_problem(const struct vtd_model *unit, uint64_t low, uint64_t high)
{
    unsigned width = (unsigned)FIELD(low, 4, 2);
    if (VTD_PASID_PGTT(low) != VTD_PASID_SECOND_STAGE)
        return "PGTT is not second-stage (010b)";
    if (width > 3 || (VTD_CAP_SAGAW(unit->cap) & BIT(width)) == 0)
        return "AW is not a depth that the unit has";
    if ((low & VTD_PASID_ADDRESS) == 0 || (low & BITS(11, 9)) != 0)
        return "bits 11:9 are set, or there is no second-stage table";
    if (VTD_PASID_DID(high) == 0 ||
        VTD_PASID_DID(high) >= (UINT32_C(1) << (4 + 2 * VTD_CAP_ND(unit->cap))))
        return "DID is 0, or more than the unit has";
    return NULL;
}

/* The PASID entry below a context entry in memory. The reason why there is none, 0: there is. */
static uint8_t read_pasid(const struct vtd_model *unit, uint64_t low, uint64_t high,
                          uint64_t *entry, uint64_t *domain)
{
    uint32_t pasid = VTD_CONTEXT_RID_PASID(high);
    if (pasid / 64 >= UINT32_C(128) << VTD_CONTEXT_PDTS(low))
        return 0x59;
    uint64_t directory =
        vtd_model_memory(unit, (low & VTD_PASID_ADDRESS) + (uint64_t)(pasid / 64) * 8);
    if ((directory & VTD_PASID_P) == 0)
        return 0x51;
    uint64_t at = (directory & VTD_PASID_ADDRESS) + (uint64_t)(pasid % 64) * 64;
    *entry = vtd_model_memory(unit, at);
    *domain = vtd_model_memory(unit, at + 8);
    for (unsigned word = 2; word < 8; word++)
        if (vtd_model_memory(unit, at + 8 * word) != 0)
            vtd_model_violation("PASID entry: word %u is not 0", word);
    return (*entry & VTD_PASID_P) == 0 ? 0x59 : 0;
}

/* What is present leads all the way down. */
void vtd_model_scalable_fence(const struct vtd_model *unit)
{
    for (unsigned source = 0; source < 0x10000; source++) {
        uint64_t at = context_at(unit, (uint16_t)source), entry = 0, domain = 0;
        if (at == 0) {
            source |= 0x7f;
            continue;
        }
        uint64_t low = vtd_model_memory(unit, at);
        if ((low & VTD_CONTEXT_P) == 0)
            continue;
        const char *problem = context_problem(unit, at);
        if (problem == NULL &&
            read_pasid(unit, low, vtd_model_memory(unit, at + 8), &entry, &domain) != 0)
            problem = "it is present, and there is no PASID entry below it";
        if (problem == NULL)
            problem = pasid_problem(unit, entry, domain);
        if (problem != NULL)
            vtd_model_violation("context entry of %#x: %s", source, problem);
    }
}

static uint8_t look_up_pasid(struct vtd_model *unit, uint64_t low, uint64_t high, uint64_t *entry,
                             uint64_t *domain)
{
    uint8_t reason = read_pasid(unit, low, high, entry, domain);
    for (unsigned i = 0; i < MODEL_CACHE; i++) {
        if (!unit->pasid_cache[i].valid || unit->pasid_cache[i].directory != low)
            continue;
        if (*entry != unit->pasid_cache[i].low || *domain != unit->pasid_cache[i].high)
            vtd_model_violation("a PASID entry of domain %u was changed and not invalidated",
                                unit->pasid_cache[i].domain);
        *entry = unit->pasid_cache[i].low;
        *domain = unit->pasid_cache[i].high;
        return (*entry & VTD_PASID_P) != 0 ? 0 : 0x59;
    }
    const char *problem = reason == 0 ? pasid_problem(unit, *entry, *domain) : NULL;
    if (problem != NULL) {
        vtd_model_violation("PASID entry %#llx: %s", (unsigned long long)*entry, problem);
        return 0x5b;
    }
    if (reason == 0 || (unit->cap & VTD_CAP_CM) != 0) {
        unsigned slot = unit->cache_next++ % MODEL_CACHE;
        unit->pasid_cache[slot].valid = true;
        unit->pasid_cache[slot].directory = low;
        unit->pasid_cache[slot].low = *entry;
        unit->pasid_cache[slot].high = *domain;
        unit->pasid_cache[slot].domain = reason == 0 ? VTD_PASID_DID(*domain) : 0;
    }
    return reason;
}

uint8_t vtd_model_scalable_look_up(struct vtd_model *unit, uint16_t source, uint64_t *low,
                                   uint64_t *high)
{
    uint64_t at = context_at(unit, source), context[2] = {0}, entry = 0, domain = 0;
    *low = *high = 0;
    if (at != 0) {
        context[0] = vtd_model_memory(unit, at);
        context[1] = vtd_model_memory(unit, at + 8);
    }
    unsigned slot = 0;
    while (slot < MODEL_CACHE &&
           !(unit->context_cache[slot].valid && unit->context_cache[slot].source == source))
        slot++;
    if (slot < MODEL_CACHE) {
        if (context[0] != unit->context_cache[slot].low ||
            context[1] != unit->context_cache[slot].high)
            vtd_model_violation("context entry of %#x was changed and not invalidated", source);
        context[0] = unit->context_cache[slot].low;
        context[1] = unit->context_cache[slot].high;
    } else if ((context[0] & VTD_CONTEXT_P) != 0 || (unit->cap & VTD_CAP_CM) != 0) {
        slot = unit->cache_next++ % MODEL_CACHE;
        unit->context_cache[slot].valid = true;
        unit->context_cache[slot].source = source;
        unit->context_cache[slot].low = context[0];
        unit->context_cache[slot].high = context[1];
    }
    *low = context[0] & VTD_CONTEXT_FPD;
    if ((context[0] & VTD_CONTEXT_P) == 0)
        return at == 0 ? 1 : 2;
    const char *problem = at != 0 ? context_problem(unit, at) : NULL;
    if (problem != NULL) {
        vtd_model_violation("context entry of %#x: %s", source, problem);
        return 3;
    }
    uint8_t reason = look_up_pasid(unit, context[0], context[1], &entry, &domain);
    *low |= (entry & VTD_PASID_ADDRESS) | VTD_CONTEXT_P;
    *high = FIELD(entry, 4, 2) | (uint64_t)VTD_PASID_DID(domain) << 8;
    return reason;
}
