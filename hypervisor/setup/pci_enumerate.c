/* SPDX-License-Identifier: MIT */
/*
 * Finding all functions. One pass finds them and takes bus mastering away at once; only then are
 * BARs sized and capabilities read.
 */
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "boot/pci/silence.h"
#include "hypervisor/setup/pci_ram.h"

#include "hypervisor/base/clock.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_placement.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/pci_known.h"
#include "hypervisor/setup/pci_bars.h"

/* The buses of one segment. */
struct walk {
    uint16_t segment;
    uint8_t first, last;
    bool reached[PCI_BUSES];                /* walked or queued */
    struct pci_function *behind[PCI_BUSES]; /* the bridge above a bus */
    uint8_t queue[PCI_BUSES];
    size_t queued, done;
};

static size_t buses_found, vf_takeovers, left_out;
static rid_t first_left_out;

static void queue_bus(struct walk *walk, uint8_t bus, struct pci_function *bridge)
{
    walk->reached[bus] = true;
    walk->behind[bus] = bridge;
    walk->queue[walk->queued++] = bus;
}

/* SR-IOV that firmware left enabled: its VFs are invisible to the walk and could still send DMA. */
static void take_vfs_over(rid_t rid)
{
    if (pci_capability_find(rid, PCI_CAP_PCIE) == 0)
        return;
    uint16_t capability = pci_extended_capability_find(rid, PCI_EXT_CAP_SRIOV);
    if (capability == 0)
        return;
    uint16_t control = pci_read16(rid, capability + SRIOV_CONTROL);
    if ((control & SRIOV_CONTROL_VF_ENABLE) == 0)
        return;
    /* Read first: for a second after clearing VF Enable the capability must be left alone. */
    uint16_t vfs = pci_read16(rid, capability + SRIOV_NUM_VFS);
    pci_update16(rid, capability + SRIOV_CONTROL, SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY,
                 0);
    vf_takeovers++;
    log_event("sriov.taken", "pf=%s vfs=%u message=\"firmware left VFs enabled; disabled\"",
              rid_text(rid).text, vfs);
}

/* Looks behind a bridge if its bus numbers can be: inside what the bridge above forwards, and not
 * reached before. */
static void follow_bridge(struct walk *walk, struct pci_function *bridge)
{
    const struct pci_function *above = bridge->bridge;
    uint8_t low = bridge->secondary_bus, high = bridge->subordinate_bus;
    if (low == 0 && high == 0)
        return; /* never configured: nothing is reachable behind it */
    bool inside = above == NULL || (low > above->secondary_bus && high <= above->subordinate_bus);
    if (low > high || low <= RID_BUS(bridge->rid) || low > walk->last || !inside ||
        walk->reached[low]) {
        log_event("pci.refused",
                  "rid=%s secondary=%u subordinate=%u message=\"bus numbers contradict the bridges "
                  "above; what is behind it stays unused\"",
                  rid_text(bridge->rid).text, low, high);
        return;
    }
    queue_bus(walk, low, bridge);
}

static void found(struct walk *walk, rid_t rid, uint32_t id, uint8_t header)
{
    struct pci_function function = {
        .rid = rid,
        .vendor = (uint16_t)id,
        .device = (uint16_t)(id >> 16),
        .class_code = pci_read32(rid, PCI_CLASS_REVISION) >> 8,
        .header_type = header & 0x7f,
        .bridge = walk->behind[RID_BUS(rid)],
        .pcie_type = PCIE_TYPE_NONE,
        .firmware_bus = RID_BUS(rid),
    };
    function.is_bridge = function.header_type == PCI_HEADER_BRIDGE;
    if (function.is_bridge) {
        function.secondary_bus = pci_read8(rid, PCI_SECONDARY_BUS);
        function.subordinate_bus = pci_read8(rid, PCI_SUBORDINATE_BUS);
    } else {
        function.firmware_master =
            pci_silenced(rid) || (pci_read16(rid, PCI_COMMAND) & PCI_COMMAND_BUS_MASTER) != 0;
        if (!pci_is_chipset_display(rid, function.class_code))
            pci_update16(rid, PCI_COMMAND, PCI_COMMAND_BUS_MASTER, 0);
        take_vfs_over(rid);
    }
    unsigned facts = pci_known(&function);
    function.no_peer_to_peer = (facts & PCI_KNOWN_SEPARATE) != 0;
    function.flash_bar = (facts & PCI_KNOWN_FLASH) != 0;
    function.owner = pci_is_bridge(&function) ? OWNER_HYPERVISOR : OWNER_NOBODY;
    struct pci_function *added = pci_function_add(&function);
    if (added == NULL && left_out++ == 0)
        first_left_out = rid;
    if (added != NULL && added->is_bridge)
        follow_bridge(walk, added);
}

/* Behind a port that forwards ARI a device's function numbers go on where device numbers would be
 * (PCIe 6.13): each of the 256 may be there without the ones before it. */
static bool forwards_ari(const struct pci_function *bridge)
{
    if (bridge == NULL)
        return false;
    uint16_t capability = pci_capability_find(bridge->rid, PCI_CAP_PCIE);
    uint16_t control2 = pci_device_control2(bridge->rid, capability);
    return control2 != 0 && (pci_read16(bridge->rid, control2) & PCIE_DEVICE_CONTROL2_ARI) != 0;
}

/* Returns whether anything answered on the bus. */
static bool walk_bus(struct walk *walk, uint8_t bus)
{
    bool any = false, ari = forwards_ari(walk->behind[bus]);
    for (unsigned device = 0; device < PCI_DEVICES; device++) {
        unsigned functions = ari ? PCI_FUNCTIONS : 1;
        for (unsigned index = 0; index < functions; index++) {
            rid_t rid = RID(walk->segment, bus, device, index);
            uint32_t id = pci_read32(rid, PCI_VENDOR_ID);
            if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
                continue;
            uint8_t header = pci_read8(rid, PCI_HEADER_TYPE);
            if (index == 0 && (header & PCI_HEADER_MULTI) != 0)
                functions = PCI_FUNCTIONS;
            any = true;
            found(walk, rid, id, header);
        }
    }
    if (any)
        buses_found++;
    return any;
}

/* A bus that a bridge forwards is reached through that bridge. */
static bool forwarded(const struct walk *walk, uint8_t bus)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        if (function->is_bridge && RID_SEGMENT(function->rid) == walk->segment &&
            function->secondary_bus != 0 && bus >= function->secondary_bus &&
            bus <= function->subordinate_bus)
            return true;
    return false;
}

static void walk_segment(const struct mcfg_segment *segment)
{
    static struct walk walk;
    memset(&walk, 0, sizeof walk);
    walk.segment = segment->segment;
    walk.first = segment->start_bus;
    walk.last = segment->end_bus;
    /* Big machines have several root buses, which only AML names: every bus that is not behind a
     * bridge is tried. */
    for (unsigned bus = walk.first; bus <= walk.last; bus++) {
        if (walk.reached[bus] || forwarded(&walk, (uint8_t)bus))
            continue;
        queue_bus(&walk, (uint8_t)bus, NULL);
        while (walk.done < walk.queued)
            (void)walk_bus(&walk, walk.queue[walk.done++]);
    }
}

/* Registers that the firmware placed over RAM are not believed (and never mapped for anyone). */
static void check_bars(struct pci_function *function)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        struct pci_bar *bar = &function->bar[i];
        if (bar->io || bar->size == 0 || bar->base == 0 || !pci_overlaps_ram(bar->base, bar->size))
            continue;
        log_event(
            "pci.refused",
            "rid=%s bar=%u base=%#lx size=%s message=\"the firmware placed it over RAM; not used\"",
            rid_text(function->rid).text, i, bar->base, size_text(bar->size).text);
        bar->base = 0;
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

static void log_function(const struct pci_function *function)
{
    char bars[192] = "";
    size_t length = 0;
    for (unsigned i = 0; i < PCI_BARS && length < sizeof bars; i++) {
        const struct pci_bar *bar = &function->bar[i];
        if (bar->size != 0)
            length += format_text(bars + length, sizeof bars - length, " bar%u=%s%#lx+%s", i,
                                  bar->io ? "io:" : "", bar->base, size_text(bar->size).text);
    }
    char buses[32] = "";
    if (function->is_bridge)
        format_text(buses, sizeof buses, " buses=%02x-%02x", function->secondary_bus,
                    function->subordinate_bus);
    log_event("pci.function", "rid=%s id=%04x:%04x class=%06x kind=%s%s%s%s%s%s%s",
              rid_text(function->rid).text, function->vendor, function->device,
              function->class_code, kind(function), buses, bars,
              function->cap_msix != 0 ? " msix=yes" : "",
              function->cap_sriov != 0 ? " sriov=yes" : "",
              function->cap_acs != 0 ? " acs=yes" : "", function->cap_ats != 0 ? " ats=yes" : "");
}

/* The configuration names it, by address or by its ids. */
static bool asked_for(const struct pci_function *function, const struct config *config)
{
    for (uint32_t i = 0; config != NULL && i < config->nic_count && i < CONFIG_MAX_NICS; i++) {
        const struct config_nic *nic = &config->nics[i];
        if (nic->by_id ? nic->vendor == function->vendor && nic->device == function->device
                       : nic->rid == function->rid)
            return true;
    }
    return false;
}

/* Writing to a BAR is a risk with functions that are not made for it, and those of the chipset's
 * own classes are the ones that are not. Returns whether it gets a line of its own. */
static bool read_bars(struct pci_function *function, const struct config *config)
{
    bool plain = !pci_is_peripheral(function) || asked_for(function, config);
    if (plain)
        pci_bars_read(function);
    else
        pci_bars_look(function);
    check_bars(function);
    return plain;
}

enum status pci_enumerate(const struct mcfg *mcfg, const struct config *config)
{
    pci_functions_clear();
    placement_clear();
    buses_found = vf_takeovers = left_out = 0;
    for (uint32_t i = 0; i < mcfg->count && i < MCFG_MAX_SEGMENTS; i++) {
        const struct mcfg_segment *segment = &mcfg->segment[i];
        uint64_t base = segment->base + ((uint64_t)segment->start_bus << 20);
        if (segment->start_bus > segment->end_bus ||
            !placement_reserve(NULL, base,
                               (uint64_t)(segment->end_bus - segment->start_bus + 1) << 20))
            continue;
        walk_segment(segment);
    }
    if (vf_takeovers > 0)
        clock_delay(MILLISECONDS(1000)); /* PCIe 9.3.3.3.1: after clearing VF Enable */
    size_t bridges = 0, peripherals = 0;
    struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        bool plain = read_bars(function, config);
        pci_capabilities_read(function);
        /* Phantom functions would send with requester ids that no context entry knows; requests
         * that do not snoop would see memory before it was overwritten for its next owner. A VF has
         * these bits of its PF (PCIe 9.3.5.4). */
        if (function->cap_pcie != 0 && !function->is_bridge)
            pci_update16(function->rid, function->cap_pcie + PCIE_DEVICE_CONTROL,
                         PCIE_DEVICE_CONTROL_PHANTOM | PCIE_DEVICE_CONTROL_NO_SNOOP, 0);
        /* Translations that a device cached under firmware must not outlive it; the units take no
         * translated requests either (context entries of type 00). */
        if (function->cap_ats != 0)
            pci_update16(function->rid, function->cap_ats + ATS_CONTROL, ATS_CONTROL_ENABLE, 0);
        bridges += function->is_bridge;
        peripherals += !plain;
        if (plain)
            log_function(function);
    }
    if (left_out > 0)
        log_event(
            "pci.refused",
            "rid=%s functions=%zu limit=%u message=\"more functions than the table holds: this "
            "one and the others stay blocked, and no guest gets them; disable devices that "
            "are not used in the firmware set-up\"",
            rid_text(first_left_out).text, left_out, PCI_MAX_FUNCTIONS);
    log_event("pci.summary", "functions=%zu bridges=%zu buses=%zu peripherals=%zu left_out=%zu",
              pci_function_count(), bridges, buses_found, peripherals, left_out);
    return pci_function_count() > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}
