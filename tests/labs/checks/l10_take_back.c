/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/assign/assignment.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/pci/life.c hypervisor/assign/assignment_check.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c
// SOURCES: hypervisor/setup/frames.c
/* L10, steps 6 and 7: a device is taken back from a guest. */
#include "tests/labs/checks/check.h"
#include "tests/labs/checks/order.h"
#include "tests/unit/support/host.h"

/* What the fixture asserts is noted, and said when the order has not explained it. */
static const char *noted, *noted_in;

static void note(const char *where, const char *what, bool wrong)
{
    if (wrong && noted == NULL) {
        noted = what;
        noted_in = where;
    }
}

#undef assert_false
#undef assert_int_equal
#define assert_false(value)    note(__func__, "not " #value, (value))
#define assert_int_equal(a, b) note(__func__, #a " == " #b, (uint64_t)(a) != (uint64_t)(b))
#include "tests/unit/support/device_fixture.h"

static const char *const rules[][2] = {
    {"master off", "until bus mastering is off the function sends requests, and a reset would cut "
                   "them in two (PCIe 6.6.2)"},
    {"msix off", "its interrupt entries go before the reset, or a message on its way reaches "
                 "whoever gets the vector next"},
    {"reset start", "nothing is reset before requests and interrupts have been stopped, and "
                    "nothing is given on without a reset"},
    {"detach", "the context entry goes in any case, or the function reaches the guest's memory "
               "after somebody else has it (I6)"},
    {"vf reset", "the PF's driver puts the VF's queues and filters away when its context entry is "
                 "gone, in any case"},
    {"vf release", "a driver that has vf_release() gets that, and not a vf_reset()"},
    {"faults off", "a function that is kept back is silenced (keep_back())"},
};

/* Compares the trace and empties it. */
static void expect_order(const char *call, const char *wanted)
{
    if (strcmp(trace, wanted) != 0) {
        const char *at = first_difference(wanted, trace);
        const char *why = "nothing more is to be done here";
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
            if (same_item(rules[i][0], at))
                why = rules[i][1];
        is_wrong("%s: wanted [%s], got [%s]; %.*s%s%s", call, wanted, trace, (int)strcspn(at, ","),
                 at, what_became_of(at, trace), why);
    }
    expect(noted == NULL, "%s: %s() was called and found that this does not hold: %s", call,
           noted_in, noted);
    trace[0] = '\0';
}

static void release(struct pf_device *of, uint16_t vf)
{
    step("vf release");
}

static void connected_vf(bool with_driver)
{
    static bool before;
    if (before)
        (void)!done(NULL);
    before = true;
    fresh(NULL);
    driver.vf_release = NULL;
    function.is_vf = with_driver;
    function.vf_index = 5;
    function.life = PCI_CLEAN;
    noted = NULL;
    expect(assign(0) == STATUS_OK && assignment_connect(&device) == STATUS_OK,
           "the device does not reach its guest at all");
    trace[0] = '\0';
    master = true;
    noted = NULL;
}

static void quiesce(void)
{
    asking("assignment_quiesce()");
    assignment_quiesce(&device);
}

static void quiet(void)
{
    for (unsigned looks = 0; !assignment_quiet(&device); looks++) {
        expect(looks < 1000, "assignment_quiet() never becomes true: assignment_quiesce() left "
                             "reset_status BUSY though no reset goes on");
        host_clock_advance(1000);
    }
}

static void quiesced(bool with_driver)
{
    connected_vf(with_driver);
    quiesce();
    quiet();
    trace[0] = '\0';
    host_log_clear();
}

static void stops(void)
{
    connected_vf(true);
    quiesce();
    expect_order("assignment_quiesce()", "master off, msix off, reset start");
    expect(function.life == PCI_RESETTING,
           "assignment_quiesce(): the function's life is not RESETTING: assignment_disconnect() "
           "would not know that it was in use");
    expect(device.reset_status == STATUS_BUSY,
           "assignment_quiesce(): reset_status is %s; STATUS_BUSY says that the reset goes on, and "
           "anything else that it is over, 100 ms too early",
           status_name(device.reset_status));
    quiesce();
    expect_order("assignment_quiesce() a second time", "");
    quiet();
    trace[0] = '\0';
    connected_vf(true);
    function.life = PCI_CLEAN;
    quiesce();
    expect_order("assignment_quiesce() of a function that is not in use", "");
    function.life = PCI_SILENCED;
    quiesce();
    expect_order("assignment_quiesce() of a silenced function, which is still its guest's "
                 "(pci_in_use())",
                 "master off, msix off, reset start");
    quiet();
    trace[0] = '\0';
    connected_vf(true);
    failing = "reset start";
    failure = STATUS_UNSUPPORTED;
    quiesce();
    expect(device.reset_status == STATUS_UNSUPPORTED,
           "pci_reset_start() says unsupported, and reset_status is %s: the function would be "
           "taken for reset, or waited for",
           status_name(device.reset_status));
    connected_vf(true);
    failing = "reset start";
    failure = STATUS_BUSY;
    quiesce();
    expect(device.reset_status != STATUS_BUSY,
           "pci_reset_start() refuses with busy, and reset_status says that the reset goes on: "
           "assignment_quiet() would poll a reset that was never begun");
}

static enum status disconnect(void)
{
    asking("assignment_disconnect()");
    return assignment_disconnect(&device);
}

static void takes_back(void)
{
    quiesced(true);
    enum status status = disconnect();
    expect_order("assignment_disconnect()", "detach, vf reset");
    expect(status == STATUS_OK && function.life == PCI_CLEAN,
           "after reset and detach went well: %s, and the function is %s; the next guest gets only "
           "what is clean",
           status_name(status), function.life == PCI_CLEAN ? "clean" : "not clean");
    expect(disconnect() == STATUS_OK,
           "a function that is not connected was refused: there is nothing to take back");
    expect_order("assignment_disconnect() a second time", "");
    quiesced(false);
    status = disconnect();
    expect_order("assignment_disconnect() of a function without a PF", "detach");
    quiesced(true);
    driver.vf_release = release;
    status = disconnect();
    expect_order("assignment_disconnect() with a driver that has vf_release()",
                 "detach, vf release");
    connected_vf(true);
    status = disconnect();
    expect_order("assignment_disconnect() of a function in use, which nobody has stopped and reset",
                 "");
    expect(status == STATUS_DENIED,
           "a function in use, which nobody has stopped and reset, was taken back: %s instead of "
           "denied; assignment_quiesce() comes first",
           status_name(status));
}

static void keeps_back(void)
{
    static const char kept[] = "detach, vf reset, master off, faults off";
    quiesced(true);
    device.reset_status = STATUS_DEVICE;
    enum status status = disconnect();
    expect_order("assignment_disconnect() after a reset that failed", kept);
    expect(status == STATUS_DEVICE,
           "the reset failed, and assignment_disconnect() says %s: it "
           "would go to the next guest with what is left in it",
           status_name(status));
    expect(function.life == PCI_UNUSABLE,
           "the reset failed, and the unit let go: the function is UNUSABLE, and nothing else, "
           "since the guest's memory can be used again");
    expect(host_log_count("device.reset_failed", "status=device") == 1,
           "the reset failed, and no device.reset_failed says so");

    quiesced(true);
    failing = "detach";
    failure = STATUS_TIMEOUT;
    status = disconnect();
    expect_order("assignment_disconnect() when the unit does not confirm", kept);
    expect(status == STATUS_TIMEOUT,
           "the unit did not confirm, and assignment_disconnect() says %s: the guest's memory "
           "would be given away while the function may still reach it",
           status_name(status));
    expect(pci_connected(&function),
           "the unit did not confirm, and the function counts as not connected: the guest's memory "
           "would be given away while the function may still reach it; keep it UNCONFIRMED");
    expect(host_log_count("device.detach_failed", "status=timeout") == 1,
           "the unit did not confirm, and no device.detach_failed says so");

    quiesced(true);
    device.reset_status = STATUS_DEVICE;
    failing = "detach";
    status = disconnect();
    expect(pci_connected(&function),
           "reset and detach failed, and the function counts as not connected: UNUSABLE is less "
           "than UNCONFIRMED, and its state does not go back");
    expect(status == STATUS_DEVICE || status == STATUS_TIMEOUT,
           "reset and detach failed, and assignment_disconnect() says %s", status_name(status));
}

void lab_check(void)
{
    stops();
    takes_back();
    keeps_back();
}
