/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/igb/igb.c drivers/igb/igb_filter.c drivers/igb/igb_mailbox.c
// SOURCES: hypervisor/pci/life.c
// SOURCES: drivers/igb/igb_port.c drivers/igb/igb_vf.c drivers/igb/setup/igb_start.c
// SOURCES: drivers/igb/setup/igb_link.c drivers/igb/setup/igb_kinds.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
/* The 82576 PF driver against a model of the device's registers, and VFs that behave and do not. */
#include "drivers/igb/igb_port.h"
#include "drivers/igb/setup/igb_setup_registers.h"
#include "tests/unit/support/igb_model.h"

static void the_82576_is_known(void **state)
{
    static const uint16_t ids[] = {0x10c9, 0x10e6, 0x10e7, 0x10e8, 0x1526, 0x150a, 0x1518, 0x150d};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        function.device = ids[i];
        assert_true(igb_pf_setup.probe(&function));
    }
    function.device = 0x10ca; /* its VF */
    assert_false(igb_pf_setup.probe(&function));
    function.device = 0x10c9;
    function.vendor = 0x1af4;
    assert_false(igb_pf_setup.probe(&function));
}

/* QEMU's card receives nothing from outside before its PF masters the bus. */
static void the_pf_masters_the_bus_in_a_domain_of_its_own(void **state)
{
    start(3);
    assert_int_equal(dma_open, 1);
    igb_pf_setup.stop(&device);
    assert_int_equal(dma_open, 0);
    (void)fresh(state);
    no_dma = true;
    assert_int_equal(igb_pf_setup.start(&device, 3), STATUS_NO_MEMORY);
    assert_int_equal(dma_open, 0);
}

static void the_switch_is_set_up_for_isolation(void **state)
{
    start(3);
    assert_int_equal(resets, 1);
    assert_int_equal(get(IGB_MRQC) & 7, 3);
    assert_int_equal(get(IGB_VT_CTL), 0x60000180); /* pool 3 is nobody's; no default pool */
    assert_int_equal(get(IGB_DTXSWC), 0x80000707);
    assert_int_equal(get(IGB_QDE), 0xffff);
    assert_int_equal(get(IGB_RCTL) & (2 | BIT(3) | BIT(4) | BIT(18)), 2 | BIT(18));
    assert_int_equal(get(IGB_TCTL) & 2, 2);
    assert_int_equal(get(IGB_VFRE), 7);
    assert_int_equal(get(IGB_VFTE), 7);
    assert_int_equal(get(IGB_VFLRE) & 7, 0);
    assert_int_equal(get(IGB_CTRL_EXT) & 0x4000, 0x4000);
    for (unsigned vf = 0; vf < 3; vf++) {
        assert_int_equal(get(IGB_VMOLR(vf)), 0x89002600); /* broadcast, untagged, CRC off */
        assert_int_equal(get(IGB_RAH(vf + 1)) >> 18, (1u << 13) | 1u << vf);
    }
    assert_int_equal(get(IGB_VMOLR(3)) & (BIT(24) | BIT(25) | BIT(26) | BIT(27) | BIT(28)), 0);
    assert_int_equal(get(IGB_RAH(4)), 0);
    assert_int_equal(get(IGB_EIMC), 0xffffffff);
}

static void addresses_follow_the_pf(void **state)
{
    start(2);
    const struct igb_port *port = igb_port_of(&device);
    assert_memory_equal(port->mac, ((uint8_t[]){0x52, 0x54, 0x00, 0x12, 0x34, 0x56}), 6);
    assert_memory_equal(port->vf_mac[0], ((uint8_t[]){0x52, 0x54, 0x01, 0x12, 0x34, 0x56}), 6);
    assert_memory_equal(port->vf_mac[1], ((uint8_t[]){0x52, 0x54, 0x02, 0x12, 0x34, 0x56}), 6);
    assert_int_equal(get(IGB_RAL(1)), 0x12015452);
    assert_int_equal(get(IGB_RAL(2)), 0x12025452);
    assert_int_equal(get(IGB_RAH(2)) & 0xffff, 0x5634);
    assert_int_equal(get(IGB_RAH(0)) & 0x3fc0000, 0); /* the PF's own address leads nowhere */
}

static void the_link_comes_by_itself(void **state)
{
    start(1);
    assert_int_equal(get(IGB_CTRL) & IGB_CTRL_SLU, IGB_CTRL_SLU);
    assert_int_equal(host_log_count("igb.started", "link=negotiating"), 1);
}

static void a_dead_phy_is_said_and_survived(void **state)
{
    phy_is_dead = true;
    start(1);
    assert_int_equal(host_log_count("igb.refused", "PHY"), 1);
    assert_int_equal(host_log_count("igb.started", "link=failed"), 1);
}

static void serdes_ports_leave_the_phy_alone(void **state)
{
    function.device = 0x10e7;
    start(1);
    assert_int_equal(get(IGB_MDIC), 0);
    assert_int_equal(get(IGB_PCS_CFG) & 8, 8);
    assert_int_equal(get(IGB_PCS_LCTL), 0x3008c);
}

/* A VF's pause frames: nobody has agreed to obey them, and the port does not either. */
static void no_flow_control_is_offered_or_obeyed(void **state)
{
    start(1);
    assert_int_equal(get(IGB_CTRL) & (BIT(27) | BIT(28)), 0);
    assert_int_equal(phy[4], 0x01e1);
    /* It is on again when the link is up. */
    put(IGB_CTRL, get(IGB_CTRL) | BIT(27) | BIT(28));
    host_clock_advance(200000);
    (void)driver()->service(&device);
    assert_int_equal(get(IGB_CTRL) & (BIT(27) | BIT(28)), 0);
    assert_int_equal(get(IGB_CTRL) & IGB_CTRL_SLU, IGB_CTRL_SLU);
    assert_int_equal(get(IGB_RCTL) & BIT(23), 0); /* MAC control frames are not passed on */
    fresh(NULL);
    function.device = 0x10e7;
    start(1);
    assert_int_equal(get(IGB_CTRL) & (BIT(27) | BIT(28)), 0);
    assert_int_equal(get(IGB_PCS_ANADV), 0x20);
    assert_int_equal(get(IGB_PCS_LCTL) & BIT(7), BIT(7)); /* and negotiation changes nothing */
}

static void hardware_that_fails_is_refused(void **state)
{
    reset_hangs = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(igb_pf_setup.start(&device, 1), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, 100000, 2000000);
    fresh(NULL);
    has_no_mac = true;
    assert_int_equal(igb_pf_setup.start(&device, 1), STATUS_DEVICE);
    fresh(NULL);
    assert_int_equal(igb_pf_setup.start(&device, 0), STATUS_INVALID);
    assert_int_equal(igb_pf_setup.start(&device, 9), STATUS_INVALID);
    device.registers_size = 0x4000;
    assert_int_equal(igb_pf_setup.start(&device, 1), STATUS_INVALID);
    assert_false(driver()->service(&device)); /* never started */
    fresh(NULL);
    has_no_nvm = true;
    start(8); /* only slower */
}

static void the_handshake(void **state)
{
    start(2);
    vf_up(1);
    assert_int_equal(get(IGB_VMBMEM(1) + 4), 0x12025452);
    assert_int_equal(get(IGB_VMBMEM(1) + 8), 0x5634);
    assert_int_equal(get(IGB_VFRE), 3);
}

static void messages_before_the_handshake_are_refused(void **state)
{
    start(2);
    assert_int_equal(vf_call(0, IGB_SET_MULTICAST | 1 << 16, 5, 0), 0x40010003);
    assert_int_equal(get(IGB_VMOLR(0)) & IGB_VMOLR_MULTICAST, 0);
}

static void a_vf_cannot_take_another_address(void **state)
{
    start(2);
    vf_up(0);
    assert_int_equal(vf_call(0, IGB_SET_MAC, 0x12025452, 0x5634), NACK(2)); /* VF 1's */
    assert_int_equal(get(IGB_RAL(1)), 0x12015452);
    assert_int_equal(host_log_count("igb.mailbox", "vf=0 type=2 action=refused"), 1);
    assert_int_equal(vf_call(0, IGB_SET_MAC, 0x12015452, 0x5634), ACK(2)); /* its own */
}

static void multicast_hashes_are_merged_and_taken_back(void **state)
{
    start(2);
    vf_up(0);
    vf_up(1);
    assert_int_equal(vf_call(0, IGB_SET_MULTICAST | 2 << 16, 0x0021 | 0x0fe5 << 16, 0),
                     ACK(0x20003));
    assert_int_equal(vf_call(1, IGB_SET_MULTICAST | 1 << 16, 0xf021, 0), ACK(0x10003));
    assert_int_equal(get(IGB_MTA(1)), 2);
    assert_int_equal(get(IGB_MTA(0x7f)), 0x20);
    assert_int_equal(get(IGB_VMOLR(1)) & BIT(25), BIT(25));
    assert_int_equal(vf_call(0, IGB_SET_MULTICAST, 0, 0), ACK(3));
    assert_int_equal(get(IGB_MTA(1)), 2); /* still VF 1's */
    assert_int_equal(get(IGB_MTA(0x7f)), 0);
    assert_int_equal(get(IGB_VMOLR(0)) & BIT(25), 0);
    assert_int_equal(vf_call(1, IGB_SET_MULTICAST | 0xff << 16, 0, 0),
                     ACK(0xff0003)); /* too many */
}

static void vlans_are_shared_fairly(void **state)
{
    start(2);
    vf_up(0);
    vf_up(1);
    for (uint32_t vlan = 1; vlan <= 4; vlan++)
        assert_int_equal(vf_call(0, IGB_SET_VLAN | 1 << 16, vlan, 0), ACK(0x10004));
    assert_int_equal(vf_call(0, IGB_SET_VLAN | 1 << 16, 5, 0), NACK(0x10004));
    assert_int_equal(vf_call(0, IGB_SET_VLAN | 1 << 16, 4, 0), ACK(0x10004)); /* has it already */
    assert_int_equal(vf_call(1, IGB_SET_VLAN | 1 << 16, 3, 0), ACK(0x10004));
    assert_int_equal(vf_call(1, IGB_SET_VLAN | 1 << 16, 0x1003, 0), NACK(0x10004));
    assert_int_equal(get(IGB_VLVF(2)), 0x80003003);
    assert_int_equal(get(IGB_VFTA(0)), 0x1e);
    assert_int_equal(vf_call(0, IGB_SET_VLAN, 3, 0), ACK(4));
    assert_int_equal(get(IGB_VLVF(2)), 0x80002003);
    assert_int_equal(vf_call(1, IGB_SET_VLAN, 3, 0), ACK(4));
    assert_int_equal(get(IGB_VLVF(2)), 0);
    assert_int_equal(get(IGB_VFTA(0)), 0x16);
    driver()->vf_reset(&device, 0);
    assert_int_equal(get(IGB_VFTA(0)), 0);
    assert_int_equal(get(IGB_VLVF(0)), 0);
}

static void frame_lengths(void **state)
{
    start(1);
    vf_up(0);
    assert_int_equal(vf_call(0, IGB_SET_LPE, 9018, 0), ACK(5));
    assert_int_equal(get(IGB_VMOLR(0)) & 0x13fff, 0x10000 | 9022);
    assert_int_equal(vf_call(0, IGB_SET_LPE, 10000, 0), NACK(5));
    assert_int_equal(vf_call(0, IGB_SET_LPE, 0xffffffff, 0), NACK(5));
    assert_int_equal(get(IGB_VMOLR(0)) & 0x13fff, 0x10000 | 9022);
}

static void promiscuous_and_unknown_are_refused(void **state)
{
    start(1);
    vf_up(0);
    uint32_t before = get(IGB_VMOLR(0));
    assert_int_equal(vf_call(0, IGB_SET_PROMISCUOUS | 0xff << 16, 0, 0), NACK(0xff0006));
    assert_int_equal(vf_call(0, 0, 0, 0), NACK(0));
    assert_int_equal(vf_call(0, 0x7fff, 0, 0), NACK(0x7fff));
    assert_int_equal(get(IGB_VMOLR(0)), before);
}

static void answers_are_not_answered(void **state)
{
    start(1);
    vf_send(0, (uint32_t[]){0x80000001}, 1);
    assert_true(driver()->service(&device));
    assert_int_equal(get(IGB_P2VMAILBOX(0)) & 0xf, IGB_P2V_ACK);
    assert_false(driver()->service(&device));
}

static void a_flood_is_held_to_a_rate(void **state)
{
    start(2);
    vf_up(0);
    host_log_clear();
    host_clock_advance(1000000);
    unsigned answered = 0;
    uint64_t began = clock_microseconds();
    for (unsigned i = 0; i < 100000; i++) {
        vf_send(0, (uint32_t[]){0x1234}, 1);
        answered += driver()->service(&device);
    }
    uint64_t took = clock_microseconds() - began;
    assert_true(answered <= 16 + took / 1000 + 1);
    assert_true(answered >= 16);
    assert_true(host_log_count("igb.mailbox", NULL) <= 4);
    /* What is over the rate waits, and nobody else is kept from service. */
    assert_int_equal(get(IGB_MBVFICR), 1);
    vf_send(1, (uint32_t[]){IGB_VF_RESET}, 1);
    assert_true(driver()->service(&device));
    assert_int_equal(get(IGB_VMBMEM(1)), 0x80000001);
    host_clock_advance(2000);
    (void)driver()->service(&device);
    assert_int_equal(get(IGB_MBVFICR), 0);
}

static void a_vf_that_keeps_the_buffer_costs_nothing(void **state)
{
    start(1);
    vf_send(0, (uint32_t[]){IGB_VF_RESET}, 1);
    vf_owns[0] = true;
    uint64_t before = clock_microseconds();
    assert_false(driver()->service(&device));
    assert_true(clock_microseconds() - before < 1000);
    vf_owns[0] = false;
    host_clock_advance(2000);
    assert_true(driver()->service(&device));
}

static void an_idle_round_is_cheap(void **state)
{
    start(8);
    (void)driver()->service(&device);
    accesses = 0;
    assert_false(driver()->service(&device));
    assert_true(accesses <= 3);
}

static void a_vf_that_resets_itself_runs_again(void **state)
{
    start(2);
    vf_up(1);
    assert_int_equal(vf_call(1, IGB_SET_MULTICAST | 1 << 16, 0x21, 0), ACK(0x10003));
    put(IGB_RX_QUEUE(1) + IGB_QUEUE_BASE_LOW, 0x1000);
    put(IGB_VFLRE, 2);
    put(IGB_VFRE, 1);
    put(IGB_VFTE, 1);
    host_clock_advance(2000);
    assert_true(driver()->service(&device));
    assert_int_equal(get(IGB_VFRE), 3);
    assert_int_equal(get(IGB_VFTE), 3);
    assert_int_equal(get(IGB_VFLRE), 0);
    assert_int_equal(get(IGB_MTA(1)), 0);
    /* It may have begun to set its queues up without a handshake. */
    assert_int_equal(get(IGB_RX_QUEUE(1) + IGB_QUEUE_BASE_LOW), 0x1000);
    assert_int_equal(vf_call(1, IGB_SET_LPE, 9018, 0), 0x40000005); /* must shake hands again */
}

static bool has_transmit_register(unsigned offset)
{
    return offset < 0x20 ? offset != 0x0c && offset != 0x1c : offset == 0x28 || offset >= 0x38;
}

static bool has_receive_register(unsigned offset)
{
    return offset < 0x20 ? offset != 0x1c : offset == 0x28 || offset == 0x30;
}

static void nothing_is_left_for_the_next_owner(void **state)
{
    start(2);
    vf_up(1);
    assert_int_equal(vf_call(1, IGB_SET_LPE, 9018, 0), ACK(5));
    for (unsigned queue = 1; queue < 16; queue += 8)
        for (unsigned offset = 0; offset < 0x40; offset += 4) {
            if (has_receive_register(offset))
                put(IGB_RX_QUEUE(queue) + offset, 0xdead0000 | 1u << 25);
            if (has_transmit_register(offset))
                put(IGB_TX_QUEUE(queue) + offset, 0xdead0000 | 1u << 25);
        }
    for (unsigned offset = 0x20; offset <= 0x80; offset += 4)
        if (offset < 0x34 ? offset > 0x20 && offset != 0x28 : offset == 0x80)
            put(IGB_VF(1) + offset, 0xdead0000);
    for (unsigned vector = 19; vector <= 21; vector++)
        put(0x1680 + 4 * vector, 0x7ffe);
    put(IGB_EITR(0), 0x1234);
    put(IGB_VTIVAR(1), 0x8181);
    put(IGB_VTIVAR_MISC(1), 0x82);
    put(IGB_V2PMAILBOX(1), 0xb0);
    put(IGB_IVAR(1), 0x81818181);
    put(IGB_VMBMEM(1) + 60, 0x5ec2e7);
    put(IGB_MBVFICR, 0x00020002);
    put(IGB_VFLRE, 2);
    uint32_t other = get(IGB_VMOLR(0));
    driver()->vf_reset(&device, 1);
    for (unsigned queue = 1; queue < 16; queue += 8)
        for (unsigned offset = 0; offset < 0x40; offset += 4) {
            uint32_t receive = offset == 0x28   ? 0x10000
                               : offset == 0x0c ? 0x402
                               : offset == 0x14 ? 0xa200
                                                : 0;
            assert_int_equal(get(IGB_RX_QUEUE(queue) + offset), receive);
            assert_int_equal(get(IGB_TX_QUEUE(queue) + offset), offset == 0x14 ? 0x2a00 : 0);
        }
    for (unsigned offset = 0; offset < 0x100; offset += 4)
        assert_int_equal(get(IGB_VF(1) + offset), offset == IGB_VF_EIMC ? UINT32_MAX : 0);
    for (unsigned vector = 19; vector <= 21; vector++)
        assert_int_equal(get(0x1680 + 4 * vector), 0);
    assert_int_equal(get(IGB_EITR(0)), 0x1234);
    assert_int_equal(get(IGB_VTIVAR(1)) | get(IGB_VTIVAR_MISC(1)) | get(IGB_V2PMAILBOX(1)), 0);
    assert_int_equal(get(IGB_IVAR(1)), 0);
    for (unsigned word = 0; word < 16; word++)
        assert_int_equal(get(IGB_VMBMEM(1) + 4 * word), 0);
    assert_int_equal(get(IGB_MBVFICR), 0);
    assert_int_equal(get(IGB_VFLRE), 0);
    assert_int_equal(get(IGB_VMOLR(1)), 0x89002600);
    assert_int_equal(get(IGB_VMOLR(0)), other);
    assert_int_equal(get(IGB_VFRE), 3);
    driver()->vf_reset(&device, 2); /* not a VF in use */
    assert_int_equal(get(IGB_VFRE), 3);
}

static void spoofing_is_reported_within_bounds(void **state)
{
    start(2);
    for (unsigned i = 0; i < 100; i++) {
        put(IGB_WVBR, 2);
        host_clock_advance(200000);
        (void)driver()->service(&device);
    }
    assert_int_equal(host_log_count("igb.spoof", "queues=0x2"), 16);
}

static void stopping_silences_the_port(void **state)
{
    start(2);
    igb_pf_setup.stop(&device);
    assert_int_equal(get(IGB_VFRE), 0);
    assert_int_equal(get(IGB_RCTL), 0);
    assert_int_equal(resets, 2);
    assert_false(driver()->service(&device));
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

/* One descriptor of a ring that the card must not reach, and what came of it is passed on. */
static void it_tries_a_dma_that_must_be_stopped(void **state)
{
    dma_test_status = STATUS_OK;
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_OK);
    assert_int_equal(ring_at, 0x123456000);
    assert_int_equal(get(IGB_TX_QUEUE(0) + IGB_QUEUE_LENGTH), 128);
    assert_int_equal(get(IGB_TX_QUEUE(0) + IGB_QUEUE_TAIL), 1);
    assert_int_equal(get(IGB_TX_QUEUE(0) + IGB_QUEUE_CONTROL), 1 << 25);
    assert_true((get(IGB_TCTL) & IGB_TCTL_ENABLE) != 0);
    fresh(NULL);
    dma_test_status = STATUS_DENIED;
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_DENIED);
    assert_int_equal(tail_at, 1);
    assert_int_equal(resets, 2); /* no queue stays armed */
    assert_int_equal(get(IGB_TX_QUEUE(0) + IGB_QUEUE_CONTROL), 0);
    fresh(NULL);
    reset_hangs = true;
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_DEVICE);
}

/* A fault may be lost; a card may fetch nothing at all, or only with a link. */
static void it_tries_three_times(void **state)
{
    dma_test_status = STATUS_OK;
    quiet_tests = 2;
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_OK);
    assert_int_equal(dma_tests, 3);
    fresh(NULL);
    assert_int_not_equal(link_at, 0);
    fresh(NULL);
    quiet_tests = 3;
    no_cable = true;
    uint64_t before = clock_microseconds();
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, 3000000, 6000000);
    assert_int_equal(dma_tests, 3);
    assert_int_equal(link_at, 0);
    fresh(NULL);
    queue_stays_off = true;
    dma_test_status = STATUS_TIMEOUT;
    before = clock_microseconds();
    assert_int_equal(igb_pf_setup.dma_test(&device, NULL), STATUS_TIMEOUT);
    assert_in_range(clock_microseconds() - before, 300000, 2000000);
    assert_int_equal(tail_at, 0);
}

static void a_card_that_reads_all_ones_is_lost(void **state)
{
    start(2);
    put(IGB_VFLRE, UINT32_MAX); /* one register proves nothing */
    (void)driver()->service(&device);
    assert_false(pci_unusable(device.function));
    memset(registers, 0xff, sizeof registers);
    assert_false(driver()->service(&device));
    assert_true(pci_unusable(device.function));
    assert_false(driver()->service(&device));
    assert_int_equal(host_log_count("igb.lost", "pf="), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_tries_a_dma_that_must_be_stopped, fresh),
        TEST(it_tries_three_times),
        TEST(a_card_that_reads_all_ones_is_lost),
        TEST(the_82576_is_known),
        TEST(the_pf_masters_the_bus_in_a_domain_of_its_own),
        TEST(the_switch_is_set_up_for_isolation),
        TEST(addresses_follow_the_pf),
        TEST(the_link_comes_by_itself),
        TEST(a_dead_phy_is_said_and_survived),
        TEST(serdes_ports_leave_the_phy_alone),
        TEST(no_flow_control_is_offered_or_obeyed),
        TEST(hardware_that_fails_is_refused),
        TEST(the_handshake),
        TEST(messages_before_the_handshake_are_refused),
        TEST(a_vf_cannot_take_another_address),
        TEST(multicast_hashes_are_merged_and_taken_back),
        TEST(vlans_are_shared_fairly),
        TEST(frame_lengths),
        TEST(promiscuous_and_unknown_are_refused),
        TEST(answers_are_not_answered),
        TEST(a_flood_is_held_to_a_rate),
        TEST(a_vf_that_keeps_the_buffer_costs_nothing),
        TEST(an_idle_round_is_cheap),
        TEST(a_vf_that_resets_itself_runs_again),
        TEST(nothing_is_left_for_the_next_owner),
        TEST(spoofing_is_reported_within_bounds),
        TEST(stopping_silences_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
