/* SPDX-License-Identifier: MIT */
/* Vendor-specific capabilities as a guest sees them: plain copies that nobody can write. */
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/view.h"
#include "hypervisor/vdev/virtual_config.h"

/* Behind the PCIe capability: version 2 of it is 0x3c bytes long (PCIe 7.5.3). */
#define VENDOR_BASE (CONFIG_CAP_PCIE + 0x40)
#define VENDOR_END  PCI_LEGACY_SIZE

/* Vendor-specific capability (PCIe 7.9.4); of a virtio device (virtio 1.3, 4.1.4) */
#define VENDOR_LENGTH      2
#define VENDOR_VIRTIO      0x1af4
#define VIRTIO_TYPE        3
#define VIRTIO_TYPE_CONFIG 5 /* the window from configuration space to BARs */

_Static_assert(sizeof(struct function_view) <= PAGE_SIZE, "one page");

struct function_view *view_of(struct pci_function *function)
{
    if (function->view == NULL)
        function->view = pages_allocate(1);
    return function->view;
}

bool view_add(struct function_view *view, unsigned offset, uint32_t value, uint32_t writable)
{
    if (view->count == VIEW_REGISTERS)
        return false;
    view->registers[view->count++] = (struct view_register){
        .offset = (uint16_t)offset, .value = value, .reset = value, .writable = writable};
    return true;
}

static void hide(const struct pci_function *function, unsigned offset, const char *message)
{
    log_event("device.capability_hidden", "device=%s offset=%#x message=\"%s\"",
              rid_text(function->rid).text, offset, message);
}

bool view_next_vendor(rid_t rid, unsigned *cursor, unsigned *left)
{
    unsigned pointer = *cursor == 0 ? PCI_CAP_POINTER : *cursor + 1;
    while (*left > 0) {
        (*left)--;
        *cursor = pci_read8(rid, pointer) & 0xfcu;
        if (*cursor < PCI_STANDARD_HEADER || pci_read16(rid, *cursor) == 0xffff)
            return false;
        if (pci_read8(rid, *cursor) == PCI_CAP_VENDOR)
            return true;
        pointer = *cursor + 1;
    }
    return false;
}

static bool is_window(const struct pci_function *function, unsigned offset)
{
    return function->vendor == VENDOR_VIRTIO &&
           pci_read8(function->rid, offset + VIRTIO_TYPE) == VIRTIO_TYPE_CONFIG;
}

/* The last in the list before it goes on to `offset`. */
static void link_to(struct view_register *last, unsigned offset)
{
    last->value |= offset << 8;
    last->reset = last->value;
}

/* There is room for it. */
static struct view_register *copy(struct function_view *view, rid_t rid, unsigned from, unsigned to,
                                  unsigned size)
{
    struct view_register *header = &view->registers[view->count];
    for (unsigned at = 0; at < size; at += 4) {
        uint32_t value = pci_read32(rid, from + at);
        (void)!view_add(view, to + at, at == 0 ? (value & 0xffff0000u) | PCI_CAP_VENDOR : value, 0);
    }
    return header;
}

enum status view_add_vendor(struct pci_function *function)
{
    rid_t rid = function->rid;
    unsigned cursor = 0, left = VENDOR_CAPABILITIES, end = VENDOR_BASE;
    struct view_register *last = NULL;
    /* In their order: of two of one kind a driver takes the first. */
    while (function->cap_pcie != 0 && view_next_vendor(rid, &cursor, &left)) {
        unsigned length = pci_read8(rid, cursor + VENDOR_LENGTH), size = (length + 3) & ~3u;
        if (is_window(function, cursor))
            continue;
        if (length <= VENDOR_LENGTH || size > PCI_LEGACY_SIZE - cursor) {
            hide(function, cursor, "this vendor-specific capability has an impossible length");
            continue;
        }
        struct function_view *view = view_of(function);
        if (view == NULL)
            return STATUS_NO_MEMORY;
        if (size > VENDOR_END - end || view->count + 1 + size / 4 > VIEW_REGISTERS) {
            hide(function, cursor, "there is no room for this vendor-specific capability");
            break;
        }
        if (last == NULL) {
            last = &view->registers[view->count];
            (void)!view_add(view, CONFIG_CAP_PCIE,
                            (pci_read32(rid, function->cap_pcie) & 0xffff0000u) | PCI_CAP_PCIE, 0);
        }
        link_to(last, end);
        last = copy(view, rid, cursor, end, size);
        end += size;
    }
    return STATUS_OK;
}
