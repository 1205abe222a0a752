/* SPDX-License-Identifier: MIT */
/* Who has what and who reaches what, a record a line: for programs (docs/monitor.md). */
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/decode.h"

static void map_device(const struct pci_function *function)
{
    struct iommu_context_report context;
    struct short_text domain = {"-"};
    if (decode_context(function, &context))
        (void)format_text(domain.text, sizeof domain.text, "%u", context.domain);
    console_printf("map.device %s domain=%s owner=%s master=%s\n", function->record, domain.text,
                   owner_name(function->owner), decode_masters(function) ? "on" : "off");
}

/* Leaves that follow each other on both sides, with the same rights, are one record. */
static void map_leaves(const char *head, const struct page_table *table)
{
    struct page_walk walk;
    uint64_t start = 0, physical = 0, size = 0, address = 0;
    unsigned rights = 0;
    for (bool more = true; more; address += walk.page_size) {
        more = page_table_next(table, &address, &walk);
        if (more && walk.present && size != 0 && address == start + size &&
            walk.physical == physical + size && walk.rights == rights) {
            size += walk.page_size;
            continue;
        }
        if (size != 0)
            console_printf("%s address=0x%lx physical=0x%lx size=0x%lx rights=%s%s%s\n", head,
                           start, physical, size, (rights & PAGE_READ) != 0 ? "r" : "",
                           (rights & PAGE_WRITE) != 0 ? "w" : "",
                           (rights & PAGE_EXECUTE) != 0 ? "x" : "");
        start = address;
        physical = walk.physical;
        size = walk.present ? walk.page_size : 0; /* else the audit has it */
        rights = walk.rights;
    }
}

static void map_domain(const struct iommu_domain *domain)
{
    char head[64 + CONFIG_NAME_SIZE];
    (void)format_text(head, sizeof head, "map.domain domain=%u owner=%s levels=%u", domain->id,
                      owner_name(domain->owner), domain->table.levels);
    map_leaves(head, &domain->table);
}

static void map_guest(const struct guest *guest)
{
    char head[64 + CONFIG_NAME_SIZE];
    (void)format_text(head, sizeof head, "map.cpu guest=%s", guest->name);
    if (guest->memory.root != NULL)
        map_leaves(head, &guest->memory);
}

void command_map(void)
{
    struct iommu_unit_report unit;
    const struct pci_function *function;
    const struct frame_range *range;
    for (unsigned i = 0; iommu_unit_report(i, &unit); i++)
        console_printf("map.unit unit=%u base=0x%lx usable=%s\n", i, unit.base,
                       unit.usable ? "yes" : "no");
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++)
        map_device(function);
    decode_each_domain(map_domain);
    for (unsigned i = 0; guest_at(i) != NULL; i++)
        map_guest(guest_at(i));
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++)
        console_printf("map.memory physical=0x%lx size=0x%lx owner=%s\n", range->base, range->size,
                       owner_name(range->owner));
}
