/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/monitor/commands_map.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c
// SOURCES: hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/format.c hypervisor/base/text.c hypervisor/base/string.c
/* The records of `map`. */
#include <stdio.h>
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/decode.h"
#include "tests/unit/support/host.h"

static char printed[4096];
static struct guest alpha = {.name = "alpha", .owner = OWNER_GUEST(0)};
static struct pci_function functions[] = {
    {.record = "rid=00:01.0", .owner = OWNER_HYPERVISOR},
    {.record = "rid=01:10.0", .owner = OWNER_GUEST(0)},
};
static const struct frame_range ranges[] = {{0, 0x1000, OWNER_FIRMWARE},
                                            {0x40000000, 0x400000, OWNER_GUEST(0)}};

void console_printf(const char *format, ...)
{
    const size_t used = strlen(printed);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(printed + used, sizeof printed - used, format, arguments);
    va_end(arguments);
}

const char *owner_name(owner_t owner)
{
    return owner == OWNER_GUEST(0) ? alpha.name : owner == OWNER_FIRMWARE ? "firmware" : "other";
}

struct pci_function *pci_function_at(size_t index)
{
    return index < ARRAY_SIZE(functions) ? &functions[index] : NULL;
}

bool decode_context(const struct pci_function *function, struct iommu_context_report *context)
{
    context->domain = 7;
    return function == &functions[1];
}

bool decode_masters(const struct pci_function *function)
{
    return function == &functions[1];
}

bool iommu_unit_report(unsigned index, struct iommu_unit_report *report)
{
    *report = (struct iommu_unit_report){.base = 0xfed90000 + index, .usable = index == 0};
    return index < 2;
}

void decode_each_domain(void (*visit)(const struct iommu_domain *domain))
{
    visit(&alpha.domain);
}

struct guest *guest_at(unsigned index)
{
    return index == 0 ? &alpha : NULL;
}

const struct frame_range *frames_range(size_t index)
{
    return index < ARRAY_SIZE(ranges) ? &ranges[index] : NULL;
}

void cache_flush_range(const volatile void *address, size_t size)
{
}

static void map(struct page_table *table, uint64_t address, uint64_t physical, uint64_t size,
                unsigned rights)
{
    assert_int_equal(page_table_map(table, address, physical, size, rights), STATUS_OK);
}

static void expect(const char *text)
{
    printed[0] = '\0';
    command_map();
    if (strcmp(printed, text) != 0)
        fail_msg("not\n%s but\n%s", text, printed);
}

#define UNITS_AND_DEVICES                                                                          \
    "map.unit unit=0 base=0xfed90000 usable=yes\n"                                                 \
    "map.unit unit=1 base=0xfed90001 usable=no\n"                                                  \
    "map.device rid=00:01.0 domain=- owner=other master=off\n"                                     \
    "map.device rid=01:10.0 domain=7 owner=alpha master=on\n"
#define MEMORY                                                                                     \
    "map.memory physical=0x0 size=0x1000 owner=firmware\n"                                         \
    "map.memory physical=0x40000000 size=0x400000 owner=alpha\n"
#define DOMAIN "map.domain domain=7 owner=alpha levels=4 "

/* Pages of any size that follow each other on both sides are one record; a gap on either side, or
 * other rights, begin the next. */
static void what_belongs_together(void **state)
{
    const unsigned rw = PAGE_READ | PAGE_WRITE;
    struct page_table *cpu = &alpha.memory, *dma = &alpha.domain.table;
    alpha.domain = (struct iommu_domain){.id = 7, .owner = OWNER_GUEST(0)};
    assert_int_equal(page_table_create(cpu, &page_format_ept, 4, 3, false), STATUS_OK);
    assert_int_equal(page_table_create(dma, &page_format_vtd, 4, 2, false), STATUS_OK);
    expect(UNITS_AND_DEVICES MEMORY);

    map(dma, 0, 0x40000000, 0x203000, rw);             /* 2 MiB and three pages */
    map(dma, 0x203000, 0x40203000, 0x1000, PAGE_READ); /* on it goes, but not to be written */
    map(dma, 0x205000, 0x40205000, 0x1000, PAGE_READ); /* behind a gap */
    map(dma, 0x206000, 0x40300000, 0x2000, PAGE_READ); /* elsewhere */
    map(cpu, 0x3fe00000, 0x3fe00000, 0x200000, rw | PAGE_EXECUTE);
    map(cpu, 0x40000000, 0x40000000, 0x40000000, rw | PAGE_EXECUTE); /* in the next table: 1 GiB */
    map(cpu, 0x80000000, 0x80000000, 0x1000, rw | PAGE_DEVICE);
    expect(UNITS_AND_DEVICES /* clang-format off */
           DOMAIN "address=0x0 physical=0x40000000 size=0x203000 rights=rw\n"
           DOMAIN "address=0x203000 physical=0x40203000 size=0x1000 rights=r\n"
           DOMAIN "address=0x205000 physical=0x40205000 size=0x1000 rights=r\n"
           DOMAIN "address=0x206000 physical=0x40300000 size=0x2000 rights=r\n"
           "map.cpu guest=alpha address=0x3fe00000 physical=0x3fe00000 size=0x40200000 rights=rwx\n"
           "map.cpu guest=alpha address=0x80000000 physical=0x80000000 size=0x1000 rights=rw\n"
           MEMORY); /* clang-format on */
    page_table_destroy(cpu);
    page_table_destroy(dma);
}

/* An entry that points at a table outside of the hypervisor's memory maps nothing that is known. */
static void a_table_that_cannot_be_read(void **state)
{
    alpha.domain = (struct iommu_domain){.id = 7, .owner = OWNER_GUEST(0)};
    struct page_table *dma = &alpha.domain.table;
    assert_int_equal(page_table_create(dma, &page_format_vtd, 4, 2, false), STATUS_OK);
    map(dma, 0x1000, 0x40001000, 0x1000, PAGE_READ);
    dma->root[1] = 3; /* a table at address 0 */
    expect(UNITS_AND_DEVICES DOMAIN
           "address=0x1000 physical=0x40001000 size=0x1000 rights=r\n" MEMORY);
    dma->root[1] = 0;
    page_table_destroy(dma);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_together),
        cmocka_unit_test(a_table_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
