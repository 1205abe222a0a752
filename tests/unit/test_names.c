/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/names.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/base/string.c hypervisor/memory/owners.c
/* What people type at the prompt: numbers, and functions by id and by name. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/assign/pf.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/names.h"
#include "tests/unit/support/host.h"

static char printed[512];
static struct guest beta = {.name = "beta"};
/* Two PFs that are called almost the same, one with VFs, and one that nobody has named. */
static struct pci_function functions[] = {
    {.rid = RID(0, 1, 0, 0), .name = "up"},        {.rid = RID(0, 1, 0x10, 0), .name = "up.vf0"},
    {.rid = RID(0, 1, 0x10, 2), .name = "up.vf1"}, {.rid = RID(0, 2, 0, 0), .name = "up2"},
    {.rid = RID(0, 3, 0, 0), .name = "-"},         {.rid = RID(0, 3, 0x10, 0), .name = "-"},
};
void console_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(printed, sizeof printed, format, arguments);
    va_end(arguments);
}

struct pci_function *pci_function_at(size_t index)
{
    return index < ARRAY_SIZE(functions) ? &functions[index] : NULL;
}

struct guest *guest_of_owner(owner_t owner)
{
    return owner == OWNER_GUEST(1) ? &beta : NULL;
}

struct guest *guest_find(const char *name)
{
    return strcmp(name, beta.name) == 0 ? &beta : NULL;
}

/* --- numbers --- */

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"10", 10},
        {"007", 7},
        {"18446744073709551615", UINT64_MAX},
        {"0x0", 0},
        {"0X1f", 0x1f},
        {"0xFEEdface", 0xfeedface},
        {"0xffffffffffffffff", UINT64_MAX},
        {"0x00000000000000001", 1},
    };
    static const char *const bad[] = {
        "",
        " ",
        "x",
        "0x",
        "0xg",
        "1 ",
        " 1",
        "-1",
        "+1",
        "1a",
        "0b1",
        "12k",
        "a",
        "18446744073709551616",
        "99999999999999999999",
        "0x10000000000000000",
        "0x1 ",
    };
    uint64_t value;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(read_number(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (read_number(bad[i], &value))
            fail_msg("'%s' is taken for a number", bad[i]);
}

static void test_requester_ids(void **state)
{
    static const struct {
        const char *text;
        rid_t rid;
    } good[] = {
        {"00:00.0", 0},
        {"01:10.2", RID(0, 1, 0x10, 2)},
        {"ff:1f.7", 0xffff},
        {"FF:1F.7", 0xffff},
        {"0000:01:00.1", RID(0, 1, 0, 1)},
        {"ffff:ff:1f.7", UINT32_MAX},
        {"1:2.3", RID(0, 1, 2, 3)},
    };
    static const char *const bad[] = {
        "",        ":",         "01",       "01:",           "01:00",      "01:00.",
        "01:00.8", "01:20.0",   "100:00.0", "01:00.0 ",      " 01:00.0",   "01.00.0",
        "g1:00.0", "01:00.0.0", "01:00:0",  "10000:01:00.0", "0:100:00.0", "0:0:20.0",
        "0:0:0:0", "-1:00.0",   "01:0x1.0",
    };
    rid_t rid;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(read_rid(good[i].text, &rid));
        assert_int_equal(rid, good[i].rid);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (read_rid(bad[i], &rid))
            fail_msg("'%s' is taken for a requester id", bad[i]);
    /* And every id as it is written. */
    for (uint32_t id = 0; id <= 0xffff; id++) {
        char text[32];
        snprintf(text, sizeof text, "%02x:%02x.%x", id >> 8, id >> 3 & 0x1f, id & 7);
        assert_true(read_rid(text, &rid));
        assert_int_equal(rid, id);
    }
}

/* --- arguments of commands --- */

static void test_numbers_are_said(void **state)
{
    static const struct {
        const char *text, *said;
        uint64_t value;
    } good[] = {
        {"0x200000", "", 0x200000},
        {"9", "", 9},
        {"10", "10 is decimal: 0xa\n", 10},
        {"200000", "200000 is decimal: 0x30d40\n", 200000},
    };
    static const char *const bad[] = {"", "fee00000", "0x", "12q", "18446744073709551616"};
    uint64_t value;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        printed[0] = '\0';
        assert_true(ask_number(good[i].text, "an address", &value));
        assert_int_equal(value, good[i].value);
        assert_string_equal(printed, good[i].said);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char expected[128];
        snprintf(expected, sizeof expected,
                 "%s: an address is 0x and hexadecimal digits, or decimal; at most 64 bits\n",
                 bad[i]);
        assert_false(ask_number(bad[i], "an address", &value));
        assert_string_equal(printed, expected);
    }
}

static void test_devices(void **state)
{
    static const struct {
        const char *text;
        rid_t rid;
    } good[] = {
        {"up", RID(0, 1, 0, 0)},         {"up.vf0", RID(0, 1, 0x10, 0)},
        {"up.vf1", RID(0, 1, 0x10, 2)},  {"up2", RID(0, 2, 0, 0)},
        {"03:10.0", RID(0, 3, 0x10, 0)}, {"77:00.0", RID(0, 0x77, 0, 0)}, /* nobody is there */
    };
    static const char *const bad[] = {"",        "-",      "u",       "up.",
                                      "up.vf",   "up.vf2", "up.vf00", "up.vf0x",
                                      "up2.vf0", "UP.vf0", ".vf0",    "01:10.9"};
    rid_t rid;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_true(ask_device(good[i].text, &rid));
        assert_int_equal(rid, good[i].rid);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        printed[0] = '\0';
        if (ask_device(bad[i], &rid))
            fail_msg("'%s' is taken for a device", bad[i]);
        assert_non_null(strstr(printed, ": no such device; a device is a name that `devices`"));
    }
}

static void test_guests_and_owners(void **state)
{
    assert_ptr_equal(ask_guest("beta"), &beta);
    assert_null(ask_guest("bet"));
    assert_string_equal(printed, "bet: no such guest; `guests` lists them\n");
    assert_string_equal(owner_name(OWNER_GUEST(1)), "beta");
    assert_string_equal(owner_name(OWNER_FIRMWARE), "firmware");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),           cmocka_unit_test(test_requester_ids),
        cmocka_unit_test(test_numbers_are_said),  cmocka_unit_test(test_devices),
        cmocka_unit_test(test_guests_and_owners),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
