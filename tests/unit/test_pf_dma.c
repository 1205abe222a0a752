/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/iommu/pf_dma.c hypervisor/iommu/pf_dma_setup.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/iommu/pf_dma_test.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/iommu/vtd_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/status.c
// SOURCES: tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
/* A PF that tries a DMA which its unit must stop. */
#include <string.h>

#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "hypervisor/iommu/vtd.h"
#include "hypervisor/memory/pages.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/host.h"

#define NIC 0x0100

static struct vtd_model *unit;
static struct pci_function *pf;
static bool master, silent, unseen;
static unsigned others;

void pci_bus_master(const struct pci_function *function, bool on)
{
    assert_ptr_equal(function, pf);
    master = on;
}

static void count(const struct iommu_fault *fault)
{
    others++;
}

static void provoke(void *context, uint64_t address)
{
    assert_ptr_equal(context, &unit);
    assert_true(master);
    assert_memory_equal(virtual_address(address), "ring", 4);
    vtd_model_fault(unit, 0x1082, 0x5000, 6, false); /* somebody else's */
    if (unseen)
        ((uint8_t *)virtual_address(address))[100] = 1;
    else if (!silent)
        (void)vtd_model_dma(unit, NIC, address, false);
}

static enum status try(void)
{
    size_t before = pages_in_use();
    others = 0;
    enum status status = pf_dma_test(pf, "ring", 4, provoke, &unit, count);
    assert_false(master);
    assert_null(pf_dma_find(pf->rid));
    /* The page stays taken while its access may still come. */
    assert_int_equal(pages_in_use(), before + (status == STATUS_OK ? 0 : 1));
    assert_int_equal(others, 1);
    return status;
}

static int fresh(void **state)
{
    unit = machine_simple(MODEL_CAP | MODEL_CAP_NFR(4), MODEL_ECAP);
    pf = machine_function(NIC, NULL);
    silent = unseen = false;
    struct pf_dma *dma = pf_dma_open(pf, 1); /* the bus' context table stays */
    assert_non_null(dma);
    pf_dma_close(dma);
    return 0;
}

static void what_is_stopped_is_seen(void **state)
{
    assert_int_equal(try(), STATUS_OK);
}

static void what_arrives_is_seen(void **state)
{
    unseen = true;
    assert_int_equal(try(), STATUS_DENIED);
}

static void what_tries_nothing_proves_nothing(void **state)
{
    silent = true;
    assert_int_equal(try(), STATUS_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_stopped_is_seen, fresh),
        cmocka_unit_test_setup(what_arrives_is_seen, fresh),
        cmocka_unit_test_setup(what_tries_nothing_proves_nothing, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
