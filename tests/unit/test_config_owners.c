/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/config/config.c hypervisor/config/config_keys.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_cores.c hypervisor/config/config_console.c
/* The keys `driver` and `owner_lost`: who drives a card whose VFs are given away. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/config/parse.h"
#include "tests/unit/support/host.h"

static struct config config;
static char complaints[1 << 12];

static void complain(void *context, struct config_place place, const char *message)
{
    size_t used = strlen(complaints);
    snprintf(complaints + used, sizeof complaints - used, "%u:%u %s\n", place.line, place.column,
             message);
}

static enum status parse(const char *text)
{
    complaints[0] = '\0';
    return config_parse(text, strlen(text), &config, complain, NULL);
}

static void expect_complaints(const char *text, const char *expected)
{
    assert_int_equal(parse(text), STATUS_INVALID);
    assert_string_equal(complaints, expected);
}

#define NIC   "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
#define OWNED NIC "driver = guest owner\n"
#define OWNER "[guest owner]\nimage = a.elf\ndevice = uplink\n"

static void test_nobody_drives_it(void **state)
{
    assert_int_equal(parse(NIC), STATUS_OK);
    assert_int_equal(config.nics[0].driver, DRIVER_OURS);
    assert_int_equal(parse(NIC "driver = none\n"), STATUS_OK);
    assert_int_equal(config.nics[0].driver, DRIVER_NONE);
    assert_int_equal(parse("[disk d]\ndriver = none\nvfs = 1\ndevice = 01:00.0\n"), STATUS_OK);
    assert_true(config.nics[0].disk);
    assert_int_equal(config.nics[0].driver, DRIVER_NONE);
}

static void test_a_guest_drives_it(void **state)
{
    const char *text = "[guest first]\nimage = a.elf\ndevice = uplink.vf1\n" OWNER
                       "[nic uplink]\ndevice = 8086:10c9\nowner_lost = reset\n"
                       "driver = guest \t owner\nvfs = 2\n";
    assert_int_equal(parse(text), STATUS_OK);
    const struct config_nic *nic = &config.nics[0];
    assert_int_equal(nic->driver, DRIVER_GUEST);
    assert_int_equal(nic->owner, 1);
    assert_string_equal(nic->owner_name, "owner");
    assert_int_equal(nic->owner_lost, OWNER_LOST_RESET);
    assert_int_equal(nic->driver_place.line, 10);
    assert_int_equal(nic->driver_place.column, 18);
    assert_int_equal(parse(OWNED "owner_lost = quarantine\n" OWNER), STATUS_OK);
    assert_int_equal(config.nics[0].owner_lost, OWNER_LOST_QUARANTINE);
    /* Not said: what cannot go on unseen. */
    assert_int_equal(parse(OWNED OWNER), STATUS_OK);
    assert_int_equal(config.nics[0].owner_lost, OWNER_LOST_QUARANTINE);
}

static void test_words(void **state)
{
    static const char *const bad[] = {"ours", "guest", "guestowner", "nobody", "none owner", "vf0"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char text[128], expected[128];
        snprintf(text, sizeof text, NIC "driver = %s\n", bad[i]);
        snprintf(expected, sizeof expected, "4:10 bad value '%s'; allowed: none, guest NAME\n",
                 bad[i]);
        expect_complaints(text, expected);
    }
    expect_complaints(NIC "driver = guest abcdefghijklmnopqrstuvwxyz012345\n",
                      "4:16 too long: 'abcdefghijklmnopqrstuvwxyz012345'; a name has at most 31 "
                      "characters\n");
    expect_complaints(OWNED "owner_lost = ignore\n",
                      "5:14 bad value 'ignore'; allowed: quarantine, reset\n");
    expect_complaints(OWNED "driver = none\n", "5:1 the section has this key already: 'driver'\n");
    expect_complaints(NIC "driver =\n", "4:1 no value for 'driver'\n");
    expect_complaints(
        "[guest a]\nimage = i\ndriver = none\n",
        "3:1 unknown key 'driver'; allowed: image, initrd, memory, cpus, cores, node, device, "
        "accept_reserved, accept_flash, args, fault_action, fault_threshold, "
        "console_input, time_limit, expect, expect_faults\n");
}

static void test_keys_that_need_others(void **state)
{
    static const char no_vfs[] =
        "'driver' is for cards that are split: this section has no VFs; add vfs = NUMBER, or leave "
        "driver out and give the card whole\n";
    static const char no_owner[] = "'owner_lost' is for cards that a guest drives; add driver = "
                                   "guest NAME, or leave it out\n";
    char expected[256];
    snprintf(expected, sizeof expected, "3:10 %s", no_vfs);
    expect_complaints("[nic uplink]\ndevice = 8086:10c9\ndriver = none\n", expected);
    assert_int_equal(config.nic_count, 0);
    snprintf(expected, sizeof expected, "4:16 %s", no_vfs);
    expect_complaints("[nic uplink]\ndevice = 8086:10c9\nvfs = 0\ndriver = guest owner\n",
                      expected);
    snprintf(expected, sizeof expected, "4:14 %s", no_owner);
    expect_complaints(NIC "owner_lost = reset\n", expected);
    snprintf(expected, sizeof expected, "5:14 %s", no_owner);
    expect_complaints(NIC "driver = none\nowner_lost = quarantine\n", expected);
    assert_int_equal(config.nic_count, 0);
}

static void expect_unusable(const char *text, const char *expected)
{
    expect_complaints(text, expected);
    assert_int_equal(config.nic_count, 1);
    assert_int_equal(config.nics[0].driver, DRIVER_GUEST);
    assert_int_equal(config.nics[0].owner, CONFIG_NO_GUEST);
}

static void test_owners_that_cannot_be(void **state)
{
    expect_unusable(OWNED "[guest other]\nimage = a.elf\ndevice = uplink.vf0\n",
                    "4:16 no usable guest has the name 'owner'; give it a section [guest NAME] "
                    "without errors, with 'device = uplink'\n");
    assert_int_equal(config.guest_count, 1); /* which is refused its VF by name */
    expect_unusable(OWNED "[guest owner]\nimage = a.elf\n",
                    "4:16 the guest 'owner' does not have the card that it is to drive; add to its "
                    "section 'device = uplink'\n");
    expect_unusable(OWNED OWNER "device = uplink.vf0\n",
                    "8:10 this guest drives the card and cannot have 'uplink.vf0': its VFs are for "
                    "other guests, and go when it ends\n"
                    "4:16 no usable guest has the name 'owner'; give it a section [guest NAME] "
                    "without errors, with 'device = uplink'\n");
    assert_int_equal(config.guest_count, 0);
    expect_unusable(OWNED OWNER "device = uplink\n",
                    "8:10 this guest has the device twice: 'uplink'\n"
                    "4:16 no usable guest has the name 'owner'; give it a section [guest NAME] "
                    "without errors, with 'device = uplink'\n");
}

/* Only the owner has the card itself; others are left out, it is not. */
static void test_others_want_the_card(void **state)
{
    expect_complaints(OWNED "[guest other]\nimage = a.elf\ndevice = uplink\n" OWNER,
                      "7:10 another guest drives 'uplink' (driver = guest NAME in its section); "
                      "take one of its VFs\n");
    assert_int_equal(config.guest_count, 1);
    assert_int_equal(config.nics[0].owner, 0);
    /* A card that nobody drives is not for the parser to refuse: the hypervisor has it. */
    assert_int_equal(parse(NIC "driver = none\n" OWNER), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_drives_it),
        cmocka_unit_test(test_a_guest_drives_it),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_keys_that_need_others),
        cmocka_unit_test(test_owners_that_cannot_be),
        cmocka_unit_test(test_others_want_the_card),
    };
    return cmocka_run_group_tests_name("config_owners", tests, NULL, NULL);
}
