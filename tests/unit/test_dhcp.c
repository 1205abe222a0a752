/* SPDX-License-Identifier: MIT */
// SOURCES: boot/efi/dhcp.c hypervisor/base/string.c
/* What a DHCP answer says of the boot server. */
#include <stdlib.h>
#include <string.h>

#include "boot/efi/dhcp.h"
#include "tests/unit/support/host.h"

static uint8_t packet[300];

/* An answer without options, from a server that names itself in the header. */
static void begin(const char *file)
{
    static const uint8_t cookie[] = {99, 130, 83, 99}, server[] = {192, 168, 50, 1};
    memset(packet, 0, sizeof packet);
    packet[2] = 6;
    memcpy(packet + 20, server, 4);
    memcpy(packet + 28, "\x52\x54\x00\x12\x34\x56", 6);
    memcpy(packet + 108, file, strlen(file));
    memcpy(packet + 236, cookie, 4);
    packet[240] = 255;
}

static void options(const char *bytes, size_t size)
{
    memcpy(packet + 240, bytes, size);
}

static struct dhcp_boot boot;

static enum status answer(void)
{
    return dhcp_read(packet, sizeof packet, &boot);
}

static void test_header(void **state)
{
    (void)state;
    uint8_t mac[6];
    begin("bulkhead.efi");
    assert_int_equal(answer(), STATUS_OK);
    assert_memory_equal(boot.server, "\300\250\062\001", 4);
    assert_string_equal(boot.path, "");
    begin("lab/machines/bulkhead.efi");
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(boot.path, "lab/machines/");
    assert_true(dhcp_client(packet, sizeof packet, mac));
    assert_memory_equal(mac, "\x52\x54\x00\x12\x34\x56", 6);
    packet[2] = 16;
    assert_false(dhcp_client(packet, sizeof packet, mac));
}

static void test_options(void **state)
{
    (void)state;
    begin("");
    memset(packet + 20, 0, 4);
    assert_int_equal(answer(), STATUS_NOT_FOUND);
    options("\0\0\x36\x04\x0a\x00\x02\x02\x43\x05pxe/b\xff", 16);
    assert_int_equal(answer(), STATUS_OK);
    assert_memory_equal(boot.server, "\x0a\x00\x02\x02", 4);
    assert_string_equal(boot.path, "pxe/");
    /* The header's file is options when option 52 says so (RFC 2132, 9.3). */
    begin("a/b");
    options("\x34\x01\x01\xff", 4);
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(boot.path, "");
}

static void test_nonsense(void **state)
{
    (void)state;
    begin("a b/c");
    assert_int_equal(answer(), STATUS_OK);
    assert_string_equal(boot.path, "");
    begin("");
    memset(packet + 108, '/', 128); /* not ended */
    assert_int_equal(answer(), STATUS_OK);
    assert_true(strlen(boot.path) < sizeof boot.path);
    memset(packet + 20, 0, 4);
    options("\x36\x05\1\2\3\4\5\xff", 8); /* no address */
    assert_int_equal(answer(), STATUS_NOT_FOUND);
    options("\x36\xff", 2); /* longer than the packet */
    assert_int_equal(answer(), STATUS_NOT_FOUND);
    packet[236] = 0;
    assert_int_equal(answer(), STATUS_INVALID);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    begin("a/b");
    options("\x43\x05pxe/b\x36\x04\1\2\3\4", 13);
    for (size_t size = 0; size <= 260; size++) {
        uint8_t *copy = malloc(size + 1);
        memcpy(copy + 1, packet, size);
        enum status status = dhcp_read(copy + 1, size, &boot);
        assert_int_equal(status, size < 240 ? STATUS_INVALID : STATUS_OK);
        uint8_t mac[6];
        assert_int_equal(dhcp_client(copy + 1, size, mac), size >= 240);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
