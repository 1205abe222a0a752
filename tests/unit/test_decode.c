/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/decode.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/string.c
/* The walk that people are shown at the prompt. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "tests/unit/support/host.h"

/* --- the console and a unit with one domain --- */

static char printed[4096];
static struct iommu_unit_report unit;
static struct iommu_context_report context;
static struct pci_function function = {.rid = RID(0, 1, 0x10, 2)};
static int unit_index;

void console_printf(const char *format, ...)
{
    const size_t used = strlen(printed);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(printed + used, sizeof printed - used, format, arguments);
    va_end(arguments);
}

struct pci_function *pci_function_find(rid_t rid)
{
    return rid == function.rid ? &function : NULL;
}

int iommu_unit_of(const struct pci_function *asked)
{
    return unit_index;
}

bool iommu_unit_report(unsigned index, struct iommu_unit_report *report)
{
    *report = unit;
    return index == 0;
}

void iommu_context_report(uint64_t root_table, uint16_t rid, struct iommu_context_report *report)
{
    assert_int_equal(root_table, unit.root_table);
    *report = context;
}

static struct guest owner = {.name = "beta"};
static struct fault_record latest = {.guest = "beta"};
static uint16_t command;

const struct fault_record *fault_record(unsigned index)
{
    return index == 0 ? &latest : NULL;
}

const char *iommu_fault_reason(uint8_t reason)
{
    return reason == 5 ? "page not writable" : "other";
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    assert_int_equal(offset, PCI_COMMAND);
    return command;
}

const char *owner_name(owner_t asked)
{
    return asked == OWNER_GUEST(1) ? owner.name : "other";
}

owner_t frames_owner(uint64_t address)
{
    return OWNER_GUEST(1);
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

/* --- the walk --- */

static struct page_table table;

static int fresh(void **state)
{
    printed[0] = '\0';
    unit_index = 0;
    assert_int_equal(page_table_create(&table, &page_format_vtd, 3, 2, false), STATUS_OK);
    assert_int_equal(page_table_map(&table, 0x1000, 0x40001000, PAGE_SIZE, PAGE_READ), STATUS_OK);
    unit = (struct iommu_unit_report){.base = 0xfed90000, .usable = true, .root_table = 0x5000};
    context = (struct iommu_context_report){.root_present = true,
                                            .present = true,
                                            .domain = 7,
                                            .levels = 3,
                                            .table = physical_address(table.root)};
    return 0;
}

static int done(void **state)
{
    page_table_destroy(&table);
    return pages_in_use() == 0 ? 0 : -1;
}

static void expect_printed(const char *part)
{
    if (strstr(printed, part) == NULL)
        fail_msg("no '%s' in:\n%s", part, printed);
}

static void test_walks(void **state)
{
    decode_walk(function.rid, 0x1234);
    expect_printed("unit 0 at 0xfed90000");
    expect_printed("domain 7, 3 levels");
    expect_printed("level 3 PDPTE");
    expect_printed("level 1 PTE");
    expect_printed("reaches 0x40001234 (4K page, read), owner beta");

    printed[0] = '\0';
    decode_walk(function.rid, 0x2000);
    expect_printed("level 1 PTE");
    expect_printed("blocked: nothing is mapped at 0x2000");
    assert_null(strstr(printed, "reaches"));
}

static void test_blocked_requesters(void **state)
{
    context = (struct iommu_context_report){.root_present = true};
    decode_walk(function.rid, 0x1234);
    expect_printed("blocked: the requester has no context entry");
    context.root_present = false;
    printed[0] = '\0';
    decode_walk(RID(0, 9, 0, 0), 0x1234);
    expect_printed("no function 09:00.0 is known");
    expect_printed("blocked: the requester has no context entry");
    unit_index = -1;
    printed[0] = '\0';
    decode_walk(function.rid, 0x1234);
    expect_printed("blocked: no unit covers 01:10.2");
    unit_index = 0;
    unit.usable = false;
    printed[0] = '\0';
    decode_walk(function.rid, 0x1234);
    expect_printed("blocked: no unit covers 01:10.2");
}

static void test_why(void **state)
{
    function.owner = OWNER_GUEST(1);
    command = 0;
    latest.fault = (struct iommu_fault){.rid = RID(0, 2, 0, 0)};
    decode_why(function.rid, 0x1234);
    expect_printed("owner beta");
    expect_printed("bus mastering is off");
    expect_printed("reaches 0x40001234");
    expect_printed("write: blocked, reason 0x5: page not writable");
    expect_printed("read: let through");
    expect_printed("no fault on record"); /* the one there is another's */

    printed[0] = '\0';
    command = PCI_COMMAND_BUS_MASTER;
    latest.fault =
        (struct iommu_fault){.rid = function.rid, .address = 0x2000, .write = true, .reason = 5};
    decode_why(function.rid, 0x2000);
    assert_null(strstr(printed, "bus mastering"));
    expect_printed("read: blocked, reason 0x6");
    expect_printed("its latest fault: write to 0x2000, reason 0x5, guest beta");

    printed[0] = '\0';
    decode_why(function.rid, UINT64_C(1) << 39); /* three levels translate 39 bits */
    expect_printed("beyond the domain's 39 bits");
    expect_printed("write: blocked, reason 0x4");

    printed[0] = '\0';
    decode_why(function.rid, 0xfee12345);
    expect_printed("write: an interrupt request");

    printed[0] = '\0';
    context.present = false;
    decode_why(function.rid, 0);
    expect_printed("read: blocked, reason 0x2");
    context.root_present = false;
    printed[0] = '\0';
    decode_why(function.rid, 0);
    expect_printed("read: blocked, reason 0x1");
    unit_index = -1;
    printed[0] = '\0';
    decode_why(function.rid, 0);
    expect_printed("read: not translated by any unit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_walks, fresh, done),
        cmocka_unit_test_setup_teardown(test_blocked_requesters, fresh, done),
        cmocka_unit_test_setup_teardown(test_why, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
