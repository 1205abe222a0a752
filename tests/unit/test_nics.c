/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pfs.c hypervisor/assign/pf.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/text.c hypervisor/pci/life.c
// SOURCES: drivers/none/none.c drivers/none/setup/none_start.c
/* NICs that are split: what is left when a step fails. */
#include <string.h>

#include "drivers/none/none.h"
#include "drivers/setup/pf_drivers.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/pf_driver.h"
#include "hypervisor/pci/pf_setup.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/pci_sriov.h"
#include "hypervisor/setup/pfs.h"
#include "tests/unit/support/host.h"

static struct pci_function pf;
static struct config config;
static enum status probe_status, start_status, enable_status, finish_status, vfs_status;
static bool vfs_enabled, running, master;

size_t pci_function_count(void)
{
    return 1;
}

struct pci_function *pci_function_at(size_t index)
{
    return index == 0 ? &pf : NULL;
}

struct pci_function *pci_function_find(rid_t rid)
{
    return rid == pf.rid ? &pf : NULL;
}

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear)
{
    if ((clear & PCI_COMMAND_BUS_MASTER) != 0)
        master = false;
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    master = on;
}

static bool firmwares;

bool iommu_firmware_connected(rid_t rid)
{
    return firmwares && rid == pf.rid;
}

bool iommu_enabled(void)
{
    return true;
}

static bool moved, registers_taken;
static owner_t registers_owner;

bool pci_bars_hold(const struct pci_function *function)
{
    return !moved;
}

enum status frames_take(uint64_t base, uint64_t size, uint32_t from, owner_t to)
{
    assert_true(base == 0xfe000000 && size == 0x20000);
    assert_int_equal(from, BIT(OWNER_NONE) | BIT(OWNER_MMIO) | BIT(OWNER_FIRMWARE));
    registers_owner = registers_taken ? OWNER_GUEST(0) : to;
    return STATUS_OK;
}

bool frames_owned_by(uint64_t base, uint64_t size, owner_t owner)
{
    return registers_owner == owner;
}

static unsigned mappings;

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    mappings++;
    return 0x1000;
}

enum status sriov_probe(struct pci_function *function, struct sriov *sriov)
{
    *sriov = (struct sriov){.pf = function, .total_vfs = 8};
    function->owner = probe_status == STATUS_OK ? OWNER_HYPERVISOR : function->owner;
    return probe_status;
}

enum status sriov_enable(struct sriov *sriov, uint16_t vfs)
{
    vfs_enabled = enable_status == STATUS_OK;
    sriov->num_vfs = vfs_enabled ? vfs : 0;
    return enable_status;
}

enum status sriov_verify(struct sriov *sriov)
{
    vfs_enabled = finish_status == STATUS_OK;
    if (finish_status != STATUS_OK)
        sriov->num_vfs = 0;
    return finish_status;
}

enum status sriov_disable(struct sriov *sriov)
{
    vfs_enabled = false;
    sriov->pf->owner = OWNER_NOBODY;
    return STATUS_OK;
}

static bool probe(const struct pci_function *function)
{
    return true;
}

static enum status dma_status;

void fault_answer(const struct iommu_fault *fault)
{
    fail();
}

static enum status dma_test(struct pf_device *device,
                            void (*others)(const struct iommu_fault *fault))
{
    assert_false(running);
    assert_ptr_equal(others, fault_answer);
    return dma_status;
}

static enum status start(struct pf_device *device, uint16_t vfs)
{
    assert_int_equal(master, firmwares);
    running = start_status == STATUS_OK;
    return start_status;
}

static enum status vfs_up(struct pf_device *device)
{
    assert_true(vfs_enabled);
    return vfs_status;
}

static void stop(struct pf_device *device)
{
    running = false;
}

/* --- and of a PF that is not driven here --- */

static enum status reset_status;
static unsigned resets;

enum status pci_function_reset(struct pci_function *function)
{
    assert_false(vfs_enabled); /* it would take them away */
    resets++;
    return reset_status;
}

static const struct pf_driver driver;
static const struct pf_setup setup = {.driver = &driver,
                                      .probe = probe,
                                      .dma_test = dma_test,
                                      .start = start,
                                      .vfs_enabled = vfs_up,
                                      .stop = stop};
const struct pf_setup *const pf_setups[] = {&setup, &none_pf_setup, NULL};

static int fresh(void **state)
{
    pf = (struct pci_function){.rid = RID(0, 1, 0, 0),
                               .cap_sriov = 0x160,
                               .owner = OWNER_NOBODY,
                               .bar = {{.base = 0xfe000000, .size = 0x20000}}};
    config = (struct config){.nic_count = 1};
    strcpy(config.nics[0].name, "uplink");
    config.nics[0].rid = pf.rid;
    config.nics[0].vfs = 2;
    dma_status = STATUS_OK;
    probe_status = start_status = enable_status = finish_status = vfs_status = STATUS_OK;
    vfs_enabled = running = moved = registers_taken = false;
    registers_owner = OWNER_NONE;
    master = true;
    firmwares = false;
    reset_status = STATUS_OK;
    resets = mappings = 0;
    host_log_clear();
    return 0;
}

static void bring_up(void)
{
    pfs_prepare(&config);
    pfs_verify();
}

static void all_goes_well(void **state)
{
    bring_up();
    assert_non_null(pf_device_at(0));
    assert_ptr_equal(pf_function_at(0), &pf);
    assert_true(vfs_enabled && running);
    assert_int_equal(pf.owner, OWNER_HYPERVISOR);
    assert_int_equal(host_log_count("nic.refused", NULL), 0);
}

/* No VF without its PF driver, no bus mastering, and a reason. */
static void a_step_that_fails_leaves_no_vf_behind(void **state)
{
    enum status *const steps[] = {&probe_status, &start_status, &enable_status, &finish_status,
                                  &vfs_status};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        fresh(state);
        *steps[i] = STATUS_DEVICE;
        bring_up();
        assert_null(pf_device_at(0));
        assert_false(vfs_enabled || running);
        assert_false(OWNER_IS_GUEST(pf.owner));
        assert_int_equal(host_log_count("nic.refused", "status=device"), 1);
    }
}

/* What firmware keeps memory for goes on mastering the bus: it reaches nothing but that. */
static void firmware_keeps_its_bus_mastering(void **state)
{
    firmwares = true;
    start_status = STATUS_DEVICE;
    bring_up();
    assert_true(master);
    start_status = STATUS_OK;
    pf.owner = OWNER_NOBODY;
    bring_up();
    assert_true(running && master);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

/* The PF's registers are the hypervisor's, and nobody else's. */
static void registers_that_are_shared(void **state)
{
    for (unsigned turn = 0; turn < 3; turn++) {
        fresh(NULL);
        pf.life = turn == 0 ? PCI_MISPLACED : PCI_UNKNOWN;
        moved = turn == 1;
        registers_taken = turn == 2;
        pfs_prepare(&config);
        pfs_verify();
        assert_int_equal(host_log_count("nic.refused", "nic=uplink"), 1);
        assert_false(running || vfs_enabled);
        assert_null(pf_device_at(0));
        assert_null(pfs[0].device.driver); /* it may be gone */
    }
    fresh(NULL);
    pfs_prepare(&config);
    assert_int_equal(registers_owner, OWNER_HYPERVISOR);
    assert_true(running);
}

/* Memory that changed is proof; a card that did nothing proves nothing, as without a cable. */
static void what_came_of_the_dma_test(void **state)
{
    dma_status = STATUS_DENIED;
    pfs_prepare(&config);
    assert_false(running || vfs_enabled);
    assert_int_equal(host_log_count("nic.refused", "lists no unit that covers this device"), 1);
    fresh(NULL);
    dma_status = STATUS_DEVICE;
    pfs_prepare(&config);
    assert_false(running || vfs_enabled);
    assert_int_equal(host_log_count("nic.refused", "could not be tested"), 1);
    fresh(NULL);
    dma_status = STATUS_TIMEOUT;
    pfs_prepare(&config);
    assert_true(running && vfs_enabled);
    assert_int_equal(host_log_count("nic.refused", NULL), 0);
    assert_int_equal(host_log_count("nic.dma_test", "status=timeout message=\"the PF sent no"), 1);
}

/* Its registers are nobody's, and are not even mapped. */
static void a_pf_that_nobody_drives(void **state)
{
    config.nics[0].driver = DRIVER_NONE;
    dma_status = STATUS_DENIED; /* not asked */
    bring_up();
    assert_non_null(pf_device_at(0));
    assert_ptr_equal(pf_device_at(0)->driver, &none_pf_driver);
    assert_true(vfs_enabled && !running && !master);
    assert_true(mappings == 0 && resets == 0 && pf_device_at(0)->registers == 0);
    assert_int_equal(pf.owner, OWNER_HYPERVISOR);
    assert_int_equal(registers_owner, OWNER_HYPERVISOR);
    assert_int_equal(pf_device_at(0)->manager, OWNER_NOBODY);
    assert_int_equal(host_log_count("nic.driver", "nic=uplink pf=01:00.0 driver=none"), 1);
}

static void by_guest(enum config_owner_lost lost)
{
    config.nics[0].driver = DRIVER_GUEST;
    config.nics[0].owner = 3;
    config.nics[0].owner_lost = lost;
    strcpy(config.nics[0].owner_name, "owner");
}

/* Reset while it has no VFs, then left to its guest, with its registers. */
static void a_pf_that_a_guest_drives(void **state)
{
    by_guest(OWNER_LOST_RESET);
    bring_up();
    struct pf_device *device = pf_device_at(0);
    assert_non_null(device);
    assert_ptr_equal(device->driver, &none_pf_driver);
    assert_true(vfs_enabled && !running && !master && mappings == 0 && resets == 1);
    assert_int_equal(pf.life, PCI_CLEAN);
    assert_int_equal(pf.owner, OWNER_NOBODY);
    assert_int_equal(registers_owner, OWNER_NONE);
    assert_int_equal(device->manager, OWNER_GUEST(3));
    assert_true(device->ends_with_manager);
    assert_int_equal(host_log_count("nic.driver", "driver=guest guest=owner owner_lost=reset"), 1);
    fresh(NULL);
    by_guest(OWNER_LOST_QUARANTINE);
    bring_up();
    assert_false(pf_device_at(0)->ends_with_manager);
    assert_int_equal(host_log_count("nic.driver", "owner_lost=quarantine"), 1);
}

static void guests_that_cannot_drive_it(void **state)
{
    by_guest(OWNER_LOST_RESET);
    config.nics[0].owner = CONFIG_NO_GUEST;
    bring_up();
    assert_null(pf_device_at(0));
    assert_false(vfs_enabled);
    assert_int_equal(host_log_count("nic.refused", "is not there or does not have it"), 1);
    fresh(NULL);
    by_guest(OWNER_LOST_RESET);
    reset_status = STATUS_TIMEOUT;
    bring_up();
    assert_null(pf_device_at(0));
    assert_false(vfs_enabled);
    assert_int_equal(host_log_count("nic.refused", "status=timeout message=\"it cannot be reset"),
                     1);
    fresh(NULL);
    by_guest(OWNER_LOST_RESET);
    finish_status = STATUS_DEVICE;
    bring_up();
    assert_null(pf_device_at(0));
    assert_int_equal(host_log_count("nic.refused", "did not come up"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_step_that_fails_leaves_no_vf_behind), /* first: a NIC that is ready stays so */
        TEST(registers_that_are_shared),
        TEST(what_came_of_the_dma_test),
        TEST(all_goes_well),
        TEST(firmware_keeps_its_bus_mastering),
        TEST(a_pf_that_nobody_drives),
        TEST(a_pf_that_a_guest_drives),
        TEST(guests_that_cannot_drive_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
