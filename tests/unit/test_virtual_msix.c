/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/pci/life.c
// SOURCES: hypervisor/vdev/virtual_msix.c hypervisor/assign/view.c hypervisor/base/format.c
// SOURCES: hypervisor/base/text.c hypervisor/base/string.c hypervisor/base/status.c
/* The virtual MSI-X table: what a guest reads, and what the device is told. */
#include "tests/unit/support/msix_fixture.h"

/* --- the table --- */

static void test_table_after_reset(void **state)
{
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        assert_int_equal(read(at(vector, 0), 8), 0);
        assert_int_equal(read(at(vector, 8), 8), UINT64_C(1) << 32);
    }
    assert_false(msix_on);
    assert_int_equal(accesses, 0);
}

static void test_masked_vectors_keep_their_values(void **state)
{
    enable(true);
    accesses = 0;
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        write(at(vector, 0), 8, 0xfee03000 + vector * 16);
        write(at(vector, 8), 4, 0x4000 + vector);
    }
    assert_int_equal(accesses, 0);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        assert_int_equal(read(at(vector, 0), 4), 0xfee03000 + vector * 16);
        assert_int_equal(read(at(vector, 4), 4), 0);
        assert_int_equal(read(at(vector, 8), 8), UINT64_C(1) << 32 | (0x4000 + vector));
    }
    assert_int_equal(used_entries(), 0);
}

/* As after a detach that the unit did not confirm: its guest runs on. */
static void test_an_unusable_device_gets_no_entries(void **state)
{
    enable(true);
    accesses = 0;
    function.life = PCI_UNUSABLE;
    write(at(0, 0), 8, 0xfee00000);
    write(at(0, 8), 8, 0x41);
    assert_int_equal(used_entries(), 0);
    assert_int_equal(accesses, 0);
    assert_int_equal(read(at(0, 8), 8), UINT64_C(1) << 32);
}

static void test_widths(void **state)
{
    write(at(2, 0), 8, UINT64_C(0x1122334455667788));
    assert_int_equal(read(at(2, 0), 8), UINT64_C(0x1122334455667788));
    assert_int_equal(read(at(2, 4), 4), 0x11223344);
    write(at(2, 0), 4, 0xaabbccdf); /* the two low bits are not there */
    assert_int_equal(read(at(2, 0), 8), UINT64_C(0x11223344aabbccdc));
    write(at(2, 8), 8, UINT64_C(0xffffffff00000021));
    assert_int_equal(read(at(2, 8), 8), UINT64_C(0x0000000100000021)); /* only the mask bit */
    /* Narrow and crooked accesses do nothing. */
    for (unsigned i = 0; i < 16; i++) {
        write(at(2, i), 1, 0xff);
        assert_int_equal(read(at(2, i), 1), 0);
        write(at(2, i), 2, 0xffff);
        assert_int_equal(read(at(2, i), 2), 0);
        if (i % 4 != 0) {
            write(at(2, i), 4, 0xffffffff);
            assert_int_equal(read(at(2, i), 4), 0);
        }
        if (i % 8 != 0) {
            write(at(2, i), 8, ~UINT64_C(0));
            assert_int_equal(read(at(2, i), 8), 0);
        }
    }
    assert_int_equal(read(at(2, 0), 8), UINT64_C(0x11223344aabbccdc));
    assert_int_equal(read(at(2, 8), 8), UINT64_C(0x0000000100000021));
    /* Neighbours in the table are untouched, the first and the last alike. */
    assert_int_equal(read(at(1, 8), 8), UINT64_C(1) << 32);
    assert_int_equal(read(at(3, 0), 8), 0);
    write(at(VECTORS - 1, 8), 8, 7);
    assert_int_equal(read(at(VECTORS - 1, 8), 8), 7);
    assert_int_equal(bar[TABLE + VECTORS * 16], 0);
}

/* --- delivery --- */

static void test_unmasking_programs_the_device(void **state)
{
    enable(true);
    program(0, 0xfee03000, 0x31, false);
    expect_delivery(0, 3, 0x31);
    program(1, 0xfee03000, 0x132, false); /* lowest priority: one core is addressed anyhow */
    expect_delivery(1, 3, 0x32);
    program(2, 0xfee34000 | 0x12 << 5, 0x33, false); /* as Linux writes it under KVM */
    expect_delivery(2, 0x1234, 0x33);
    assert_int_equal(read(at(2, 0), 8), 0xfee34240);
    program(2, UINT64_C(0x0000120000000000) | 0xfee34000, 0x33, false);
    assert_int_not_equal(entry_of(2), entry_of(1));
    expect_delivery(2, 0x1234, 0x33);
    assert_int_equal(used_entries(), 3);
    /* What the guest reads stays its own. */
    assert_int_equal(read(at(2, 0), 8), UINT64_C(0x00001200fee34000));
    assert_int_equal(read(at(2, 8), 8), 0x33);

    write(at(1, 12), 4, 1);
    assert_int_equal(entry_of(1), 0);
    expect_delivery(0, 3, 0x31);
    write(at(1, 12), 4, 0);
    expect_delivery(1, 3, 0x32);
    assert_int_equal(used_entries(), 3);
}

/* A write to a vector that is unmasked takes effect at once, whatever the order of its halves. */
static void test_changes_while_unmasked(void **state)
{
    enable(true);
    program(4, 0xfee03000, 0x40, false);
    write(at(4, 8), 4, 0x41);
    expect_delivery(4, 3, 0x41);
    write(at(4, 0), 4, 0xfee34000);
    assert_int_equal(entry_of(4), 0); /* core 0x34 is not the guest's */
    write(at(4, 4), 4, 0x1200);
    expect_delivery(4, 0x1234, 0x41);
    for (unsigned i = 0; i < 100; i++)
        write(at(4, 8), 4, 0x50 + i);
    expect_delivery(4, 0x1234, 0x50 + 99);
    assert_int_equal(used_entries(), 1);
}

static void test_forged_messages_are_refused(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t data;
    } forged[] = {
        {0xfee00000, 0x31},                                /* the control core */
        {0xfee04000, 0x31},                                /* a neighbour's */
        {0xfeeff000, 0x31},                                /* all of them */
        {UINT64_C(0x0000100000000000) | 0xfee03000, 0x31}, /* 0x1003 */
        {UINT64_C(0xffffff00fee00000) | 0xff000, 0x31},    /* x2APIC broadcast */
        {0xfee03000 | 0x10 << 5, 0x31},                    /* 0x1003 again */
        {0xfee03000, 0x00},
        {0xfee03000, 0x0f}, /* exceptions' vectors */
        {0xfee03000, 0x231},
        {0xfee03000, 0x331}, /* SMI, reserved */
        {0xfee03000, 0x431},
        {0xfee03000, 0x531}, /* NMI, INIT */
        {0xfee03000, 0x631},
        {0xfee03000, 0x731}, /* SIPI, ExtINT */
        {0x00003000, 0x31},
        {0xfed03000, 0x31}, /* memory, not interrupts */
        {0xfef03000, 0x31},
        {0, 0},
    };
    enable(true);
    for (size_t i = 0; i < ARRAY_SIZE(forged); i++) {
        host_log_clear();
        device.messages_refused = 0;
        program(5, forged[i].address, forged[i].data, false);
        assert_int_equal(entry_of(5), 0);
        assert_int_equal(used_entries(), 0);
        assert_int_equal(physical(5, 0), 0);
        assert_int_equal(physical(5, 8), 0);
        assert_int_equal(host_log_count("irq.refused", "guest=alpha rid=01:10.1"), 1);
        assert_int_equal(read(at(5, 8), 8), forged[i].data);
    }
    /* After a good message a forged one takes it away again. */
    program(5, 0xfee03000, 0x10, false);
    expect_delivery(5, 3, 0x10);
    write(at(5, 8), 4, 0x431);
    assert_int_equal(entry_of(5), 0);
}

static void test_refusals_do_not_flood_the_log(void **state)
{
    enable(true);
    program(0, 0xfee00000, 0x31, false);
    host_log_clear();
    for (unsigned i = 0; i < 100000; i++)
        write(at(0, 8), 4, 0x31);
    assert_in_range(host_log_count("irq.refused", NULL), 10, 100);
}

/* The guest that finds none left learns nothing; its owner does. */
static void test_when_entries_run_out(void **state)
{
    enable(true);
    for (unsigned i = 1; i < ENTRIES; i++)
        entries[i].used = true;
    program(2, 0xfee03000, 0x31, false);
    assert_int_equal(host_log_count("irq.refused", "guest=alpha rid=01:10.1 vector=2"), 1);
    assert_int_equal(host_log_count("irq.refused", "status=full"), 1);
    assert_int_equal(physical(2, 12) & 1, 1); /* masked */
    entries[3].used = false;
    program(2, 0xfee03000, 0x31, false);
    expect_delivery(2, 3, 0x31);
}

static void test_without_remapping_entries(void **state)
{
    enable(true);
    remapping_status = STATUS_FULL;
    program(0, 0xfee03000, 0x31, false);
    assert_int_equal(entry_of(0), 0);
    remapping_status = STATUS_OK;
    write(at(0, 12), 4, 0);
    expect_delivery(0, 3, 0x31);
    /* A unit that does not confirm: the device keeps no message of before. */
    remapping_status = STATUS_TIMEOUT;
    write(at(0, 8), 4, 0x32);
    assert_int_not_equal(physical(0, 12) & 1, 0);
}

/* unsafe_interrupts = yes: the device gets the vector alone and one of the guest's cores, addressed
 * physically. */
static void test_without_remapping(void **state)
{
    remaps = false;
    enable(true);
    program(0, 0xfee03000, 0xc031, false);
    assert_int_equal(physical(0, 0), 0xfee03000);
    assert_int_equal(physical(0, 8), 0x31);
    assert_int_equal(physical(0, 12), 0);
    program(0, 0xfee0300c, 0x31, false); /* redirection hint, logical destination */
    assert_int_equal(physical(0, 0), 0xfee03000);
    program(1, 0xfee00000, 0x31, false);
    assert_int_equal(physical(1, 12), 1);
    program(2, 0xfee03000, 0x431, false);
    assert_int_equal(physical(2, 12), 1);
}

static void test_enable_and_function_mask(void **state)
{
    program(0, 0xfee03000, 0x31, false);
    program(1, 0xfee03000, 0x32, true);
    assert_int_equal(entry_of(0), 0);
    assert_false(msix_on);
    enable(true);
    assert_true(msix_on && !msix_masked);
    expect_delivery(0, 3, 0x31);
    assert_int_equal(entry_of(1), 0);
    device.msix_function_mask = true;
    virtual_msix_update(&device);
    assert_true(msix_on && msix_masked);
    enable(false);
    assert_false(msix_on);
    assert_int_equal(entry_of(0), 0);
    device.msix_function_mask = false;
    enable(true);
    expect_delivery(0, 3, 0x31);

    view_reset_interrupts(&device);
    assert_true(!msix_on && msix_masked && !device.msix_enabled);
    assert_int_equal(used_entries(), 0);
    assert_int_equal(read(at(0, 0), 8), 0);
    assert_int_equal(read(at(0, 8), 8), UINT64_C(1) << 32);
    /* And nothing of it comes back. */
    enable(true);
    for (unsigned vector = 0; vector < VECTORS; vector++)
        assert_int_equal(entry_of(vector), 0);
}

static uint32_t random_state = 20251122;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

/* Whatever a guest writes: no more entries than vectors, all of them to its own cores. */
static void test_random_accesses(void **state)
{
    unsigned delivered = 0;
    for (unsigned i = 0; i < 300000; i++) {
        static const uint64_t values[] = {0xfee03000,
                                          0xfee34000,
                                          0x1200,
                                          0,
                                          1,
                                          0x31,
                                          0xfee00000,
                                          UINT64_C(0x1200fee34000),
                                          UINT64_C(0x100000031)};
        const uint64_t address = BAR_BASE + TABLE + next_random() % (VECTORS * 16 + 16);
        const unsigned width = 1u << next_random() % 4;
        const uint64_t value =
            next_random() % 4 != 0 ? values[next_random() % ARRAY_SIZE(values)] : next_random();
        if (next_random() % 100 == 0)
            enable(next_random() % 4 != 0);
        else if (next_random() % 3 == 0)
            read(address, width);
        else
            write(address, width, value);
        assert_true(used_entries() <= VECTORS);
        for (unsigned vector = 0; vector < VECTORS; vector++) {
            const unsigned entry = entry_of(vector);
            delivered += entry != 0;
            if (entry != 0)
                assert_true(entries[entry].vector >= 16 &&
                            (entries[entry].apic_id == 3 || entries[entry].apic_id == 0x1234));
        }
    }
    assert_true(delivered > 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(test_table_after_reset),
        TEST(test_masked_vectors_keep_their_values),
        TEST(test_widths),
        TEST(test_an_unusable_device_gets_no_entries),
        TEST(test_unmasking_programs_the_device),
        TEST(test_changes_while_unmasked),
        TEST(test_forged_messages_are_refused),
        TEST(test_refusals_do_not_flood_the_log),
        TEST(test_when_entries_run_out),
        TEST(test_without_remapping_entries),
        TEST(test_without_remapping),
        TEST(test_enable_and_function_mask),
        TEST(test_random_accesses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
