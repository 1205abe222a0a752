/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/igb/igb.c drivers/igb/igb_filter.c drivers/igb/igb_mailbox.c
// SOURCES: drivers/igb/igb_port.c drivers/igb/igb_vf.c drivers/igb/setup/igb_start.c
// SOURCES: drivers/igb/setup/igb_link.c drivers/igb/setup/igb_kinds.c hypervisor/pci/life.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c hypervisor/base/string.c
// SOURCES: tests/unit/model/nic_model.c tests/unit/model/nic_model_registers.c
// SOURCES: tests/unit/model/nic_model_switch.c
/* The order in which the PF driver writes registers, against the public drivers'. */
#include "tests/unit/support/nic_fixture.h"

/* From the public drivers (igb of Linux, e1000 of DPDK): the last write of the first
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
        lawful();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_order_is_that_of_the_public_drivers, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
