/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_placement.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/pci_bridge_window.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_ram.h"
#include "hypervisor/setup/pci_roots.h"

/* Above this lie registers that no BAR shows: the PCH's sideband at 0xfd000000, I/O APICs, HPET,
 * TPM, IOMMUs and local APICs from 0xfe000000, flash at the top. */
#define ROOT_LIMIT       UINT64_C(0xfd000000)
#define WINDOW_GRANULE   MIB(1)
#define MAX_RESERVATIONS 128
#define MAX_LEVELS       16 /* bridges one behind the other, whose windows grow together */

static struct reservation {
    const struct pci_function *pf;
    uint64_t base, size;
} reservations[MAX_RESERVATIONS];
static size_t reservation_count;

struct area {
    uint64_t first, end; /* end: one past the last byte */
};

void placement_clear(void)
{
    reservation_count = 0;
}

bool placement_reserve(const struct pci_function *pf, uint64_t base, uint64_t size)
{
    if (reservation_count == MAX_RESERVATIONS)
        return false;
    reservations[reservation_count++] = (struct reservation){pf, base, size};
    return true;
}

void placement_release(const struct pci_function *pf)
{
    size_t kept = 0;
    for (size_t i = 0; i < reservation_count; i++)
        if (reservations[i].pf != pf)
            reservations[kept++] = reservations[i];
    reservation_count = kept;
}

static bool overlap(struct area area, uint64_t base, uint64_t size, uint64_t *end)
{
    if (size == 0 || base >= area.end || area.first >= base + size)
        return false;
    *end = base + size;
    return true;
}

static bool blocked_by_function(const struct pci_function *function,
                                const struct pci_function *inside, struct area area, uint64_t *end)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (!bar->io && bar->base != 0 && overlap(area, bar->base, bar->size, end))
            return true;
    }
    /* The windows of the bridge `inside` and of those above it contain the area by design. */
    if (!function->is_bridge || function == inside ||
        (inside != NULL && pci_is_behind(inside, function)))
        return false;
    for (unsigned prefetchable = 0; prefetchable < 2; prefetchable++) {
        struct bridge_window window;
        bridge_window_read(function, prefetchable != 0, &window);
        if (window.enabled && overlap(area, window.base, window.limit - window.base + 1, end))
            return true;
    }
    return false;
}

/* Something that already occupies part of the area; *end is where it ends. Of the frame table only
 * RAM counts inside a bridge's window, and everything on a root bus, whose other root bridges count
 * there, too. `pf` is whom the place is for. */
static bool blocked(const struct pci_function *pf, const struct pci_function *inside,
                    struct area area, uint64_t *end)
{
    const struct pci_function *function;
    if (inside == NULL && pci_root_foreign(pf, area.first, area.end - area.first, end))
        return true;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (blocked_by_function(function, inside, area, end))
            return true;
    for (size_t i = 0; i < reservation_count; i++)
        if (overlap(area, reservations[i].base, reservations[i].size, end))
            return true;
    const struct frame_range *range;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        bool counts = inside == NULL ? range->owner != OWNER_NONE
                                     : range->owner != OWNER_NONE && range->owner != OWNER_MMIO &&
                                           range->owner != OWNER_FIRMWARE;
        if (counts && overlap(area, range->base, range->size, end))
            return true;
    }
    return false;
}

/* The lowest free place in `area`. Each turn steps over one obstacle for good. */
static bool search(const struct pci_function *pf, const struct pci_function *inside,
                   struct area area, uint64_t size, uint64_t alignment, uint64_t *base)
{
    unsigned turns = PCI_MAX_FUNCTIONS * (PCI_BARS + 2) + MAX_RESERVATIONS + FRAME_MAX_RANGES +
                     BOOT_MAX_ROOT_WINDOWS;
    uint64_t candidate = area.first;
    for (; turns > 0; turns--) {
        uint64_t aligned = ALIGN_UP(candidate, alignment), end;
        if (aligned < candidate || aligned > area.end || area.end - aligned < size)
            return false;
        if (!blocked(pf, inside, (struct area){aligned, aligned + size}, &end)) {
            *base = aligned;
            return true;
        }
        candidate = end;
    }
    return false;
}

/* The part of the root bus' address space below 4 GiB that the host bridge is known to send to PCI:
 * from the lowest BAR or window that the firmware put there. Firmware that packs everything at the
 * very top shows nothing; then the last 256 MiB: every chipset's hole has at least that. What is
 * RAM or the firmware's in there counts as taken in any case. */
static struct area guessed_area(void)
{
    uint64_t first = ROOT_LIMIT;
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        for (unsigned bar = 0; bar < PCI_BARS; bar++)
            if (!function->bar[bar].io && function->bar[bar].base >= MIB(1))
                first = MIN(first, function->bar[bar].base);
        for (unsigned prefetchable = 0; function->is_bridge && prefetchable < 2; prefetchable++) {
            struct bridge_window window;
            bridge_window_read(function, prefetchable != 0, &window);
            if (window.enabled && window.base >= MIB(1))
                first = MIN(first, window.base);
        }
    }
    return (struct area){first < ROOT_LIMIT ? first : ROOT_LIMIT - MIB(256), ROOT_LIMIT};
}

/* A part of [base, end) below 4 GiB ends where registers are that no BAR shows. */
static struct area below_limit(uint64_t base, uint64_t end)
{
    if (base < GIB(4) && end > ROOT_LIMIT)
        end = ROOT_LIMIT;
    return (struct area){base, end};
}

/* Where things may be behind `bridge`, or on the function's root bus (NULL), one stretch after the
 * other: a bridge has one of each kind. On a root bus what firmware's drivers say, and a guess only
 * where they say nothing or where one root bridge has everything. */
static bool space_at(const struct pci_function *function, const struct pci_function *bridge,
                     bool prefetchable, unsigned index, struct area *area)
{
    if (bridge != NULL) {
        struct bridge_window window;
        bridge_window_read(bridge, prefetchable, &window);
        *area = window.enabled ? (struct area){window.base, window.limit + 1} : (struct area){0, 0};
        return index == 0;
    }
    struct pci_root_area known;
    if (pci_root_area(function, index, &known)) {
        *area = below_limit(known.first, known.end);
        return true;
    }
    if (pci_roots_many() || (index > 0 && !pci_root_area(function, index - 1, &known)))
        return false;
    *area = guessed_area();
    return true;
}

/* A 32-bit BAR, or window, reaches below 4 GiB only. */
static struct area clip(struct area area, bool is_64bit)
{
    if (!is_64bit)
        area.end = MIN(area.end, GIB(4));
    return area.first < area.end ? area : (struct area){0, 0};
}

/* Some part of it that the bridge, or the root bridge, forwards holds all of [first, end). */
static bool is_inside(const struct pci_function *function, const struct pci_function *bridge,
                      bool prefetchable, struct area wanted)
{
    struct area area;
    for (unsigned i = 0; space_at(function, bridge, prefetchable, i, &area); i++)
        if (wanted.first >= area.first && wanted.end <= area.end)
            return true;
    return false;
}

/* What PCI Express bridges forward they neither read ahead nor merge (PCIe 2.4, 7.5.1.2.1): a
 * 64-bit BAR behind nothing else may lie in a prefetchable window, the only kind that reaches above
 * 4 GiB, even if it is not prefetchable itself. */
static bool suits(const struct pci_function *pf, const struct pci_bar *bar)
{
    if (bar->prefetchable)
        return true;
    PCI_FOR_EACH_UPWARD (bridge, pf->bridge)
        if (bridge->pcie_type != PCIE_TYPE_ROOT_PORT && bridge->pcie_type != PCIE_TYPE_UPSTREAM &&
            bridge->pcie_type != PCIE_TYPE_DOWNSTREAM)
            return false;
    return bar->is_64bit;
}

bool placement_acceptable(const struct pci_function *pf, const struct pci_bar *bar, uint64_t size)
{
    uint64_t end;
    if (bar->base == 0 || !IS_ALIGNED(bar->base, bar->size) || bar->base + size < bar->base ||
        (!bar->is_64bit && bar->base + size > GIB(4)))
        return false;
    struct area area = {bar->base, bar->base + size};
    bool forwarded = pf->bridge == NULL;
    for (unsigned prefetchable = 0; !forwarded && prefetchable < 2; prefetchable++)
        forwarded = (prefetchable == 0 || suits(pf, bar)) &&
                    is_inside(pf, pf->bridge, prefetchable != 0, area);
    if (!forwarded || pci_root_foreign(pf, bar->base, size, &end) ||
        pci_overlaps_ram(bar->base, size))
        return false;
    const struct frame_range *range;
    for (size_t i = 0; pf->bridge == NULL && (range = frames_range(i)) != NULL; i++)
        if (range->owner == OWNER_FIRMWARE && overlap(area, range->base, range->size, &end))
            return false;
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (blocked_by_function(function, pf->bridge, area, &end))
            return false;
    for (size_t i = 0; i < reservation_count; i++)
        if (overlap(area, reservations[i].base, reservations[i].size, &end))
            return false;
    return true;
}

/* What is to be placed. */
struct need {
    const struct pci_function *pf;
    bool is_64bit;
    uint64_t size, alignment; /* of a window: granules */
};

/* Where a window has to begin and end, and the base of its new part. */
struct growth {
    uint64_t first, end, base;
};

static bool grow_up(const struct need *need, const struct pci_function *parent, struct area space,
                    const struct bridge_window *window, struct growth *growth)
{
    uint64_t obstacle, old_end = window->limit + 1;
    *growth = (struct growth){.first = window->base, .base = ALIGN_UP(old_end, need->alignment)};
    growth->end = growth->base + need->size;
    return growth->base >= old_end && growth->end > growth->base && old_end >= space.first &&
           growth->end <= space.end &&
           !blocked(need->pf, parent, (struct area){old_end, growth->end}, &obstacle);
}

static bool grow_down(const struct need *need, const struct pci_function *parent, struct area space,
                      const struct bridge_window *window, struct growth *growth)
{
    uint64_t obstacle;
    if (window->base < need->size || window->base > space.end)
        return false;
    growth->first = growth->base = ALIGN_DOWN(window->base - need->size, need->alignment);
    growth->end = window->limit + 1;
    return growth->first >= space.first &&
           !blocked(need->pf, parent, (struct area){growth->first, window->base}, &obstacle);
}

/* Grows (or opens) one window of a bridge into what is free in the space above it. */
static bool grow(const struct need *need, const struct pci_function *bridge, bool prefetchable,
                 struct growth *growth)
{
    const struct pci_function *parent = bridge->bridge;
    struct bridge_window window;
    struct area space;
    bridge_window_read(bridge, prefetchable, &window);
    for (unsigned i = 0; space_at(need->pf, parent, prefetchable, i, &space); i++) {
        space = clip(space, need->is_64bit && window.is_64bit);
        if (window.enabled) {
            if (grow_up(need, parent, space, &window, growth) ||
                grow_down(need, parent, space, &window, growth))
                return true;
        } else if (search(need->pf, parent, space, need->size, need->alignment, &growth->base)) {
            growth->first = growth->base;
            growth->end = growth->base + need->size;
            return true;
        }
    }
    return false;
}

static bool extend_one(const struct need *need, const struct pci_function *bridge,
                       bool prefetchable, const struct bridge_window *old, uint64_t *base)
{
    struct growth growth;
    if (!grow(need, bridge, prefetchable, &growth))
        return false;
    if (bridge_window_write(bridge, prefetchable, growth.first, growth.end - 1) != STATUS_OK) {
        bridge_window_restore(bridge, prefetchable, old);
        return false;
    }
    *base = growth.base;
    return true;
}

static void log_windows(const struct pci_function *bridge, unsigned levels, bool prefetchable)
{
    for (; levels > 0; levels--, bridge = bridge->bridge) {
        struct bridge_window window;
        bridge_window_read(bridge, prefetchable, &window);
        log_event("pci.window", "bridge=%s base=%#lx size=%s prefetchable=%s",
                  rid_text(bridge->rid).text, window.base,
                  size_text(window.limit + 1 - window.base).text, prefetchable ? "yes" : "no");
    }
}

/* The window of the bridge above the PF, and of as many bridges above that as it takes: the lowest
 * of them grows where there is room, and each below it into what is new. */
static bool extend(const struct need *need, bool prefetchable, uint64_t *base)
{
    const struct pci_function *level[MAX_LEVELS];
    struct bridge_window old[MAX_LEVELS];
    unsigned depth = 0;
    PCI_FOR_EACH_UPWARD (bridge, need->pf->bridge) {
        if (depth == MAX_LEVELS)
            return false;
        bridge_window_read(bridge, prefetchable, &old[depth]);
        level[depth++] = bridge;
    }
    for (unsigned top = 0; top < depth; top++) {
        unsigned left = top + 1;
        while (left > 0 && extend_one(need, level[left - 1], prefetchable, &old[left - 1], base))
            left--;
        if (left == 0) {
            log_windows(level[0], top + 1, prefetchable);
            return true;
        }
        for (; left <= top; left++)
            bridge_window_restore(level[left], prefetchable, &old[left]);
    }
    return false;
}

/* In a window as it is. */
static bool find_inside(const struct need *need, bool prefetchable, uint64_t *base)
{
    struct area space;
    for (unsigned i = 0; space_at(need->pf, need->pf->bridge, prefetchable, i, &space); i++)
        if (search(need->pf, need->pf->bridge, clip(space, need->is_64bit), need->size,
                   need->alignment, base))
            return true;
    return false;
}

enum status placement_find(const struct pci_function *pf, const struct pci_bar *bar, uint64_t size,
                           uint64_t *base)
{
    const struct need exact = {pf, bar->is_64bit, size, bar->size};
    const struct need granules = {pf, bar->is_64bit, ALIGN_UP(size, WINDOW_GRANULE),
                                  MAX(bar->size, WINDOW_GRANULE)};
    const bool kinds[2] = {bar->prefetchable, !bar->prefetchable};
    /* Prefetchable memory may lie in a non-prefetchable window. */
    unsigned count = bar->prefetchable || suits(pf, bar) ? 2 : 1;
    for (unsigned i = 0; i < count; i++)
        if (find_inside(&exact, kinds[i], base))
            return STATUS_OK;
    for (unsigned i = 0; pf->bridge != NULL && i < count; i++)
        if (extend(&granules, kinds[i], base))
            return STATUS_OK;
    return STATUS_NO_MEMORY;
}
