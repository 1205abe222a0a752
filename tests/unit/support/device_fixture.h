/* SPDX-License-Identifier: MIT */
/* A function, two guests and a machine that writes down what is asked of it and fails at a step of
 * the test's choice; frames and memory tables are the real ones. Static on purpose. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/assign/assignment.h"
#include "hypervisor/assign/pf.h"
#include "hypervisor/guest/hold.h"
#include "hypervisor/guest/lifecycle.h"
#include "hypervisor/guest/pf_lost.h"
#include "hypervisor/iommu/domain.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/support/host.h"

#define BAR0      UINT64_C(0xfe000000)
#define BAR3      UINT64_C(0xfe100000)
#define HIGH_BARS GIB(6)

/* --- the machine around it: writes down what it is asked, and fails at a step of our choice --- */

static char trace[1024];
static const char *failing;
static enum status failure;

static enum status step(const char *name)
{
    size_t used = strlen(trace);
    snprintf(trace + used, sizeof trace - used, "%s%s", used != 0 ? ", " : "", name);
    return failing != NULL && strcmp(failing, name) == 0 ? failure : STATUS_OK;
}

static bool master, enabled, covered, remaps, isolated;
static unsigned mapped;
static struct msix_layout layout;
static enum status layout_status;
static uint64_t reset_done_at;

void pci_bus_master(const struct pci_function *function, bool on)
{
    master = on;
    step(on ? "master on" : "master off");
}

void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear)
{
    assert_int_equal(set, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
    assert_int_equal(clear, PCI_COMMAND_BUS_MASTER);
    master = false;
    step("decode");
}

enum status msix_layout_read(const struct pci_function *function, struct msix_layout *result)
{
    *result = layout;
    return layout_status;
}

enum status pci_function_reset(struct pci_function *function)
{
    return step("whole reset");
}

enum status pci_reset_start(struct pci_function *function, struct pci_reset *reset)
{
    assert_false(master);
    assert_int_equal(function->life, PCI_RESETTING);
    reset->ready = deadline_in(MILLISECONDS(100));
    reset_done_at = reset->ready.at_microseconds;
    return step("reset start");
}

enum status pci_reset_poll(struct pci_function *function, struct pci_reset *reset)
{
    assert_int_equal(reset->ready.at_microseconds, reset_done_at);
    return deadline_passed(reset->ready) ? step("reset finish") : STATUS_BUSY;
}

bool iommu_enabled(void)
{
    return enabled;
}

int iommu_unit_of(const struct pci_function *function)
{
    return covered ? 0 : -1;
}

bool iommu_remaps_interrupts(void)
{
    return remaps;
}

enum status iommu_connect(const struct pci_function *function, struct iommu_domain *domain)
{
    assert_false(master);
    return step("attach");
}

static struct iommu_domain *on_record; /* after an attachment that failed */

struct iommu_domain *iommu_domain_of(rid_t rid)
{
    return on_record;
}

enum status iommu_disconnect(const struct pci_function *function, struct iommu_domain *domain)
{
    assert_false(master);
    return step("detach");
}

/* What firmware keeps for the function and the neighbour. */
static struct iommu_region regions[2];
static unsigned region_count;
static bool firmwares, neighbour_firmwares;

bool iommu_region_next(const struct pci_function *function, unsigned *cursor,
                       struct iommu_region *region)
{
    if (*cursor >= region_count)
        return false;
    *region = regions[(*cursor)++];
    return true;
}

bool iommu_firmware_connected(rid_t rid)
{
    return rid == RID(0, 1, 0, 1) ? neighbour_firmwares : firmwares;
}

void iommu_firmware_connect(struct pci_function *function)
{
    assert_int_equal(function->owner, OWNER_NOBODY);
    firmwares = region_count != 0;
}

enum status iommu_firmware_disconnect(struct pci_function *function)
{
    if (!firmwares)
        return STATUS_OK;
    firmwares = false;
    return step("firmware off");
}

void iommu_fault_reporting(const struct pci_function *function, bool on)
{
    step(on ? "faults on" : "faults off");
}

/* The neighbour on the same card, and whether the two reach each other. */
static struct pci_function neighbour;

struct pci_function *pci_function_at(size_t index)
{
    return index == 0 ? &neighbour : NULL;
}

bool acs_reaches(const struct pci_function *from, const struct pci_function *to,
                 const struct pci_function **culprit)
{
    *culprit = from;
    return !isolated && from == &neighbour;
}

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    if (step("map table") != STATUS_OK)
        return 0;
    mapped++;
    return 0x7000;
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

void view_reset_config(struct assignment *device)
{
    step("config");
}

void view_reset_interrupts(struct assignment *device)
{
    step("msix off");
}

static bool lost_by_reset;

static enum status vf_reset(struct pf_device *of, uint16_t vf)
{
    assert_int_equal(vf, 5);
    of->function->life = lost_by_reset ? PCI_LOST : PCI_UNKNOWN;
    return step("vf reset");
}

static struct guest guests[2];
static struct config_guest configs[2];
static struct pci_function function;
static bool moved;

bool pci_bars_hold(const struct pci_function *asked)
{
    return !moved;
}

struct pci_function *pf_function_at(uint32_t index)
{
    return index == 3 ? &function : NULL;
}

const char *pf_name(const struct pci_function *asked)
{
    return asked == &function ? "uplink" : "";
}

struct guest *guest_of_owner(owner_t owner)
{
    return OWNER_IS_GUEST(owner) && OWNER_GUEST_INDEX(owner) < 2 ? &guests[OWNER_GUEST_INDEX(owner)]
                                                                 : NULL;
}

/* --- the function --- */

static struct assignment device;
static struct pf_driver driver = {.vf_reset = vf_reset};
static struct pci_function pf_function;
static struct pf_device pf = {.driver = &driver, .function = &pf_function};
static uint64_t next_bar[GUEST_BAR_WINDOWS];
static size_t pages_before;

static int fresh(void **state)
{
    static struct boot_info boot;
    boot = (struct boot_info){.range_count = 3,
                              .ranges = {{MIB(1), MIB(63), BOOT_MEMORY_USABLE, 0},
                                         {BAR0, MIB(1), BOOT_MEMORY_MMIO, 0},
                                         {0xfed90000, PAGE_SIZE, BOOT_MEMORY_MMIO, 0}}};
    assert_int_equal(frames_init(&boot), STATUS_OK);
    host_pages_limit(SIZE_MAX);
    host_clock_set(0);
    for (unsigned i = 0; i < 2; i++) {
        configs[i] = (struct config_guest){.cpus = 1, .flash_count = 1, .accept_flash = {3}};
        guests[i] = (struct guest){
            .index = i,
            .owner = OWNER_GUEST(i),
            .config = &configs[i],
            .bar_windows = {{GUEST_BAR_BASE, GUEST_BAR_END, 0, 0}, {HIGH_BARS, BIT(40), 0, 0}}};
        strcpy(guests[i].name, i == 0 ? "alpha" : "beta");
        assert_int_equal(page_table_create(&guests[i].memory, &page_format_ept, 4, 2, false),
                         STATUS_OK);
    }
    /* The second BAR, with the MSI-X table, is listed nowhere. */
    function = (struct pci_function){
        .rid = RID(0, 1, 0, 0),
        .owner = OWNER_NOBODY,
        .bar = {[0] = {.base = BAR0, .size = 0x20000},
                [2] = {.base = 0xc000, .size = 32, .io = true},
                [3] = {.base = BAR3, .size = 0x8000, .is_64bit = true, .prefetchable = true}},
    };
    neighbour = (struct pci_function){.rid = RID(0, 1, 0, 1), .owner = OWNER_NOBODY};
    layout = (struct msix_layout){
        .vectors = 10, .table_bar = 3, .table_offset = 0x2000, .pba_bar = 3, .pba_offset = 0x3000};
    layout_status = STATUS_OK;
    memset(&device, 0, sizeof device);
    next_bar[0] = GUEST_BAR_BASE;
    next_bar[1] = HIGH_BARS;
    enabled = covered = remaps = isolated = true;
    region_count = 0;
    firmwares = neighbour_firmwares = false;
    master = moved = lost_by_reset = false;
    pf_function = (struct pci_function){.owner = OWNER_HYPERVISOR};
    on_record = NULL;
    failing = NULL;
    failure = STATUS_DEVICE;
    trace[0] = '\0';
    mapped = 0;
    pages_before = pages_in_use();
    host_log_clear();
    return 0;
}

static int done(void **state)
{
    for (unsigned i = 0; i < 2; i++)
        page_table_destroy(&guests[i].memory);
    if (device.vectors != NULL)
        pages_free(device.vectors, 1);
    host_pages_limit(SIZE_MAX);
    return pages_in_use() == 0 ? 0 : -1;
}

static enum status assign(unsigned guest)
{
    return assignment_claim(&guests[guest], &device, &function, function.is_vf ? &pf : NULL, 1,
                            next_bar);
}

__attribute__((unused)) static void expect_trace(const char *expected)
{
    assert_string_equal(trace, expected);
    trace[0] = '\0';
}

/* Nothing belongs to a guest, and no page is kept; the MSI-X table stays mapped. */
__attribute__((unused)) static void expect_nothing_left(void)
{
    assert_int_equal(function.owner, OWNER_NOBODY);
    for (size_t i = 0; frames_range(i) != NULL; i++)
        assert_false(OWNER_IS_GUEST(frames_range(i)->owner) ||
                     frames_range(i)->owner == OWNER_HYPERVISOR);
    for (unsigned i = 0; i < 2; i++)
        page_table_destroy(&guests[i].memory);
    assert_int_equal(pages_in_use(), 0);
    assert_int_equal(mapped != 0, function.msix_table != 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(page_table_create(&guests[i].memory, &page_format_ept, 4, 2, false),
                         STATUS_OK);
}

__attribute__((unused)) static bool reaches(uint64_t guest_physical, uint64_t physical)
{
    struct page_walk walk;
    page_table_walk(&guests[0].memory, guest_physical, &walk);
    return walk.present && walk.physical == physical &&
           walk.rights == (PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
}

__attribute__((unused)) static bool blocked(uint64_t guest_physical)
{
    struct page_walk walk;
    page_table_walk(&guests[0].memory, guest_physical, &walk);
    return !walk.present;
}

__attribute__((unused)) static void expect_refusal(enum status status, const char *part)
{
    owner_t before = function.owner;
    memset(&device, 0, sizeof device);
    host_log_clear();
    assert_int_equal(assign(0), status);
    assert_int_equal(host_log_count("device.refused", part), 1);
    assert_int_equal(host_log_count("device.assigned", NULL), 0);
    assert_int_equal(function.owner, before);
    assert_false(master);
    assert_int_equal(mapped != 0, function.msix_table != 0);
}
