/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/pci/life.c hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c hypervisor/setup/pci_known.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* L10, step 4: the reset itself, and how long the function is left alone. */
#include "tests/labs/checks/reset_bench.h"

static bool halted;

void xhci_halt(const struct pci_function *which)
{
    halted = which == function;
}

void xhci_reset(const struct pci_function *which)
{
}

bool xhci_is_reset(const struct pci_function *which)
{
    return true;
}

static bool issued(void)
{
    return reset.step != PCI_RESET_DRAIN;
}

void lab_check(void)
{
    static const struct {
        enum pci_reset_step next;
        unsigned least, most; /* milliseconds */
        const char *why;
    } wanted[] = {
        [PCI_RESET_FLR] = {PCI_RESET_SETTLE, 100, 120, "100 ms must pass after FLR (PCIe 6.6.2)"},
        [PCI_RESET_AF] = {PCI_RESET_SETTLE, 100, 120, "100 ms must pass after FLR (AF ECN)"},
        [PCI_RESET_PM] = {PCI_RESET_HELD, 10, 20, "10 ms must pass in D3hot (PCIe 5.9)"},
        [PCI_RESET_BUS] = {PCI_RESET_HELD, 1, 10, "the bus is held in reset for 1 ms (Trst)"},
        [PCI_RESET_XHCI] = {PCI_RESET_HELD, 16, 30, "an xHCI halts within 16 ms (xHCI 5.4.1.1)"},
    };
    for (enum pci_reset_method method = PCI_RESET_FLR; method < PCI_RESET_METHODS; method++) {
        const char *name = method_name(method);
        card_with(method);
        unsigned before = 0x0030;
        if (method == PCI_RESET_XHCI) {
            bridge->secondary_bus = 0;
            function->reset_registers = 0x1000;
        }
        if (function->cap_pcie != 0)
            model_put(device, PCIE + PCIE_DEVICE_CONTROL, 2, before);
        if (method == PCI_RESET_PM)
            model_put(device, PM + PM_CONTROL, 2, 0x0100); /* PME_En */
        model_put(port, PCI_BRIDGE_CONTROL, 2, 0x0002);
        start();
        enum status status = poll_until(issued);
        expect(status == STATUS_BUSY, "reset by %s: issue() returns another status than BUSY",
               name);
        expect(method > PCI_RESET_AF || device->resets == 1,
               "reset by %s: no reset was begun; the bit is %s", name,
               method == PCI_RESET_FLR ? "Initiate Function Level Reset, Device Control bit 15"
                                       : "Initiate FLR, AF Control bit 0");
        expect(method != PCI_RESET_PM || (model_get(device, PM + PM_CONTROL, 2) & 3) == 3,
               "reset by pm: PowerState is %u, and D3hot is 3",
               model_get(device, PM + PM_CONTROL, 2) & 3);
        expect(method != PCI_RESET_PM || (model_get(device, PM + PM_CONTROL, 2) & 0x0100) != 0,
               "reset by pm: the rest of the register of PowerState was overwritten (PME_En, bit "
               "8): set the two bits alone");
        unsigned control = model_get(port, PCI_BRIDGE_CONTROL, 2);
        expect((control & PCI_BRIDGE_CONTROL_RESET) ==
                   (method == PCI_RESET_BUS ? PCI_BRIDGE_CONTROL_RESET : 0),
               "reset by %s: Secondary Bus Reset of the bridge above (Bridge Control bit 6) is %s",
               name, method == PCI_RESET_BUS ? "clear" : "set, which resets the whole bus");
        expect((control & 2) != 0, "reset by %s: the rest of Bridge Control was overwritten", name);
        expect(method != PCI_RESET_XHCI || halted, "reset by xhci: xhci_halt() was not called");
        expect(method == PCI_RESET_AF ||
                   (model_get(device, PCIE + PCIE_DEVICE_CONTROL, 2) & 0x7fff) == before,
               "reset by %s: the rest of Device Control was overwritten: set the bit alone", name);
        unsigned left = milliseconds_left();
        expect(left + 1 >= wanted[method].least,
               "reset by %s: %u ms until the next step; %s: reset.ready", name, left,
               wanted[method].why);
        expect(left <= wanted[method].most, "reset by %s: %u ms until the next step, and %s", name,
               left, wanted[method].why);
        expect(reset.step == wanted[method].next, "reset by %s: goes on with step %s instead of %s",
               name, step_name(), steps[wanted[method].next]);
        expect(poll_until(NULL) == STATUS_OK, "reset by %s does not end well: it says \"%s\"", name,
               reason());
        char when[40];
        snprintf(when, sizeof when, "reset by %s", name);
        expect_lawful(when);
    }
}
