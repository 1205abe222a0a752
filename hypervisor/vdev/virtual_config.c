/* SPDX-License-Identifier: MIT */
/*
 * The configuration space a guest sees: what was written down for the function at boot (view.h),
 * then one row per dword that is not simply zero; whatever has neither reads as zero and ignores
 * writes (deny by default). PCIe 7.5.1.2 (type 0 header), 7.7.2 (MSI-X), 7.5.3 (PCI Express
 * capability).
 */
#include "hypervisor/vdev/virtual_config.h"

#include "hypervisor/assign/view.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/vdev/virtual_msix.h"

enum rule_kind {
    RULE_ZERO,
    RULE_PHYSICAL, /* the function's own value, masked; writes are dropped */
    RULE_IDENTITY, /* vendor and device id: a VF's own registers read all ones */
    RULE_COMMAND,  /* command and status */
    RULE_BAR,
    RULE_CAP_POINTER,
    RULE_MSIX_CONTROL,
    RULE_MSIX_TABLE,
    RULE_MSIX_PBA,
    RULE_PCIE_HEADER,
    RULE_PCIE, /* a register of the physical PCIe capability, masked */
};

struct rule {
    enum rule_kind kind;
    uint32_t mask;            /* bits the guest may see of a physical value */
    uint16_t register_offset; /* RULE_PCIE: in the capability */
};

#define COMMAND_WRITABLE (PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER | PCI_COMMAND_INTX_OFF)

static const struct rule rules[CONFIG_DWORDS] = {
    [0x00 / 4] = {RULE_IDENTITY, ~0u, 0},
    [0x04 / 4] = {RULE_COMMAND, 0, 0},
    [0x08 / 4] = {RULE_PHYSICAL, ~0u, 0}, /* revision, class */
    [0x0c / 4] = {RULE_ZERO, 0, 0},       /* header type 0, single function */
    [0x10 / 4 ... 0x24 / 4] = {RULE_BAR, 0, 0},
    [0x2c / 4] = {RULE_PHYSICAL, ~0u, 0}, /* subsystem ids */
    [0x30 / 4] = {RULE_ZERO, 0, 0},       /* no expansion ROM */
    [0x34 / 4] = {RULE_CAP_POINTER, 0, 0},
    [0x3c / 4] = {RULE_ZERO, 0, 0}, /* no INTx */
    [(CONFIG_CAP_MSIX + 0) / 4] = {RULE_MSIX_CONTROL, 0, 0},
    [(CONFIG_CAP_MSIX + 4) / 4] = {RULE_MSIX_TABLE, 0, 0},
    [(CONFIG_CAP_MSIX + 8) / 4] = {RULE_MSIX_PBA, 0, 0},
    [(CONFIG_CAP_PCIE + 0) / 4] = {RULE_PCIE_HEADER, 0, 0},
    /* Device Capabilities without FLR (bit 28): a reset is the hypervisor's to issue. */
    [(CONFIG_CAP_PCIE + 4) / 4] = {RULE_PCIE, (uint32_t)~BIT(28), 4},
    [(CONFIG_CAP_PCIE + 8) / 4] = {RULE_PCIE, 0xffff, 8}, /* Device Control, read-only */
    [(CONFIG_CAP_PCIE + 12) / 4] = {RULE_PCIE, ~0u, 12},  /* Link Capabilities */
    [(CONFIG_CAP_PCIE + 16) / 4] = {RULE_PCIE, ~0u, 16},  /* Link Control and Status */
};

static uint32_t bar_read(const struct assignment *assignment, unsigned number)
{
    const struct guest_bar *bar = &assignment->bars[number];
    if (bar->size != 0) {
        uint32_t flags = (bar->is_64bit ? 4u : 0u) | (bar->prefetchable ? 8u : 0u);
        uint64_t value = bar->sizing_low ? ~(bar->size - 1) : bar->guest_base;
        return ((uint32_t)value & ~0xfu) | flags;
    }
    if (number > 0 && assignment->bars[number - 1].is_64bit &&
        assignment->bars[number - 1].size != 0) {
        bar = &assignment->bars[number - 1];
        return (uint32_t)((bar->sizing_high ? ~(bar->size - 1) : bar->guest_base) >> 32);
    }
    return 0;
}

/* A BAR can be sized but not moved: any other write than all ones restores the address. */
static void bar_write(struct assignment *assignment, unsigned number, uint32_t value)
{
    struct guest_bar *bar = &assignment->bars[number];
    if (bar->size != 0)
        bar->sizing_low = value >= 0xfffffff0u;
    else if (number > 0 && assignment->bars[number - 1].is_64bit)
        assignment->bars[number - 1].sizing_high = value == ~0u;
}

static uint32_t dword_read(const struct assignment *assignment, unsigned offset)
{
    const struct pci_function *function = assignment->function;
    const struct view_register *prepared = view_find(function->view, offset);
    if (prepared != NULL)
        return prepared->value;
    if (offset >= CONFIG_DWORDS * 4)
        return 0;
    const struct rule *rule = &rules[offset / 4];
    switch (rule->kind) {
    case RULE_PHYSICAL:
        return pci_config_read(function->rid, offset, 4) & rule->mask;
    case RULE_IDENTITY:
        return (uint32_t)function->device << 16 | function->vendor;
    case RULE_COMMAND:
        return (uint32_t)PCI_STATUS_CAPS << 16 | assignment->command;
    case RULE_BAR:
        return bar_read(assignment, (offset - 0x10) / 4);
    case RULE_CAP_POINTER:
        return assignment->has_msix ? CONFIG_CAP_MSIX
                                    : (function->cap_pcie != 0 ? CONFIG_CAP_PCIE : 0);
    case RULE_MSIX_CONTROL:
        if (!assignment->has_msix)
            return 0;
        return PCI_CAP_MSIX | (function->cap_pcie != 0 ? CONFIG_CAP_PCIE << 8 : 0) |
               (uint32_t)(assignment->msix.vectors - 1) << 16 |
               (assignment->msix_enabled ? (uint32_t)MSIX_CONTROL_ENABLE << 16 : 0) |
               (assignment->msix_function_mask ? (uint32_t)MSIX_CONTROL_MASK << 16 : 0);
    case RULE_MSIX_TABLE:
        return assignment->has_msix ? assignment->msix.table_offset | assignment->msix.table_bar
                                    : 0;
    case RULE_MSIX_PBA:
        return assignment->has_msix ? assignment->msix.pba_offset | assignment->msix.pba_bar : 0;
    case RULE_PCIE_HEADER:
        if (function->cap_pcie == 0)
            return 0;
        /* Last in the list; version and type as the function says. */
        return (pci_config_read(function->rid, function->cap_pcie, 4) & 0xffff0000u) | PCI_CAP_PCIE;
    case RULE_PCIE:
        if (function->cap_pcie == 0)
            return 0;
        return pci_config_read(function->rid, function->cap_pcie + rule->register_offset, 4) &
               rule->mask;
    case RULE_ZERO:
        break;
    }
    return 0;
}

static uint32_t narrow(uint32_t value, unsigned offset, unsigned width)
{
    value >>= (offset & 3) * 8;
    return width == 4 ? value : value & ((1u << (width * 8)) - 1);
}

uint32_t virtual_config_read(const struct assignment *assignment, unsigned offset, unsigned width)
{
    return narrow(dword_read(assignment, offset & ~3u), offset, width);
}

uint64_t virtual_config_read_vf(const struct guest *guest, unsigned rid, unsigned offset,
                                unsigned width)
{
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        struct function_view *view = guest->assignments[i]->function->view;
        if (view == NULL || !view_shows_vf(view, rid))
            continue;
        const struct view_register *prepared = view_find(view, (offset & ~3u) | VIEW_OF_VF);
        return narrow(prepared != NULL ? prepared->value : 0, offset, width);
    }
    return ~UINT64_C(0);
}

static void command_write(struct assignment *assignment, uint16_t value)
{
    assignment->command = value & COMMAND_WRITABLE;
    if (assignment->function->life == PCI_SILENCED)
        assignment->command &= (uint16_t)~PCI_COMMAND_BUS_MASTER;
    /* Decoding stays on whatever the guest says: its BARs are mapped for it alone, and turning the
     * decoder off would only make its own accesses fail on the bus. */
    pci_bus_master(assignment->function, (assignment->command & PCI_COMMAND_BUS_MASTER) != 0);
}

void virtual_config_write(struct assignment *assignment, unsigned offset, unsigned width,
                          uint32_t value)
{
    /* A guest that runs on without a device has no say in it. */
    if (!pci_in_use(assignment->function))
        return;
    /* Narrow writes become a dword with the other bytes as the guest sees them. */
    unsigned aligned = offset & ~3u;
    if (width != 4) {
        uint32_t field = ((1u << (width * 8)) - 1) << ((offset & 3) * 8);
        value = (dword_read(assignment, aligned) & ~field) | (value << ((offset & 3) * 8) & field);
    }
    struct view_register *prepared = view_find(assignment->function->view, aligned);
    if (prepared != NULL) {
        prepared->value = (prepared->value & ~prepared->writable) | (value & prepared->writable);
        return;
    }
    switch (aligned < CONFIG_DWORDS * 4 ? rules[aligned / 4].kind : RULE_ZERO) {
    case RULE_COMMAND:
        command_write(assignment, (uint16_t)value);
        break;
    case RULE_BAR:
        bar_write(assignment, (aligned - 0x10) / 4, value);
        break;
    case RULE_MSIX_CONTROL:
        if (!assignment->has_msix)
            break;
        assignment->msix_enabled = (value >> 16 & MSIX_CONTROL_ENABLE) != 0;
        assignment->msix_function_mask = (value >> 16 & MSIX_CONTROL_MASK) != 0;
        virtual_msix_update(assignment);
        break;
    default: /* read-only */
        break;
    }
}
