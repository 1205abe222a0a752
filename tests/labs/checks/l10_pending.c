/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/pci/life.c hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c hypervisor/setup/pci_known.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* L10, step 2: nothing is reset while completions are outstanding. */
#include "tests/labs/checks/reset_bench.h"

static bool half_a_second(void)
{
    return was_reset() || clock_microseconds() > 500000;
}

void lab_check(void)
{
    const unsigned outstanding = seeded("outstanding", 50, 200, 80);
    card_with(PCI_RESET_FLR);
    device->pending_until = MILLISECONDS(outstanding);
    start();
    (void)!poll_until(was_reset);
    expect(clock_microseconds() >= device->pending_until,
           "FLR came %u ms before the function's requests were answered: Transactions Pending "
           "(Device Status bit 5) was not looked at; a completion that comes after the reset is "
           "taken for an answer to something else (PCIe 6.6.2)",
           (unsigned)((device->pending_until - clock_microseconds()) / 1000 + 1));
    expect(clock_microseconds() < device->pending_until + MILLISECONDS(10),
           "FLR came %u ms after the function's last request was answered: nothing is pending then",
           (unsigned)((clock_microseconds() - device->pending_until) / 1000));

    card_with(PCI_RESET_AF);
    model_put(device, AF + AF_STATUS, 1, AF_STATUS_PENDING);
    start();
    (void)!poll_until(half_a_second);
    expect(!was_reset(),
           "a function was reset by AF while Transactions Pending in AF Status was set");
    model_put(device, AF + AF_STATUS, 1, 0);
    expect(poll_until(NULL) == STATUS_OK,
           "a conventional function is not reset though AF Status is 0: it says \"%s\"; without a "
           "PCIe capability there is no Device Status",
           reason());

    fresh();
    advanced_features(AF_CAPABILITIES_FLR);
    model_put(device, AF + AF_STATUS, 1, AF_STATUS_PENDING);
    model_pm(device, PM, false);
    function = add(device, OWNER_GUEST(0));
    start();
    (void)!poll_until(half_a_second);
    expect(was_reset(),
           "half a second for AF Status of a function whose AF Capabilities has no TP: "
           "the bit has no meaning then");
    card_with(PCI_RESET_FLR);
    advanced_features(AF_CAPABILITIES_TP | AF_CAPABILITIES_FLR);
    model_put(device, AF + AF_STATUS, 1, AF_STATUS_PENDING);
    function->cap_af = AF;
    start();
    (void)!poll_until(half_a_second);
    expect(!was_reset(),
           "a function that has both a PCIe capability and AF was reset while Transactions Pending "
           "in AF Status was set: it may tell by either");
    card_with(PCI_RESET_FLR);
    device->pending_stuck = true;
    start();
    expect(
        poll_until(NULL) == STATUS_TIMEOUT,
        "Transactions Pending stays set even after the reset, and the function was called clean");
}
