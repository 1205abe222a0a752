/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/decode.c hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/pci/life.c hypervisor/base/format.c hypervisor/base/text.c
// hypervisor/base/string.c
/* The walk that people are shown at the prompt. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/guest/faults.h"
#include "hypervisor/assign/guest.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/pf_dma.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/iommu/report.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/host.h"

/* --- the console and a unit with one domain --- */

static char printed[4096];
static struct iommu_unit_report unit;
static struct iommu_context_report context;
static struct pci_function function = {.rid = RID(0, 1, 0x10, 2), .name = "uplink.vf0"};
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
    report->live = (struct page_table){.format = &page_format_vtd,
                                       .root = virtual_address(context.table),
                                       .levels = context.levels,
                                       .max_leaf_level = 3};
}

static struct guest owner = {.name = "beta", .state = GUEST_STOPPED};
static struct vcpu vcpu = {.guest = &owner};
static struct cpu cores[] = {{.apic_id = 0}, {.apic_id = 4, .vcpu = &vcpu}};
static struct iommu_irte_report entry;
static struct fault_record latest = {.guest = "beta"};
static uint16_t command;

struct guest *guest_of_owner(owner_t asked)
{
    return asked == OWNER_GUEST(1) ? &owner : NULL;
}

const char *command_state(const struct guest *guest)
{
    return guest->state == GUEST_STOPPED ? "stopped" : "other";
}

struct cpu *cpu_at(unsigned index)
{
    return index < ARRAY_SIZE(cores) ? &cores[index] : NULL;
}

const struct vcpu_backend *vcpu_selected = &(const struct vcpu_backend){.name = "vmx"};

bool iommu_irte_report(uint64_t interrupt_table, uint32_t index, struct iommu_irte_report *report)
{
    assert_int_equal(interrupt_table, unit.interrupt_table);
    *report = entry;
    return index < 16;
}

struct guest *guest_at(unsigned index)
{
    return NULL;
}

const struct pf_dma *pf_dma_at(unsigned index)
{
    return NULL;
}

struct pci_function *pci_function_at(size_t index)
{
    return NULL;
}

bool iommu_firmware_connected(rid_t rid)
{
    return false;
}

struct iommu_domain *iommu_domain_of(rid_t rid)
{
    return NULL;
}

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
    expect_printed("  read write, table\n");
    expect_printed("level 1 PTE");
    expect_printed("= 0x0000000040001001  read, 4K page\n");
    expect_printed("reaches 0x40001234 (4K page, read), owner beta");

    printed[0] = '\0';
    decode_walk(function.rid, 0x2000);
    expect_printed("level 1 PTE");
    expect_printed("= 0x0000000000000000  not present\n");
    expect_printed("blocked: nothing is mapped at 0x2000");
    assert_null(strstr(printed, "reaches"));
}

static void test_entries_in_words(void **state)
{
    static const struct {
        uint64_t low;
        const char *words;
    } contexts[] = {
        {0x1, "present, second level\n"},
        {0x3, "present, second level, faults not reported\n"},
        {0x5, "present, NOT by second level\n"},
        {0x9, "present, NOT by second level\n"},
        {0x0, "not present\n"},
        {0x2, "not present, faults not reported\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(contexts); i++) {
        context.context_low = contexts[i].low;
        context.present = (contexts[i].low & 1) != 0;
        context.fault_reporting_off = (contexts[i].low & 2) != 0;
        printed[0] = '\0';
        decode_walk(function.rid, 0x1234);
        const char *line = strstr(printed, "context entry = ");
        assert_non_null(line);
        char expected[128];
        snprintf(expected, sizeof expected, "context entry = 0x%016x 0x%016x  %s", 0,
                 (unsigned)contexts[i].low, contexts[i].words);
        assert_memory_equal(line, expected, strlen(expected));
    }
}

static void test_a_table_that_cannot_be_read(void **state)
{
    context.table = 0;
    decode_walk(function.rid, 0x1234);
    expect_printed("blocked: the table lies outside the hypervisor's memory");
    context.table = physical_address(table.root);
    context.levels = 9; /* more than there are: three bits of the entry */
    printed[0] = '\0';
    decode_why(function.rid, 0x1234);
    expect_printed("read: blocked, reason 0x7");
}

/* The same table as an EPT: write back, then uncached. */
static void test_guests_own_way(void **state)
{
    struct page_table *memory = &owner.memory;
    assert_int_equal(page_table_create(memory, &page_format_ept, 4, 3, false), STATUS_OK);
    assert_int_equal(
        page_table_map(memory, 0, 0x40000000, 0x200000, PAGE_READ | PAGE_WRITE | PAGE_EXECUTE),
        STATUS_OK);
    assert_int_equal(page_table_map(memory, 0xc0000000, 0xfe000000, PAGE_SIZE,
                                    PAGE_READ | PAGE_WRITE | PAGE_DEVICE),
                     STATUS_OK);
    decode_guest_walk(&owner, 0x1234);
    char head[64];
    snprintf(head, sizeof head, "EPT of beta, 4 levels from %#lx\n",
             (unsigned long)physical_address(memory->root));
    expect_printed(head);
    expect_printed("level 2 PDE    at ");
    expect_printed("= 0x00000000400000b7  read write execute, 2M page\n");
    expect_printed("reaches 0x40001234 (2M page, read write execute), owner beta");

    printed[0] = '\0';
    decode_guest_walk(&owner, 0xc0000008);
    expect_printed("= 0x00000000fe000003  read write uncached, 4K page\n");
    expect_printed("reaches 0xfe000008 (4K page, read write uncached), owner beta");

    printed[0] = '\0';
    decode_guest_walk(&owner, 0x300000);
    expect_printed("an exit: nothing is mapped at 0x300000\n");
    printed[0] = '\0';
    decode_guest_walk(&owner, UINT64_C(1) << 48);
    expect_printed("an exit: 0x1000000000000 is beyond the 48 bits that the tables translate\n");
    page_table_destroy(memory);
    printed[0] = '\0';
    decode_guest_walk(&owner, 0);
    assert_string_equal(printed, "beta has no tables\n");
}

static void test_interrupts(void **state)
{
    unit.interrupt_table = 0x7000 | 3;
    entry = (struct iommu_irte_report){.present = true,
                                       .source = (uint16_t)function.rid,
                                       .validation = 1,
                                       .vector = 0x41,
                                       .destination = 4,
                                       .low = 0x400410001,
                                       .high = 0x40182};
    decode_interrupt(5);
    assert_string_equal(printed,
                        "unit 0, entry 5 at 0x7050 = 0x0000000000040182 0x0000000400410001\n"
                        "  present, fixed, edge, physical, source 01:10.2 (uplink.vf0) verified\n"
                        "reaches APIC id 4 with vector 0x41: beta\n");
    static const struct {
        uint64_t low;
        uint8_t validation, qualifier;
        uint16_t source;
        uint32_t destination;
        const char *words[2];
    } others[] = {
        {0x05,
         0,
         0,
         0x182,
         0,
         {", logical, ", "NOT verified\nreaches APIC id 0 with vector 0x41: a core"}},
        {0x11,
         1,
         2,
         0x182,
         9,
         {", level, ", "verified in part\nreaches APIC id 9 with vector 0x41: no core"}},
        {0x81, 2, 0, 0x182, 4, {"NOT fixed", "verified by its bus only\n"}},
        {0x01, 3, 0, 0x500, 4, {"source 05:00.0 (no function)", "verified in an unknown way\n"}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        entry.low = others[i].low;
        entry.validation = others[i].validation;
        entry.qualifier = others[i].qualifier;
        entry.source = others[i].source;
        entry.destination = others[i].destination;
        printed[0] = '\0';
        decode_interrupt(5);
        expect_printed(others[i].words[0]);
        expect_printed(others[i].words[1]);
    }
    entry.present = false;
    printed[0] = '\0';
    decode_interrupt(5);
    expect_printed("blocked: the entry is not present\n");
    static const uint64_t beyond[] = {16, UINT64_C(0x100000005), UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
        char expected[96];
        snprintf(expected, sizeof expected, "unit 0: its table at 0x7000 has no entry %lu\n",
                 (unsigned long)beyond[i]);
        printed[0] = '\0';
        decode_interrupt(beyond[i]);
        assert_string_equal(printed, expected);
    }
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
    const char *begin = "its bus mastering is off, so it sends nothing; if it were on:\n"
                        "read: let through\n"
                        "write: blocked, reason 0x5: page not writable\n"
                        "01:10.2 (uplink.vf0) 0000:0000, owner beta, in no domain; that guest is "
                        "stopped\n";
    assert_memory_equal(printed, begin, strlen(begin));
    expect_printed("reaches 0x40001234");
    expect_printed("no fault on record"); /* the one there is another's */

    printed[0] = '\0';
    command = PCI_COMMAND_BUS_MASTER;
    function.life = PCI_USED;
    latest.fault =
        (struct iommu_fault){.rid = function.rid, .address = 0x2000, .write = true, .reason = 5};
    decode_why(function.rid, 0x2000);
    assert_null(strstr(printed, "bus mastering"));
    expect_printed("read: blocked, reason 0x6: other\n");
    expect_printed("owner beta\n");
    expect_printed("read: blocked, reason 0x6");
    expect_printed("its latest fault: [0.000000] 01:10.2 guest=beta write address=0x2000 reason "
                   "0x5: page not writable\n");

    printed[0] = '\0';
    decode_why(function.rid, UINT64_C(1) << 39); /* three levels translate 39 bits */
    expect_printed("beyond the 39 bits that the tables translate");
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
        cmocka_unit_test_setup_teardown(test_entries_in_words, fresh, done),
        cmocka_unit_test_setup_teardown(test_a_table_that_cannot_be_read, fresh, done),
        cmocka_unit_test_setup_teardown(test_guests_own_way, fresh, done),
        cmocka_unit_test_setup_teardown(test_interrupts, fresh, done),
        cmocka_unit_test_setup_teardown(test_blocked_requesters, fresh, done),
        cmocka_unit_test_setup_teardown(test_why, fresh, done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
