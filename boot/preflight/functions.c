/* SPDX-License-Identifier: MIT */
/* Every PCI function, found without a write (PCIe 7.5, 7.7). */
#include "boot/preflight/preflight.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci_bridge_window.h"
#include "hypervisor/setup/pci_capabilities.h"

#define BARS_TEXT 160

struct walk {
    uint16_t segment;
    bool reached[PCI_BUSES]; /* walked or queued */
    struct pci_function *behind[PCI_BUSES];
    uint8_t queue[PCI_BUSES];
    size_t queued, done;
};

static struct {
    struct pci_function *slots;
    size_t capacity;
    unsigned left_out;
} table;

static struct pci_function *add(const struct pci_function *function)
{
    size_t count = pci_functions.count;
    if (pci_function_find(function->rid) != NULL || count >= table.capacity ||
        count >= PCI_MAX_FUNCTIONS) {
        table.left_out++;
        return NULL;
    }
    table.slots[count] = *function;
    pci_functions.order[count] = &table.slots[count];
    pci_functions.count++;
    return &table.slots[count];
}

static void queue_bus(struct walk *walk, uint8_t bus, struct pci_function *bridge)
{
    if (walk->reached[bus])
        return;
    walk->reached[bus] = true;
    walk->behind[bus] = bridge;
    walk->queue[walk->queued++] = bus;
}

static bool forwards_ari(const struct pci_function *bridge)
{
    uint16_t control = bridge == NULL ? 0 : pci_device_control2(bridge->rid, bridge->cap_pcie);
    return control != 0 && (pci_read16(bridge->rid, control) & PCIE_DEVICE_CONTROL2_ARI) != 0;
}

static void found(struct walk *walk, rid_t rid, uint32_t id)
{
    struct pci_function function = {
        .rid = rid,
        .vendor = (uint16_t)id,
        .device = (uint16_t)(id >> 16),
        .class_code = pci_read32(rid, PCI_CLASS_REVISION) >> 8,
        .header_type = pci_read8(rid, PCI_HEADER_TYPE) & 0x7f,
        .bridge = walk->behind[RID_BUS(rid)],
        .owner = OWNER_NOBODY,
    };
    function.is_bridge = function.header_type == PCI_HEADER_BRIDGE;
    if (function.is_bridge) {
        function.secondary_bus = pci_read8(rid, PCI_SECONDARY_BUS);
        function.subordinate_bus = pci_read8(rid, PCI_SUBORDINATE_BUS);
    }
    pci_capabilities_read(&function);
    struct pci_function *added = add(&function);
    /* Only downwards: bridges that contradict each other end the walk by themselves. */
    if (added != NULL && added->is_bridge && added->secondary_bus > RID_BUS(rid))
        queue_bus(walk, added->secondary_bus, added);
}

static void walk_bus(struct walk *walk, uint8_t bus)
{
    bool ari = forwards_ari(walk->behind[bus]);
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        unsigned functions = ari ? PCI_FUNCTIONS : 1;
        for (unsigned index = 0; index < functions; index++) {
            rid_t rid = RID(walk->segment, bus, device, index);
            uint32_t id = pci_read32(rid, PCI_VENDOR_ID);
            if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
                continue;
            if (index == 0 && (pci_read8(rid, PCI_HEADER_TYPE) & PCI_HEADER_MULTI) != 0)
                functions = PCI_FUNCTIONS;
            found(walk, rid, id);
        }
    }
}

/* Every bus of the range that no bridge leads to is a root, as on machines with several. */
static void walk_range(uint16_t segment, unsigned first, unsigned last)
{
    static struct walk walk;
    memset(&walk, 0, sizeof walk);
    walk.segment = segment;
    for (unsigned bus = first; bus <= last && bus < PCI_BUSES; bus++) {
        bool forwarded = false;
        const struct pci_function *function;
        for (size_t i = 0; (function = pci_function_at(i)) != NULL && !forwarded; i++)
            forwarded = function->is_bridge && RID_SEGMENT(function->rid) == segment &&
                        function->secondary_bus != 0 && bus >= function->secondary_bus &&
                        bus <= function->subordinate_bus;
        if (forwarded)
            continue;
        queue_bus(&walk, (uint8_t)bus, NULL);
        while (walk.done < walk.queued)
            walk_bus(&walk, walk.queue[walk.done++]);
    }
}

static const char *kind(const struct pci_function *function)
{
    static const char *const names[16] = {
        [PCIE_TYPE_ENDPOINT] = "endpoint",
        [PCIE_TYPE_LEGACY] = "legacy-endpoint",
        [PCIE_TYPE_ROOT_PORT] = "root-port",
        [PCIE_TYPE_UPSTREAM] = "upstream-port",
        [PCIE_TYPE_DOWNSTREAM] = "downstream-port",
        [PCIE_TYPE_TO_PCI_BRIDGE] = "pcie-to-pci-bridge",
        [PCIE_TYPE_FROM_PCI_BRIDGE] = "pci-to-pcie-bridge",
        [PCIE_TYPE_INTEGRATED] = "integrated-endpoint",
        [PCIE_TYPE_EVENT_COLLECTOR] = "event-collector",
    };
    if (function->pcie_type == PCIE_TYPE_NONE)
        return function->is_bridge ? "pci-bridge" : "conventional";
    const char *name = names[function->pcie_type & 0xf];
    return name != NULL ? name : "unknown";
}

/* BARs as they are: sizing would switch the function's decoding off. */
static void bars_text(const struct pci_function *function, char text[BARS_TEXT])
{
    size_t length = 0;
    text[0] = '\0';
    unsigned count = function->header_type == PCI_HEADER_ENDPOINT ? PCI_BARS
                     : function->is_bridge                        ? 2
                                                                  : 0;
    for (unsigned i = 0; i < count && length < BARS_TEXT; i++) {
        uint64_t value = pci_read32(function->rid, PCI_BAR0 + 4 * i);
        unsigned number = i;
        bool io = (value & PCI_BAR_IO) != 0;
        if (!io && (value & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64 && i + 1 < count)
            value |= (uint64_t)pci_read32(function->rid, PCI_BAR0 + 4 * ++i) << 32;
        value &= io ? ~(uint64_t)PCI_BAR_IO_FLAGS : ~(uint64_t)PCI_BAR_MEM_FLAGS;
        if (value != 0)
            length += format_text(text + length, BARS_TEXT - length, " bar%u=%s0x%lx", number,
                                  io ? "io:" : "", value);
    }
}

static void function_log(const struct pci_function *function)
{
    char bars[BARS_TEXT], port[32] = "", subsystem[32] = "";
    bars_text(function, bars);
    if (function->bridge != NULL)
        format_text(port, sizeof port, " port=%s", rid_text(function->bridge->rid).text);
    if (function->header_type == PCI_HEADER_ENDPOINT) {
        uint32_t id = pci_read32(function->rid, PCI_SUBSYSTEM);
        format_text(subsystem, sizeof subsystem, " subsystem=%04x:%04x", id & 0xffff, id >> 16);
    }
    uint16_t acs =
        function->cap_acs == 0 ? 0 : pci_read16(function->rid, function->cap_acs + ACS_CAPABILITY);
    bool flr = function->cap_pcie != 0 &&
               (pci_read32(function->rid, function->cap_pcie + PCIE_DEVICE_CAP) &
                PCIE_DEVICE_CAP_FLR) != 0;
    bool master = (pci_read16(function->rid, PCI_COMMAND) & PCI_COMMAND_BUS_MASTER) != 0;
    log_event("pci.function",
              "rid=%s id=%04x:%04x class=%06x kind=%s%s%s master=%s flr=%s msix=%s sriov=%s ari=%s "
              "ats=%s acs=0x%x%s",
              rid_text(function->rid).text, function->vendor, function->device,
              function->class_code, kind(function), port, subsystem, yes_no(master), yes_no(flr),
              yes_no(function->cap_msix != 0), yes_no(function->cap_sriov != 0),
              yes_no(function->cap_ari != 0), yes_no(function->cap_ats != 0), acs, bars);
}

static void bridge_log(const struct pci_function *bridge)
{
    struct bridge_window memory, prefetch;
    bridge_window_read(bridge, false, &memory);
    bridge_window_read(bridge, true, &prefetch);
    const char *ari = "impossible";
    if (pci_device_control2(bridge->rid, bridge->cap_pcie) != 0 &&
        (pci_read32(bridge->rid, bridge->cap_pcie + PCIE_DEVICE_CAP2) & PCIE_DEVICE_CAP2_ARI) != 0)
        ari = forwards_ari(bridge) ? "on" : "possible";
    char text[2][48] = {"none", "none"};
    if (memory.enabled)
        format_text(text[0], sizeof text[0], "0x%lx-0x%lx", memory.base, memory.limit);
    if (prefetch.enabled)
        format_text(text[1], sizeof text[1], "0x%lx-0x%lx", prefetch.base, prefetch.limit);
    log_event("pci.bridge", "rid=%s buses=%02x-%02x memory=%s prefetch=%s prefetch64=%s ari=%s",
              rid_text(bridge->rid).text, bridge->secondary_bus, bridge->subordinate_bus, text[0],
              text[1], yes_no(prefetch.is_64bit), ari);
}

void preflight_functions(const struct preflight_roots *roots, const struct preflight *facts,
                         struct pci_function *slots, size_t capacity)
{
    pci_functions.count = 0;
    table.slots = slots;
    table.capacity = capacity;
    table.left_out = 0;
    for (size_t i = 0; i < roots->count; i++)
        walk_range(roots->root[i].segment, roots->root[i].first, roots->root[i].last);
    for (uint32_t i = 0; roots->count == 0 && i < facts->mcfg.count; i++)
        walk_range(facts->mcfg.segment[i].segment, facts->mcfg.segment[i].start_bus,
                   facts->mcfg.segment[i].end_bus);
    const struct pci_function *function;
    unsigned bridges = 0;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        function_log(function);
        if (function->is_bridge)
            bridge_log(function);
        bridges += function->is_bridge;
    }
    log_event("pci.summary", "functions=%zu bridges=%u left_out=%u", pci_function_count(), bridges,
              table.left_out);
    if (table.left_out > 0)
        log_event("pci.refused",
                  "limit=%u message=\"more functions than the table holds; those "
                  "left out stay blocked\"",
                  PCI_MAX_FUNCTIONS);
}
