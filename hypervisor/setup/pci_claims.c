/* SPDX-License-Identifier: MIT */
/*
 * Where the registers of all functions lie, asked for or not: runs once, after the platform's own
 * registers have an owner and before anything is given away. Two functions at one address, or one
 * where no bridge sends its accesses, come from a mistake in the firmware or from an attack through
 * it: the owner of one may reach the other.
 */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/pci_bridge_window.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/pci.h"

/* Ranges that claims leave free in the frame table, for guests' memory. */
#define CLAIM_RESERVE       1024
#define INTERFACE_SUBTRACTS 0x01 /* a bridge that forwards what nobody else takes */

static bool in_use(const struct pci_bar *bar)
{
    return !bar->io && bar->size != 0 && bar->base != 0;
}

static bool overlap(uint64_t base, uint64_t size, uint64_t other, uint64_t other_size)
{
    return base < other + other_size && other < base + size;
}

static bool answers(const struct pci_function *function)
{
    return (pci_read16(function->rid, PCI_COMMAND) & PCI_COMMAND_MEMORY) != 0;
}

/* True the first time: one line for each function is enough, and bounds the log. */
static bool misplace(struct pci_function *function)
{
    bool first = function->life == PCI_UNKNOWN;
    if (first)
        (void)!pci_life_set(function, PCI_MISPLACED);
    return first;
}

static void check_pair(struct pci_function *one, unsigned number, struct pci_function *other,
                       unsigned other_number)
{
    const struct pci_bar *bar = &one->bar[number], *other_bar = &other->bar[other_number];
    if (!in_use(bar) || !in_use(other_bar) ||
        !overlap(bar->base, bar->size, other_bar->base, other_bar->size))
        return;
    /* One that does not decode does no harm to the other; from now on it never may. */
    bool one_answers = answers(one), other_answers = answers(other), news = false;
    if (other_answers || !one_answers)
        news |= misplace(one);
    if (one_answers || !other_answers)
        news |= misplace(other);
    if (news)
        log_event("pci.refused",
                  "rid=%s bar=%u base=%#lx size=%s decodes=%s other=%s other_bar=%u "
                  "other_base=%#lx other_size=%s other_decodes=%s message=\"the firmware gave both "
                  "the same addresses; no guest gets a function that shares them or does not "
                  "decode: reset the firmware set-up to its defaults or move a card to another "
                  "slot, so that addresses are assigned anew\"",
                  rid_text(one->rid).text, number, bar->base, size_text(bar->size).text,
                  one_answers ? "yes" : "no", rid_text(other->rid).text, other_number,
                  other_bar->base, size_text(other_bar->size).text, other_answers ? "yes" : "no");
}

/* Most of the functions of a large machine have no registers in memory. */
static bool any_in_use(const struct pci_function *function)
{
    bool any = false;
    for (unsigned number = 0; number < PCI_BARS; number++)
        any = any || in_use(&function->bar[number]);
    return any;
}

static void check_overlaps(void)
{
    struct pci_function *one, *other;
    for (size_t i = 0; (one = pci_function_at(i)) != NULL; i++) {
        if (!any_in_use(one))
            continue;
        for (size_t j = i; (other = pci_function_at(j)) != NULL; j++)
            for (unsigned number = 0; number < PCI_BARS; number++)
                for (unsigned second = i == j ? number + 1 : 0; second < PCI_BARS; second++)
                    check_pair(one, number, other, second);
    }
}

/* Every bridge above forwards the whole of it, no other bridge a byte of it. A bridge that does not
 * decode counts, too: the first function behind it that is used switches it on
 * (pci_command_set()). */
static void check_window(const struct pci_function *bridge, const struct bridge_window window[2],
                         struct pci_function *function, unsigned number)
{
    const struct pci_bar *bar = &function->bar[number];
    bool forwarded = (bridge->class_code & 0xff) == INTERFACE_SUBTRACTS, touched = false;
    for (unsigned i = 0; in_use(bar) && i < 2; i++) {
        uint64_t size = window[i].limit - window[i].base + 1;
        if (!window[i].enabled || !overlap(bar->base, bar->size, window[i].base, size))
            continue;
        touched = true;
        forwarded |= bar->size <= size && bar->base >= window[i].base &&
                     bar->base - window[i].base <= size - bar->size;
    }
    bool above = pci_is_behind(function, bridge);
    if (!in_use(bar) || (above ? forwarded : !touched) || !misplace(function))
        return;
    log_event("pci.refused",
              "rid=%s bar=%u base=%#lx size=%s bridge=%s message=\"%s; no guest gets it: reset the "
              "firmware set-up to its defaults or move a card to another slot, so that addresses "
              "are assigned anew\"",
              rid_text(function->rid).text, number, bar->base, size_text(bar->size).text,
              rid_text(bridge->rid).text,
              above ? "the firmware placed it outside of what the bridge above it forwards"
                    : "the firmware placed it inside of what another bridge forwards");
}

static void check_windows(void)
{
    const struct pci_function *bridge;
    struct pci_function *function;
    for (size_t i = 0; (bridge = pci_function_at(i)) != NULL; i++) {
        struct bridge_window window[2];
        if (!bridge->is_bridge)
            continue;
        bridge_window_read(bridge, false, &window[0]);
        bridge_window_read(bridge, true, &window[1]);
        for (size_t j = 0; (function = pci_function_at(j)) != NULL; j++)
            for (unsigned number = 0; !function->is_bridge && number < PCI_BARS; number++)
                if (RID_SEGMENT(function->rid) == RID_SEGMENT(bridge->rid))
                    check_window(bridge, window, function, number);
    }
}

static bool touches_hypervisor(uint64_t base, uint64_t size)
{
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++)
        if (range->owner == OWNER_HYPERVISOR && overlap(base, size, range->base, range->size))
            return true;
    return false;
}

/* The frame table says that registers are there. What firmware keeps for itself stays as it is. */
static void claim(struct pci_function *function, unsigned number)
{
    const struct pci_bar *bar = &function->bar[number];
    uint64_t base = ALIGN_DOWN(bar->base, PAGE_SIZE);
    uint64_t size = ALIGN_UP(bar->base + bar->size - base, PAGE_SIZE);
    const char *problem = NULL;
    if (touches_hypervisor(bar->base, bar->size))
        problem = "the firmware placed it over registers of the platform (interrupt controllers, "
                  "DMA remapping units, configuration space)";
    else if (frames_range(FRAME_MAX_RANGES - CLAIM_RESERVE) != NULL)
        problem = "the frame table's remaining room is kept for guests' memory; take out cards "
                  "that are not used, or disable them in the firmware set-up";
    else if (frames_take(base, size, BIT(OWNER_NONE), OWNER_MMIO) != STATUS_OK)
        problem = "it is not a physical address, or the frame table has no room for it";
    if (problem != NULL && misplace(function))
        log_event("pci.refused", "rid=%s bar=%u base=%#lx size=%s message=\"%s; no guest gets it\"",
                  rid_text(function->rid).text, number, bar->base, size_text(bar->size).text,
                  problem);
}

/* An expansion ROM that decodes answers at addresses that nobody looks at (PCIe 7.5.1.2.4). */
static void hide_rom(const struct pci_function *function)
{
    if (function->header_type > PCI_HEADER_BRIDGE)
        return;
    unsigned offset = function->header_type == PCI_HEADER_BRIDGE ? PCI_BRIDGE_ROM : PCI_ROM;
    uint32_t rom = pci_read32(function->rid, offset);
    if ((rom & PCI_ROM_ENABLE) != 0)
        pci_config_write(function->rid, offset, 4, rom & (uint32_t)~PCI_ROM_ENABLE);
}

void pci_claim_registers(void)
{
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        hide_rom(function);
    check_overlaps();
    check_windows();
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        for (unsigned number = 0; number < PCI_BARS; number++)
            if (in_use(&function->bar[number]))
                claim(function, number);
}
