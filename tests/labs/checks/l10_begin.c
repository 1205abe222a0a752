/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/pci/life.c hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c hypervisor/setup/pci_known.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* L10, step 3: what must be true before a reset. */
#include "tests/labs/checks/reset_bench.h"

void lab_check(void)
{
    for (enum pci_reset_method method = PCI_RESET_FLR; method <= PCI_RESET_BUS; method++) {
        card_with(method);
        struct model_function *other = card(RID(0, 1, 0, 1));
        struct pci_function *neighbour = add(other, OWNER_GUEST(0));
        model_put(port, 0x40 + PCIE_LINK_CAP, 4, (uint32_t)PCIE_LINK_CAP_ACTIVE | 1);
        model_put(port, 0x40 + PCIE_LINK_STATUS, 2, PCIE_LINK_STATUS_ACTIVE);
        start();
        const char *name = method_name(method);
        expect(reset.method == method, "reset by %s: begin() notes the method %s", name,
               method_name(reset.method));
        expect((command(device) & PCI_COMMAND_BUS_MASTER) == 0,
               "reset by %s: begin() returns with bus mastering on; requests must end before the "
               "reset, or it cuts them in two (quiesce(), PCIe 6.6.2)",
               name);
        expect(function->in_reset && (function->saved.bar[0] & ~15u) == BAR,
               "reset by %s: the function's registers were not saved; a reset clears its BARs",
               name);
        expect(
            reset.step == PCI_RESET_DRAIN,
            "reset by %s: begin() goes on with step %s instead of DRAIN: Transactions Pending is "
            "looked at before the reset (PCIe 6.6.2)",
            name, step_name());
        expect(milliseconds_left() >= 900 && milliseconds_left() <= 1100,
               "reset by %s: %u ms for pending requests instead of 1000 (PENDING_TIME)", name,
               milliseconds_left());
        expect(device->resets == 0, "begin() resets: only issue() does, when all is quiet");
        bool bus = method == PCI_RESET_BUS;
        expect(reset.leads == bus, "reset by %s: leads is %s; it says whether this is a bus reset",
               name, reset.leads ? "true" : "false");
        expect((command(other) & PCI_COMMAND_BUS_MASTER) == (bus ? 0 : PCI_COMMAND_BUS_MASTER),
               bus ? "bus reset: the other function on the bus still has bus mastering on, and "
                     "will be reset too: quiesce all that next_below() finds"
                   : "reset by %s: the other function on the bus lost bus mastering, though only a "
                     "bus reset reaches it",
               name);
        expect(neighbour->in_reset == bus, "reset by %s: the other function on the bus is %s", name,
               bus ? "not in_reset: nobody would restore its registers"
                   : "in_reset, though nothing reaches it");
        expect(bridge->in_reset == bus, "reset by %s: the bridge's in_reset is %s", name,
               bus ? "clear: a second function of the bus would begin a reset of its own instead "
                     "of joining this one"
                   : "set, though its bus is not reset");
        expect(!bus || bridge->link_was_active,
               "bus reset: link_was_active is false though the link was up: nobody would wait for "
               "it after the reset");
    }
    card_with(PCI_RESET_BUS);
    function->reset_registers = 0x1000;
    bridge->secondary_bus = 0; /* so that only its own way is left */
    start();
    expect(function->saved.witness == 0,
           "an xHCI's own reset leaves configuration space as it is, so there is no witness: what "
           "stays in its command register does not show that the reset was none");
}
