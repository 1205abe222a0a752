/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/config/config_console.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_keys.c hypervisor/config/config.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_cores.c
// SOURCES: hypervisor/base/string.c
/* The serial port among a loader's arguments. */
#include "hypervisor/config/config_console.h"
#include "tests/unit/support/host.h"

static void test_console_of_a_command_line(void **state)
{
    struct config_console console = {.kind = CONSOLE_NONE};
    assert_false(config_console_find("", &console));
    assert_false(config_console_find("x.conf console= console=com9 xconsole=com1", &console));
    assert_int_equal(console.kind, CONSOLE_NONE);
    assert_true(config_console_find("x.efi  console=com1 \tconsole=com2 console=com9 ", &console));
    assert_int_equal(console.port, 0x2f8);
    assert_true(config_console_find("console=mmio:0x1000,4", &console));
    assert_int_equal(console.address, 0x1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console_of_a_command_line),
    };
    return cmocka_run_group_tests_name("config_console", tests, NULL, NULL);
}
