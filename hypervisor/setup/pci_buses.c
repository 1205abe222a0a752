/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_buses.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/pci_roots.h"
#include "hypervisor/setup/pci_sriov_ids.h"

#define BUS_NUMBERS_MASK 0x00ffffffu /* without the latency timer */

/* What a change comes to: the buses of `top`, first to last, begin at `to`, and those behind
 * `split`, the last one of `grown`, come `extra` later. */
struct plan {
    const struct pci_function *top, *grown;
    unsigned first, last, split, to, extra;
};

/* Everything as it was, in the order of the table. */
static struct {
    rid_t rid;
    uint8_t secondary, subordinate;
} saved[PCI_MAX_FUNCTIONS];
static struct pci_function *moved[PCI_MAX_FUNCTIONS]; /* `top`, and what is behind it */

static bool is_at_or_behind(const struct pci_function *function, const struct pci_function *bridge)
{
    return function == bridge || pci_is_behind(function, bridge);
}

/* A CardBus bridge keeps its numbers in the same place (PC Card 8.0, 4.5). */
static bool forwards(const struct pci_function *function, unsigned bus)
{
    if (function->is_bridge)
        return function->secondary_bus != 0 && bus >= function->secondary_bus &&
               bus <= function->subordinate_bus;
    return function->header_type == PCI_HEADER_CARDBUS &&
           bus >= pci_read8(function->rid, PCI_SECONDARY_BUS) &&
           bus <= pci_read8(function->rid, PCI_SUBORDINATE_BUS);
}

/* Nobody but the bridge, what is behind it, and those above it, which forward the bus in any case,
 * has to do with it. */
static bool is_free(const struct pci_function *top, unsigned bus)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (RID_SEGMENT(other->rid) == RID_SEGMENT(top->rid) && !is_at_or_behind(other, top) &&
            (RID_BUS(other->rid) == bus || (!pci_is_behind(top, other) && forwards(other, bus))))
            return false;
    return true;
}

/* Where the numbers of a bridge on a root bus end: at the next root bus, or where the configuration
 * space of the segment does. */
static unsigned root_end(const struct pci_function *top, const struct mcfg *mcfg)
{
    uint16_t segment = RID_SEGMENT(top->rid);
    unsigned bus = RID_BUS(top->rid), end = 0;
    for (uint32_t i = 0; i < mcfg->count && i < MCFG_MAX_SEGMENTS; i++)
        if (mcfg->segment[i].segment == segment && bus >= mcfg->segment[i].start_bus &&
            bus <= mcfg->segment[i].end_bus)
            end = mcfg->segment[i].end_bus;
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)
        if (other->bridge == NULL && RID_SEGMENT(other->rid) == segment &&
            RID_BUS(other->rid) > bus)
            end = MIN(end, RID_BUS(other->rid) - 1u);
    unsigned declared = pci_root_buses_end(segment, (uint8_t)bus);
    return MIN(end, declared);
}

/* All that is behind it has numbers inside of its own: a range that firmware left in disorder is
 * not moved. Nor is a CardBus bridge. */
static bool is_in_order(const struct pci_function *top)
{
    const struct pci_function *other;
    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++) {
        if (!is_at_or_behind(other, top))
            continue;
        if (other->header_type == PCI_HEADER_CARDBUS)
            return false;
        if (other->is_bridge && other->secondary_bus != 0 &&
            (other->secondary_bus < top->secondary_bus ||
             other->secondary_bus > other->subordinate_bus ||
             other->subordinate_bus > top->subordinate_bus))
            return false;
    }
    return true;
}

static bool fits(const struct plan *plan, unsigned to, unsigned end)
{
    unsigned last = to + (plan->last - plan->first) + plan->extra;
    if (last > end)
        return false;
    for (unsigned bus = to; bus <= last; bus++)
        if (!is_free(plan->top, bus))
            return false;
    return true;
}

/* In place if that can be, else in the lowest free range: first of the bridge above the PF alone,
 * then of those further up. */
static bool find_plan(const struct pci_function *grown, unsigned extra, const struct mcfg *mcfg,
                      struct plan *plan)
{
    for (const struct pci_function *top = grown; top != NULL && is_in_order(top);
         top = top->bridge) {
        *plan = (struct plan){.top = top,
                              .grown = grown,
                              .first = top->secondary_bus,
                              .last = top->subordinate_bus,
                              .split = grown->subordinate_bus,
                              .extra = extra};
        const struct pci_function *above = top->bridge;
        unsigned start = above != NULL ? above->secondary_bus : RID_BUS(top->rid);
        unsigned end = above != NULL ? above->subordinate_bus : root_end(top, mcfg);
        plan->to = plan->first;
        if (fits(plan, plan->to, end))
            return true;
        for (plan->to = start + 1; plan->to <= end; plan->to++)
            if (fits(plan, plan->to, end))
                return true;
    }
    return false;
}

static uint8_t new_bus(const struct plan *plan, unsigned bus)
{
    return (uint8_t)(bus - plan->first + plan->to + (bus > plan->split ? plan->extra : 0));
}

/* The bridges that the new buses are behind reach further, even where they end at `split`. */
static uint8_t new_end(const struct plan *plan, const struct pci_function *bridge)
{
    bool wider = bridge->subordinate_bus == plan->split && is_at_or_behind(plan->grown, bridge);
    return (uint8_t)(new_bus(plan, bridge->subordinate_bus) + (wider ? plan->extra : 0));
}

static void write_numbers(const struct pci_function *bridge, uint8_t primary, uint8_t secondary,
                          uint8_t subordinate)
{
    uint32_t value = pci_read32(bridge->rid, PCI_BUS_NUMBERS) & ~BUS_NUMBERS_MASK;
    pci_config_write(bridge->rid, PCI_BUS_NUMBERS, 4,
                     value | (uint32_t)subordinate << 16 | (uint32_t)secondary << 8 | primary);
}

/* From the far end, while each can still be reached: nothing is forwarded by two meanwhile. */
static void close_bridges(size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (moved[i]->is_bridge && moved[i]->secondary_bus != 0)
            write_numbers(moved[i], 0, 0, 0);
}

/* From the near end. The table is in the order of bus numbers: a bridge comes before what is behind
 * it. */
static void open_bridges(size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (moved[i]->is_bridge && moved[i]->secondary_bus != 0)
            write_numbers(moved[i], RID_BUS(moved[i]->rid), moved[i]->secondary_bus,
                          moved[i]->subordinate_bus);
}

/* Each answers in its new place, and has learned its bus number: a function takes it from the
 * configuration writes that it gets, and sends with it (PCIe 2.2.9). */
static const struct pci_function *missing(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rid_t rid = moved[i]->rid;
        if (pci_read16(rid, PCI_VENDOR_ID) != moved[i]->vendor ||
            pci_read16(rid, PCI_VENDOR_ID + 2) != moved[i]->device)
            return moved[i];
        pci_update16(rid, PCI_COMMAND, 0, 0);
    }
    return NULL;
}

static void put_back(size_t count)
{
    close_bridges(count);
    for (size_t i = 0; i < count; i++) {
        moved[i]->rid = saved[i].rid;
        moved[i]->secondary_bus = saved[i].secondary;
        moved[i]->subordinate_bus = saved[i].subordinate;
    }
    open_bridges(count);
    (void)missing(count);
}

static size_t collect(const struct pci_function *top)
{
    struct pci_function *function;
    size_t count = 0;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (!is_at_or_behind(function, top))
            continue;
        saved[count].rid = function->rid;
        saved[count].secondary = function->secondary_bus;
        saved[count].subordinate = function->subordinate_bus;
        moved[count++] = function;
    }
    return count;
}

static void log_changes(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct pci_function *function = moved[i];
        if (function->rid != saved[i].rid)
            log_event("pci.moved", "rid=%s was=%s", rid_text(function->rid).text,
                      rid_text(saved[i].rid).text);
        if (function->is_bridge && (function->secondary_bus != saved[i].secondary ||
                                    function->subordinate_bus != saved[i].subordinate))
            log_event("pci.buses",
                      "bridge=%s buses=%02x-%02x were=%02x-%02x message=\"VFs behind it need bus "
                      "numbers that the firmware did not reserve\"",
                      rid_text(function->rid).text, function->secondary_bus,
                      function->subordinate_bus, saved[i].secondary, saved[i].subordinate);
    }
}

/* Returns the function that does not answer in its new place; everything is as before then. */
static const struct pci_function *carry_out(const struct plan *plan)
{
    size_t count = collect(plan->top);
    close_bridges(count);
    for (size_t i = 0; i < count; i++) {
        struct pci_function *function = moved[i];
        uint8_t bus =
            function == plan->top ? RID_BUS(function->rid) : new_bus(plan, RID_BUS(function->rid));
        function->rid = RID(RID_SEGMENT(function->rid), bus, 0, 0) | (rid_t)(function->rid & 0xff);
        if (!function->is_bridge || function->secondary_bus == 0)
            continue;
        uint8_t end = new_end(plan, function);
        function->secondary_bus = new_bus(plan, function->secondary_bus);
        function->subordinate_bus = end;
    }
    open_bridges(count);
    const struct pci_function *silent = missing(count);
    if (silent != NULL)
        put_back(count);
    else
        log_changes(count);
    pci_functions_sort();
    return silent;
}

/* A bridge whose own range is too short for the VFs behind it. On a root bus there is no bridge to
 * widen. */
static void make_room(const struct pci_function *pf, uint16_t vfs, const struct mcfg *mcfg)
{
    struct pci_function *bridge = pf->bridge;
    unsigned last;
    struct plan plan;
    if (bridge == NULL || bridge->secondary_bus == 0 || pf->cap_sriov == 0 ||
        !sriov_last_bus(pf, vfs, &last) || last <= bridge->subordinate_bus)
        return;
    unsigned extra = last - bridge->subordinate_bus;
    if (!find_plan(bridge, extra, mcfg, &plan)) {
        log_event(
            "sriov.refused",
            "pf=%s offset=%#x value=%u buses=%u message=\"the port above does not forward ARI, "
            "so VFs need bus numbers of their own, and no range is free; use another slot, "
            "fewer VFs or fewer cards\"",
            rid_text(pf->rid).text, pf->cap_sriov + SRIOV_FIRST_OFFSET,
            pci_read16(pf->rid, pf->cap_sriov + SRIOV_FIRST_OFFSET), extra);
        return;
    }
    const struct pci_function *silent = carry_out(&plan);
    if (silent != NULL)
        log_event("sriov.refused",
                  "pf=%s silent=%s message=\"a device does not answer under the bus number that it "
                  "would need, so that all are as before; use another slot\"",
                  rid_text(pf->rid).text, rid_text(silent->rid).text);
}

/* The function that a section means. `taken`: by earlier ones. */
static struct pci_function *find(const struct config_nic *nic, struct pci_function *const *taken,
                                 size_t count)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        bool named = nic->by_id ? nic->vendor == function->vendor && nic->device == function->device
                                : nic->rid == function->rid;
        for (size_t n = 0; n < count; n++)
            named = named && (!nic->by_id || taken[n] != function);
        if (named)
            return function;
    }
    return NULL;
}

rid_t pci_rid_now(rid_t rid)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (RID_SEGMENT(function->rid) == RID_SEGMENT(rid) &&
            function->firmware_bus == RID_BUS(rid) && (function->rid & 0xff) == (rid & 0xff))
            return function->rid;
    return rid;
}

/* Asked for each path of each table, of each function: kept, of one segment at a time. */
static struct {
    bool known;
    uint16_t segment;
    int16_t bus[PCI_BUSES];
} now;

static void fill_in(uint16_t segment)
{
    const struct pci_function *function;
    bool had[PCI_BUSES] = {false};
    now.known = true;
    now.segment = segment;
    for (unsigned bus = 0; bus < PCI_BUSES; bus++)
        now.bus[bus] = (int16_t)bus;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
            if (RID_SEGMENT(function->rid) != segment || function->is_vf)
                continue;
            if (pass == 0) {
                now.bus[function->firmware_bus] = RID_BUS(function->rid);
                had[function->firmware_bus] = true;
            } else if (!had[RID_BUS(function->rid)]) {
                now.bus[RID_BUS(function->rid)] = -1;
            }
        }
    }
}

int pci_bus_now(uint16_t segment, uint8_t bus)
{
    if (!now.known || now.segment != segment)
        fill_in(segment);
    return now.bus[bus];
}

void pci_buses_make_room(struct config *config, const struct mcfg *mcfg)
{
    struct pci_function *chosen[CONFIG_MAX_NICS];
    now.known = false;
    uint32_t nics = MIN(config->nic_count, CONFIG_MAX_NICS);
    /* All are found before the first moves. */
    for (uint32_t i = 0; i < nics; i++)
        chosen[i] = find(&config->nics[i], chosen, i);
    for (uint32_t i = 0; i < nics; i++)
        if (chosen[i] != NULL && config->nics[i].vfs != 0)
            make_room(chosen[i], (uint16_t)MIN(config->nics[i].vfs, UINT16_MAX), mcfg);
    /* By address from now on: of several with the same ids another one may be the first now. */
    for (uint32_t i = 0; i < nics; i++) {
        if (chosen[i] == NULL)
            continue;
        config->nics[i].by_id = false;
        config->nics[i].rid = chosen[i]->rid;
    }
    for (uint32_t i = 0; i < config->guest_count && i < CONFIG_MAX_GUESTS; i++)
        for (uint32_t n = 0; n < config->guests[i].accepted_count && n < CONFIG_MAX_DEVICES; n++)
            config->guests[i].accept_reserved[n] =
                pci_rid_now(config->guests[i].accept_reserved[n]);
}
