/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vdev/virtual_bus.c hypervisor/vdev/virtual_config.c hypervisor/assign/view.c
// SOURCES: hypervisor/setup/view_pf.c hypervisor/setup/view_vendor.c hypervisor/pci/life.c
// SOURCES: hypervisor/pci/functions.c hypervisor/setup/pci_functions.c
// SOURCES: hypervisor/setup/pci_capabilities.c hypervisor/base/format.c hypervisor/base/status.c
// SOURCES: hypervisor/base/string.c hypervisor/base/text.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* What a guest sees of SR-IOV on a PF that it drives, in the order in which Linux asks
 * (drivers/pci/iov.c), and everything a hostile one may write. */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/abi/machine.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/setup/pci_functions.h"
#include "hypervisor/setup/view.h"
#include "hypervisor/vdev/virtual_bus.h"
#include "hypervisor/vdev/virtual_config.h"
#include "hypervisor/vdev/virtual_msix.h"
#include "hypervisor/x86/control_call.h"
#include "tests/unit/model/pci_model.h"
#include "tests/unit/support/host.h"

#define VFS   7
#define CAP   0x100u
#define SLOT  3u
#define PF    (SLOT * 8)
#define REAL  0x160u /* where the card has its own */
#define SHARE 0x4000u

static struct model_function *model;
static struct pci_function function;
static struct assignment device;
static struct guest guest;
static struct sriov sriov;
static unsigned calls;

bool control_call(control_function *run, void *argument)
{
    calls++;
    run(argument);
    return true;
}

void iommu_interrupts_release(const struct pci_function *of)
{
}

void msix_enable(const struct pci_function *of, bool on, bool masked)
{
}

void virtual_msix_update(struct assignment *of)
{
}

bool virtual_msix_covers(const struct assignment *of, uint64_t address)
{
    return false;
}

bool virtual_msix_passes(const struct assignment *of, uint64_t address)
{
    return false;
}

uint64_t virtual_msix_read(const struct assignment *of, uint64_t address, unsigned width)
{
    return 0;
}

void virtual_msix_write(struct assignment *of, uint64_t address, unsigned width, uint64_t value)
{
}

enum status assignment_refuse(const struct guest *of, const struct pci_function *what,
                              enum status status, const char *message)
{
    log_event("device.refused", "message=\"%s\"", message);
    return status;
}

static uint32_t read_of(unsigned rid, unsigned offset, unsigned width)
{
    uint64_t value;
    virtual_bus_config(&guest, rid << 12 | offset, width, false, &value);
    return width == 4 ? (uint32_t)value : (uint32_t)value & ((1u << 8 * width) - 1);
}

static void write_to(unsigned rid, unsigned offset, unsigned width, uint32_t value)
{
    uint64_t wide = value;
    virtual_bus_config(&guest, rid << 12 | offset, width, true, &wide);
}

static uint32_t read(unsigned offset, unsigned width)
{
    return read_of(PF, CAP + offset, width);
}

static void write(unsigned offset, unsigned width, uint32_t value)
{
    write_to(PF, CAP + offset, width, value);
}

static void build(void)
{
    guest = (struct guest){.name = "owner", .bar_windows = {{GUEST_BAR_BASE, GUEST_BAR_END, 0, 0}}};
    device = (struct assignment){
        .guest = &guest,
        .function = &function,
        .slot = SLOT,
        .bars = {[0] = {.guest_base = 0xc0000000, .size = 0x20000},
                 [3] = {.guest_base = 0xc0020000, .size = 0x4000}},
    };
    guest.assignments[guest.assignment_count++] = &device;
    function.view = NULL;
}

static int fresh(void **state)
{
    static const struct model_sriov card = {
        .offset = REAL,
        .total = 8,
        .initial = 8,
        .first_offset = 0x80,
        .stride = 2,
        .vf_device = 0x10ca,
        .supported_pages = 0x553,
        .bar = {[0] = {.size = SHARE}, [3] = {.size = SHARE}},
    };
    model_clear();
    pci_functions_clear();
    host_log_clear();
    model = model_endpoint(RID(0, 0, 1, 0), 0x8086, 0x10c9, 0x020000);
    model_put(model, 8, 1, 1);
    model_put(model, 0x2c, 4, 0xa03c8086);
    model_pcie(model, 0xa0, 0, true);
    model_extended(model, 0x100, 0x0001);
    model_extended(model, 0x150, PCI_EXT_CAP_ARI);
    model_sriov(model, &card);
    function = (struct pci_function){
        .rid = model->rid, .vendor = 0x8086, .device = 0x10c9, .life = PCI_USED};
    pci_capabilities_read(&function);
    sriov = (struct sriov){
        .pf = &function,
        .num_vfs = VFS,
        .vf_bar =
            {[0] = {.size = SHARE, .is_64bit = true, .prefetchable = true}, [3] = {.size = SHARE}},
    };
    build();
    assert_int_equal(view_add_vfs(&device, &sriov), STATUS_OK);
    view_reset_config(&device);
    calls = 0;
    return 0;
}

static int done(void **state)
{
    if (function.view != NULL)
        pages_free(function.view, 1);
    return pages_in_use() == 0 ? 0 : -1;
}

static void the_capability_is_found(void **state)
{
    assert_int_equal(read(0, 4), 0x00010010); /* SR-IOV, version 1, the last */
    assert_int_equal(read(SRIOV_CONTROL, 4), 0);
    assert_int_equal(read(SRIOV_TOTAL_VFS, 2), VFS);
    assert_int_equal(read(SRIOV_INITIAL_VFS, 2), VFS);
    assert_int_equal(read(SRIOV_SUPPORTED_PAGES, 4), 1);
    assert_int_equal(read(SRIOV_VF_DEVICE_ID, 2), 0x10ca);
    /* It depends on itself (sriov_enable() looks for another PF otherwise). */
    assert_int_equal(read(SRIOV_NUM_VFS + 2, 1), PF);
    /* The card's own, and what else it has, stay unseen. */
    for (unsigned offset = 0x140; offset < 4096; offset += 4)
        assert_int_equal(read_of(PF, offset, 4), 0);
}

/* compute_max_vf_buses() asks for each number; all VFs lie on bus 0, behind every slot. */
static void ids_for_any_number(void **state)
{
    for (unsigned vfs = 0; vfs <= 0xffff; vfs += vfs < 16 ? 1 : 771) {
        write(SRIOV_NUM_VFS, 2, vfs);
        assert_int_equal(read(SRIOV_NUM_VFS, 2), vfs);
        assert_int_equal(read(SRIOV_STRIDE, 2), 1);
        assert_int_equal(PF + read(SRIOV_FIRST_OFFSET, 2), 16 * 8);
    }
}

static uint64_t bar_at(unsigned number, bool is_64bit)
{
    unsigned offset = SRIOV_VF_BAR0 + 4 * number;
    return (read(offset, 4) & ~0xfu) | (is_64bit ? (uint64_t)read(offset + 4, 4) << 32 : 0);
}

static void vf_bars_are_sized(void **state)
{
    uint64_t first = bar_at(0, true), second = bar_at(3, false);
    assert_int_equal(read(SRIOV_VF_BAR0, 4) & 0xf, 0xc);
    assert_true(first >= 0xc0024000 && IS_ALIGNED(first, (uint64_t)SHARE));
    assert_true(second >= first + VFS * SHARE && second + VFS * SHARE <= GUEST_BAR_END);
    assert_int_equal(guest.bar_windows[0].vfs_end, second + VFS * SHARE);
    for (unsigned offset = SRIOV_VF_BAR0; offset < 0x3c; offset += 4)
        write(offset, 4, UINT32_MAX);
    assert_int_equal(read(SRIOV_VF_BAR0, 4), ~(SHARE - 1) | 0xc);
    assert_int_equal(read(SRIOV_VF_BAR0 + 4, 4), UINT32_MAX);
    assert_int_equal(read(SRIOV_VF_BAR0 + 8, 4), 0);
    assert_int_equal(read(SRIOV_VF_BAR0 + 12, 4), ~(SHARE - 1));
    assert_int_equal(read(SRIOV_VF_BAR0 + 16, 4), 0);
    assert_int_equal(read(SRIOV_VF_BAR0 + 20, 4), 0);
    write(SRIOV_VF_BAR0, 4, (uint32_t)first);
    write(SRIOV_VF_BAR0 + 4, 4, (uint32_t)(first >> 32));
    write(SRIOV_VF_BAR0 + 12, 4, (uint32_t)second);
    assert_true(bar_at(0, true) == first && bar_at(3, false) == second);
}

/* A driver that touches the VFs' registers all the same finds nobody. */
static void the_window_is_empty(void **state)
{
    struct vcpu vcpu = {.guest = &guest};
    guest.bar_windows[0].pulled_end = guest.bar_windows[0].vfs_end; /* as at each start */
    for (unsigned vf = 0; vf < VFS; vf++)
        for (unsigned number = 0; number <= 3; number += 3) {
            uint64_t value = 0, address = bar_at(number, number == 0) + vf * SHARE + 8;
            assert_true(virtual_bus_access(&vcpu, address, 4, true, &value));
            assert_true(virtual_bus_access(&vcpu, address, 4, false, &value));
            assert_int_equal((uint32_t)value, UINT32_MAX);
        }
    uint64_t value;
    assert_false(virtual_bus_access(&vcpu, guest.bar_windows[0].vfs_end, 4, false, &value));
}

/* A VF's header, as pci_iov_add_virtfn() reads it. */
static void expect_vf(unsigned rid)
{
    assert_int_equal(read_of(rid, 0, 4), UINT32_MAX);
    assert_int_equal(read_of(rid, 4, 4), 0x00100000);
    assert_int_equal(read_of(rid, 8, 4), 0x02000001);
    assert_int_equal(read_of(rid, 0x0e, 1), 0);
    for (unsigned offset = 0x10; offset < 0x28; offset += 4)
        assert_int_equal(read_of(rid, offset, 4), 0);
    assert_int_equal(read_of(rid, 0x2c, 4), 0xa03c8086);
    assert_int_equal(read_of(rid, 0x3d, 1), 0);
    unsigned pcie = read_of(rid, 0x34, 1);
    assert_int_equal(read_of(rid, pcie, 4), 0x00020010); /* endpoint, version 2, the last */
    assert_true((read_of(rid, pcie + 4, 4) & PCIE_DEVICE_CAP_FLR) != 0);
    assert_int_equal(read_of(rid, 0x100, 4), 0);
}

static unsigned vfs_there(void)
{
    unsigned count = 0;
    for (unsigned rid = 0; rid < 256; rid++)
        count += rid != PF && read_of(rid, 6, 2) != 0xffff;
    return count;
}

static void vfs_come_and_go(void **state)
{
    assert_int_equal(vfs_there(), 0);
    write(SRIOV_NUM_VFS, 2, 3);
    assert_int_equal(vfs_there(), 0);
    write(SRIOV_CONTROL, 2, 9);
    assert_int_equal(read(SRIOV_CONTROL, 2), 9);
    assert_int_equal(vfs_there(), 3);
    for (unsigned vf = 0; vf < 3; vf++)
        expect_vf(PF + read(SRIOV_FIRST_OFFSET, 2) + vf);
    write(SRIOV_NUM_VFS, 2, 0xffff);
    assert_int_equal(vfs_there(), VFS); /* never more than there are */
    write(SRIOV_CONTROL, 2, 8);
    assert_int_equal(vfs_there(), 0);
    write(SRIOV_CONTROL, 2, 1);
    write(SRIOV_NUM_VFS, 2, 0);
    assert_int_equal(vfs_there(), 0);
    /* The next owner begins anew. */
    write(SRIOV_NUM_VFS, 2, 2);
    write(SRIOV_VF_BAR0, 4, 0);
    assert_int_equal(vfs_there(), 2);
    view_reset_config(&device);
    assert_int_equal(vfs_there(), 0);
    assert_int_equal(read(SRIOV_NUM_VFS, 2), 0);
    assert_true(bar_at(0, true) >= 0xc0024000);
}

/* Its reset, its bus mastering, its ids. */
static void vfs_take_no_writes(void **state)
{
    write(SRIOV_NUM_VFS, 2, VFS);
    write(SRIOV_CONTROL, 2, 9);
    calls = 0;
    for (unsigned offset = 0; offset < 4096; offset += 4)
        write_to(16 * 8 + 1, offset, 4, UINT32_MAX);
    write_to(16 * 8 + 1, 0x48, 2, 0x8000);
    assert_int_equal(calls, 0);
    expect_vf(16 * 8 + 1);
    expect_vf(16 * 8);
}

static void the_card_never_hears_of_it(void **state)
{
    static uint8_t before[4096];
    memcpy(before, model->config, sizeof before);
    srand(1);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned width = 1u << rand() % 3, offset = (unsigned)rand() % 0x200 & ~(width - 1);
        if (offset < 8) /* the command register has a test of its own */
            continue;
        uint32_t value = (uint32_t)rand() << 16 ^ (uint32_t)rand();
        write_to(rand() % 4 == 0 ? 16 * 8 + (unsigned)rand() % 8 : PF, offset, width,
                 rand() % 3 == 0 ? UINT32_MAX : value);
        assert_true(vfs_there() <= VFS || i % 512 != 0);
    }
    assert_int_equal(model_writes(), 0);
    assert_int_equal(model->resets, 0);
    assert_memory_equal(before, model->config, sizeof before);
    /* What says how the VFs lie is as it was. */
    assert_int_equal(read(0, 4), 0x00010010);
    assert_int_equal(read(SRIOV_INITIAL_VFS, 4), VFS << 16 | VFS);
    assert_int_equal(read(SRIOV_STRIDE, 2), 1);
    assert_int_equal(PF + read(SRIOV_FIRST_OFFSET, 2), 16 * 8);
    assert_int_equal(read(SRIOV_CONTROL, 2) & ~0x19u, 0);
}

/* Only while it has the card. */
static void a_card_that_was_taken_away(void **state)
{
    function.life = PCI_UNUSABLE;
    write(SRIOV_NUM_VFS, 2, 2);
    write(SRIOV_CONTROL, 2, 9);
    assert_int_equal(vfs_there(), 0);
}

/* Sub-dword accesses, as for any register. */
static void narrow_accesses(void **state)
{
    write(SRIOV_NUM_VFS, 1, 5);
    assert_int_equal(read(SRIOV_NUM_VFS, 2), 5);
    write(SRIOV_NUM_VFS + 1, 1, 1);
    assert_int_equal(read(SRIOV_NUM_VFS, 4), PF << 16 | 0x105);
    write(SRIOV_NUM_VFS + 2, 2, 0xffff); /* Function Dependency Link */
    assert_int_equal(read(SRIOV_NUM_VFS, 4), PF << 16 | 0x105);
    write(SRIOV_CONTROL, 1, 0xff);
    assert_int_equal(read(SRIOV_CONTROL, 4), 0x19);
    assert_int_equal(read_of(16 * 8, 9, 1), 0);
    assert_int_equal(read_of(16 * 8, 0x0b, 1), 2);
    assert_int_equal(read_of(16 * 8, 0x0a, 2), 0x0200);
}

static void two_cards_of_one_guest(void **state)
{
    struct pci_function other = {.rid = model->rid, .life = PCI_USED};
    struct assignment second = {.guest = &guest, .function = &other, .slot = 4};
    pci_capabilities_read(&other);
    struct sriov its = sriov;
    its.pf = &other;
    guest.assignments[guest.assignment_count++] = &second;
    uint64_t window = guest.bar_windows[0].vfs_end;
    assert_int_equal(view_add_vfs(&second, &its), STATUS_OK);
    assert_int_equal(4 * 8 + read_of(4 * 8, CAP + SRIOV_FIRST_OFFSET, 2), 16 * 8 + VFS);
    assert_true((read_of(4 * 8, CAP + SRIOV_VF_BAR0, 4) & ~0xfu) >= window);
    write(SRIOV_NUM_VFS, 2, VFS);
    write(SRIOV_CONTROL, 2, 1);
    assert_int_equal(vfs_there(), VFS + 1); /* and the other PF */
    pages_free(other.view, 1);
}

static void what_has_no_room(void **state)
{
    pages_free(function.view, 1);
    build();
    sriov.vf_bar[3].size = MIB(256);
    assert_int_equal(view_add_vfs(&device, &sriov), STATUS_FULL);
    assert_int_equal(host_log_count("device.refused", "does not fit"), 1);
    pages_free(function.view, 1);
    build();
    sriov.vf_bar[3].size = SHARE;
    sriov.num_vfs = 16 * 8 + 1;
    assert_int_equal(view_add_vfs(&device, &sriov), STATUS_FULL);
    assert_int_equal(host_log_count("device.refused", "no room for so many VFs"), 1);
    sriov.num_vfs = 16 * 8;
    assert_int_equal(view_add_vfs(&device, &sriov), STATUS_OK);
    pages_free(function.view, 1);
    build();
    host_pages_limit(0);
    assert_int_equal(view_add_vfs(&device, &sriov), STATUS_NO_MEMORY);
    host_pages_limit(SIZE_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_capability_is_found),
        TEST(ids_for_any_number),
        TEST(vf_bars_are_sized),
        TEST(the_window_is_empty),
        TEST(vfs_come_and_go),
        TEST(vfs_take_no_writes),
        TEST(the_card_never_hears_of_it),
        TEST(a_card_that_was_taken_away),
        TEST(narrow_accesses),
        TEST(two_cards_of_one_guest),
        TEST(what_has_no_room),
    };
    return cmocka_run_group_tests_name("virtual_sriov", tests, NULL, NULL);
}
