/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/igb/igb.c drivers/igb/igb_filter.c drivers/igb/igb_mailbox.c
// SOURCES: drivers/igb/igb_port.c drivers/igb/igb_vf.c drivers/igb/setup/igb_start.c
// SOURCES: drivers/igb/setup/igb_link.c drivers/igb/setup/igb_kinds.c hypervisor/pci/life.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: tests/unit/model/nic_model.c tests/unit/model/nic_model_registers.c
// SOURCES: tests/unit/model/nic_model_switch.c
/*
 * The PF driver against the model of nic_model.h, which was made apart from it: both kinds go
 * through the same tests, and every access is checked. What the switch lets through is asked of the
 * model frame by frame.
 */
#include <string.h>

#include "drivers/igb/igb.h"
#include "drivers/setup/pf_drivers.h"
#include "hypervisor/base/clock.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/pf_dma_setup.h"
#include "tests/unit/model/nic_model.h"
#include "tests/unit/support/host.h"

#define REGISTERS UINT64_C(0x600000000000)
#define SIZE      0x20000u

static struct pci_function function;
static struct pf_device device;

static const struct part {
    const char *name;
    uint16_t device;
    enum nic_kind kind;
    enum nic_medium medium;
    unsigned port;
} parts[] = {
    {"82576", 0x10c9, NIC_82576, NIC_COPPER, 0},
    {"82576, second port", 0x10c9, NIC_82576, NIC_COPPER, 1},
    {"82576 fibre", 0x10e6, NIC_82576, NIC_SERDES, 0},
    {"82576 SerDes", 0x10e7, NIC_82576, NIC_SERDES, 0},
    {"I350", 0x1521, NIC_I350, NIC_COPPER, 0},
    {"I350, second port", 0x1521, NIC_I350, NIC_COPPER, 1},
    {"I350, third port", 0x1521, NIC_I350, NIC_COPPER, 2},
    {"I350, fourth port", 0x1521, NIC_I350, NIC_COPPER, 3},
    {"I350 fibre", 0x1522, NIC_I350, NIC_SERDES, 0},
    {"I350 SerDes", 0x1523, NIC_I350, NIC_SERDES, 0},
    {"I350 backplane", 0x1523, NIC_I350, NIC_KX, 0},
    {"I350 SGMII", 0x1524, NIC_I350, NIC_SGMII, 0},
};
static const struct part *part;

#define FOR_EACH_PART for (part = parts; part < parts + ARRAY_SIZE(parts); part++)

uint32_t mmio_read32(uintptr_t address)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    assert_int_equal(address % 4, 0);
    return nic_read((unsigned)(address - REGISTERS));
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    assert_in_range(address, REGISTERS, REGISTERS + SIZE - 4);
    nic_write((unsigned)(address - REGISTERS), value);
}

static struct pf_dma *const dma = (struct pf_dma *)&device;

struct pf_dma *pf_dma_open(struct pci_function *pf, size_t pages)
{
    return dma;
}

void pf_dma_close(struct pf_dma *closed)
{
    assert_ptr_equal(closed, dma);
}

enum status pf_dma_test(struct pci_function *pf, const void *content, size_t size,
                        void (*provoke)(void *context, uint64_t address), void *context,
                        void (*others)(const struct iommu_fault *fault))
{
    provoke(context, 0x123456000);
    return STATUS_OK;
}

static void plug(void)
{
    if (device.vfs != 0)
        igb_pf_setup.stop(&device);
    nic_power_on(part->kind, part->medium, part->port);
    host_log_clear();
    function = (struct pci_function){
        .rid = RID(0, 1, 0, part->port), .vendor = 0x8086, .device = part->device};
    device = (struct pf_device){.function = &function,
                                .driver = &igb_pf_driver,
                                .registers = REGISTERS,
                                .registers_size = SIZE};
}

static void lawful(void)
{
    if (nic_violations() != 0)
        fail_msg("%s: %u violations, the first: %s", part->name, nic_violations(),
                 nic_first_violation());
}

static void start(uint16_t vfs)
{
    plug();
    assert_int_equal(igb_pf_setup.start(&device, vfs), STATUS_OK);
    nic_enable_vfs();
    assert_int_equal(igb_pf_setup.vfs_enabled(&device), STATUS_OK);
}

static int fresh(void **state)
{
    nic_faults = (struct nic_faults){0};
    part = parts;
    plug();
    return 0;
}

static uint32_t call(unsigned vf, uint32_t word, uint32_t first, uint32_t second)
{
    nic_vf_send(vf, (uint32_t[]){word, first, second}, 3);
    host_clock_advance(2000);
    assert_true(igb_pf_driver.service(&device));
    return nic_look(0x800 + 64 * vf);
}

#define ACKED(word) (((word) & 0xe0000000) == 0xa0000000)

static void handshake(unsigned vf)
{
    assert_int_equal(call(vf, 1, 0, 0), 0x80000001);
}

static void the_vfs_have_addresses(void **state)
{
    start(8);
    for (unsigned vf = 0; vf < 8; vf++) {
        handshake(vf);
        uint64_t told = nic_look(0x804 + 64 * vf) | (uint64_t)nic_look(0x808 + 64 * vf) << 32;
        assert_int_equal(told & 3, 2); /* locally administered, not a group */
        for (unsigned other = 0; other < vf; other++)
            assert_true(told != (nic_look(0x804 + 64 * other) |
                                 (uint64_t)nic_look(0x808 + 64 * other) << 32));
    }
}

/* What the VF was told. */
static uint64_t told(unsigned vf)
{
    handshake(vf);
    return nic_look(0x804 + 64 * vf) | (uint64_t)(nic_look(0x808 + 64 * vf) & 0xffff) << 32;
}

static void every_card_comes_up_lawfully(void **state)
{
    FOR_EACH_PART
    {
        assert_true(({
            plug();
            igb_pf_setup.probe(&function);
        }));
        start(8);
        lawful();
        assert_true(nic_link_is_up());
        assert_true(nic_is_released());
        assert_int_equal(host_log_count("igb.started", "link=negotiating"), 1);
        assert_int_equal(host_log_count("igb.refused", NULL), 0);
        for (unsigned vf = 0; vf < 8; vf++)
            handshake(vf);
        assert_int_equal(igb_pf_driver.vf_reset(&device, 3), STATUS_OK);
        nic_reset_vf(4);
        host_clock_advance(200000);
        (void)igb_pf_driver.service(&device);
        lawful();
        igb_pf_setup.stop(&device);
        lawful();
        plug();
        assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_OK);
        lawful();
    }
}

static void vfs_of_an_i350_are_not_driven_as_pfs(void **state)
{
    function.device = 0x1520;
    assert_false(igb_pf_setup.probe(&function));
    function.device = 0x1521;
    function.is_vf = true;
    assert_false(igb_pf_setup.probe(&function));
    function.is_vf = false;
    function.device = 0x1533; /* I210: no SR-IOV */
    assert_false(igb_pf_setup.probe(&function));
}

/* --- what passes the switch --- */

static void vfs_reach_each_other_and_nobody_else_listens(void **state)
{
    FOR_EACH_PART
    {
        start(3);
        uint64_t mac[3];
        for (unsigned vf = 0; vf < 3; vf++)
            mac[vf] = told(vf);
        assert_int_equal(nic_from_pool(0, &(struct nic_frame){.to = mac[1], .from = mac[0]}), 2);
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = mac[2], .from = 0x1122}), 4);
        /* For nobody, and for the PF's own address: to no pool, but out. */
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = 0x3322, .from = 0x1122}), 0);
        assert_int_equal(
            nic_from_wire(&(struct nic_frame){.to = UINT64_C(0x5634129f36a0), .from = 0x1122}), 0);
        assert_int_equal(nic_from_pool(0, &(struct nic_frame){.to = 0x3322, .from = mac[0]}),
                         NIC_WIRE);
        uint64_t all = UINT64_C(0xffffffffffff);
        assert_int_equal(nic_from_pool(0, &(struct nic_frame){.to = all, .from = mac[0]}),
                         NIC_WIRE | 6);
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = all, .from = 0x1122}), 7);
        /* What firmware's driver left in the tables, which no reset clears, leads nowhere. */
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = UINT64_C(0x0bad0badc0de)}), 0);
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = all, .vlan = 0x20}), 0);
        assert_int_equal(nic_from_wire(&(struct nic_frame){.to = UINT64_C(0x000000000001)}), 0);
        lawful();
    }
}

static void forged_addresses_go_nowhere(void **state)
{
    FOR_EACH_PART
    {
        start(8);
        uint64_t mac[8];
        for (unsigned vf = 0; vf < 8; vf++)
            mac[vf] = told(vf);
        for (unsigned vf = 0; vf < 8; vf++) {
            uint64_t other = mac[(vf + 1) % 8];
            assert_int_equal(nic_from_pool(vf, &(struct nic_frame){.to = other, .from = other}), 0);
            assert_int_equal(nic_from_pool(vf, &(struct nic_frame){.to = other, .from = 0x3322}),
                             0);
            assert_int_equal(
                nic_from_pool(vf, &(struct nic_frame){.to = other, .from = mac[vf], .vlan = 7}), 0);
        }
        host_log_clear();
        host_clock_advance(200000);
        (void)igb_pf_driver.service(&device);
        assert_int_equal(host_log_count("igb.spoof", "queues=0xff"), 1);
        lawful();
    }
}

static void a_vlan_is_for_its_members(void **state)
{
    FOR_EACH_PART
    {
        start(3);
        uint64_t mac[3];
        for (unsigned vf = 0; vf < 3; vf++)
            mac[vf] = told(vf);
        assert_true(ACKED(call(0, 4 | 1 << 16, 100, 0)));
        assert_true(ACKED(call(1, 4 | 1 << 16, 100, 0)));
        struct nic_frame frame = {.to = mac[1], .from = mac[0], .vlan = 100};
        assert_int_equal(nic_from_pool(0, &frame), 2);
        assert_int_equal(nic_from_wire(&frame), 2);
        frame.to = mac[2]; /* not a member */
        assert_int_equal(nic_from_pool(0, &frame), 0);
        assert_int_equal(nic_from_wire(&frame), 0);
        frame = (struct nic_frame){.to = mac[1], .from = mac[2], .vlan = 100};
        assert_int_equal(nic_from_pool(2, &frame), 0);
        frame.vlan = 101; /* nobody's */
        assert_int_equal(nic_from_wire(&frame), 0);
        assert_true(ACKED(call(1, 4, 100, 0)));
        frame = (struct nic_frame){.to = mac[1], .from = mac[0], .vlan = 100};
        assert_int_equal(nic_from_pool(0, &frame), 0);
        lawful();
        /* The last member takes the filter along. */
        assert_int_equal(igb_pf_driver.vf_reset(&device, 0), STATUS_OK);
        assert_int_equal(nic_look(0x5600 + 4 * 3), 0);
    }
}

static void long_frames_and_groups_are_asked_for(void **state)
{
    FOR_EACH_PART
    {
        start(2);
        uint64_t mac = told(0);
        (void)told(1);
        const uint64_t group = UINT64_C(0x0100005e0001); /* hash 0x010, first byte 01 */
        struct nic_frame frame = {.to = group, .from = 0x1122};
        assert_int_equal(nic_from_wire(&frame), 0);
        assert_true(ACKED(call(1, 3 | 1 << 16, (uint32_t)(group >> 36), 0)));
        assert_int_equal(nic_from_wire(&frame), 2);
        frame = (struct nic_frame){.to = mac, .from = 0x1122, .length = 4000};
        assert_int_equal(nic_from_wire(&frame), 0);
        assert_true(ACKED(call(0, 5, 4000, 0)));
        assert_int_equal(nic_from_wire(&frame), 1);
        lawful();
    }
}

/* --- the PHY and its semaphore --- */

static void firmware_keeps_the_phy(void **state)
{
    FOR_EACH_PART
    {
        if (part->medium != NIC_COPPER)
            continue;
        nic_faults = (struct nic_faults){.firmware_holds_phy = true};
        uint64_t before = clock_microseconds();
        start(2);
        assert_in_range(clock_microseconds() - before, 1000000, 3000000);
        assert_int_equal(host_log_count("igb.refused", "does not let go of the PHY"), 1);
        assert_int_equal(host_log_count("igb.started", "link=failed"), 1);
        assert_true(nic_is_released());
        lawful();
        nic_faults = (struct nic_faults){.firmware_holds_semaphore = true};
        start(2);
        assert_int_equal(host_log_count("igb.refused", "does not let go of the PHY"), 1);
        lawful();
    }
}

/* A network boot may end in the middle of a transaction. */
static void what_a_driver_left_is_taken_over(void **state)
{
    FOR_EACH_PART
    {
        nic_faults = (struct nic_faults){.driver_left_semaphore = true, .driver_left_phy = true};
        start(2);
        assert_true(nic_link_is_up());
        assert_true(nic_is_released() || part->medium != NIC_COPPER);
        lawful();
    }
}

static void a_phy_that_is_dead_or_elsewhere_is_survived(void **state)
{
    FOR_EACH_PART
    {
        if (part->medium != NIC_COPPER)
            continue;
        nic_faults = (struct nic_faults){.phy_is_dead = true};
        start(2);
        assert_int_equal(host_log_count("igb.refused", "the PHY does not answer"), 1);
        assert_true(nic_is_released());
        nic_faults = (struct nic_faults){.phy_is_external = true};
        start(2);
        assert_int_equal(host_log_count("igb.started", "link=failed"), 1);
        assert_true(nic_is_released());
        lawful();
    }
}

static void no_pause_is_offered_or_obeyed(void **state)
{
    FOR_EACH_PART
    {
        start(1);
        assert_int_equal(nic_look(0) & 0x18000000, 0);
        if (part->medium == NIC_COPPER)
            assert_int_equal(nic_phy(4), 0x01e1);
        else
            assert_int_equal(nic_look(0x4218) & 0x180, 0);
    }
}

static void cards_that_fail_are_refused(void **state)
{
    FOR_EACH_PART
    {
        nic_faults = (struct nic_faults){.no_flash = true};
        start(2); /* only slower */
        nic_faults = (struct nic_faults){.reset_hangs = true};
        plug();
        uint64_t before = clock_microseconds();
        assert_int_equal(igb_pf_setup.start(&device, 1), STATUS_TIMEOUT);
        assert_in_range(clock_microseconds() - before, 100000, 2000000);
        assert_int_equal(igb_pf_setup.start(&device, 9), STATUS_INVALID);
        nic_faults = (struct nic_faults){0};
        lawful();
    }
}

/* --- what an owner leaves --- */

static void a_neighbour_keeps_its_vectors(void **state)
{
    FOR_EACH_PART
    {
        start(4);
        for (unsigned vf = 0; vf < 4; vf++)
            handshake(vf);
        /* Rows and halves: an 82576 has a row a pool, an I350 half a row. */
        if (part->kind == NIC_I350) {
            nic_write(0x1700, 0x81808281);
            nic_write(0x1704, 0x81808281);
            assert_int_equal(igb_pf_driver.vf_reset(&device, 1), STATUS_OK);
            assert_int_equal(nic_look(0x1700), 0x8281);
            assert_int_equal(nic_look(0x1704), 0x81808281);
            handshake(2);
            assert_int_equal(nic_look(0x1704), 0x81800000);
        } else {
            for (unsigned row = 0; row < 4; row++)
                nic_write(0x1700 + 4 * row, 0x81808281);
            assert_int_equal(igb_pf_driver.vf_reset(&device, 1), STATUS_OK);
            assert_int_equal(nic_look(0x1700), 0x81808281);
            assert_int_equal(nic_look(0x1704), 0);
        }
        lawful();
    }
}

static void queues_are_empty_for_the_next_owner(void **state)
{
    static const unsigned receive[] = {0, 4, 8, 0x10, 0x18};
    FOR_EACH_PART
    {
        start(2);
        unsigned queues = part->kind == NIC_I350 ? 8 : 16;
        for (unsigned queue = 0; queue < queues; queue++)
            for (unsigned i = 0; i < ARRAY_SIZE(receive); i++) {
                nic_write(0xc000 + 0x40 * queue + receive[i], 0xdead00);
                nic_write(0xe000 + 0x40 * queue + receive[i], 0xdead00);
            }
        for (unsigned queue = 1; queue < queues; queue += 8)
            nic_write(0xe038 + 0x40 * queue, 0xdead01);
        assert_int_equal(igb_pf_driver.vf_reset(&device, 1), STATUS_OK);
        for (unsigned queue = 0; queue < queues; queue++) {
            uint32_t expected = queue % 8 == 1 ? 0 : 0xdead00;
            assert_int_equal(nic_look(0xc000 + 0x40 * queue), expected);
            assert_int_equal(nic_look(0xe000 + 0x40 * queue), expected);
            if (queue % 8 == 1)
                assert_int_equal(nic_look(0xe038 + 0x40 * queue), 0);
        }
        if (part->kind == NIC_I350) { /* stripping is DVMOLR's */
            assert_int_equal(nic_look(0xc038 + 0x40 * 1), 0x80000000);
            assert_int_equal(nic_look(0x5ad0 + 4) & 0xc0000000, 0);
        }
        lawful();
    }
}

/* --- the order of writes --- */

/* From the public drivers (igb of Linux, e1000 of FreeBSD and DPDK): the last write of the first
 * kind comes before the first one of the second. `mask` and `value` pick writes; kinds: 1 82576,
 * 2 I350, 4 copper only, 8 SerDes only. */
struct write_of {
    unsigned offset;
    uint32_t mask, value;
};
static const struct {
    const char *what;
    struct write_of first, second;
    unsigned kinds;
} order[] = {
    {"interrupts off, then reset", {0x150c, ~0u, ~0u}, {0x0, 1u << 26, 1u << 26}, 16},
    {"receive off, then reset", {0x100, 2, 0}, {0x0, 1u << 26, 1u << 26}, 16},
    {"transmit off, then reset", {0x400, 2, 0}, {0x0, 1u << 26, 1u << 26}, 16},
    {"reset, then the tables", {0x0, 1u << 26, 1u << 26}, {0x5200, 0, 0}, 0},
    {"pools, then receive", {0x5818, 7, 3}, {0x100, 2, 2}, 0},
    {"replication and no default pool, then receive",
     {0x581c, 0x60000000, 0x60000000},
     {0x100, 2, 2},
     0},
    {"hash table empty, then receive", {0x53fc, ~0u, 0}, {0x100, 2, 2}, 0},
    {"VLAN table empty, then receive", {0x57fc, ~0u, 0}, {0x100, 2, 2}, 0},
    {"last address empty, then receive (82576)", {0x551c, ~0u, 0}, {0x100, 2, 2}, 1},
    {"last address empty, then receive (I350)", {0x555c, ~0u, 0}, {0x100, 2, 2}, 2},
    {"switch, then transmit (82576)", {0x3500, 1u << 31, 1u << 31}, {0x400, 2, 2}, 1},
    {"switch, then transmit (I350)", {0x5acc, 1u << 31, 1u << 31}, {0x400, 2, 2}, 2},
    {"switch, then the VFs are told (82576)", {0x3500, 0, 0}, {0x18, 1u << 14, 1u << 14}, 1},
    {"switch, then the VFs are told (I350)", {0x5acc, 0, 0}, {0x18, 1u << 14, 1u << 14}, 2},
    {"drop enable, then receive", {0x2408, 0xff, 0xff}, {0x100, 2, 2}, 0},
    {"link wanted, then the PHY", {0x0, 0x40, 0x40}, {0x20, 0, 0}, 4},
    {"PHY powered, then the PHY", {0xe14, 0x20, 0}, {0x20, 0, 0}, 2 | 4},
    {"laser on, then negotiation", {0x18, 0x80, 0}, {0x4208, 0, 0}, 8},
    {"advertisement, then negotiation (PHY)",
     {0x20, 0x041f0000, 0x04040000},
     {0x20, 0x041f0000, 0x04000000},
     4},
    {"advertisement, then negotiation (PCS)", {0x4218, 0, 0}, {0x4208, 0, 0}, 8},
    {"filters of VF 0, then its queues", {0x5ad0, 0x08000000, 0x08000000}, {0xc90, 1, 1}, 0},
    {"address of VF 0, then its queues", {0x540c, 1u << 31, 1u << 31}, {0xc90, 1, 1}, 0},
};

static bool is_write(const struct nic_access *access, const struct write_of *wanted)
{
    return access->offset == wanted->offset && (access->value & wanted->mask) == wanted->value;
}

static void the_order_is_that_of_the_public_drivers(void **state)
{
    FOR_EACH_PART
    {
        start(2);
        const struct nic_access *list;
        unsigned count = nic_accesses(&list);
        for (size_t row = 0; row < ARRAY_SIZE(order); row++) {
            unsigned kinds = order[row].kinds & 3, media = order[row].kinds & 12;
            if ((kinds != 0 && (kinds >> part->kind & 1) == 0) ||
                (media == 4 && part->medium != NIC_COPPER) ||
                (media == 8 && part->medium == NIC_COPPER))
                continue;
            bool once = (order[row].kinds & 16) != 0; /* the first of the first is what counts */
            unsigned first = UINT32_MAX, second = UINT32_MAX;
            for (unsigned i = 0; i < count; i++) {
                if (is_write(&list[i], &order[row].first) && (!once || first == UINT32_MAX) &&
                    second == UINT32_MAX)
                    first = i;
                if (is_write(&list[i], &order[row].second) && second == UINT32_MAX)
                    second = i;
            }
            if (first == UINT32_MAX || second == UINT32_MAX || first >= second)
                fail_msg("%s: %s (writes %d and %d)", part->name, order[row].what, (int)first,
                         (int)second);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_card_comes_up_lawfully),
        TEST(the_vfs_have_addresses),
        TEST(vfs_of_an_i350_are_not_driven_as_pfs),
        TEST(vfs_reach_each_other_and_nobody_else_listens),
        TEST(forged_addresses_go_nowhere),
        TEST(a_vlan_is_for_its_members),
        TEST(long_frames_and_groups_are_asked_for),
        TEST(firmware_keeps_the_phy),
        TEST(what_a_driver_left_is_taken_over),
        TEST(a_phy_that_is_dead_or_elsewhere_is_survived),
        TEST(no_pause_is_offered_or_obeyed),
        TEST(cards_that_fail_are_refused),
        TEST(a_neighbour_keeps_its_vectors),
        TEST(queues_are_empty_for_the_next_owner),
        TEST(the_order_is_that_of_the_public_drivers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
