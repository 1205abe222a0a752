/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/guest/move.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c hypervisor/pci/life.c
/* Moving a function: in the order of invariant I6, and what becomes of it when something fails. */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/log.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/move.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/support/host.h"

static struct guest alpha, beta;
static struct assignment *device;
static struct pci_function function = {.rid = RID(0, 1, 0x10, 0), .life = PCI_USED};
static struct pf_device pf;
static char order[512];
static bool ready, add_fails[2]; /* for alpha, beta */
static enum status detach_status, attach_status, hold_status, check, unmap_status;
static unsigned unmaps_left; /* until unmap_status is the answer */
static bool entry_stays;     /* of an attachment that fails */

static void note(const char *what, const struct guest *guest)
{
    assert_true(strlen(order) + 40 < sizeof order);
    if (order[0] != '\0')
        strcat(order, " ");
    strcat(order, what);
    if (guest != NULL) {
        strcat(order, ":");
        strcat(order, guest->name);
    }
}

enum status guest_hold(struct guest *guest)
{
    note("hold", guest);
    if (hold_status == STATUS_OK)
        guest->holds++;
    return hold_status;
}

void guest_release(struct guest *guest)
{
    note("release", guest);
    assert_int_not_equal(guest->holds, 0);
    guest->holds--;
}

const char assignment_unusable[] = "unusable";

enum status assignment_refuse(const struct guest *guest, const struct pci_function *refused,
                              enum status status, const char *message)
{
    log_event("device.refused", "guest=%s message=\"%s\"", guest->name, message);
    return status;
}

/* assignment_check.c's own tests have the rest of it. */
enum status assignment_check(const struct guest *guest, const struct pci_function *checked,
                             bool moved)
{
    assert_true(moved && checked == &function);
    return pci_unusable(checked) ? STATUS_DENIED : check;
}

void assignment_quiesce(struct assignment *detached)
{
    note("silence", NULL);
    if (pci_connected(&function))
        function.life = PCI_RESETTING;
}

bool assignment_quiet(struct assignment *detached)
{
    return ready;
}

enum status assignment_disconnect(struct assignment *detached)
{
    note("detach", NULL);
    function.life = detach_status == STATUS_OK        ? PCI_CLEAN
                    : detach_status == STATUS_TIMEOUT ? PCI_UNCONFIRMED
                                                      : PCI_UNUSABLE;
    return detach_status;
}

enum status assignment_unmap(struct assignment *unmapped)
{
    note("unmap", unmapped->guest);
    assert_true(unmapped->guest->state != GUEST_RUNNING || unmapped->guest->holds != 0);
    return unmaps_left != 0 && unmaps_left-- != 0 ? STATUS_OK : unmap_status;
}

void assignment_unclaim(struct assignment *released)
{
    note("release-frames", released->guest);
}

enum status assignment_add(struct guest *guest, struct assignment *added,
                           struct pci_function *moved, struct pf_device *its_pf)
{
    note("add", guest);
    assert_ptr_equal(moved, &function);
    assert_ptr_equal(its_pf, &pf);
    assert_int_equal(added->bars[0].size, 0); /* nothing of the former owner's view */
    assert_true(guest->state != GUEST_RUNNING || guest->holds != 0);
    if (add_fails[guest == &beta])
        return STATUS_NO_MEMORY;
    added->guest = guest;
    added->slot = 1;
    guest->assignments[guest->assignment_count++] = added;
    return STATUS_OK;
}

enum status assignment_connect(struct assignment *attached)
{
    note("attach", attached->guest);
    if (attach_status == STATUS_OK)
        function.life = PCI_USED;
    else if (entry_stays)
        function.life = PCI_UNCONFIRMED;
    return attach_status;
}

void guests_changed(void)
{
}

void assignment_silence(struct assignment *disabled)
{
    note("disable", NULL);
}

static int fresh(void **state)
{
    function = (struct pci_function){.rid = RID(0, 1, 0x10, 0), .life = PCI_USED};
    alpha = (struct guest){.name = "alpha", .state = GUEST_RUNNING};
    beta = (struct guest){.name = "beta", .index = 1, .state = GUEST_RUNNING};
    device = pages_allocate(1);
    assert_non_null(device);
    *device = (struct assignment){.guest = &alpha, .function = &function, .pf = &pf, .slot = 1};
    device->bars[0] = (struct guest_bar){.guest_base = GUEST_BAR_BASE, .size = 0x4000};
    alpha.assignments[alpha.assignment_count++] = device;
    order[0] = '\0';
    ready = false;
    add_fails[0] = add_fails[1] = false;
    detach_status = attach_status = hold_status = check = unmap_status = STATUS_OK;
    unmaps_left = 0;
    entry_stays = false;
    host_log_clear();
    return 0;
}

/* Nothing may be left of a move for the next test. */
static int done(void **state)
{
    ready = true;
    guest_move_service();
    if (alpha.assignment_count + beta.assignment_count != 0)
        pages_free(device, 1);
    return 0;
}

static void test_between_running_guests(void **state)
{
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    assert_int_equal(guest_move(device, &beta), STATUS_BUSY); /* one at a time */
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence"); /* it is being reset */
    ready = true;
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence detach unmap:alpha release-frames:alpha "
                               "release:alpha hold:beta add:beta attach:beta release:beta");
    assert_int_equal(alpha.assignment_count, 0);
    assert_ptr_equal(beta.assignments[0], device);
    assert_int_equal(alpha.bar_windows[0].pulled_end, GUEST_BAR_BASE + 0x4000);
    assert_int_equal(host_log_count("device.moved", "rid=01:10.0 from=alpha to=beta"), 1);
    guest_move_service();
    assert_int_equal(host_log_count("device.moved", NULL), 1);
}

static void test_between_stopped_guests(void **state)
{
    alpha.state = GUEST_STOPPED;
    beta.state = GUEST_CREATED;
    function.life = PCI_CLEAN;
    ready = true;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    guest_move_service();
    assert_string_equal(order, "silence detach unmap:alpha release-frames:alpha add:beta");
    assert_int_equal(host_log_count("device.moved", NULL), 1);
}

static void test_refusals_change_nothing(void **state)
{
    static const enum guest_state states[] = {GUEST_EMPTY, GUEST_STOPPING, GUEST_REFUSED};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        beta.state = states[i];
        assert_int_equal(guest_move(device, &beta), STATUS_BUSY);
        beta.state = GUEST_RUNNING;
        alpha.state = states[i];
        assert_int_equal(guest_move(device, &beta), STATUS_BUSY);
        alpha.state = GUEST_RUNNING;
    }
    beta.assignment_count = GUEST_MAX_FUNCTIONS;
    assert_int_equal(guest_move(device, &beta), STATUS_FULL);
    beta.assignment_count = 0;
    check = STATUS_DENIED;
    assert_int_equal(guest_move(device, &beta), STATUS_DENIED);
    assert_string_equal(order, "");
    check = STATUS_OK;
    hold_status = STATUS_TIMEOUT;
    assert_int_equal(guest_move(device, &beta), STATUS_TIMEOUT);
    assert_string_equal(order, "hold:alpha");
    ready = true;
    guest_move_service();
    assert_true(pci_connected(&function));
}

/* The former owner ends meanwhile: its own end takes the device back first. */
static void test_the_former_owner_ends(void **state)
{
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    alpha.state = GUEST_STOPPING;
    ready = true;
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence");
    alpha.state = GUEST_STOPPED;
    guest_move_service();
    assert_int_equal(host_log_count("device.moved", NULL), 1);
    assert_int_equal(alpha.holds, 0);
}

static void test_the_former_owner_is_lost(void **state)
{
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    alpha.state = GUEST_LOST;
    ready = true;
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence release:alpha");
    assert_int_equal(host_log_count("device.move_failed", "status=denied"), 1);
    assert_int_equal(beta.assignment_count, 0);
}

static void test_a_function_that_does_not_let_go(void **state)
{
    detach_status = STATUS_TIMEOUT;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    ready = true;
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence detach release:alpha");
    assert_int_equal(host_log_count("device.move_failed", NULL), 1);
    assert_int_equal(alpha.assignment_count, 1);
}

/* Its reset failed: its former owner loses it, and nobody else gets it. */
static void test_a_function_that_cannot_be_reset(void **state)
{
    detach_status = STATUS_DEVICE;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    ready = true;
    guest_move_service();
    assert_string_equal(order, "hold:alpha silence detach unmap:alpha release-frames:alpha "
                               "release:alpha");
    assert_int_equal(host_log_count("device.move_failed", "until a reboot"), 1);
    assert_int_equal(alpha.assignment_count + beta.assignment_count, 0);
}

static void test_an_unusable_function_stays_where_it_is(void **state)
{
    function.life = PCI_UNUSABLE;
    assert_int_equal(guest_move(device, &beta), STATUS_DENIED);
    assert_string_equal(order, "");
    static struct pci_function lost = {.life = PCI_LOST};
    function.life = PCI_USED;
    function.pf = &lost;
    assert_int_equal(guest_move(device, &beta), STATUS_DENIED);
    assert_string_equal(order, "");
}

/* Guests that could not run with it are refused by name. */
static void test_a_guest_that_cannot_have_it(void **state)
{
    beta.quarantined = true;
    assert_int_equal(guest_move(device, &beta), STATUS_DENIED);
    beta.quarantined = false;
    beta.state = GUEST_LOST;
    assert_int_equal(guest_move(device, &beta), STATUS_DENIED);
    assert_int_equal(host_log_count("device.refused", "guest=beta message=\"the guest is quarant"),
                     1);
    assert_int_equal(host_log_count("device.refused", "guest=beta message=\"the guest is lost"), 1);
    assert_string_equal(order, "");
}

static void test_both_guests_take_part(void **state)
{
    assert_false(guest_moving(&alpha) || guest_moving(&beta));
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    assert_true(guest_moving(&alpha) && guest_moving(&beta));
    ready = true;
    guest_move_service();
    assert_false(guest_moving(&alpha) || guest_moving(&beta));
}

static void test_it_goes_back(void **state)
{
    add_fails[1] = true;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    ready = true;
    guest_move_service();
    assert_ptr_equal(alpha.assignments[0], device);
    assert_true(pci_connected(&function));
    assert_int_equal(beta.assignment_count + beta.holds + alpha.holds, 0);
    assert_int_equal(host_log_count("device.move_failed", "former owner has it again"), 1);
}

static void test_nobody_can_take_it(void **state)
{
    add_fails[0] = add_fails[1] = true;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    ready = true;
    guest_move_service();
    assert_int_equal(alpha.assignment_count + beta.assignment_count, 0);
    assert_int_equal(alpha.holds + beta.holds, 0);
    assert_int_equal(host_log_count("device.move_failed", "until a reboot"), 1);
}

static void test_it_cannot_be_attached(void **state)
{
    attach_status = STATUS_TIMEOUT;
    assert_int_equal(guest_move(device, &beta), STATUS_OK);
    ready = true;
    guest_move_service();
    assert_int_equal(alpha.assignment_count + beta.assignment_count, 0);
    assert_int_equal(host_log_count("device.move_failed", NULL), 1);
}

/* What cannot be taken out of the new guest again stays that guest's, off: the pages of the device
 * are its own then, and nobody else gets them. */
static void test_it_can_be_neither_attached_nor_taken_back(void **state)
{
    for (unsigned i = 0; i < 2; i++) {
        if (i != 0) {
            pages_free(device, 1);
            fresh(state);
        }
        attach_status = STATUS_TIMEOUT;
        entry_stays = i == 0; /* else its registers cannot be unmapped */
        unmaps_left = 1;
        unmap_status = STATUS_NO_MEMORY;
        assert_int_equal(guest_move(device, &beta), STATUS_OK);
        ready = true;
        guest_move_service();
        assert_int_equal(alpha.assignment_count, 0);
        assert_int_equal(beta.assignment_count, 1);
        assert_ptr_equal(beta.assignments[0], device);
        assert_ptr_equal(device->guest, &beta);
        assert_int_equal(pci_connected(&function), entry_stays);
        assert_non_null(strstr(order, "attach:beta"));
        assert_non_null(strstr(order, "disable release:beta"));
        assert_int_equal(host_log_count("device.move_failed", "could not be taken back"), 1);
        assert_int_equal(alpha.holds + beta.holds, 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        TEST(test_between_running_guests),
        TEST(test_between_stopped_guests),
        TEST(test_refusals_change_nothing),
        TEST(test_the_former_owner_ends),
        TEST(test_the_former_owner_is_lost),
        TEST(test_a_function_that_does_not_let_go),
        TEST(test_a_function_that_cannot_be_reset),
        TEST(test_an_unusable_function_stays_where_it_is),
        TEST(test_both_guests_take_part),
        TEST(test_it_goes_back),
        TEST(test_nobody_can_take_it),
        TEST(test_it_cannot_be_attached),
        TEST(test_it_can_be_neither_attached_nor_taken_back),
        TEST(test_a_guest_that_cannot_have_it),
    };
    return cmocka_run_group_tests_name("moving functions", tests, NULL, NULL);
}
