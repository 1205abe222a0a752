/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/x86/machine_check.c hypervisor/setup/machine_check.c
// SOURCES: hypervisor/base/format.c hypervisor/base/string.c hypervisor/base/text.c
/* Banks are read, judged, noted and cleared; against an array of registers. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/setup/cpu.h"
#include "hypervisor/setup/machine_check_registers.h"
#include "hypervisor/x86/machine_check.h"
#include "hypervisor/x86/machine_check_internal.h"
#include "hypervisor/x86/machine_check_registers.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

#define BANKS   6u
#define UC      (MC_STATUS_VALID | MC_STATUS_UNCORRECTED | MC_STATUS_ENABLED)
#define RESTART (MCG_STATUS_PENDING | MCG_STATUS_RESTARTS)
#define HIT     (RESTART | MCG_STATUS_AT_RIP)
#define AR      (UC | BIT(56) | MC_STATUS_REQUIRED)

static struct cpu cpu;
static uint64_t capabilities, global, global_control, local_control, feature_control;
static uint64_t bank[BANKS][4]; /* control, status, address, misc */
static unsigned writes_when_global_cleared, writes, banks_here;

struct cpu *cpu_current(void)
{
    return &cpu;
}

unsigned cpu_count(void)
{
    return 8;
}

static uint64_t *register_at(uint32_t msr)
{
    switch (msr) {
    case MSR_MCG_CAP:
        return &capabilities;
    case MSR_MCG_STATUS:
        return &global;
    case MSR_MCG_CTL:
        return &global_control;
    case MSR_MCG_EXT_CTL:
        return &local_control;
    case MSR_FEATURE_CONTROL:
        return &feature_control;
    default:
        break;
    }
    return msr >= 0x400 && msr < 0x400 + 4 * banks_here ? &bank[(msr - 0x400) / 4][msr % 4] : NULL;
}

bool msr_read_safe(uint32_t msr, uint64_t *value)
{
    uint64_t *at = register_at(msr);
    if (at != NULL)
        *value = *at;
    return at != NULL;
}

bool msr_write_safe(uint32_t msr, uint64_t value)
{
    uint64_t *at = register_at(msr);
    if (at == NULL || (msr == MSR_FEATURE_CONTROL && (feature_control & 1) != 0))
        return false;
    /* SDM 3B 16.3.2.2: anything but zeros faults. */
    assert_true(value == 0 || msr < 0x400 || msr % 4 != 1);
    *at = value;
    writes++;
    if (msr == MSR_MCG_STATUS)
        writes_when_global_cleared = writes;
    return true;
}

static int setup(void **state)
{
    memset(bank, 0, sizeof bank);
    banks_here = BANKS;
    capabilities = BANKS | MCG_CAP_RECOVERY | MCG_CAP_CTL;
    global = global_control = local_control = feature_control = 0;
    cpu = (struct cpu){.index = 2};
    machine_check_enable();
    machine_check_report(false);
    writes = writes_when_global_cleared = 0;
    host_log_clear();
    return 0;
}

static enum machine_check take_at(uint64_t status, uint64_t told, bool left)
{
    bank[3][1] = status;
    global = told;
    enum machine_check verdict = machine_check_take(MACHINE_CHECK_IN_GUEST);
    assert_true(bank[3][1] == (left ? status : 0));
    assert_int_equal(global, 0);
    assert_int_equal(writes_when_global_cleared, writes); /* last of all */
    return verdict;
}

static enum machine_check take(uint64_t status)
{
    return take_at(status, RESTART, false);
}

static void verdicts(void **state)
{
    assert_int_equal(take(0), MACHINE_CHECK_HARMLESS);               /* another core's */
    assert_int_equal(take(MC_STATUS_VALID), MACHINE_CHECK_HARMLESS); /* corrected */
    /* What QEMU and shared banks show the others of a broadcast: not enabled. */
    assert_int_equal(take(MC_STATUS_VALID | MC_STATUS_UNCORRECTED | MC_STATUS_CORRUPT),
                     MACHINE_CHECK_HARMLESS);
    assert_int_equal(take(UC), MACHINE_CHECK_HARMLESS);           /* nobody consumed it */
    assert_int_equal(take(UC | BIT(56)), MACHINE_CHECK_HARMLESS); /* action optional */
    machine_check_support()->recovery = false; /* AMD, older Intel: the bits above say nothing */
    assert_int_equal(take(UC), MACHINE_CHECK_FATAL);
    assert_int_equal(take(UC | MC_STATUS_CORRUPT), MACHINE_CHECK_CORE);
}

/* What this thread is told about itself (RIPV, EIPV, LMCE_S) says whether a bank that it shares is
 * its business; one that is not stays for the thread that was hit. */
static void who_was_hit(void **state)
{
    const uint64_t nowhere = MCG_STATUS_PENDING, nowhere_hit = nowhere | MCG_STATUS_AT_RIP;
    const uint64_t local = RESTART | MCG_STATUS_LOCAL, over = MC_STATUS_OVERFLOW;
    const uint64_t corrupt = UC | MC_STATUS_CORRUPT, not_valid = AR & ~MC_STATUS_VALID;
    const struct {
        uint64_t status, told;
        enum machine_check verdict;
        bool left;
    } cases[] = {
        {AR, RESTART, MACHINE_CHECK_HARMLESS, true}, /* a sibling's poison */
        {AR, HIT, MACHINE_CHECK_FATAL, false},       /* one's own: a load of data */
        {AR, nowhere_hit, MACHINE_CHECK_FATAL, false},
        {AR, nowhere, MACHINE_CHECK_FATAL, false}, /* a fetch of code */
        {AR, local, MACHINE_CHECK_FATAL, false},   /* nobody else was told */
        {AR | over, RESTART, MACHINE_CHECK_CORE, true},
        {AR | over, HIT, MACHINE_CHECK_CORE, false},
        {corrupt, RESTART, MACHINE_CHECK_CORE, true},
        {corrupt, HIT, MACHINE_CHECK_CORE, false},
        {corrupt | over, nowhere, MACHINE_CHECK_CORE, false},
        {UC | BIT(56), RESTART, MACHINE_CHECK_HARMLESS, false}, /* action optional */
        {UC | over, RESTART, MACHINE_CHECK_HARMLESS, false},
        {AR & ~MC_STATUS_UNCORRECTED, RESTART, MACHINE_CHECK_HARMLESS, false},
        {0, RESTART, MACHINE_CHECK_HARMLESS, false},
        {0, HIT, MACHINE_CHECK_FATAL, false}, /* a sibling cleared it first */
        {MC_STATUS_VALID, HIT, MACHINE_CHECK_FATAL, false},
        {not_valid, RESTART, MACHINE_CHECK_HARMLESS, true}, /* not valid: not looked at */
        {not_valid, HIT, MACHINE_CHECK_FATAL, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        assert_int_equal(take_at(cases[i].status, cases[i].told, cases[i].left), cases[i].verdict);
    machine_check_support()->recovery = false; /* RIPV without EIPV is any imprecise error there */
    assert_int_equal(take_at(UC, RESTART, false), MACHINE_CHECK_FATAL);
}

/* The threads of a core, in the order that used to lose the error. */
static void the_sibling_looks_first(void **state)
{
    assert_int_equal(take_at(AR, RESTART, true), MACHINE_CHECK_HARMLESS);
    cpu.index = 3;
    *machine_check_support() = machine_check_supports[2];
    global = HIT;
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_FATAL);
    assert_int_equal(bank[3][1], 0);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "core=2 in=guest bank=3"), 1);
    assert_int_equal(host_log_count("cpu.machine_check", "core=3 in=guest bank=3"), 1);
}

/* A hybrid CPU: the last core to start has fewer banks. */
static void cores_differ(void **state)
{
    cpu.index = 3;
    capabilities = (capabilities & ~UINT64_C(0xff)) | 2;
    banks_here = 2;
    machine_check_enable();
    cpu.index = 2;
    banks_here = BANKS;
    bank[5][1] = AR;
    global = HIT;
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_FATAL);
    assert_int_equal(bank[5][1], 0);
}

/* SVM keeps #MC back while GIF is 0: what was found pending meanwhile is delivered afterwards. */
static void taken_before_it_was_delivered(void **state)
{
    bank[3][1] = AR;
    global = HIT;
    assert_true(machine_check_pending());
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_FATAL);
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_HYPERVISOR), MACHINE_CHECK_HARMLESS);
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_HARMLESS);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", ""), 1);

    bank[3][1] = AR; /* the next one counts again */
    global = HIT;
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_HYPERVISOR), MACHINE_CHECK_FATAL);
}

static void without_a_way_back(void **state)
{
    global = MCG_STATUS_PENDING;
    assert_true(machine_check_pending());
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_HYPERVISOR), MACHINE_CHECK_FATAL);
    assert_false(machine_check_pending());
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "core=2 in=hypervisor bank=none"), 1);
    assert_int_equal(host_log_count("cpu.machine_check", "what ran on it cannot continue"), 1);
}

/* The worst of all banks counts, and each is told with what it has. */
static void every_bank_is_told(void **state)
{
    bank[0][1] = UC | MC_STATUS_REQUIRED | MC_STATUS_HAS_ADDRESS | 0x134;
    bank[0][2] = 0x1234000;
    bank[0][3] = 0xdead; /* not valid: not shown */
    bank[5][1] = MC_STATUS_VALID | MC_STATUS_HAS_MISC;
    bank[5][3] = 0x86;
    global = HIT;
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_FATAL);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check",
                                    "bank=0 status=0xb480000000000134 address=0x1234000 misc=0 "),
                     1);
    assert_int_equal(host_log_count("cpu.machine_check", "bank=5 status=0x8800000000000000 "
                                                         "address=0 misc=0x86 global=0x7"),
                     1);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "bank=5"), 1); /* once */
}

static void more_than_can_be_noted(void **state)
{
    for (unsigned i = 0; i < 20; i++)
        take(UC);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "bank=3"), 16);
    assert_int_equal(host_log_count("cpu.machine_check", "dropped=4"), 1);
    take(UC); /* there is room again */
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "bank=3"), 17);
}

static void what_firmware_left(void **state)
{
    bank[1][1] = UC | MC_STATUS_CORRUPT;
    global = RESTART;
    machine_check_enable();
    for (unsigned i = 0; i < BANKS; i++)
        assert_true(bank[i][0] == UINT64_MAX && bank[i][1] == 0);
    assert_true(global_control == UINT64_MAX && global == 0);
    machine_check_report(false);
    assert_int_equal(host_log_count("cpu.machine_check", "in=firmware bank=1"), 1);
    assert_int_equal(host_log_count("cpu.machine_check", "bank=none"), 0);
}

static void local_delivery(void **state)
{
    static const struct {
        bool offered;
        uint64_t before, after;
        bool on;
    } cases[] = {
        {true, BIT(20) | 1, BIT(20) | 1, true}, /* permitted and locked */
        {true, 1, 1, false},                    /* forbidden */
        {true, 0, BIT(20), true},               /* left to us; VMX locks it later */
        {false, BIT(20) | 1, BIT(20) | 1, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(NULL);
        capabilities |= cases[i].offered ? MCG_CAP_LOCAL : 0;
        feature_control = cases[i].before;
        machine_check_enable();
        assert_int_equal(feature_control, cases[i].after);
        assert_int_equal(local_control, cases[i].on);
        assert_int_equal(machine_check_support()->local, cases[i].on);
    }
}

/* Nothing can be read: what was hit ends, nothing is touched. */
static void without_banks(void **state)
{
    machine_check_support()->banks = 0;
    global = MCG_STATUS_PENDING;
    assert_false(machine_check_pending());
    assert_int_equal(machine_check_take(MACHINE_CHECK_IN_GUEST), MACHINE_CHECK_FATAL);
    assert_int_equal(writes, 0);
}

/* Codes as SDM 3B 16.9 has them, with the filter bit (12) of corrected errors. */
static void what_the_error_is(void **state)
{
    static const struct {
        uint16_t code;
        const char *name;
    } cases[] = {
        {0x0000, "none"},
        {0x0005, "internal parity"},
        {0x0400, "internal timer"},
        {0x0406, "\"internal\""},
        {0x0e0b, "I/O"},
        {0x000e, "cache"},
        {0x0014, "TLB"},
        {0x1136, "cache"},
        {0x009f, "memory"},
        {0x0290, "memory"},
        {0x0e0f, "bus"},
        {0x1810, "bus"},
        {0x2345, "of this model"},
        {0x0001, "unclassified"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char field[64];
        host_log_clear();
        bank[3][1] = UC | cases[i].code;
        global = RESTART;
        (void)machine_check_take(MACHINE_CHECK_IN_GUEST);
        machine_check_report(false);
        snprintf(field, sizeof field, cases[i].name[0] == '"' ? "error=%s" : "error=\"%s",
                 cases[i].name);
        assert_int_equal(host_log_count("cpu.machine_check", field), 1);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        CASE(verdicts),       CASE(without_a_way_back), CASE(every_bank_is_told),
        CASE(local_delivery), CASE(what_firmware_left), CASE(more_than_can_be_noted),
        CASE(without_banks),  CASE(who_was_hit),        CASE(the_sibling_looks_first),
        CASE(cores_differ),   CASE(what_the_error_is),  CASE(taken_before_it_was_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
