/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_placement.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/pci_bridge_window.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_ram.h"

/* Above this lie registers that no BAR shows: the PCH's sideband at 0xfd000000, I/O APICs, HPET,
 * TPM, IOMMUs and local APICs from 0xfe000000, flash at the top. */
#define ROOT_LIMIT       UINT64_C(0xfd000000)
#define WINDOW_GRANULE   MIB(1)
#define MAX_RESERVATIONS 128

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
 * RAM counts inside a bridge's window, and everything on a root bus. */
static bool blocked(const struct pci_function *inside, struct area area, uint64_t *end)
{
    const struct pci_function *function;
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
static bool search(const struct pci_function *inside, struct area area, uint64_t size,
                   uint64_t alignment, uint64_t *base)
{
    unsigned turns = PCI_MAX_FUNCTIONS * (PCI_BARS + 2) + MAX_RESERVATIONS + FRAME_MAX_RANGES;
    uint64_t candidate = area.first;
    for (; turns > 0; turns--) {
        uint64_t aligned = ALIGN_UP(candidate, alignment), end;
        if (aligned < candidate || aligned > area.end || area.end - aligned < size)
            return false;
        if (!blocked(inside, (struct area){aligned, aligned + size}, &end)) {
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
static struct area root_area(void)
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

static struct area window_area(const struct pci_function *bridge, bool prefetchable)
{
    if (bridge == NULL)
        return root_area();
    struct bridge_window window;
    bridge_window_read(bridge, prefetchable, &window);
    return window.enabled ? (struct area){window.base, window.limit + 1} : (struct area){0, 0};
}

/* A 32-bit BAR reaches below 4 GiB only. */
static struct area clip(struct area area, const struct pci_bar *bar)
{
    if (!bar->is_64bit)
        area.end = MIN(area.end, GIB(4));
    return area.first < area.end ? area : (struct area){0, 0};
}

bool placement_acceptable(const struct pci_function *pf, const struct pci_bar *bar, uint64_t size)
{
    uint64_t end;
    if (bar->base == 0 || !IS_ALIGNED(bar->base, bar->size) || bar->base + size < bar->base ||
        (!bar->is_64bit && bar->base + size > GIB(4)))
        return false;
    struct area area = {bar->base, bar->base + size};
    bool forwarded = pf->bridge == NULL;
    for (unsigned prefetchable = 0; !forwarded && prefetchable <= bar->prefetchable;
         prefetchable++) {
        struct area window = window_area(pf->bridge, prefetchable != 0);
        forwarded = area.first >= window.first && area.end <= window.end;
    }
    if (!forwarded || pci_overlaps_ram(bar->base, size))
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

/* Where a window has to begin and end, and the new base inside it. */
struct growth {
    uint64_t first, end, base;
};

static bool grow_up(const struct pci_function *parent, struct area space,
                    const struct bridge_window *window, uint64_t size, uint64_t alignment,
                    struct growth *growth)
{
    uint64_t obstacle, old_end = window->limit + 1;
    *growth = (struct growth){.first = window->base, .base = ALIGN_UP(old_end, alignment)};
    growth->end = growth->base + size;
    return growth->base >= old_end && growth->end > growth->base && old_end >= space.first &&
           growth->end <= space.end &&
           !blocked(parent, (struct area){old_end, growth->end}, &obstacle);
}

static bool grow_down(const struct pci_function *parent, struct area space,
                      const struct bridge_window *window, uint64_t size, uint64_t alignment,
                      struct growth *growth)
{
    uint64_t obstacle;
    if (window->base < size || window->base > space.end)
        return false;
    growth->first = growth->base = ALIGN_DOWN(window->base - size, alignment);
    growth->end = window->limit + 1;
    return growth->first >= space.first &&
           !blocked(parent, (struct area){growth->first, window->base}, &obstacle);
}

/* Grows (or opens) one window of the bridge above the PF so that `size` bytes fit into the new
 * part, and gives their base. */
static bool extend(const struct pci_function *bridge, bool prefetchable, const struct pci_bar *bar,
                   uint64_t size, uint64_t *base)
{
    const struct pci_function *parent = bridge->bridge;
    uint64_t alignment = MAX(bar->size, WINDOW_GRANULE), granules = ALIGN_UP(size, WINDOW_GRANULE);
    struct area space = clip(window_area(parent, prefetchable), bar);
    struct bridge_window window;
    bridge_window_read(bridge, prefetchable, &window);
    if (!window.is_64bit)
        space.end = MIN(space.end, GIB(4));
    struct growth growth;
    if (window.enabled) {
        if (!grow_up(parent, space, &window, granules, alignment, &growth) &&
            !grow_down(parent, space, &window, granules, alignment, &growth))
            return false;
    } else {
        if (!search(parent, space, granules, alignment, &growth.base))
            return false;
        growth.first = growth.base;
        growth.end = growth.base + granules;
    }
    if (bridge_window_write(bridge, prefetchable, growth.first, growth.end - 1) != STATUS_OK) {
        bridge_window_restore(bridge, prefetchable, &window);
        return false;
    }
    *base = growth.base;
    log_event("pci.window", "bridge=%s base=%#lx size=%s prefetchable=%s",
              rid_text(bridge->rid).text, growth.first, size_text(growth.end - growth.first).text,
              prefetchable ? "yes" : "no");
    return true;
}

enum status placement_find(const struct pci_function *pf, const struct pci_bar *bar, uint64_t size,
                           uint64_t *base)
{
    const struct pci_function *bridge = pf->bridge;
    if (bridge == NULL)
        return search(NULL, root_area(), size, bar->size, base) ? STATUS_OK : STATUS_NO_MEMORY;
    /* Prefetchable memory may lie in a non-prefetchable window, but not the reverse. */
    for (int prefetchable = bar->prefetchable; prefetchable >= 0; prefetchable--)
        if (search(bridge, clip(window_area(bridge, prefetchable != 0), bar), size, bar->size,
                   base))
            return STATUS_OK;
    for (int prefetchable = bar->prefetchable; prefetchable >= 0; prefetchable--)
        if (extend(bridge, prefetchable != 0, bar, size, base))
            return STATUS_OK;
    return STATUS_NO_MEMORY;
}
