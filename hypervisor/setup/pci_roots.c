/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/pci_roots.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/pci_ram.h"

static const struct boot_info *given; /* NULL: the loader could not ask */
static bool usable[BOOT_MAX_ROOT_WINDOWS];

static uint32_t window_count(void)
{
    return given == NULL ? 0 : MIN(given->root_window_count, BOOT_MAX_ROOT_WINDOWS);
}

static uint32_t root_count(void)
{
    return given == NULL ? 0 : MIN(given->root_count, BOOT_MAX_ROOTS);
}

static bool overlap(uint64_t base, uint64_t size, uint64_t other, uint64_t other_size)
{
    return size != 0 && other_size != 0 && base < other + other_size && other < base + size;
}

/* The root bridge whose buses the function's root bus is one of; -1 when firmware did not tell. */
static int root_of(const struct pci_function *function)
{
    PCI_FOR_EACH_UPWARD (top, function) {
        if (top->bridge != NULL)
            continue;
        for (uint32_t i = 0; i < root_count(); i++)
            if (given->roots[i].segment == RID_SEGMENT(top->rid) &&
                RID_BUS(top->rid) >= given->roots[i].first_bus &&
                RID_BUS(top->rid) <= given->roots[i].last_bus)
                return (int)i;
    }
    return -1;
}

static void refuse(uint32_t index, const char *message)
{
    const struct boot_root_window *window = &given->root_windows[index];
    usable[index] = false;
    log_event("pci.refused",
              "root=%u base=%#lx size=%s message=\"the firmware's description of a root bridge is "
              "not used: %s\"",
              window->root, window->base, size_text(window->size).text, message);
}

static const char *problem_alone(const struct boot_root_window *window)
{
    if (window->root >= root_count())
        return "it belongs to no root bridge";
    if ((window->flags & BOOT_WINDOW_CONTRADICTORY) != 0 || window->size == 0 ||
        window->base > BIT(52) || window->size > BIT(52) - window->base)
        return "its first byte, last byte and length contradict each other";
    if ((window->flags & BOOT_WINDOW_TRANSLATED) != 0)
        return "devices see other addresses there than cores";
    if (pci_overlaps_ram(window->base, window->size))
        return "the memory map has RAM there";
    return NULL;
}

/* Two root bridges cannot forward the same address: nothing says which of them does. */
static void check_pairs(void)
{
    bool clash[BOOT_MAX_ROOT_WINDOWS] = {false};
    for (uint32_t i = 0; i < window_count(); i++)
        for (uint32_t j = i + 1; j < window_count(); j++) {
            const struct boot_root_window *one = &given->root_windows[i];
            const struct boot_root_window *other = &given->root_windows[j];
            if (usable[i] && usable[j] && one->root != other->root &&
                overlap(one->base, one->size, other->base, other->size))
                clash[i] = clash[j] = true;
        }
    for (uint32_t i = 0; i < window_count(); i++)
        if (clash[i])
            refuse(i, "another root bridge claims a part of it");
}

/* A register that firmware placed behind one root bridge, inside a window of another. */
static void check_function(const struct pci_function *function)
{
    int root = root_of(function);
    for (unsigned number = 0; root >= 0 && number < PCI_BARS; number++) {
        const struct pci_bar *bar = &function->bar[number];
        for (uint32_t i = 0; !bar->io && bar->base != 0 && i < window_count(); i++)
            if (usable[i] && given->root_windows[i].root != (uint32_t)root &&
                overlap(given->root_windows[i].base, given->root_windows[i].size, bar->base,
                        bar->size))
                refuse(i, "registers of a device behind another root bridge lie in it");
    }
}

/* What is added around a window must be free of doubt; else the window alone is used. */
static bool reach_is_sound(const struct boot_root_window *window)
{
    return window->reach_size != 0 && window->reach_base <= window->base &&
           window->reach_size <= BIT(52) && window->reach_base <= BIT(52) - window->reach_size &&
           window->reach_base + window->reach_size >= window->base + window->size;
}

void pci_roots_check(const struct boot_info *info)
{
    given = info->root_count != 0 ? info : NULL;
    if (given == NULL)
        log_event(
            "pci.root",
            "message=\"the loader cannot tell what the root bridges forward; new addresses are "
            "looked for below 4G, beside those that the firmware assigned\"");
    for (uint32_t i = 0; i < window_count(); i++) {
        const char *problem = problem_alone(&given->root_windows[i]);
        usable[i] = true;
        if (problem != NULL)
            refuse(i, problem);
    }
    check_pairs();
    const struct pci_function *function;
    for (size_t i = 0; given != NULL && (function = pci_function_at(i)) != NULL; i++)
        check_function(function);
    for (uint32_t i = 0; i < window_count(); i++) {
        const struct boot_root_window *window = &given->root_windows[i];
        if (!usable[i])
            continue;
        const struct boot_root *root = &given->roots[window->root];
        bool wider = reach_is_sound(window);
        log_event("pci.root",
                  "segment=%u buses=%02x-%02x base=%#lx size=%s prefetchable=%s "
                  "reach=%#lx reach_size=%s",
                  root->segment, root->first_bus, root->last_bus, window->base,
                  size_text(window->size).text,
                  (window->flags & BOOT_WINDOW_PREFETCHABLE) != 0 ? "yes" : "no",
                  wider ? window->reach_base : window->base,
                  size_text(wider ? window->reach_size : window->size).text);
    }
}

bool pci_roots_many(void)
{
    for (uint32_t i = 1; i < window_count(); i++)
        if (given->root_windows[i].root != given->root_windows[0].root)
            return true;
    return false;
}

bool pci_root_area(const struct pci_function *function, unsigned index, struct pci_root_area *area)
{
    int root = root_of(function);
    for (unsigned pass = 0; root >= 0 && pass < 2; pass++)
        for (uint32_t i = 0; i < window_count(); i++) {
            const struct boot_root_window *window = &given->root_windows[i];
            if (!usable[i] || window->root != (uint32_t)root ||
                (pass == 1 && !reach_is_sound(window)) || index-- != 0)
                continue;
            *area = pass == 0 ? (struct pci_root_area){window->base, window->base + window->size}
                              : (struct pci_root_area){window->reach_base,
                                                       window->reach_base + window->reach_size};
            return true;
        }
    return false;
}

bool pci_root_foreign(const struct pci_function *function, uint64_t base, uint64_t size,
                      uint64_t *end)
{
    int root = root_of(function);
    for (uint32_t i = 0; i < window_count(); i++) {
        const struct boot_root_window *window = &given->root_windows[i];
        if (window->root == (uint32_t)root || problem_alone(window) != NULL ||
            !overlap(base, size, window->base, window->size))
            continue;
        *end = window->base + window->size;
        return true;
    }
    return false;
}

unsigned pci_root_buses_end(uint16_t segment, uint8_t bus)
{
    unsigned end = 255;
    for (uint32_t i = 0; i < root_count(); i++)
        if (given->roots[i].segment == segment && given->roots[i].first_bus > bus)
            end = MIN(end, given->roots[i].first_bus - 1u);
    return end;
}
