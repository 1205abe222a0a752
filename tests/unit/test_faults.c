/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/guest/faults.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/string.c
/* What is done about faults: whose they are, when a policy acts, and how much of it is logged. */
#include <string.h>

#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/faults.h"
#include "tests/unit/support/host.h"

#define OURS    RID(0, 1, 0x10, 0)
#define SECOND  RID(0, 1, 0x10, 2)
#define NOBODYS RID(0, 0, 0x1f, 2)
#define UNKNOWN RID(2, 7, 0, 0)

static struct config_guest config;
static struct guest guest;
static struct pci_function functions[3];
static struct assignment devices[2];
static unsigned disabled, stopped;
static enum status stop_status;

struct pci_function *pci_function_find(rid_t rid)
{
    for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
        if (functions[i].rid == rid)
            return &functions[i];
    return NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return owner == OWNER_GUEST(4) ? &guest : NULL;
}

void assignment_silence(struct assignment *device)
{
    assert_int_not_equal(device->function->life, PCI_SILENCED);
    device->function->life = PCI_SILENCED;
    disabled++;
}

enum status guest_stop(struct guest *stopping, const char *reason)
{
    assert_ptr_equal(stopping, &guest);
    assert_string_equal(reason, "dma-faults");
    assert_int_equal(guest.state, GUEST_RUNNING);
    guest.state = stop_status == STATUS_OK ? GUEST_STOPPING : GUEST_LOST;
    stopped++;
    return stop_status;
}

static unsigned waiting;

bool iommu_fault_next(struct iommu_fault *fault)
{
    *fault = (struct iommu_fault){.rid = OURS, .address = waiting * PAGE_SIZE, .reason = 5};
    return waiting != 0 && waiting-- != 0;
}

const char *iommu_fault_reason(uint8_t reason)
{
    return reason == 2 ? "no context entry" : "not mapped";
}

static int fresh(void **state)
{
    config = (struct config_guest){.fault_threshold = 3, .fault_action = FAULT_DISABLE_DEVICE};
    guest = (struct guest){.name = "alpha",
                           .config = &config,
                           .state = GUEST_RUNNING,
                           .assignment_count = 2,
                           .assignments = {&devices[0], &devices[1]}};
    functions[0] = (struct pci_function){.rid = OURS, .owner = OWNER_GUEST(4), .life = PCI_USED};
    functions[1] = (struct pci_function){.rid = SECOND, .owner = OWNER_GUEST(4), .life = PCI_USED};
    functions[2] = (struct pci_function){.rid = NOBODYS, .owner = OWNER_NOBODY};
    for (unsigned i = 0; i < 2; i++)
        devices[i] = (struct assignment){.guest = &guest, .function = &functions[i]};
    disabled = stopped = 0;
    stop_status = STATUS_OK;
    host_log_clear();
    return 0;
}

static void fault(rid_t rid)
{
    const struct iommu_fault one = {.rid = rid, .address = 0x12345000, .write = true, .reason = 5};
    fault_answer(&one);
}

static void test_what_is_logged(void **state)
{
    fault_answer(&(struct iommu_fault){
        .rid = OURS, .address = 0xfee00000, .write = false, .reason = 5, .overflow = true});
    assert_string_equal(host_log_text(),
                        "dma.fault rid=01:10.0 guest=alpha address=0xfee00000 access=read "
                        "reason=0x5 action=log message=\"not mapped\" lost=yes\n");
    host_log_clear();
    fault_answer(
        &(struct iommu_fault){.rid = OURS, .address = 17, .interrupt = true, .reason = 0x22});
    assert_string_equal(host_log_text(), "irq.fault rid=01:10.0 index=17 guest=alpha reason=0x22 "
                                         "action=log message=\"not mapped\"\n");
    host_log_clear();
    fault_answer(
        &(struct iommu_fault){.rid = UNKNOWN, .address = 0x1000, .write = true, .reason = 2});
    assert_string_equal(host_log_text(),
                        "dma.fault rid=0002:07:00.0 guest=- address=0x1000 access=write reason=0x2 "
                        "action=log message=\"no context entry\"\n");
}

static void test_disable_at_the_threshold(void **state)
{
    fault(OURS);
    fault(SECOND); /* a guest's devices count together */
    assert_int_equal(disabled, 0);
    fault(OURS);
    assert_int_equal(disabled, 1);
    assert_int_equal(functions[0].life, PCI_SILENCED);
    assert_int_equal(functions[1].life, PCI_USED);
    assert_int_equal(host_log_count("dma.fault", "action=disable-device"), 1);
    /* Records that were in flight change nothing; another device of it goes at once. */
    fault(OURS);
    assert_int_equal(disabled, 1);
    fault(SECOND);
    assert_int_equal(disabled, 2);
    assert_int_equal(host_log_count("dma.fault", "action=disable-device"), 2);
    assert_int_equal(guest.faults, 5);
    assert_int_equal(stopped, 0);
    assert_int_equal(guest.state, GUEST_RUNNING);
}

static void test_log_only(void **state)
{
    config.fault_action = FAULT_LOG;
    for (unsigned i = 0; i < 50; i++)
        fault(OURS);
    assert_int_equal(disabled + stopped, 0);
    assert_int_equal(host_log_count("dma.fault", "action=log"), 50);
    assert_int_equal(guest.faults, 50);
}

static void test_stop(void **state)
{
    config.fault_action = FAULT_STOP_GUEST;
    fault(OURS);
    fault(OURS);
    assert_int_equal(stopped, 0);
    fault(OURS);
    assert_int_equal(disabled, 1); /* the device first: the core may take its time */
    assert_int_equal(stopped, 1);
    assert_int_equal(host_log_count("dma.fault", "action=stop-guest"), 1);
    fault(OURS);
    fault(SECOND);
    assert_int_equal(stopped, 1);
}

static void test_a_guest_that_does_not_stop(void **state)
{
    config.fault_action = FAULT_STOP_GUEST;
    config.fault_threshold = 1;
    stop_status = STATUS_TIMEOUT;
    fault(OURS);
    assert_int_equal(host_log_count("guest.stop_failed", "name=alpha"), 1);
    assert_int_equal(functions[0].life, PCI_SILENCED);
}

static void test_nobodys_faults_harm_nobody(void **state)
{
    config.fault_threshold = 1;
    const uint64_t before = fault_total();
    fault(NOBODYS);
    fault(UNKNOWN);
    assert_int_equal(fault_total() - before, 2);
    assert_int_equal(guest.faults, 0);
    assert_int_equal(disabled, 0);
    assert_string_equal(fault_record(0)->guest, "-");
    /* A function of the guest that is not a device of it (yet). */
    guest.assignment_count = 0;
    fault(OURS);
    assert_int_equal(guest.faults, 1);
    assert_int_equal(disabled, 0);
}

static void test_all_of_a_pass_are_answered(void **state)
{
    config.fault_action = FAULT_LOG;
    waiting = 5;
    faults_answer();
    assert_int_equal(guest.faults, 5);
    assert_int_equal(host_log_count("dma.fault", "action=log"), 5);
    faults_answer();
    assert_int_equal(guest.faults, 5);
}

static void test_a_flood_is_logged_by_powers_of_two(void **state)
{
    config.fault_action = FAULT_LOG;
    for (unsigned i = 0; i < 100000; i++)
        fault(OURS);
    /* 64 alone, then 128, 256, ... 65536. */
    assert_int_equal(host_log_count("dma.fault", NULL), 64 + 10);
    assert_int_equal(guest.faults, 100000);
}

/* A policy that acts in the middle of a flood is always said. */
static void test_late_thresholds_are_logged(void **state)
{
    config.fault_threshold = 1000;
    for (unsigned i = 0; i < 2000; i++)
        fault(OURS);
    assert_int_equal(disabled, 1);
    assert_int_equal(host_log_count("dma.fault", "action=disable-device"), 1);
}

static void test_records(void **state)
{
    for (unsigned i = 0; i < 100; i++)
        fault_answer(&(struct iommu_fault){.rid = i % 2 == 0 ? OURS : UNKNOWN, .address = i});
    for (unsigned i = 0; i < 64; i++) {
        const struct fault_record *record = fault_record(i);
        assert_non_null(record);
        assert_int_equal(record->fault.address, 99 - i);
        assert_string_equal(record->guest, i % 2 == 0 ? "-" : "alpha");
    }
    assert_null(fault_record(64));
    assert_null(fault_record(UINT32_MAX));
    assert_true(fault_record(0)->at_microseconds > fault_record(1)->at_microseconds);
}

static void test_no_records_yet(void **state)
{
    assert_int_equal(fault_total(), 0);
    assert_null(fault_record(0));
    fault(OURS);
    assert_non_null(fault_record(0));
    assert_null(fault_record(1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_no_records_yet), /* first: the records are for ever */
        TEST(test_what_is_logged),
        TEST(test_disable_at_the_threshold),
        TEST(test_log_only),
        TEST(test_stop),
        TEST(test_a_guest_that_does_not_stop),
        TEST(test_nobodys_faults_harm_nobody),
        TEST(test_all_of_a_pass_are_answered),
        TEST(test_a_flood_is_logged_by_powers_of_two),
        TEST(test_late_thresholds_are_logged),
        TEST(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
