/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/acs.c hypervisor/setup/pci_acs.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* L7, step 2: a VF's bus number must lead to its device and to nobody else. */
#include "hypervisor/setup/pci_functions.h"
#include "tests/labs/checks/sriov_bench.h"

static void refused(const char *where, const char *part, const char *why)
{
    asking("sriov_check_ids() %s", where);
    enum status status = sriov_check_ids(&sriov, 2);
    expect(status != STATUS_OK, "%s: accepted, but %s", where, why);
    expect(host_log_count("sriov.refused", part) == 1,
           "%s: it should be refused with \"%s\", since %s; it says: %s", where, part, why,
           refusal());
}

static void accepted(const char *where, const char *why)
{
    asking("sriov_check_ids() %s", where);
    expect(sriov_check_ids(&sriov, 2) == STATUS_OK, "%s: refused, but %s; it says: %s", where, why,
           refusal());
}

static void ids(uint16_t offset, uint16_t stride)
{
    sriov = (struct sriov){.pf = pf, .first_offset = offset, .stride = stride, .ari = true};
}

/* A bridge in the table, as enumeration would have put it there. */
static void add_bridge(rid_t rid, uint8_t secondary, uint8_t subordinate)
{
    const struct pci_function bridge = {.rid = rid,
                                        .is_bridge = true,
                                        .secondary_bus = secondary,
                                        .subordinate_bus = subordinate,
                                        .bridge =
                                            RID_BUS(rid) == RID_BUS(pf->rid) ? pf->bridge : NULL};
    expect(pci_function_add(&bridge) != NULL, "the table of functions is full");
    host_log_clear();
}

void lab_check(void)
{
    struct model_sriov card = igb_capability();
    machine_with(&card);
    ids(card.first_offset, card.stride);
    accepted("on the PF's own bus", "the bus of the PF always leads to its device");
    machine_with(&card);
    ids(0x100, 1);
    accepted("bus 2 behind a port that forwards 1 to 3", "its port forwards that bus");
    machine_with(&card);
    ids(0x200, 1);
    accepted("bus 3 behind a port that forwards 1 to 3",
             "the subordinate bus number is the last one that a bridge forwards, itself included");
    machine_with(&card);
    ids(0x300, 1);
    refused("bus 4 behind a port that forwards 1 to 3", "not forwarded",
            "the port above does not forward it: nobody would hear of the VF");

    clear_machine(); /* on the root bus, where another bridge has bus 1 to 3 */
    add_card(RID(0, 0, 4, 0), &card);
    add_port();
    enumerate();
    ids(0x100, 1);
    refused("a PF on the root bus, and bus 1 is behind a port", "belongs to another bridge",
            "that bus lies behind a bridge which does not lead to the PF");
    host_log_clear();
    ids(0x2e0, 1); /* 03:00.0 */
    refused("a PF on the root bus, and bus 3 is the last one behind a port",
            "belongs to another bridge", "the subordinate bus belongs to the bridge as well");
    ids(0x3e0, 1); /* 04:00.0 */
    accepted("a PF on the root bus, and nobody has bus 4", "no bridge has that bus");

    clear_machine(); /* the PF is behind two bridges: the upper one forwards the bus, and may */
    port = model_bridge(RID(0, 0, 1, 0), 1, 4);
    model_pcie(port, 0x54, PCIE_TYPE_ROOT_PORT, false);
    struct model_function *inner = model_bridge(RID(0, 1, 0, 0), 2, 4);
    model_pcie(inner, 0x54, PCIE_TYPE_DOWNSTREAM, false);
    add_card(RID(0, 2, 0, 0), &card);
    enumerate();
    ids(0x100, 1);
    accepted("behind two bridges that both forward the bus", "a bridge above the PF leads to it");

    machine_with(&card);
    ids(0x100, 1);
    add_bridge(RID(1, 0, 1, 0), 2, 9);
    accepted("bus 2, which a bridge of another segment has",
             "each segment has 256 buses of its own");
    add_bridge(RID(0, 0, 5, 0), 0, 0xff);
    accepted("bus 2, beside a bridge whose secondary bus number is 0",
             "that bridge is not configured: it forwards nothing");
    add_bridge(RID(0, 1, 0, 1), 2, 2);
    refused(
        "bus 2 behind a port that forwards 1 to 3, and a bridge beside the PF has it",
        "belongs to another bridge",
        "both rules hold for every PF: the port sends the request down, and that bridge takes it");
}
