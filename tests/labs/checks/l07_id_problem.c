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
/* L7, step 3: what can be wrong with a VF's requester id. */
#include "tests/labs/checks/sriov_bench.h"

static void ids(uint16_t offset, uint16_t stride, bool ari)
{
    sriov = (struct sriov){.pf = pf, .first_offset = offset, .stride = stride, .ari = ari};
    host_log_clear();
}

static void refused(const char *where, uint16_t vfs, const char *part, const char *why)
{
    asking("sriov_check_ids() with %s", where);
    enum status status = sriov_check_ids(&sriov, vfs);
    expect(status != STATUS_OK, "%s: accepted, but %s", where, why);
    expect(host_log_count("sriov.refused", part) == 1,
           "%s: it should be refused with \"%s\", since %s; it says: %s", where, part, why,
           refusal());
}

static void accepted(const char *where, uint16_t vfs, const char *why)
{
    asking("sriov_check_ids() with %s", where);
    expect(sriov_check_ids(&sriov, vfs) == STATUS_OK, "%s: refused, but %s; it says: %s", where,
           why, refusal());
}

void lab_check(void)
{
    struct model_sriov card = igb_capability();
    machine_with(&card);
    ids(card.first_offset, card.stride, true);
    accepted("the ids of the model's card", 8, "nothing is wrong with them");
    ids(0x80, 0xff80, true);
    refused("VF 1 at 0100h + 80h + ff80h", 2, "past bus 255",
            "the sum is above ffffh: there is no such requester id, and cut to 16 bits it is "
            "somebody else's");
    ids(0, 1, true);
    refused("First VF Offset 0", 1, "requester id of another function",
            "VF 0 would have the id of its own PF: two functions would answer");
    ids(0x80, 1, false);
    refused("device 10h behind a port without ARI", 1, "need ARI",
            "a port without ARI Forwarding passes on device 0 of its bus only (PCIe 7.3.1)");
    ids(4, 1, false);
    accepted("function 4 of device 0 behind a port without ARI", 1,
             "device 0 is reached without ARI: only another device number is not");
    ids(0x80, 1, true);
    accepted("device 10h behind a port that forwards ARI", 1,
             "with ARI the device number's bits belong to the function number");
    ids(0x180, 1, false);
    accepted("another bus behind a port without ARI", 1,
             "ARI is about the bus of the PF: on another bus all 256 ids are reached");
    ids(0x300, 1, true);
    refused("a bus that the port does not forward", 1, "not forwarded",
            "bus_problem() has something to say");

    clear_machine(); /* on the root bus there is no port to ask */
    add_card(RID(0, 0, 4, 0), &card);
    enumerate();
    ids(0x80, 1, false);
    accepted("a PF on the root bus", 1, "no port above it limits the device number");

    machine_with(&card); /* below a bridge from PCIe to PCI all 32 devices of the bus answer */
    pf->bridge->pcie_type = PCIE_TYPE_TO_PCI_BRIDGE;
    ids(0x80, 1, false);
    accepted("device 10h behind a bridge from PCIe to PCI", 1,
             "a PCI bus has 32 devices: only a PCIe link has device 0 alone");
}
