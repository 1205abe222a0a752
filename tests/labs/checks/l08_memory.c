/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/guest_memory.c hypervisor/assign/guest_memory.c
// SOURCES: hypervisor/setup/affinity.c hypervisor/setup/nodes.c hypervisor/setup/topology.c
// SOURCES: hypervisor/memory/frames.c hypervisor/setup/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/memory/format_ept.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c hypervisor/base/string.c hypervisor/base/text.c
/* L8, steps 1 to 3: what memory a guest has, and where its cores see it. The tables are walked as a
 * processor walks them. */
#include "tests/labs/checks/ept_bench.h"

#include "hypervisor/assign/assignment.h"
#include "hypervisor/setup/guest_memory.h"
#include "hypervisor/setup/iommu.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/x86/cpu.h"
#include "tests/unit/support/guest_tables.h"

typedef unsigned long long number;

static struct boot_info boot;
static struct config_guest config;
static struct guest guest;
static struct cpu cpu;

uint64_t iommu_address_end(void)
{
    return BIT(39);
}

struct cpu *cpu_at(unsigned index)
{
    return index == 0 ? &cpu : NULL;
}

unsigned cpu_count(void)
{
    return 1;
}

static struct cpuid_result query(uint32_t leaf, uint32_t subleaf)
{
    return (struct cpuid_result){.eax = leaf == 0x80000008u ? 46 : 0x80000008u};
}

static const char *owner_name(owner_t owner)
{
    static char text[40];
    snprintf(text, sizeof text, "%s",
             owner == guest.owner        ? "alpha itself"
             : owner == OWNER_GUEST(1)   ? "beta"
             : owner == OWNER_HYPERVISOR ? "the hypervisor"
             : owner == OWNER_NOBODY     ? "nobody"
             : owner == OWNER_NONE       ? "nobody: there is no RAM"
                                         : "neither guest");
    return text;
}

/* --- step 1: what counts as the guest's --- */

static void expect_is(uint64_t address, uint64_t physical, uint64_t size, bool wanted,
                      const char *why)
{
    asking("guest_memory_is(%#llx, %#llx, %#llx)", (number)address, (number)physical, (number)size);
    bool got = guest_memory_is(&guest, address, physical, size);
    expect(got == wanted, "guest_memory_is(%#llx, %#llx, %#llx): %s, wanted %s; %s",
           (number)address, (number)physical, (number)size, got ? "true" : "false",
           wanted ? "true" : "false", why);
}

static void predicate(void)
{
    const uint64_t first = MIB(2 * seeded("first", 4, 40, 16)), second = MIB(4);
    const uint64_t at = GIB(1), other = GIB(5);
    guest = (struct guest){
        .name = "alpha",
        .owner = OWNER_GUEST(0),
        .memory_size = first + second,
        .piece_count = 2,
        .pieces = {{0, at, first}, {first, other, second}},
    };
    expect_is(0, at, first, true, "it is the whole of the first piece");
    expect_is(first, other, second, true, "it is the whole of the second piece");
    expect_is(first + PAGE_2M, other + PAGE_2M, PAGE_2M, true, "it is the end of the second piece");
    expect_is(0, at, first + PAGE_SIZE, false,
              "the first piece is a page shorter, and what follows it in the host is not the "
              "guest's");
    expect_is(first - PAGE_SIZE, at + first - PAGE_SIZE, 2 * PAGE_SIZE, false,
              "the piece ends after one page; size is compared with what is left of the piece");
    expect_is(0, at + PAGE_2M, PAGE_2M, false,
              "the guest's memory at 0 is another part of the piece: the device and the core would "
              "see different bytes at one address");
    expect_is(0, GIB(3), PAGE_SIZE, false, "that host memory is in none of the guest's pieces");
    expect_is(at, 0, PAGE_SIZE, false,
              "a piece is seen at `at` and lies at `physical`: the two are swapped");
    expect_is(first + second, other + second, PAGE_SIZE, false, "the guest's memory ends there");
    expect_is(PAGE_SIZE, at + PAGE_SIZE, 0 - (uint64_t)PAGE_SIZE, false,
              "the size is nearly 2^64, and address and size together are 0 again: compare the "
              "size with what is left of the piece");
}

/* --- steps 2 and 3 --- */

static void ram(uint64_t base, uint64_t size)
{
    boot.ranges[boot.range_count++] = (struct boot_memory_range){base, size, BOOT_MEMORY_USABLE, 0};
}

static void machine(void)
{
    uint64_t base;
    static const struct srat none;
    memset(&boot, 0, sizeof boot);
    max_leaf = max_execute = 3;
    host_pages_limit(SIZE_MAX);
    ram(MIB(2), MIB(62));
    ram(GIB(1) - MIB(128), GIB(1) + MIB(256));
    ram(GIB(4), MIB(1024 + 2 * seeded("more", 0, 200, 64)));
    config = (struct config_guest){.cpus = 1, .place = {7, 1}};
    guest = (struct guest){.name = "alpha", .owner = OWNER_GUEST(0), .config = &config};
    /* The neighbour has the upper end, and the hypervisor a piece in the middle. */
    expect(frames_init(&boot) == STATUS_OK &&
               frames_claim(OWNER_GUEST(1), MIB(32), PAGE_2M, 0, &base) == STATUS_OK &&
               frames_transfer(GIB(1), MIB(8), OWNER_NOBODY, OWNER_HYPERVISOR) == STATUS_OK,
           "the check's own machine cannot be made: %s", host_log_text());
    nodes_init(&none, &boot);
    host_log_clear();
}

/* Whatever refuse_size() says, the machine has room for what the check asks for. */
_Noreturn static void is_refused(const char *what, uint64_t size)
{
    number megabytes = size / MIB(1), its = frames_bytes(guest.owner) / MIB(1);
    if (its != 0)
        is_wrong("%s: %llu MiB are refused; the frames table has %llu MiB as alpha's, and "
                 "memory_size says %llu: it grows with each piece",
                 what, megabytes, its, (number)(guest.memory_size / MIB(1)));
    if (strstr(host_log_text(), "does not fit") != NULL)
        is_wrong("%s: %llu MiB are refused, and %llu are free: frames_transfer() is told first who "
                 "has them, nobody, then who gets them, and says denied when that is not so",
                 what, megabytes, (number)(frames_bytes(OWNER_NOBODY) / MIB(1)));
    is_wrong("%s: %llu MiB are refused: %s", what, megabytes, host_log_text());
}

static enum status create(uint64_t size)
{
    const struct affinity affinity = {.guest = &guest, .node = NODE_NONE};
    config.memory = size;
    asking("guest_memory_create() for %llu MiB", (number)(size / MIB(1)));
    return guest_memory_create(&guest, &affinity, query);
}

static void release(void)
{
    guest_memory_release(&guest);
}

/* Every piece is the guest's in the frames table, they follow each other, and that is all. */
static void expect_pieces(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < guest.piece_count; i++) {
        const struct memory_piece *piece = &guest.pieces[i];
        uint64_t wanted = guest_address_of(sum);
        expect(piece->size != 0, "piece %u of alpha's memory is empty", i);
        expect(piece->at == wanted || piece->physical != wanted,
               "piece %u: the guest sees it at %#llx, which is where it lies in the machine; `at` "
               "and `physical` are swapped",
               i, (number)piece->at);
        expect(piece->at == wanted,
               "piece %u: the guest sees it at %#llx instead of %#llx; guest_address_of() says "
               "where the byte of that number is, since there is a hole below 4 GiB",
               i, (number)piece->at, (number)wanted);
        for (uint64_t at = piece->physical; at < piece->physical + piece->size; at += PAGE_2M) {
            owner_t owner = frames_owner(at);
            expect(owner == guest.owner, "piece %u: %#llx belongs to %s instead of alpha; %s", i,
                   (number)at, owner_name(owner),
                   owner == OWNER_NOBODY ? "the next guest would get it as well (I1)"
                                         : "a frame is given by frames_transfer(), from nobody");
            owner = frames_owner(at + PAGE_2M - PAGE_SIZE);
            expect(owner == guest.owner, "piece %u: its last page, %#llx, belongs to %s", i,
                   (number)(at + PAGE_2M - PAGE_SIZE), owner_name(owner));
        }
        sum += piece->size;
    }
    expect(guest.memory_size == config.memory && sum == config.memory,
           "alpha asked for %llu MiB, its pieces have %llu and memory_size says %llu",
           (number)(config.memory / MIB(1)), (number)(sum / MIB(1)),
           (number)(guest.memory_size / MIB(1)));
    expect(frames_bytes(guest.owner) == config.memory,
           "the frames table has %llu KiB as alpha's, and it was given %llu",
           (number)(frames_bytes(guest.owner) / 1024), (number)(config.memory / 1024));
}

static const struct memory_piece *piece_at(uint64_t address)
{
    for (unsigned i = 0; i < guest.piece_count; i++)
        if (address - guest.pieces[i].at < guest.pieces[i].size)
            return &guest.pieces[i];
    return NULL;
}

/* What a core that runs alpha gets at one of alpha's addresses. */
static void expect_walk(uint64_t address)
{
    struct ept_answer got = ept_walk(&guest.memory, address);
    const struct memory_piece *piece = piece_at(address);
    if (piece == NULL) {
        expect(!got.mapped,
               "alpha's %#llx, where it has no memory, leads to %#llx, which belongs "
               "to %s (I2)",
               (number)address, (number)got.physical, owner_name(frames_owner(got.physical)));
        return;
    }
    uint64_t wanted = piece->physical + (address - piece->at);
    expect(
        got.mapped || !ept_walk(&guest.memory, wanted).mapped,
        "alpha's %#llx leads nowhere, and %#llx, where that piece lies in the machine, is mapped "
        "for alpha: `at` and `physical` are swapped (I2)",
        (number)address, (number)wanted);
    expect(got.mapped, "alpha's %#llx leads nowhere; it is page %llu of a piece of %llu MiB",
           (number)address, (number)((address - piece->at) / PAGE_SIZE),
           (number)(piece->size / MIB(1)));
    expect(
        got.physical == wanted,
        "alpha's %#llx leads to %#llx, which belongs to %s, instead of %#llx: a piece is seen at "
        "`at` and lies at `physical` (I2)",
        (number)address, (number)got.physical, owner_name(frames_owner(got.physical)),
        (number)wanted);
    expect((got.rights & 3) == 3,
           "alpha's %#llx can%s be read and can%s be written; RAM can be both", (number)address,
           got.rights & 1 ? "" : "not", got.rights & 2 ? "" : "not");
    bool code = max_execute >= max_leaf;
    expect(((got.rights & 4) != 0) == code, "alpha's %#llx can%s be executed: %s", (number)address,
           code ? "not" : "",
           code ? "no guest could run"
                : "where code may not run from pages as large as data has, the right comes later, "
                  "a small page at a time (CVE-2018-12207)");
    expect(got.type == 6, "alpha's %#llx is uncached: RAM is not a device's (PAGE_DEVICE)",
           (number)address);
    expect(max_leaf == 1 || got.page_size >= PAGE_2M,
           "alpha's %#llx is in a page of 4 KiB; the largest page is data's, max_leaf_level, and "
           "not code's",
           (number)address);
}

static void expect_given(const char *what, uint64_t size)
{
    if (create(size) != STATUS_OK)
        is_refused(what, size);
    expect_pieces();
    expect(!guest.memory.flush,
           "%s: each entry is flushed from the caches; cores' walkers snoop (`flush` is false)",
           what);
    asking("what alpha's tables map, %s", what);
    for (unsigned i = 0; i < guest.piece_count; i++) {
        expect_walk(guest.pieces[i].at);
        expect_walk(guest.pieces[i].at + guest.pieces[i].size - PAGE_SIZE);
    }
    for (uint64_t at = 0; at < GIB(6); at += PAGE_2M)
        expect_walk(at);
    expect(guest.memory.max_leaf_level == max_leaf,
           "%s: pages of level %u at most, and memory_format() says that data may have %u", what,
           guest.memory.max_leaf_level, max_leaf);
    release();
}

static void refusals(void)
{
    machine();
    uint64_t before = frames_bytes(OWNER_NOBODY);
    expect(create(GIB(8)) != STATUS_OK, "8 GiB were given where there are not 3");
    expect(frames_bytes(OWNER_NOBODY) == before, "after 8 GiB were refused, %llu MiB are kept",
           (number)((before - frames_bytes(OWNER_NOBODY)) / MIB(1)));
    for (size_t more = 0; more < 2; more++) {
        machine();
        host_pages_limit(pages_in_use() + more);
        expect(create(MIB(32)) != STATUS_OK,
               "there are pages for %zu tables, which is not enough, and nothing is refused: alpha "
               "would start without its memory",
               more);
        release();
    }
    host_pages_limit(SIZE_MAX);
}

void lab_check(void)
{
    predicate();
    machine();
    expect_given("a small guest", MIB(2 * seeded("small", 8, 60, 16)));
    expect_given("a guest of several pieces", GUEST_LOW_END + MIB(2 * seeded("large", 2, 60, 4)));
    max_execute = 1;
    expect_given("on a processor whose code wants small pages",
                 MIB(2 * seeded("small", 8, 60, 16)));
    max_execute = 2;
    expect_given("on a processor whose code wants pages of 2 MiB, and data may have 1 GiB",
                 MIB(2 * seeded("small", 8, 60, 16)));
    max_leaf = max_execute = 1;
    expect_given("on a processor that has small pages alone", MIB(32));
    max_leaf = max_execute = 3;
    refusals();
}
