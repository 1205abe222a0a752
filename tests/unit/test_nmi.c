/* SPDX-License-Identifier: MIT */
// NMIs that reach the control core from outside.
// SOURCES: hypervisor/monitor/nmi.c
#include "hypervisor/base/mmio.h"
#include "hypervisor/monitor/nmi.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

static struct cpu cpu;
static uint8_t status, written[2];
static unsigned reads, writes;

struct cpu *cpu_at(unsigned index)
{
    assert_int_equal(index, 0);
    return &cpu;
}

uint8_t port_read8(uint16_t port)
{
    assert_int_equal(port, 0x61);
    reads++;
    return status;
}

void port_write8(uint16_t port, uint8_t value)
{
    assert_int_equal(port, 0x61);
    assert_true(writes < 2);
    written[writes++] = value;
}

static int fresh(void **state)
{
    status = 0x20;
    reads = writes = 0;
    host_log_clear();
    return 0;
}

static void each_is_told(void **state)
{
    nmi_report();
    assert_int_equal(reads, 0); /* none: the port is left alone */
    cpu.nmi_count++;
    nmi_report();
    nmi_report();
    assert_int_equal(host_log_count("nmi.external", "count=1 status=0x20 message=\"an NMI button"),
                     1);
    assert_int_equal(writes, 0);
}

/* The line goes off and on again, or the next error would make no edge; the speaker stays. */
static void a_bus_error(void **state)
{
    status = 0xb3;
    cpu.nmi_count++;
    nmi_report();
    assert_int_equal(host_log_count("nmi.external", "SERR#"), 1);
    assert_int_equal(writes, 2);
    assert_int_equal(written[0], 0x0f);
    assert_int_equal(written[1], 0x03);
    fresh(NULL);
    status = 0x40;
    cpu.nmi_count++;
    nmi_report();
    assert_int_equal(host_log_count("nmi.external", "IOCHK#"), 1);
    assert_int_equal(written[0], 0x0c);
    assert_int_equal(written[1], 0x00);
}

static void a_storm(void **state)
{
    for (cpu.nmi_count = 100; cpu.nmi_count < 1100; cpu.nmi_count++)
        nmi_report();
    assert_int_equal(host_log_count("nmi.external", NULL), 4); /* 128, 256, 512, 1024 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_is_told, fresh),
        cmocka_unit_test_setup(a_bus_error, fresh),
        cmocka_unit_test_setup(a_storm, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
