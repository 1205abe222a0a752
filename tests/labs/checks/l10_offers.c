/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/pci/life.c hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c hypervisor/setup/pci_known.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* L10, step 1: by which ways a function can be reset. */
#include "tests/labs/checks/reset_bench.h"

static struct model_function *neighbour_model;
static struct pci_function *neighbour;

/* A neighbour is there from the start and may be told to be in the way. */
static void offered(const char *what, enum pci_reset_method wanted, const char *why)
{
    asking("offers() of %s", what);
    host_log_clear();
    enum status status = pci_reset_start(function, &reset);
    if (status == STATUS_OK && reset.method == PCI_RESET_AF && function->cap_af == 0)
        why = "offset 0 in cap_af means that there is none: what is read there belongs to "
              "something else";
    if (wanted == PCI_RESET_NONE)
        expect(status != STATUS_OK, "%s: reset by %s was chosen, which it does not offer; %s", what,
               method_name(reset.method), why);
    else if (status != STATUS_OK)
        is_wrong("%s: refused, wanted reset by %s; %s", what, method_name(wanted), why);
    else
        expect(reset.method == wanted, "%s: reset by %s was chosen, wanted %s; %s", what,
               method_name(reset.method), method_name(wanted), why);
}

static void with(bool flr, int af, int pm, bool express)
{
    fresh();
    if (express)
        model_pcie(device, PCIE, PCIE_TYPE_ENDPOINT, flr);
    if (af >= 0)
        advanced_features((uint8_t)af);
    if (pm >= 0)
        model_pm(device, PM, pm != 0);
    function = add(device, OWNER_GUEST(0));
    neighbour_model = card(RID(0, 1, 0, 1));
    neighbour = add(neighbour_model, OWNER_NOBODY);
}

static void in_the_way(rid_t rid, owner_t owner, bool is_bridge)
{
    fresh();
    function = add(device, OWNER_GUEST(0));
    neighbour = add(card(rid), owner);
    neighbour->is_bridge = is_bridge;
}

void lab_check(void)
{
    with(true, 3, 0, true);
    offered("a function with FLR, AF and PM", PCI_RESET_FLR,
            "Device Capabilities bit 28 says FLR (has_flr), and FLR is asked for first");
    with(false, -1, 0, true);
    offered("a function with PM alone", PCI_RESET_PM,
            "No_Soft_Reset is 0, so it is reset by D3hot and back (PCIe 5.3.1.4)");
    with(false, 3, 0, true);
    offered("a function with AF and PM, without FLR", PCI_RESET_AF,
            "AF Capabilities has TP and FLR, and Device Capabilities bit 28 is 0");
    with(false, AF_CAPABILITIES_TP, 0, true);
    offered("a function whose AF has TP without FLR", PCI_RESET_PM,
            "AF is a way to reset it only with both bits of AF Capabilities");
    with(false, AF_CAPABILITIES_FLR, 0, true);
    offered("a function whose AF has FLR without TP", PCI_RESET_PM,
            "AF is a way to reset it only with both bits of AF Capabilities: without TP nobody "
            "knows when it is quiet");
    with(false, -1, 1, true);
    offered("a function with No_Soft_Reset", PCI_RESET_BUS,
            "No_Soft_Reset is 1: it comes back from D3hot with everything that its last owner left "
            "(PCIe 7.5.2.2)");
    with(false, -1, -1, true);
    offered("a function without a PM capability", PCI_RESET_BUS,
            "offset 0 in cap_pm means that there is none");

    static const char only[] = "a function that only a bus reset could reset";
    in_the_way(RID(0, 1, 0, 1), OWNER_GUEST(1), false);
    offered(only, PCI_RESET_NONE,
            "another guest's function is on the bus, and would be reset with it (bystander())");
    in_the_way(RID(0, 2, 0, 0), OWNER_HYPERVISOR, false);
    offered(only, PCI_RESET_NONE,
            "a function of the hypervisor's is on a bus behind, and would be reset with it");
    in_the_way(RID(0, 1, 0, 1), OWNER_GUEST(0), false);
    offered(only, PCI_RESET_BUS, "the other function on the bus has the same owner");
    bridge->secondary_bus = 0;
    function->in_reset = bridge->in_reset = false;
    offered(only, PCI_RESET_NONE,
            "the bridge above has no secondary bus number, so it leads nowhere");
    in_the_way(RID(0, 2, 0, 0), OWNER_NOBODY, false);
    function->bridge = NULL;
    offered(only, PCI_RESET_NONE, "there is no bridge above it whose bus could be reset");

    with(false, -1, 0, true);
    function->is_vf = true;
    function->has_flr = false;
    offered("a VF that says it has no FLR", PCI_RESET_NONE,
            "a VF is not reset by D3hot, and a bus reset would take its PF with it");
    with(true, -1, -1, true);
    function->is_vf = true;
    offered("a VF with FLR", PCI_RESET_FLR, "FLR of a VF reaches that VF alone (PCIe 9.2.2.2)");

    in_the_way(RID(0, 1, 0, 1), OWNER_GUEST(1), false);
    function->reset_registers = 0x1000;
    offered("an xHCI without any other way", PCI_RESET_XHCI,
            "its registers are mapped (reset_registers), so it can reset itself");
}
