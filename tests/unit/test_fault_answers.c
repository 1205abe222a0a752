/* SPDX-License-Identifier: MIT */
// Faults from the units' registers to a guest's policy, and what that does to the units.
// SOURCES: hypervisor/guest/faults.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/iommu/vtd_domain.c
// SOURCES: hypervisor/iommu/vtd_fault.c hypervisor/setup/iommu_init.c
// SOURCES: hypervisor/setup/iommu_enable.c hypervisor/iommu/vtd_interrupt.c
// SOURCES: hypervisor/iommu/vtd_queue.c hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c
// SOURCES: hypervisor/acpi/dmar.c hypervisor/acpi/table.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c
// SOURCES: tests/unit/model/vtd_model_queue.c tests/unit/model/vtd_model_walk.c
// SOURCES: tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/iommu_quirks.c
#include <string.h>

#include "hypervisor/assign/assignment.h"
#include "hypervisor/guest/faults.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define ROGUE     RID(0, 1, 0x10, 0)
#define NEIGHBOUR RID(0, 1, 0x10, 2)
#define RECORDS   8

static struct config_guest config;
static struct guest guest, other;
static struct assignment device;
static struct pci_function *rogue, *neighbour;
static struct vtd_model *unit;
static unsigned stops, disabled, storm;

struct pci_function *pci_function_find(rid_t rid)
{
    return rid == ROGUE ? rogue : rid == NEIGHBOUR ? neighbour : NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return owner == guest.owner ? &guest : owner == other.owner ? &other : NULL;
}

void assignment_silence(struct assignment *of)
{
    of->function->life = PCI_SILENCED;
    iommu_fault_reporting(of->function, false);
    disabled++;
}

/* As long as a core takes to stop, others are served: one gives its device back, which invalidates
 * on this very unit; the devices go on faulting, and the control loop looks for faults again. */
enum status guest_stop(struct guest *stopping, const char *reason)
{
    assert_ptr_equal(stopping, &guest);
    guest.state = GUEST_STOPPING;
    stops++;
    assert_int_equal(iommu_disconnect(neighbour, &other.domain), STATUS_OK);
    assert_int_equal(iommu_connect(neighbour, &other.domain), STATUS_OK);
    for (unsigned i = 0; i < storm; i++)
        (void)vtd_model_dma(unit, NEIGHBOUR, GIB(4) + i * PAGE_SIZE, true);
    host_clock_advance(1000000);
    faults_answer();
    assert_int_equal(iommu_disconnect(rogue, &guest.domain), STATUS_OK);
    return STATUS_OK;
}

static int fresh(void **state)
{
    unit = machine_simple(MODEL_CAP | MODEL_CAP_NFR(RECORDS), MODEL_ECAP);
    rogue = machine_function(ROGUE, NULL);
    neighbour = machine_function(NEIGHBOUR, NULL);
    rogue->owner = OWNER_GUEST(0);
    rogue->life = PCI_USED;
    neighbour->owner = OWNER_GUEST(1);
    config = (struct config_guest){.fault_threshold = 3, .fault_action = FAULT_STOP_GUEST};
    static struct config_guest others = {.fault_threshold = 1, .fault_action = FAULT_LOG};
    device = (struct assignment){.guest = &guest, .function = rogue};
    guest = (struct guest){.name = "rogue",
                           .owner = OWNER_GUEST(0),
                           .config = &config,
                           .state = GUEST_RUNNING,
                           .assignment_count = 1,
                           .assignments = {&device}};
    other = (struct guest){.name = "other", .owner = OWNER_GUEST(1), .config = &others};
    assert_int_equal(iommu_domain_create(&guest.domain, guest.owner), STATUS_OK);
    assert_int_equal(iommu_domain_create(&other.domain, other.owner), STATUS_OK);
    assert_int_equal(iommu_connect(rogue, &guest.domain), STATUS_OK);
    assert_int_equal(iommu_connect(neighbour, &other.domain), STATUS_OK);
    stops = disabled = storm = 0;
    host_log_clear();
    return 0;
}

static void turn(void)
{
    host_clock_advance(1000000);
    faults_answer();
}

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static void rogues_faults(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        (void)vtd_model_dma(unit, ROGUE, GIB(1) + i * PAGE_SIZE, true);
}

/* Each record is answered once: those before the stop, those behind it, those that come in it. */
static void a_stop_may_use_the_unit_that_reported(void **state)
{
    storm = 3;
    rogues_faults(5);
    turn();
    assert_int_equal(stops, 1);
    assert_int_equal(disabled, 1);
    assert_int_equal(host_log_count("dma.fault", "guest=rogue"), 5);
    turn();
    assert_int_equal(guest.faults, 5);
    assert_int_equal(other.faults, 3);
    assert_int_equal(host_log_count("dma.fault", "guest=other"), 3);
    assert_int_equal(stops, 1);
    assert_null(iommu_domain_of(ROGUE));
    assert_false(vtd_model_dma(unit, ROGUE, 0, false).allowed);
    assert_sound();
}

/* More than the registers hold comes during the stop: what is lost is said, and nothing stays off.
 */
static void a_storm_during_a_stop_ends(void **state)
{
    storm = 100;
    rogues_faults(RECORDS);
    turn();
    turn();
    turn();
    assert_int_equal(stops, 1);
    assert_int_equal(guest.faults, RECORDS);
    assert_true(other.faults >= 3 && other.faults <= 2 * RECORDS);
    assert_int_equal(unit->fsts & VTD_FSTS_PFO, 0);
    unsigned before = (unsigned)other.faults;
    (void)vtd_model_dma(unit, NEIGHBOUR, GIB(2), true);
    turn();
    assert_int_equal(other.faults, before + 1);
    assert_sound();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_stop_may_use_the_unit_that_reported, fresh),
        cmocka_unit_test_setup(a_storm_during_a_stop_ends, fresh),
    };
    return cmocka_run_group_tests_name("fault_answers", tests, NULL, NULL);
}
