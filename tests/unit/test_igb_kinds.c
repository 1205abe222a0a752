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
#include "tests/unit/support/nic_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
