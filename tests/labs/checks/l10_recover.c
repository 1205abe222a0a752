/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/reset.c hypervisor/pci/saved.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/pci/acs.c hypervisor/pci/life.c hypervisor/pci/sriov.c
// SOURCES: hypervisor/pci/bars.c hypervisor/setup/pci_known.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
/* L10, step 5: it is back, and it was a reset. */
#include "tests/labs/checks/reset_bench.h"

static void expect_whole(const struct model_function *model, const char *when)
{
    expect(model_get(model, 0x10, 4) == BAR,
           "%s: BAR 0 is %#x instead of %#x: the reset cleared it, and its registers were not "
           "restored",
           when, model_get(model, 0x10, 4), BAR);
    expect((command(model) & PCI_COMMAND_BUS_MASTER) == 0,
           "%s: bus mastering is on again: it stays off until the next guest asks for it", when);
    expect((command(model) & PCI_COMMAND_INTX_OFF) == 0,
           "%s: Interrupt Disable is set, as quiesce() left it: the command register was not "
           "restored",
           when);
    expect((command(model) & PCI_COMMAND_MEMORY) != 0,
           "%s: the command register was not restored: the BARs do not decode", when);
}

void lab_check(void)
{
    card_with(PCI_RESET_FLR);
    start();
    enum status status = poll_until(NULL);
    expect(status == STATUS_OK, "a function that came back was refused: it says \"%s\"", reason());
    expect_whole(device, "after FLR");
    expect_lawful("after FLR");

    card_with(PCI_RESET_FLR);
    device->dies_in_reset = true;
    start();
    status = poll_until(NULL);
    expect(status == STATUS_TIMEOUT,
           "a function that does not answer after FLR (every read is all ones) was taken for %s: "
           "ask answers() first; STATUS_TIMEOUT",
           status == STATUS_OK ? "reset" : "one that does not take its registers");
    expect(host_log_count("pci.reset", "status=timeout") == 1,
           "a function that does not answer after FLR was refused without a line pci.reset that "
           "says so: fail()");

    card_with(PCI_RESET_PM);
    device->ignored_resets = 1;
    start();
    status = poll_until(NULL);
    expect(status == STATUS_DEVICE,
           "a function came back from D3hot with its command register unchanged, and was taken for "
           "reset: look at the witness bits before you restore, since after that they are set");
    expect(host_log_count("pci.reset", "it was none") == 1,
           "a reset that was none: refused, but it says \"%s\"", reason());
    expect_whole(device, "after a reset that was none");

    card_with(PCI_RESET_FLR);
    start();
    (void)!poll_until(was_reset);
    model_put(device, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
    expect(poll_until(NULL) == STATUS_DEVICE,
           "one of three witness bits came through the reset, and it was taken for a reset: a "
           "reset clears all of them, so one that is left is enough");

    card_with(PCI_RESET_FLR);
    start();
    (void)!poll_until(was_reset);
    model_writable(device, 0x10, 4, 0);
    expect(poll_until(NULL) == STATUS_DEVICE,
           "a BAR that does not take back what it held went unnoticed: somebody else's address may "
           "be in it now");

    card_with(PCI_RESET_BUS);
    struct model_function *other = card(RID(0, 1, 0, 1));
    struct pci_function *first = function, *second = add(other, OWNER_GUEST(0));
    struct pci_reset leading;
    start();
    leading = reset;
    function = second;
    start(); /* joins */
    struct pci_reset joined = reset;
    function = first;
    reset = leading;
    expect(poll_until(NULL) == STATUS_OK, "a bus reset of two functions failed: it says \"%s\"",
           reason());
    expect_whole(other, "the other function after the bus reset");
    model_put(other, 0x10, 4, BAR + 0x100000);
    function = second;
    reset = joined;
    status = poll_until(NULL);
    expect(status == STATUS_OK,
           "the second function of a bus reset was refused: the first one has brought it back, so "
           "in_reset is clear, and there is nothing to restore; it says \"%s\"",
           reason());
    expect(model_get(other, 0x10, 4) == BAR + 0x100000,
           "the second function of a bus reset got its registers twice: it was brought back with "
           "the first one (in_reset is clear), and what it has now is newer");
    other->dies_in_reset = true;
    reset = joined;
    expect(poll_until(NULL) == STATUS_TIMEOUT,
           "the second function of a bus reset was brought back with the first one and does not "
           "answer now, and it was taken for reset: ask answers() first, whoever restored it");
}
