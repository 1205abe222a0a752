/* SPDX-License-Identifier: MIT */
/* A guest's RAM: which pieces of the machine's it is made of, and where it sees them. */
#include "hypervisor/setup/guest_memory.h"

#include "hypervisor/assign/assignment.h"
#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/string.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/setup/vcpu.h"

#define TABLE_LEVELS        4u  /* of EPT and NPT */
#define DEFAULT_WIDTH       36u /* of CPUs that do not tell (SDM 3A 4.1.4) */
#define CPUID_EXTENDED      0x80000000u
#define CPUID_ADDRESS_SIZES 0x80000008u

struct text {
    char text[240];
};

struct ranks {
    enum affinity_rank first, last;
};

static enum status refuse(const struct guest *guest, enum status status, const char *message)
{
    log_event("guest.refused", "guest=%s line=%u status=%s memory=%s message=\"%s\"", guest->name,
              guest->config->place.line, status_name(status), size_text(guest->config->memory).text,
              message);
    return status;
}

/* Pages of 1 GiB need both addresses at multiples of that, so whole GiBs come first as long as
 * there are any, and what is left, at the end of the guest's memory, in pieces as large as there
 * are. */
static uint64_t largest(const struct affinity *affinity, enum affinity_rank rank, uint64_t at,
                        uint64_t wanted, uint64_t *base)
{
    uint64_t size = 0;
    if (wanted >= PAGE_1G && IS_ALIGNED(at, PAGE_1G))
        size = affinity_largest(affinity, rank, PAGE_1G, wanted, base);
    if (size < PAGE_1G)
        return affinity_largest(affinity, rank, PAGE_2M, wanted, base);
    return size == wanted ? size : ALIGN_DOWN(size, PAGE_1G);
}

/* From the first rank that has one which is large enough for the rest to fit into the pieces that
 * are left: small ones near by do not keep a guest from larger ones elsewhere. 0: there is none. */
static uint64_t next_piece(const struct guest *guest, const struct affinity *affinity,
                           const struct ranks *ranks, uint64_t *base)
{
    uint64_t wanted = guest->config->memory, offset = guest->memory_size;
    uint64_t end = offset < GUEST_LOW_END ? MIN(wanted, GUEST_LOW_END) : wanted;
    unsigned left = GUEST_MAX_PIECES - guest->piece_count;
    for (enum affinity_rank rank = ranks->first; left != 0 && rank <= ranks->last; rank++) {
        uint64_t size = largest(affinity, rank, guest_address_of(offset), end - offset, base);
        if (size == end - offset || size >= (wanted - offset) / left)
            return size;
    }
    return 0;
}

/* Takes pieces until the guest has all of its memory, STATUS_NO_MEMORY if there are too few. */
static enum status take_pieces(struct guest *guest, const struct affinity *affinity,
                               const struct ranks *ranks)
{
    while (guest->memory_size < guest->config->memory) {
        uint64_t base = 0, size = next_piece(guest, affinity, ranks, &base);
        if (size == 0)
            return STATUS_NO_MEMORY;
        enum status status = frames_transfer(base, size, OWNER_NOBODY, guest->owner);
        if (status != STATUS_OK)
            return status;
        guest->pieces[guest->piece_count++] =
            (struct memory_piece){guest_address_of(guest->memory_size), base, size};
        guest->memory_size += size;
    }
    return STATUS_OK;
}

/* Memory of one rank if it is enough, the nearest first; else of several. */
static enum status take_memory(struct guest *guest, const struct affinity *affinity)
{
    static const struct ranks turns[] = {{AFFINITY_NEAR, AFFINITY_NEAR},
                                         {AFFINITY_FAR, AFFINITY_FAR},
                                         {AFFINITY_LAST, AFFINITY_LAST},
                                         {AFFINITY_NEAR, AFFINITY_LAST}};
    enum status status = STATUS_NO_MEMORY;
    for (size_t i = 0; i < ARRAY_SIZE(turns) && status == STATUS_NO_MEMORY; i++) {
        guest_memory_release(guest);
        status = take_pieces(guest, affinity, &turns[i]);
    }
    return status;
}

void guest_memory_release(struct guest *guest)
{
    if (guest->memory.root != NULL)
        page_table_destroy(&guest->memory);
    if (guest->memory_size != 0)
        frames_release_all(guest->owner);
    memset(guest->pieces, 0, sizeof guest->pieces);
    guest->piece_count = 0;
    guest->memory_size = 0;
}

static enum status map_pieces(struct guest *guest)
{
    unsigned max_leaf_level, max_execute_level;
    const struct page_table_format *format =
        vcpu_setup()->memory_format(&max_leaf_level, &max_execute_level);
    /* Where code may not run from pages as large as data is given, it gets the right to when it
     * does (vdev/answers.c). */
    unsigned execute = max_execute_level < max_leaf_level ? 0 : PAGE_EXECUTE;
    enum status status =
        page_table_create(&guest->memory, format, TABLE_LEVELS, max_leaf_level, false);
    for (unsigned i = 0; i < guest->piece_count && status == STATUS_OK; i++)
        status = page_table_map(&guest->memory, guest->pieces[i].at, guest->pieces[i].physical,
                                guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);
    return status;
}

/* One past the last guest-physical address: guests see the CPU's own width, and the tables that
 * translate have one, too. */
static uint64_t address_end(cpuid_query *query)
{
    uint32_t width = query(CPUID_EXTENDED, 0).eax >= CPUID_ADDRESS_SIZES
                         ? query(CPUID_ADDRESS_SIZES, 0).eax & 0xff
                         : DEFAULT_WIDTH;
    return BIT(MIN(width, PAGE_SHIFT + 9 * TABLE_LEVELS));
}

static enum status check_width(const struct guest *guest, uint64_t end)
{
    uint64_t last = guest_address_of(guest->config->memory - 1);
    struct text text;
    if (guest->config->memory > GUEST_MAX_MEMORY)
        return refuse(guest, STATUS_UNSUPPORTED, "more memory than a guest can have (510G)");
    if (last >= end) {
        (void)format_text(text.text, sizeof text.text,
                          "its memory would end at %#lx, and the CPU's physical addresses at %#lx; "
                          "give it less",
                          last, end - 1);
        return refuse(guest, STATUS_UNSUPPORTED, text.text);
    }
    if (guest->config->device_count != 0 && last >= iommu_address_end()) {
        (void)format_text(text.text, sizeof text.text,
                          "its memory would end at %#lx, and what its devices reach through the "
                          "IOMMU at %#lx; give it less, or no devices",
                          last, iommu_address_end() - 1);
        return refuse(guest, STATUS_UNSUPPORTED, text.text);
    }
    return STATUS_OK;
}

static enum status refuse_size(struct guest *guest, const struct affinity *affinity)
{
    char node[32] = "";
    struct text text;
    guest_memory_release(guest);
    uint64_t base, free = frames_bytes(OWNER_NOBODY), piece = 0;
    for (enum affinity_rank rank = 0; rank < AFFINITY_RANKS; rank++) {
        uint64_t its = affinity_largest(affinity, rank, PAGE_2M, UINT64_MAX, &base);
        piece = MAX(piece, its);
    }
    if (affinity->strict) {
        free = node_free_bytes(affinity->node);
        (void)format_text(node, sizeof node, " on node %u", affinity->node);
    }
    (void)format_text(text.text, sizeof text.text,
                      "memory = %s does not fit%s: %lu MiB free, largest piece %lu MiB, in at most "
                      "%u pieces; `frames` at the prompt shows who has what",
                      size_text(guest->config->memory).text, node, free / MIB(1), piece / MIB(1),
                      GUEST_MAX_PIECES);
    return affinity->strict ? affinity_refuse_node(guest, STATUS_NO_MEMORY, text.text)
                            : refuse(guest, STATUS_NO_MEMORY, text.text);
}

enum status guest_memory_create(struct guest *guest, const struct affinity *affinity,
                                cpuid_query *query)
{
    uint64_t end = address_end(query);
    enum status status = check_width(guest, end);
    if (status != STATUS_OK)
        return status;
    if (take_memory(guest, affinity) != STATUS_OK)
        return refuse_size(guest, affinity);
    affinity_report(affinity);
    uint64_t top = guest_address_of(guest->memory_size - 1);
    uint64_t high = MAX(ALIGN_UP(top, PAGE_1G), GUEST_HIGH_BASE);
    guest->bar_windows[0] = (struct guest_bar_window){.base = GUEST_BAR_BASE, .end = GUEST_BAR_END};
    guest->bar_windows[1] = (struct guest_bar_window){.base = high, .end = MAX(high, end)};
    status = map_pieces(guest);
    return status == STATUS_OK ? status : refuse(guest, status, "no memory left for its tables");
}

/* Where an operating system finds room above the RAM it moves BARs that come later to it, and ours
 * stay where they are. */
void guest_memory_close_window(struct guest *guest)
{
    struct guest_bar_window *window = &guest->bar_windows[1];
    uint64_t first = UINT64_MAX, end = 0;
    for (unsigned i = 0; i < guest->assignment_count; i++)
        for (unsigned number = 0; number < PCI_BARS; number++) {
            const struct guest_bar *bar = &guest->assignments[i]->bars[number];
            if (bar->size == 0 || bar->guest_base < window->base)
                continue;
            first = MIN(first, bar->guest_base);
            end = MAX(end, bar->guest_base + bar->size);
        }
    window->base = end == 0 ? window->base : first;
    window->end = end == 0 ? window->base : end;
}

/* The largest page that RAM is mapped with, 0 without any. */
static uint64_t largest_page(const struct page_table *table)
{
    struct page_walk walk;
    uint64_t largest = 0;
    for (uint64_t at = 0; table->root != NULL && page_table_next(table, &at, &walk);
         at += walk.page_size)
        if (walk.present && (walk.rights & PAGE_DEVICE) == 0)
            largest = MAX(largest, walk.page_size);
    return largest;
}

void guest_memory_log(const struct guest *guest)
{
    const struct page_table *domain = &guest->domain.table;
    for (unsigned i = 0; guest->piece_count > 1 && i < guest->piece_count; i++)
        log_event("guest.memory", "name=%s at=0x%lx base=%#lx size=%s", guest->name,
                  guest->pieces[i].at, guest->pieces[i].physical,
                  size_text(guest->pieces[i].size).text);
    log_event("guest.tables",
              "name=%s memory_bytes=%lu memory_largest=%s domain_bytes=%lu domain_largest=%s "
              "pieces=%u",
              guest->name, guest->memory.table_pages * PAGE_SIZE,
              size_text(largest_page(&guest->memory)).text, domain->table_pages * PAGE_SIZE,
              size_text(largest_page(domain)).text, guest->piece_count);
}
