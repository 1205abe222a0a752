/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/config/config.c hypervisor/config/config_keys.c
// SOURCES: hypervisor/config/config_owners.c hypervisor/config/config_words.c
// SOURCES: hypervisor/config/config_cores.c hypervisor/config/config_console.c
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/assign/guest.h"
#include "hypervisor/config/parse.h"
#include "tests/unit/support/host.h"

static struct config config;
static char complaints[1 << 16];
static unsigned complaint_count;

static void complain(void *context, struct config_place place, const char *message)
{
    assert_ptr_equal(context, &config);
    size_t used = strlen(complaints);
    snprintf(complaints + used, sizeof complaints - used, "%u:%u %s\n", place.line, place.column,
             message);
    complaint_count++;
}

/* Parses a copy of exactly `size` bytes, so that the address sanitizer sees a step too far. */
static enum status parse_bytes(const char *text, size_t size)
{
    char *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, text, size);
    complaints[0] = '\0';
    complaint_count = 0;
    enum status status = config_parse(copy, size, &config, complain, &config);
    free(copy);
    assert_int_equal(status == STATUS_OK, config.errors == 0);
    return status;
}

static enum status parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

/* Exactly one complaint: it begins with "line:column " and contains the words. */
static void expect_complaint(const char *text, const char *place, const char *words)
{
    assert_int_equal(parse(text), STATUS_INVALID);
    if (complaint_count != 1 || strncmp(complaints, place, strlen(place)) != 0 ||
        complaints[strlen(place)] != ' ' || strstr(complaints, words) == NULL)
        fail_msg("for:\n%s\nexpected %s ... %s\ngot %s", text, place, words, complaints);
}

#define NIC   "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
#define GUEST "[guest alpha]\nimage = a.elf\n"

static void test_complete(void **state)
{
    (void)state;
    const char *text = "# comment\n"
                       "[system]\n"
                       "unsafe_interrupts = yes\n"
                       "smt = shared\n"
                       "\n"
                       "[guest alpha]   # stands before the nic it names\n"
                       "image  = ping.elf\n"
                       "memory = 64M\n"
                       "cpus   = 2\n"
                       "device = uplink.vf1\n"
                       "device = other\n"
                       "accept_reserved = 0001:0a:1f.7\n"
                       "accept_reserved = 00:1a.0\n"
                       "accept_flash = other\n"
                       "args   = peer=beta  count=0x10 a#b   # not this\n"
                       "fault_action = stop-guest\n"
                       "fault_threshold = 3\n"
                       "console_input = yes\n"
                       "time_limit = 30\n"
                       "expect = exit 7\n"
                       "expect_faults = 2\n"
                       "[nic uplink]\n"
                       "\tdevice = 8086:10C9\n"
                       "vfs    = 2\n"
                       "[nic other]\n"
                       "device = 0001:0a:1f.7\n"
                       "[guest beta]\n"
                       "image=pong.elf\n"
                       "expect = refused\n";
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(complaint_count, 0);
    assert_true(config.unsafe_interrupts && config.smt_shared);
    assert_int_equal(config.nic_count, 2);
    assert_string_equal(config.nics[0].name, "uplink");
    assert_true(config.nics[0].by_id);
    assert_int_equal(config.nics[0].vendor, 0x8086);
    assert_int_equal(config.nics[0].device, 0x10c9);
    assert_int_equal(config.nics[0].vfs, 2);
    assert_int_equal(config.nics[0].place.line, 22);
    assert_false(config.nics[1].by_id);
    assert_int_equal(config.nics[1].rid, 0x10aff);
    assert_int_equal(config.nics[1].vfs, 0);
    assert_int_equal(config.guest_count, 2);
    const struct config_guest *alpha = &config.guests[0];
    assert_string_equal(alpha->name, "alpha");
    assert_int_equal(alpha->place.line, 6);
    assert_string_equal(alpha->image, "ping.elf");
    assert_int_equal(alpha->image_place.line, 7);
    assert_int_equal(alpha->image_place.column, 10);
    assert_int_equal(alpha->memory, MIB(64));
    assert_int_equal(alpha->cpus, 2);
    assert_int_equal(alpha->device_count, 2);
    assert_int_equal(alpha->devices[0].nic, 0);
    assert_false(alpha->devices[0].whole);
    assert_int_equal(alpha->devices[0].vf, 1);
    assert_int_equal(alpha->devices[1].nic, 1);
    assert_true(alpha->devices[1].whole);
    assert_int_equal(alpha->devices[1].place.line, 11);
    assert_int_equal(alpha->devices[1].place.column, 10);
    assert_int_equal(alpha->accepted_count, 2);
    assert_int_equal(alpha->accept_reserved[0], 0x10aff);
    assert_int_equal(alpha->accept_reserved[1], 0xd0);
    assert_int_equal(alpha->flash_count, 1);
    assert_int_equal(alpha->accept_flash[0], 1);
    assert_string_equal(alpha->args, "peer=beta  count=0x10 a#b");
    assert_int_equal(alpha->fault_action, FAULT_STOP_GUEST);
    assert_int_equal(alpha->fault_threshold, 3);
    assert_true(alpha->console_input);
    assert_int_equal(alpha->time_limit, 30);
    assert_int_equal(alpha->expect, EXPECT_EXIT);
    assert_int_equal(alpha->expect_status, 7);
    assert_int_equal(alpha->expect_faults, 2);
    const struct config_guest *beta = &config.guests[1];
    assert_int_equal(beta->memory, MIB(32));
    assert_int_equal(beta->cpus, 1);
    assert_int_equal(beta->accepted_count, 0);
    assert_false(beta->console_input);
    assert_int_equal(beta->fault_action, FAULT_DISABLE_DEVICE);
    assert_int_equal(beta->fault_threshold, 8);
    assert_int_equal(beta->expect, EXPECT_REFUSED);
}

static void test_empty_and_line_ends(void **state)
{
    (void)state;
    assert_int_equal(parse(""), STATUS_OK);
    assert_int_equal(parse("\n\r\n  # nothing\r\n\t\n"), STATUS_OK);
    assert_int_equal(parse("\xef\xbb\xbf[guest a]\r\nimage = x.elf\r\nargs = \xc3\xa4 b\r\n"),
                     STATUS_OK);
    assert_string_equal(config.guests[0].image, "x.elf");
    assert_string_equal(config.guests[0].args, "\xc3\xa4 b");
    assert_int_equal(parse("[guest a]\nimage = x.elf"), STATUS_OK); /* no newline at the end */
    assert_string_equal(config.guests[0].image, "x.elf");
    assert_int_equal(parse(GUEST "args =\n"), STATUS_OK);
    assert_string_equal(config.guests[0].args, "");
}

static void test_sections(void **state)
{
    (void)state;
    expect_complaint("[gest alpha]\nimage = a.elf\n", "1:2",
                     "unknown section 'gest'; allowed: [system], [nic NAME], [disk NAME], "
                     "[guest NAME]");
    expect_complaint("[]\n", "1:2", "unknown section");
    expect_complaint("[", "1:1", "no ']'");
    expect_complaint("\n  [guest alpha\nimage = a.elf\n", "2:3", "no ']' at the end");
    expect_complaint("[guest]\nimage = a.elf\n", "1:7", "bad name ''");
    expect_complaint("[guest al/pha]\n", "1:8", "bad name 'al/pha'");
    expect_complaint("[guest hypervisor]\n", "1:8", "reserved name");
    expect_complaint("[guest abcdefghijklmnopqrstuvwxyz012345]\n", "1:8", "1 to 31 letters");
    expect_complaint("[system big]\n", "1:9", "takes no name: 'big'");
    expect_complaint("vfs = 2\n" NIC, "1:1", "outside any section");
    expect_complaint(GUEST GUEST, "3:8", "there is a guest with the name 'alpha' already");
    expect_complaint(NIC NIC, "4:6", "there is a nic with the name 'uplink' already");
}

static void test_keys(void **state)
{
    (void)state;
    expect_complaint("[nic a]\ndevice = 8086:10c9\nvf = 2\n", "3:1",
                     "unknown key 'vf'; allowed: device, vfs");
    expect_complaint(GUEST "memroy = 32M\n", "3:1",
                     "unknown key 'memroy'; allowed: image, initrd, memory");
    expect_complaint("[system]\nunsafe = yes\n", "2:1", "allowed: unsafe_interrupts");
    expect_complaint("[system]\n  unsafe_interrupts = maybe\n", "2:23", "allowed: yes, no");
#ifdef BULKHEAD_AUDIT_WARN
    assert_true(parse("[system]\naudit = warn\n") == STATUS_OK && config.audit_warns);
#else
    expect_complaint("[system]\naudit = warn\n", "2:9", "'warn'; allowed: enforce. A build");
#endif
    expect_complaint("[system]\nsmt = off\n", "2:7", "bad value 'off'; allowed: apart, shared");
    /* A section with an error gives no permission. */
    expect_complaint("[system]\nunsafe_interrupts = yes\nsmt = shared\nsnt = apart\n", "4:1",
                     "allowed: unsafe_interrupts, graphics_unit, smt");
    assert_false(config.unsafe_interrupts || config.smt_shared);
    expect_complaint(GUEST "cpus = 1\n cpus = 2\n", "4:2",
                     "the section has this key already: 'cpus'");
    expect_complaint(GUEST "memory =   # later\n", "3:1", "no value for 'memory'");
    expect_complaint(GUEST "memory 32M\n", "3:1", "expected key = value, not 'memory 32M'");
    expect_complaint(GUEST "= 32M\n", "3:1", "expected key = value");
    expect_complaint("[guest alpha]\ncpus = 1\n", "1:1", "no key 'image'");
    expect_complaint("[nic a]\nvfs = 1\n", "1:1", "no key 'device'");
}

static void test_values(void **state)
{
    (void)state;
    expect_complaint(GUEST "memory = 3M\n", "3:10", "multiples of 2M up to 510G");
    expect_complaint(GUEST "memory = 0\n", "3:10", "bad memory size '0'");
    expect_complaint(GUEST "memory = 511G\n", "3:10", "bad memory size");
    expect_complaint(GUEST "memory = 17179869185G\n", "3:10", "bad memory size");
    expect_complaint(GUEST "memory = 99999999999999999999M\n", "3:10", "bad memory size");
    expect_complaint(GUEST "memory = M\n", "3:10", "bad memory size 'M'");
    expect_complaint(GUEST "cpus = 0\n", "3:8", "1 to 64 cpus");
    expect_complaint(GUEST "cpus = 65\n", "3:8", "1 to 64 cpus");
    expect_complaint(GUEST "cpus = two\n", "3:8", "bad number 'two'");
    expect_complaint(GUEST "cpus = -1\n", "3:8", "bad number '-1'");
    expect_complaint(GUEST "time_limit = 86401\n", "3:14", "0 (none) to 86400");
    expect_complaint(GUEST "fault_threshold = 0\n", "3:19", "1 or more");
    expect_complaint(GUEST "fault_action = kill\n", "3:16", "log, disable-device, stop-guest");
    expect_complaint(GUEST "expect = exit\n", "3:10", "exit NUMBER, refused, stopped");
    expect_complaint(GUEST "expect = exit  x\n", "3:16", "bad number 'x'");
    expect_complaint(GUEST "expect_faults = 4294967296\n", "3:17", "bad number");
    expect_complaint("[guest a]\nimage = ../a.elf\n", "2:9", "without directories");
    expect_complaint("[guest a]\nimage = a\\b\n", "2:9", "bad file name");
    expect_complaint("[nic a]\ndevice = 8086-10c9\n", "2:10", "bad device '8086-10c9'");
    expect_complaint("[nic a]\ndevice = 808:10c9\n", "2:10", "vendor:device");
    expect_complaint("[nic a]\ndevice = 01:20.0\n", "2:10", "bad device");
    expect_complaint("[nic a]\ndevice = 01:00.8\n", "2:10", "bad device");
    static const char *const bad[] = {"uplink",        "8086:10c9",       "00:1a",
                                      "0:1a.0",        "00:20.0",         "00:1a.0 x",
                                      "10001:00:1a.0", "00:1a.0,00:1b.0", "yes"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char text[128];
        snprintf(text, sizeof text, GUEST "accept_reserved = %s\n", bad[i]);
        expect_complaint(text, "3:19", "bad function '");
    }
    expect_complaint(GUEST "accept_reserved = 00:1a.0\naccept_reserved = 0000:00:1a.0\n", "4:19",
                     "accepts the function twice: '0000:00:1a.0'");
    expect_complaint(NIC "accept_reserved = 00:1a.0\n", "4:1", "unknown key");
    expect_complaint(GUEST "console_input = maybe\n", "3:17", "allowed: yes, no");
    expect_complaint(GUEST
                     "console_input = yes\n[guest beta]\nimage = b.elf\nconsole_input = yes\n",
                     "6:17", "only one may type");
    assert_int_equal(config.guest_count, 1);
    assert_int_equal(parse(GUEST "console_input = no\n[guest beta]\nimage = b.elf\n"
                                 "console_input = yes\n"),
                     STATUS_OK);
    expect_complaint(NIC GUEST "accept_flash = downlink\n", "6:16", "no usable nic");
    expect_complaint(NIC GUEST "accept_flash = uplink.vf0\n", "6:16", "no usable nic");
    expect_complaint(NIC GUEST "accept_flash = uplink\naccept_flash = uplink\n", "7:16", "twice");
    expect_complaint("[nic a]\ndevice = 8086:10c9\nvfs = 257\n", "3:7", "0 (no SR-IOV) to 256");
    expect_complaint("[nic a]\ndevice = 01:00.0\n[nic b]\ndevice = 0000:01:00.0\n", "4:10",
                     "another nic is at '0000:01:00.0' already");
}

static void test_cores(void **state)
{
    (void)state;
    assert_int_equal(parse(GUEST "cores = 2-5,8\n"), STATUS_OK);
    const struct config_guest *guest = &config.guests[0];
    assert_int_equal(guest->cpus, 5);
    assert_int_equal(guest->core_count, 5);
    static const uint16_t cores[] = {2, 3, 4, 5, 8};
    assert_memory_equal(guest->cores, cores, sizeof cores);
    assert_int_equal(guest->cores_place.line, 3);
    assert_int_equal(guest->cores_place.column, 9);
    assert_false(guest->on_node);
    /* In this order; cpus may say the same, before or behind. */
    assert_int_equal(parse(GUEST "cpus = 2\ncores = 9 , 3\n"), STATUS_OK);
    assert_int_equal(guest->cores[0], 9);
    assert_int_equal(guest->cores[1], 3);
    assert_int_equal(parse(GUEST "cores = 9,3\ncpus = 2\n"), STATUS_OK);
    assert_int_equal(guest->cpus, 2);
    assert_int_equal(parse(GUEST "cores = 1-64\n"), STATUS_OK);
    assert_int_equal(guest->cpus, 64);
    assert_int_equal(parse(GUEST), STATUS_OK);
    assert_int_equal(guest->cpus, 1);
    assert_int_equal(guest->core_count, 0);
    assert_int_equal(parse(GUEST "node = 1\nmemory = 2M\n"), STATUS_OK);
    assert_true(guest->on_node);
    assert_int_equal(guest->node, 1);
    assert_int_equal(guest->node_place.column, 8);

    expect_complaint(GUEST "cpus = 3\ncores = 2,3\n", "4:9",
                     "cpus and cores of this guest differ: '2,3'");
    expect_complaint(GUEST "cores = 2,3\ncpus = 1\n", "4:8", "leave cpus out");
    expect_complaint(GUEST "cores = 0\n", "3:9", "core 0 runs the hypervisor: '0'");
    expect_complaint(GUEST "cores = 3,0-2\n", "3:11", "core 0 runs the hypervisor: '0-2'");
    expect_complaint(GUEST "cores = 2-5,8,4\n", "3:15", "this guest has the core twice: '4'");
    expect_complaint(GUEST "cores = 2-5,1-3\n", "3:13", "this guest has the core twice: '1-3'");
    expect_complaint(GUEST "cores = 1-65\n", "3:9", "one core too many: '1-65'");
    expect_complaint(GUEST "cores = 5-2\n", "3:9", "bad core '5-2'; write numbers and ranges");
    expect_complaint(GUEST "cores = 2-\n", "3:9", "bad core '2-'");
    expect_complaint(GUEST "cores = -2\n", "3:9", "bad core '-2'");
    expect_complaint(GUEST "cores = 2--3\n", "3:9", "bad core '2--3'");
    expect_complaint(GUEST "cores = 2,,3\n", "3:11", "bad core ''");
    expect_complaint(GUEST "cores = 2,\n", "3:11", "bad core ''");
    expect_complaint(GUEST "cores = two\n", "3:9", "bad core 'two'");
    expect_complaint(GUEST "cores = 0x2\n", "3:9", "bad core '0x2'");
    expect_complaint(GUEST "cores = 1-4096\n", "3:9", "bad core '1-4096'");
    expect_complaint(GUEST "cores = 99999999999999999999\n", "3:9", "bad core");
    expect_complaint(GUEST "cores = 1\ncores = 2\n", "4:1", "has this key already: 'cores'");
    expect_complaint(GUEST "node = far\n", "3:8", "bad node 'far'");
    expect_complaint(GUEST "node = 4294967295\n", "3:8", "bad node");
}

static void test_devices(void **state)
{
    (void)state;
    expect_complaint(NIC GUEST "device = downlink\n", "6:10",
                     "no usable nic has the name 'downlink'");
    expect_complaint(NIC GUEST "device = uplink.vf2\n", "6:10", "no such VF: 'uplink.vf2'");
    expect_complaint(NIC GUEST "device = uplink.pf\n", "6:17", "bad part of a nic 'pf'");
    expect_complaint(NIC GUEST "device = uplink.vf\n", "6:17", "name.vf0");
    expect_complaint(NIC GUEST "device = uplink.vf0x1\n", "6:17", "bad part");
    expect_complaint(NIC GUEST "device = uplink.vf0\ndevice = uplink.vf0\n", "7:10", "twice");
    expect_complaint("[nic a]\ndevice = 01:00.0\n" GUEST "device = a.vf0\n", "5:10", "no such VF");
    /* Two guests that want one device are for the hypervisor to refuse, with both at hand. */
    assert_int_equal(parse("[nic a]\ndevice = 01:00.0\n" GUEST "device = a\n"
                           "[guest beta]\nimage = b.elf\ndevice = a\n"),
                     STATUS_OK);
}

static void test_rest_is_usable(void **state)
{
    (void)state;
    assert_int_equal(parse("[guest bad]\nimage = x.elf\ncpus = 99\n"
                           "[nic lost]\ndevice = nowhere\n" NIC GUEST "device = uplink.vf0\n"
                           "[guest also-bad]\nimage = y.elf\ndevice = lost\n"),
                     STATUS_INVALID);
    assert_int_equal(config.errors, 3);
    assert_int_equal(complaint_count, 3);
    assert_int_equal(config.nic_count, 1);
    assert_string_equal(config.nics[0].name, "uplink");
    assert_int_equal(config.guest_count, 1);
    assert_string_equal(config.guests[0].name, "alpha");
    assert_int_equal(config.guests[0].device_count, 1);
}

static void test_bytes(void **state)
{
    (void)state;
    static const char nul[] = "[guest a]\nimage = a\0b.elf\n";
    assert_int_equal(parse_bytes(nul, sizeof nul - 1), STATUS_INVALID);
    assert_int_equal(complaint_count, 2); /* the byte, and then no image */
    assert_non_null(strstr(complaints, "2:10 control character"));
    assert_int_equal(config.guest_count, 0);
    static const char wide[] = "\xff\xfe[\0g\0u\0e\0s\0t\0 \0a\0]\0\n";
    assert_int_equal(parse_bytes(wide, sizeof wide - 1), STATUS_INVALID);
    assert_non_null(strstr(complaints, "plain text"));
    expect_complaint("[system]\n# bell \a\n", "2:8", "control character");
    expect_complaint("[system]\nunsafe_interrupts\r= no\n", "2:18", "control character");
}

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void test_limits(void **state)
{
    (void)state;
    static char text[1 << 16];
    char part[600];

    text[0] = '\0';
    for (int i = 0; i < CONFIG_MAX_NICS; i++) {
        snprintf(part, sizeof part, "[nic n%d]\ndevice = 8086:10c9\nvfs = 256\n", i);
        append(text, sizeof text, part);
    }
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(config.nic_count, CONFIG_MAX_NICS);
    append(text, sizeof text, "[nic more]\ndevice = 8086:10c9\n");
    expect_complaint(text, "25:6", "one nic too many: 'more'");

    text[0] = '\0';
    for (int i = 0; i < CONFIG_MAX_GUESTS; i++) {
        snprintf(part, sizeof part, "[guest g%d]\nimage = a.elf\n", i);
        append(text, sizeof text, part);
    }
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(CONFIG_MAX_GUESTS, 64);
    assert_int_equal(config.guest_count, CONFIG_MAX_GUESTS);
    assert_string_equal(config.guests[63].name, "g63");
    append(text, sizeof text, "[guest more]\nimage = a.elf\n");
    expect_complaint(text, "129:8", "one guest too many: 'more'");

    snprintf(text, sizeof text, "[nic a]\ndevice = 8086:10c9\nvfs = 256\n[guest g]\nimage = i\n");
    for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
        snprintf(part, sizeof part, "device = a.vf%d\n", i);
        append(text, sizeof text, part);
    }
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(config.guests[0].device_count, CONFIG_MAX_DEVICES);
    append(text, sizeof text, "device = a.vf255\n");
    expect_complaint(text, "14:10", "one device too many: 'a.vf255'");

    snprintf(text, sizeof text, GUEST);
    for (int i = 0; i < CONFIG_MAX_DEVICES; i++) {
        snprintf(part, sizeof part, "accept_reserved = 00:1a.%d\n", i);
        append(text, sizeof text, part);
    }
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(config.guests[0].accepted_count, CONFIG_MAX_DEVICES);
    append(text, sizeof text, "accept_reserved = 00:1b.0\n");
    expect_complaint(text, "11:19", "one function too many: '00:1b.0'");

    memset(part, 'x', sizeof part);
    snprintf(text, sizeof text, GUEST "args = %.*s\n", CONFIG_ARGS_SIZE - 1, part);
    assert_int_equal(parse(text), STATUS_OK);
    assert_int_equal(strlen(config.guests[0].args), CONFIG_ARGS_SIZE - 1);
    snprintf(text, sizeof text, GUEST "args = %.*s\n", CONFIG_ARGS_SIZE, part);
    expect_complaint(text, "3:8", "at most 255 characters");
    snprintf(text, sizeof text, "[guest a]\nimage = %.*s\n", 64, part);
    expect_complaint(text, "2:9", "at most 63 characters");
    snprintf(text, sizeof text, GUEST "%.*s = 1\n", 500, part);
    expect_complaint(text, "3:1", "...'; allowed: image");
    assert_int_equal(parse(GUEST "memory = 510G\ncpus = 64\n"), STATUS_OK);
    assert_int_equal(config.guests[0].memory, GUEST_MAX_MEMORY);
    assert_int_equal(parse(GUEST "memory = 24G\n"), STATUS_OK);
    assert_int_equal(config.guests[0].memory, GIB(24));
    assert_int_equal(parse(GUEST "memory = 512G\ncpus = 64\n"), STATUS_INVALID);
    assert_int_equal(parse(GUEST "memory = 510G\ncpus = 64\n"), STATUS_OK);
    assert_int_equal(config.guests[0].cpus, GUEST_MAX_CPUS);
}

static void test_many_errors_are_cut(void **state)
{
    (void)state;
    static char text[1 << 14];
    text[0] = '\0';
    for (int i = 0; i < 1000; i++)
        append(text, sizeof text, "nonsense\n");
    assert_int_equal(parse(text), STATUS_INVALID);
    assert_int_equal(config.errors, 1000);
    assert_int_equal(complaint_count, 32);
    assert_non_null(strstr(complaints, "32:1 too many errors"));
}

static void test_console(void **state)
{
    static const struct {
        const char *value;
        struct config_console console;
    } good[] = {
        {"auto", {.kind = CONSOLE_AUTO}},
        {"none", {.kind = CONSOLE_NONE}},
        {"com1", {.kind = CONSOLE_PORT, .port = 0x3f8}},
        {"com2", {.kind = CONSOLE_PORT, .port = 0x2f8}},
        {"com3", {.kind = CONSOLE_PORT, .port = 0x3e8}},
        {"com4", {.kind = CONSOLE_PORT, .port = 0x2e8}},
        {"pci:04:00.3", {.kind = CONSOLE_PCI, .rid = 0x403}},
        {"pci:0001:ff:1f.7", {.kind = CONSOLE_PCI, .rid = 0x1ffff}},
        {"mmio:0xfe030000", {.kind = CONSOLE_MEMORY, .address = 0xfe030000, .stride = 1}},
        {"mmio:0xfe030000,4", {.kind = CONSOLE_MEMORY, .address = 0xfe030000, .stride = 4}},
        {"mmio:4096,2", {.kind = CONSOLE_MEMORY, .address = 4096, .stride = 2}},
    };
    static const char *const bad[] = {
        "com",           "com0",        "com5",      "COM1",        "pci:",
        "pci:04:00",     "pci:04:20.0", "mmio:",     "mmio:0",      "mmio:0x1002,4",
        "mmio:4096,3",   "mmio:4096,",  "mmio:,4",   "mmio:4096,8", "mmio:0x10000000000000",
        "mmio:4096,4,4", "pci:4:0.3",   "com1 com2", "autos",       "mmio:0xg",
    };
    char text[128];
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        const struct config_console *expected = &good[i].console, *console = &config.console;
        snprintf(text, sizeof text, "[system]\nconsole = %s\n", good[i].value);
        assert_int_equal(parse(text), STATUS_OK);
        assert_int_equal(console->kind, expected->kind);
        assert_int_equal(console->port, expected->port);
        assert_int_equal(console->rid, expected->rid);
        assert_int_equal(console->address, expected->address);
        assert_int_equal(console->stride, expected->stride);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        snprintf(text, sizeof text, "[system]\nconsole = %s\n", bad[i]);
        expect_complaint(text, "2:11", "bad console");
        assert_int_equal(config.console.kind, CONSOLE_AUTO);
    }
    assert_int_equal(parse("[system]\n"), STATUS_OK);
    assert_int_equal(config.console.kind, CONSOLE_AUTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_empty_and_line_ends),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_cores),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_rest_is_usable),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_errors_are_cut),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
