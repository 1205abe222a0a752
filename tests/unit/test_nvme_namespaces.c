/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/nvme/nvme.c drivers/nvme/nvme_admin.c drivers/nvme/nvme_secondary.c
// SOURCES: hypervisor/pci/life.c
// SOURCES: drivers/nvme/nvme_namespaces.c drivers/nvme/nvme_controller.c
// SOURCES: drivers/nvme/setup/nvme_start.c drivers/nvme/setup/nvme_open.c
// SOURCES: drivers/nvme/setup/nvme_shares.c drivers/nvme/setup/nvme_check.c
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/audit/audit_pf.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: hypervisor/iommu/pf_dma_setup.c
/* Guests whose controllers carry out Namespace Attachment: whatever they attach to whom, each
 * namespace is its owner's again at the next look, and nobody pays for what others did. */
#include "hypervisor/base/log.h"
#include "hypervisor/audit/audit_internal.h"
#include "tests/unit/support/nvme_model.h"

struct pf_device *pf_device_at(uint32_t index)
{
    return index == 0 && device.function != NULL ? &device : NULL;
}

void audit_violation(struct audit *audit, const char *invariant, struct audit_subject subject,
                     uint64_t where, uint64_t value, const char *message)
{
    assert_true(subject.unknown && subject.rid == pf->function.rid);
    audit->findings.violations++;
    log_event("audit.violation", "invariant=%s where=%#llx value=%#llx message=\"%s\"", invariant,
              (unsigned long long)where, (unsigned long long)value, message);
}

/* VF n has namespace n + 1 and nothing else; what is nobody's is attached to nobody. */
/* The audit's look at SR-IOV is no concern of the controller's. */
bool pci_sriov_holds(const struct pci_function *pf)
{
    return true;
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    return 0;
}

static void expect_order(unsigned vfs)
{
    for (uint32_t namespace = 1; namespace <= model.namespaces; namespace ++) {
        bool owned = namespace <= vfs && model.secondary[namespace - 1].online;
        assert_int_equal(attachments(namespace), owned);
        if (owned)
            assert_true(model.attached[namespace][FIRST + namespace - 1]);
    }
}

static void a_victim_is_not_punished_for_what_was_given_to_it(void **state)
{
    model.shared = true;
    start(2);
    unsigned before = model.secondary[0].resets;
    model.attached[2][FIRST] = true; /* VF 1 attaches its own namespace to VF 0's controller */
    look();
    expect_order(2);
    assert_true(model.secondary[0].online && model.secondary[1].online);
    assert_int_equal(model.secondary[0].resets, before);
    assert_int_equal(
        host_log_count("nvme.corrected", "namespace=2 owner=6 detached=5 attached=- status=ok"), 1);
    assert_int_equal(host_log_count("nvme.corrected", NULL), 1);
    assert_int_equal(host_log_count("nvme.vf_failed", NULL), 0);
}

/* The victim keeps its namespace without a gap while the others lose it. */
static void never_without_its_own(const struct nvme_command *command)
{
    assert_true(model.attached[1][FIRST]);
}

static void an_owner_keeps_what_it_has(void **state)
{
    model.shared = true;
    start(3);
    model.attached[1][FIRST + 1] = model.attached[1][FIRST + 2] = model.attached[1][MODEL_ID] =
        true;
    wrong.meanwhile = never_without_its_own;
    look();
    expect_order(3);
    assert_int_equal(
        host_log_count("nvme.corrected", "namespace=1 owner=5 detached=2,6,7 attached=- status=ok"),
        1);
}

static void what_was_taken_away_comes_back(void **state)
{
    start(3);
    model.attached[1][FIRST] = false;
    model.attached[1][FIRST + 2] = true;
    look();
    expect_order(3);
    assert_int_equal(
        host_log_count("nvme.corrected", "namespace=1 owner=5 detached=7 attached=5 status=ok"), 1);
    for (unsigned vf = 0; vf < 3; vf++)
        assert_true(model.secondary[vf].online);
}

static void a_namespace_whose_vf_is_offline_is_watched_too(void **state)
{
    start(2);
    nvme_pf_driver.vf_release(&device, 0);
    model.attached[1][FIRST + 1] = true;
    look();
    expect_order(2);
    assert_true(model.secondary[1].online);
    assert_int_equal(host_log_count("nvme.corrected", "namespace=1 owner=- detached=6"), 1);
}

static void a_namespace_that_is_nobodys_is_watched_too(void **state)
{
    model.namespaces = 5;
    start(2);
    model.attached[4][FIRST + 1] = model.attached[5][FIRST] = true;
    look();
    expect_order(2);
    assert_int_equal(host_log_count("nvme.corrected", "namespace=4 owner=- detached=6"), 1);
    assert_int_equal(host_log_count("nvme.corrected", "namespace=5 owner=- detached=5"), 1);
}

/* Also what nobody has looked at since. */
static void a_successor_inherits_nothing(void **state)
{
    model.namespaces = 1100;
    model.shared = true;
    start(2);
    for (uint32_t namespace = 3; namespace <= 1100; namespace += 100)
        model.attached[namespace][FIRST + 1] = true;
    model.attached[1][FIRST + 1] = model.attached[1099][FIRST + 1] = true;
    nvme_pf_driver.vf_release(&device, 1);
    expect_order(2);
    assert_int_equal(host_log_count("nvme.corrected", "namespace=1099 owner=- detached=6"), 1);
    model.attached[700][FIRST + 1] = true;
    assert_int_equal(nvme_pf_driver.vf_reset(&device, 1), STATUS_OK);
    assert_true(model.secondary[1].online);
    expect_order(2);
}

/* More than one page of the list holds: at start, and in turn, sixteen a look. */
static void more_namespaces_than_a_page_lists(void **state)
{
    model.namespaces = 1100;
    model.attached[1050][FIRST] = model.attached[1100][FIRST + 1] = true;
    start(2);
    expect_order(2);
    model.attached[1024][FIRST] = model.attached[1025][FIRST + 1] = true;
    unsigned before = commands;
    look();
    assert_int_equal(commands - before, 17);
    for (unsigned i = 0; i < 1100 / 16; i++)
        look();
    expect_order(2);
    assert_int_equal(host_log_count("nvme.corrected", NULL), 2);
}

static void too_many_namespaces_are_refused(void **state)
{
    model.namespaces = 4097;
    assert_int_equal(nvme_pf_setup.start(&device, 2), STATUS_FULL);
    assert_int_equal(host_log_count("nvme.refused", "more than 4096"), 1);
    fresh(NULL);
    model.namespaces = 4096;
    start(2);
    /* A guest creates one: what cannot be looked through is not handed on. */
    model.namespaces = 4097;
    assert_int_equal(nvme_pf_driver.vf_reset(&device, 1), STATUS_FULL);
    assert_false(model.secondary[1].online);
    assert_int_equal(host_log_count("nvme.vf_failed", "vf=1"), 1);
}

static void corrections_do_not_flood_the_log(void **state)
{
    start(2);
    model.shared = true;
    for (unsigned i = 0; i < 100; i++) {
        model.attached[1][FIRST + 1] = true;
        look();
        expect_order(2);
    }
    assert_int_equal(host_log_count("nvme.corrected", NULL), 16 + 2); /* and at 32 and 64 */
}

/* A guest that is quicker: it changes the list between reading and command. */
static void changes_the_list(const struct nvme_command *command)
{
    if (command->opcode == NVME_NAMESPACE_ATTACHMENT && command->namespace == 1) {
        model.attached[1][FIRST + 1] = !model.attached[1][FIRST + 1];
        model.attached[1][FIRST + 2] = !model.attached[1][FIRST + 2];
    }
}

static void a_guest_that_keeps_changing_lists_does_not_end_the_device(void **state)
{
    start(3);
    model.shared = true;
    model.attached[1][FIRST + 1] = true;
    wrong.meanwhile = changes_the_list;
    for (unsigned i = 0; i < 40; i++)
        look();
    assert_false(pci_unusable(device.function));
    assert_true(model.attached[1][FIRST]);
    assert_true(host_log_count("nvme.command", NULL) <= 20);
    wrong.meanwhile = NULL;
    look();
    expect_order(3);
}

/* The owner's own controller attaches itself again before the driver does. */
static void attaches_itself(const struct nvme_command *command)
{
    if (command->opcode == NVME_NAMESPACE_ATTACHMENT && command->dword10 == NVME_ATTACH)
        model.attached[1][FIRST] = true;
}

static void an_owner_that_attaches_itself_does_not_end_the_device(void **state)
{
    start(2);
    wrong.meanwhile = attaches_itself;
    for (unsigned i = 0; i < 40; i++) {
        model.attached[1][FIRST] = false;
        look();
        expect_order(2);
    }
    assert_false(pci_unusable(device.function));
}

static unsigned violations(void)
{
    struct audit audit = {.findings = {.violations = 0}};
    audit_pf_devices(&audit);
    return audit.findings.violations;
}

/* A controller that takes 3 ms a command. */
static void is_slow(const struct nvme_command *command)
{
    host_clock_advance(MILLISECONDS(3));
}

static void a_slow_controller_does_not_hold_up_the_control_core(void **state)
{
    model.namespaces = 100;
    start(2);
    model.attached[90][FIRST] = true;
    wrong.meanwhile = is_slow;
    for (unsigned i = 0; i < 60; i++) {
        uint64_t before = clock_microseconds();
        look(); /* advances the clock by 50 ms itself */
        assert_true(clock_microseconds() - before <= MILLISECONDS(50 + 23 + 3));
    }
    expect_order(2); /* it was come to all the same */
    model.attached[90][FIRST] = true;
    unsigned found = 0;
    for (unsigned i = 0; i < 20 && found == 0; i++) {
        uint64_t before = clock_microseconds();
        found = violations();
        assert_true(clock_microseconds() - before <= MILLISECONDS(23 + 3));
    }
    assert_int_equal(found, 1);
}

/* At a start all of them must have been looked at: a VF for which that takes too long is refused.
 */
static void a_vf_is_refused_when_its_namespaces_take_too_long(void **state)
{
    model.namespaces = 1100;
    start(2);
    wrong.meanwhile = is_slow;
    uint64_t before = clock_microseconds();
    assert_int_equal(nvme_pf_driver.vf_reset(&device, 1), STATUS_TIMEOUT);
    assert_true(clock_microseconds() - before < MILLISECONDS(2100)); /* and once to take it back */
    assert_false(model.secondary[1].online);
    wrong.meanwhile = NULL;
    assert_int_equal(nvme_pf_driver.vf_reset(&device, 1), STATUS_OK);
    assert_true(model.secondary[1].online);
}

static void a_look_that_fails_now_and_then_is_no_matter(void **state)
{
    start(2);
    for (unsigned i = 0; i < 100; i++) {
        wrong.refuse = i % 8 == 0 ? NVME_IDENTIFY : -1;
        look();
    }
    assert_false(pci_unusable(device.function));
    wrong.refuse = NVME_IDENTIFY;
    for (unsigned i = 0; i < 16; i++)
        look();
    assert_true(pci_unusable(device.function));
}

/* By what the controller says when it is asked, whoever looked last. */
static void the_audit_names_what_is_planted(void **state)
{
    model.shared = true;
    model.namespaces = 1100;
    start(2);
    nvme_pf_driver.vf_release(&device, 1);
    assert_int_equal(violations(), 0);
    model.attached[1100][FIRST] = true; /* nobody's */
    model.attached[2][FIRST] = true;    /* of a VF that is offline */
    model.attached[1][MODEL_ID] = true; /* another has it, too */
    assert_int_equal(violations(), 3);
    assert_int_equal(host_log_count("audit.violation", "I7 where=0x44c value=0x5"), 1);
    assert_int_equal(host_log_count("audit.violation", "I7 where=0x2 value=0x5"), 1);
    assert_int_equal(host_log_count("audit.violation", "I7 where=0x1 value=0x2"), 1);
    model.attached[1][FIRST] = false;
    assert_int_equal(violations(), 4);
    assert_int_equal(host_log_count("audit.violation", "not attached to its owner's"), 1);
    assert_true(model.attached[1100][FIRST]); /* nothing is changed */
    for (unsigned i = 0; i < 1 + 1100 / 16; i++)
        look();
    assert_int_equal(violations(), 0);
}

static void the_audit_says_when_it_cannot_read(void **state)
{
    start(2);
    wrong.refuse = NVME_IDENTIFY;
    assert_int_equal(violations(), 1);
    assert_int_equal(host_log_count("audit.violation", "cannot be read"), 1);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_victim_is_not_punished_for_what_was_given_to_it),
        TEST(an_owner_keeps_what_it_has),
        TEST(what_was_taken_away_comes_back),
        TEST(a_namespace_whose_vf_is_offline_is_watched_too),
        TEST(a_namespace_that_is_nobodys_is_watched_too),
        TEST(a_successor_inherits_nothing),
        TEST(more_namespaces_than_a_page_lists),
        TEST(too_many_namespaces_are_refused),
        TEST(corrections_do_not_flood_the_log),
        TEST(a_guest_that_keeps_changing_lists_does_not_end_the_device),
        TEST(an_owner_that_attaches_itself_does_not_end_the_device),
        TEST(a_slow_controller_does_not_hold_up_the_control_core),
        TEST(a_vf_is_refused_when_its_namespaces_take_too_long),
        TEST(a_look_that_fails_now_and_then_is_no_matter),
        TEST(the_audit_names_what_is_planted),
        TEST(the_audit_says_when_it_cannot_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
