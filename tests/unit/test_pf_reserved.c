/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/iommu/pf_dma_test.c hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/setup/iommu_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/frames.c hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* A PF that is split although firmware keeps memory for it (RMRR): both get what they need, and the
 * table's bus numbers are firmware's. */
#include <string.h>

#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/iommu/vtd_reserved.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define UNIT UINT64_C(0xfed90000)
#define BASE MIB(100)
#define SIZE MIB(8)

static struct vtd_model *unit;
static struct pci_function *pf, *other;
static bool master;
static int bus_now;

struct pci_function *pci_function_at(size_t index)
{
    return index == 0 ? pf : index == 1 ? other : NULL;
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    if (function == pf)
        master = on;
}

int pci_bus_now(uint16_t segment, uint8_t bus)
{
    return bus == 1 ? bus_now : bus;
}

static bool reaches(uint64_t address)
{
    struct vtd_model_result read = vtd_model_dma(unit, (uint16_t)pf->rid, address, false);
    struct vtd_model_result write = vtd_model_dma(unit, (uint16_t)pf->rid, address, true);
    assert_int_equal(read.allowed, write.allowed);
    return read.allowed && read.physical == address;
}

static int fresh(void **state)
{
    static struct boot_info boot;
    boot = (struct boot_info){.range_count = 2,
                              .ranges = {{MIB(1), GIB(1), BOOT_MEMORY_USABLE, 0},
                                         {UNIT, PAGE_SIZE, BOOT_MEMORY_MMIO, 0}}};
    machine_reset();
    assert_int_equal(frames_init(&boot), STATUS_OK);
    memset(&vtd_reserved, 0, sizeof vtd_reserved);
    memset(pf_dma_slots, 0, sizeof pf_dma_slots);
    unit = vtd_model_add(UNIT, MODEL_CAP | MODEL_CAP_NFR(4), MODEL_ECAP);
    machine_drhd(0, true, UNIT);
    pf = machine_function(RID(0, 1, 0, 0), NULL);
    other = machine_function(RID(0, 0, 3, 0), NULL);
    pf->firmware_master = true;
    master = false;
    bus_now = 1;
    return 0;
}

static void reserve(uint64_t base, uint64_t size)
{
    machine_rmrr(0, base, base + size - 1);
    machine_scope(SCOPE_ENDPOINT, 1, "00.0");
}

/* As the hypervisor boots. */
static void start(void)
{
    iommu_regions_reserve(machine_table());
    assert_int_equal(machine_init(), STATUS_OK);
    assert_int_equal(frames_transfer(UNIT, PAGE_SIZE, OWNER_MMIO, OWNER_HYPERVISOR), STATUS_OK);
    iommu_regions_honour();
    assert_int_equal(iommu_translate(machine_table()), STATUS_OK);
    iommu_regions_resume();
}

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static void firmware_goes_on_in_the_pfs_own_domain(void **state)
{
    reserve(BASE, SIZE);
    reserve(BASE + MIB(4), SIZE); /* they overlap */
    start();
    assert_true(iommu_firmware_connected(pf->rid) && master);
    struct pf_dma *dma = pf_dma_open(pf, 2);
    assert_non_null(dma);
    assert_false(iommu_firmware_connected(pf->rid));
    assert_ptr_equal(iommu_domain_of(pf->rid), &dma->domain);
    assert_true(master);
    for (uint64_t at = BASE - MIB(2); at < BASE + SIZE + MIB(8); at += MIB(1))
        assert_int_equal(reaches(at), at >= BASE && at < BASE + SIZE + MIB(4));
    struct vtd_model_result own =
        vtd_model_dma(unit, (uint16_t)pf->rid, PF_DMA_BASE + PAGE_SIZE, true);
    assert_true(own.allowed && own.physical == physical_address(dma->memory) + PAGE_SIZE);
    assert_false(vtd_model_dma(unit, (uint16_t)pf->rid, PF_DMA_BASE + 2 * PAGE_SIZE, true).allowed);
    assert_int_equal(host_log_count("iommu.firmware", "the PF's own domain maps"), 1);
    /* The driver's end: firmware's domain again, and without the bus mastering that a reset took.
     */
    pf_dma_close(dma);
    assert_true(iommu_firmware_connected(pf->rid));
    assert_false(master);
    assert_true(reaches(BASE));
    assert_false(vtd_model_dma(unit, (uint16_t)pf->rid, PF_DMA_BASE, true).allowed);
    assert_sound();
}

static void provoke(void *context, uint64_t address)
{
    (void)vtd_model_dma(unit, (uint16_t)pf->rid, address, false);
}

static void count(const struct iommu_fault *fault)
{
}

static void its_dma_is_tried_as_ever(void **state)
{
    reserve(BASE, SIZE);
    start();
    assert_int_equal(pf_dma_test(pf, "ring", 4, provoke, NULL, count), STATUS_OK);
    assert_true(iommu_firmware_connected(pf->rid));
    struct pf_dma *dma = pf_dma_open(pf, 1);
    assert_non_null(dma);
    assert_true(reaches(BASE) && reaches(BASE + SIZE - PAGE_SIZE));
    assert_sound();
}

/* What was refused stays refused; the PF works without it. */
static void a_refused_region_is_not_mapped(void **state)
{
    reserve(BASE, SIZE);
    machine_rmrr(0, GIB(2), GIB(2) - 1);
    machine_scope(SCOPE_ENDPOINT, 1, "00.0");
    start();
    assert_false(iommu_firmware_connected(pf->rid));
    struct pf_dma *dma = pf_dma_open(pf, 1);
    assert_non_null(dma);
    assert_true(reaches(BASE));
    assert_false(reaches(GIB(2)));
    assert_sound();
}

static void a_region_at_the_drivers_addresses_is_refused_by_name(void **state)
{
    reserve(PF_DMA_BASE + PAGE_SIZE, PAGE_SIZE);
    start();
    assert_null(pf_dma_open(pf, 2));
    assert_int_equal(host_log_count("iommu.refused", "rid=01:00.0 base=0x100000 size=8K"), 1);
    assert_true(iommu_firmware_connected(pf->rid)); /* as it was */
    struct pf_dma *dma = pf_dma_open(pf, 1);        /* beside it there is room */
    assert_non_null(dma);
    assert_sound();
}

static void no_memory_for_the_regions(void **state)
{
    reserve(BASE + PAGE_SIZE, SIZE);
    start();
    for (size_t pages = 0; pages < 4; pages++) {
        host_pages_limit(pages);
        assert_null(pf_dma_open(pf, 1));
        host_pages_limit(SIZE_MAX);
        assert_true(iommu_firmware_connected(pf->rid));
        assert_true(reaches(BASE + PAGE_SIZE));
    }
    assert_sound();
}

/* Firmware's table says bus 1, and the PF has been moved to another one. */
static void scopes_follow_buses_that_were_renumbered(void **state)
{
    bus_now = 7;
    pf->rid = RID(0, 7, 0, 0);
    reserve(BASE, SIZE);
    start();
    assert_true(iommu_firmware_connected(RID(0, 7, 0, 0)));
    assert_true(reaches(BASE));
    /* Somebody else is where firmware has nobody. */
    (void)fresh(state);
    bus_now = -1;
    reserve(BASE, SIZE);
    start();
    assert_false(iommu_firmware_connected(pf->rid));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(firmware_goes_on_in_the_pfs_own_domain),
        TEST(its_dma_is_tried_as_ever),
        TEST(a_refused_region_is_not_mapped),
        TEST(a_region_at_the_drivers_addresses_is_refused_by_name),
        TEST(no_memory_for_the_regions),
        TEST(scopes_follow_buses_that_were_renumbered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
