/* SPDX-License-Identifier: MIT */
// Memory that firmware keeps for its own DMA (RMRR): nobody else's, and what its functions reach.
// SOURCES: hypervisor/iommu/vtd_reserved.c hypervisor/setup/iommu_discover.c
// SOURCES: hypervisor/iommu/vtd_reserved_map.c
// SOURCES: hypervisor/setup/iommu_scopes.c hypervisor/setup/iommu_reserved.c
// SOURCES: hypervisor/iommu/vtd_domain.c hypervisor/iommu/vtd_fault.c
// SOURCES: hypervisor/setup/iommu_init.c hypervisor/setup/iommu_enable.c
// SOURCES: hypervisor/iommu/vtd_interrupt.c hypervisor/iommu/vtd_queue.c
// SOURCES: hypervisor/iommu/vtd_report.c hypervisor/iommu/vtd_unit.c hypervisor/acpi/dmar.c
// SOURCES: hypervisor/acpi/table.c hypervisor/memory/frames.c hypervisor/memory/page_table.c
// SOURCES: hypervisor/memory/formats.c hypervisor/base/format.c hypervisor/base/text.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/base/status.c tests/unit/model/vtd_model.c tests/unit/model/vtd_model_queue.c
// SOURCES: tests/unit/model/vtd_model_walk.c tests/unit/model/vtd_machine.c
// SOURCES: hypervisor/setup/frames.c hypervisor/iommu/vtd_domain_destroy.c
// SOURCES: hypervisor/setup/iommu_quirks.c
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/model/vtd_machine.h"
#include "tests/unit/support/dmar_corpus.h"

#define UNIT     UINT64_C(0xfed90000)
#define RAM_END  GIB(2)
#define IMAGE    MIB(16)
#define MODULE   MIB(32)
#define RESERVED RAM_END /* 16 MiB that the map calls reserved, and nothing above */

static struct vtd_model *unit;
static struct pci_function *functions[32];
static unsigned function_count;
static rid_t mastering; /* the last function that was given bus mastering */
static bool ready_then; /* and whether it reached its memory by then */
static uint64_t memory_then;

struct pci_function *pci_function_at(size_t index)
{
    return index < function_count ? functions[index] : NULL;
}

static bool reaches(const struct pci_function *function, uint64_t address)
{
    struct vtd_model_result read = vtd_model_dma(unit, (uint16_t)function->rid, address, false);
    struct vtd_model_result write = vtd_model_dma(unit, (uint16_t)function->rid, address, true);
    assert_int_equal(read.allowed, write.allowed);
    if (read.allowed)
        assert_true(read.physical == address && write.physical == address);
    return read.allowed;
}

void pci_bus_master(const struct pci_function *function, bool on)
{
    assert_true(on);
    mastering = function->rid;
    ready_then = reaches(function, memory_then);
}

static struct pci_function *add(rid_t rid, struct pci_function *bridge)
{
    return functions[function_count++] = machine_function(rid, bridge);
}

static int fresh_with(uint64_t cap)
{
    static struct boot_info boot;
    boot = (struct boot_info){.range_count = 5,
                              .ranges = {{MIB(1), RAM_END - MIB(1), BOOT_MEMORY_USABLE, 0},
                                         {IMAGE, MIB(2), BOOT_MEMORY_IMAGE, 0},
                                         {MODULE, MIB(2), BOOT_MEMORY_LOADER, 0},
                                         {RESERVED, MIB(16), BOOT_MEMORY_RESERVED, 0},
                                         {UNIT, PAGE_SIZE, BOOT_MEMORY_MMIO, 0}}};
    machine_reset();
    assert_int_equal(frames_init(&boot), STATUS_OK);
    unit = vtd_model_add(UNIT, cap, MODEL_ECAP);
    machine_drhd(0, true, UNIT);
    function_count = 0;
    mastering = UINT32_MAX;
    memory_then = 0;
    return 0;
}

static int fresh(void **state)
{
    return fresh_with(MODEL_CAP);
}

/* As the hypervisor boots: reserve, find, own registers, honour, translate. */
static void start(void)
{
    iommu_regions_reserve(machine_table());
    assert_int_equal(machine_init(), STATUS_OK);
    assert_int_equal(frames_transfer(UNIT, PAGE_SIZE, OWNER_MMIO, OWNER_HYPERVISOR), STATUS_OK);
    iommu_regions_honour();
    assert_int_equal(iommu_translate(machine_table()), STATUS_OK);
    iommu_regions_resume();
}

static void assert_sound(void)
{
    if (vtd_model_violations() != 0)
        fail_msg("%u violations, the last: %s", vtd_model_violations(), vtd_model_violation_text());
}

static unsigned domain_of(const struct pci_function *function)
{
    struct iommu_context_report report;
    machine_context(0, (uint16_t)function->rid, &report);
    return report.present ? report.domain : 0;
}

/* --- whose the memory is --- */

static void usable_memory_is_withheld(void **state)
{
    const uint64_t base = MIB(100), size = MIB(8);
    machine_rmrr(0, base, base + size - 1);
    machine_rmrr(3, base + MIB(4), base + size + MIB(4) - 1); /* overlaps, of another segment */
    machine_rmrr(0, RESERVED, RESERVED + MIB(16) - 1);
    iommu_regions_reserve(machine_table());
    assert_int_equal(host_log_count("iommu.reserved", "base=0x6400000 size=0x800000 "), 1);
    assert_int_equal(host_log_count("iommu.reserved", "usable=0x800000 message="), 1);
    assert_int_equal(host_log_count("iommu.reserved", "usable=0x400000 message="), 1);
    assert_int_equal(host_log_count("iommu.reserved", NULL), 3);
    assert_int_equal(host_log_count("iommu.reserved", "message="), 2);
    assert_true(frames_owned_by(base, size + MIB(4), OWNER_FIRMWARE));
    /* All there is, page for page: none of it. */
    uint64_t page, pages = 0;
    while (frames_claim(OWNER_GUEST(0), MIB(1), PAGE_SIZE, 0, &page) == STATUS_OK) {
        assert_true(page + MIB(1) <= base || page >= base + size + MIB(4));
        pages++;
    }
    assert_int_equal(pages, 2047 - 4 - 12);
    frames_release_all(OWNER_GUEST(0));
    assert_true(frames_owned_by(base, size + MIB(4), OWNER_FIRMWARE));
}

/* Firmware claims a part of the image: what becomes free of that is firmware's and nobody else's.
 */
static void what_the_image_gives_up_is_withheld(void **state)
{
    machine_rmrr(0, IMAGE + MIB(1) - PAGE_SIZE, IMAGE + MIB(4) - 1);
    machine_rmrr(0, IMAGE + MIB(1) - 2 * PAGE_SIZE, IMAGE + MIB(1) - 1);
    iommu_regions_reserve(machine_table());
    assert_int_equal(frames_transfer(IMAGE, MIB(1), OWNER_HYPERVISOR, OWNER_NOBODY), STATUS_OK);
    iommu_regions_withhold(IMAGE, MIB(1));
    assert_true(frames_owned_by(IMAGE, MIB(1) - 2 * PAGE_SIZE, OWNER_NOBODY));
    assert_true(frames_owned_by(IMAGE + MIB(1) - 2 * PAGE_SIZE, 2 * PAGE_SIZE, OWNER_FIRMWARE));
    assert_true(frames_owned_by(IMAGE + MIB(1), MIB(1), OWNER_HYPERVISOR));
}

static void regions_that_cannot_be(void **state)
{
    static const struct {
        uint64_t base, limit;
        const char *event, *said;
        uint64_t taken; /* of the free memory */
    } cases[] = {
        {MIB(101), MIB(100), "iommu.refused", "ends before it begins", 0},
        {UINT64_MAX, 0, "iommu.refused", "ends before it begins", 0},
        {0, UINT64_MAX, "iommu.refused", "more than 4G", 0},
        {MIB(100), MIB(100) + GIB(4), "iommu.refused", "more than 4G", 0},
        {BIT(48), BIT(48) + 0xfff, "iommu.refused", "beyond the machine's addresses", 0},
        {BIT(48) - MIB(1), BIT(48), "iommu.refused", "beyond the machine's addresses", 0},
        {UINT64_MAX - 0xfff, UINT64_MAX, "iommu.refused", "beyond the machine's addresses", 0},
        {0, 0, "iommu.reserved", "left this entry empty", 0},
        {MIB(100) + 0x800, MIB(100) + 0x17ff, "iommu.reserved", "not aligned to pages",
         2 * PAGE_SIZE},
        {MIB(100), MIB(100), "iommu.reserved", "not aligned to pages", PAGE_SIZE},
        {IMAGE - MIB(1), IMAGE + MIB(3) - 1, "iommu.reserved", "usable=0x200000", MIB(2)},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        fresh(NULL);
        const uint64_t before = frames_bytes(OWNER_NOBODY);
        machine_rmrr(0, cases[i].base, cases[i].limit);
        machine_scope(SCOPE_ENDPOINT, 0, "2.0");
        struct pci_function *card = add(RID(0, 0, 2, 0), NULL);
        start();
        assert_int_equal(host_log_count(cases[i].event, cases[i].said), 1);
        assert_int_equal(before - frames_bytes(OWNER_NOBODY), cases[i].taken);
        assert_int_equal(frames_bytes(OWNER_HYPERVISOR), MIB(2) + PAGE_SIZE);
        /* Whatever it is, a guest gets such a function only by name; a blank form asks nothing. */
        struct iommu_region region;
        unsigned cursor = 0;
        bool blank = cases[i].limit == 0 && cases[i].base == 0;
        assert_int_equal(iommu_region_next(card, &cursor, &region), !blank);
        bool good = strcmp(cases[i].said, "not aligned to pages") == 0;
        assert_int_equal(iommu_firmware_connected(card->rid), good);
        assert_int_equal(domain_of(card) != 0, good);
        assert_int_equal(host_log_count("iommu.refused", "rid=00:02.0 "), !good && !blank);
        assert_sound();
    }
}

/* What has another owner keeps it, and the whole region is mapped for nobody. */
static void others_keep_what_they_have(void **state)
{
    static const uint64_t places[] = {IMAGE, MODULE, UNIT};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        fresh(NULL);
        const owner_t owner = frames_owner(places[i]);
        machine_rmrr(0, places[i] - MIB(1), places[i] + PAGE_SIZE - 1);
        machine_scope(SCOPE_ENDPOINT, 0, "2.0");
        struct pci_function *card = add(RID(0, 0, 2, 0), NULL);
        start();
        assert_int_equal(frames_owner(places[i]), owner == OWNER_MMIO ? OWNER_HYPERVISOR : owner);
        assert_int_equal(host_log_count("iommu.refused", "it stays theirs"), 1);
        assert_int_equal(host_log_count("iommu.refused", "rid=00:02.0 status=denied"), 1);
        assert_false(reaches(card, places[i]) || reaches(card, places[i] - PAGE_SIZE));
        assert_true(frames_owned_by(places[i] - MIB(1), MIB(1), OWNER_FIRMWARE));
        assert_sound();
    }
}

/* Where no map says anything, as for a display's stolen memory. */
static void unlisted_memory_becomes_firmwares(void **state)
{
    const uint64_t base = RAM_END + MIB(64);
    machine_rmrr(0, base, base + MIB(32) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    struct pci_function *display = add(RID(0, 0, 2, 0), NULL);
    display->class_code = 0x030000;
    start();
    assert_true(frames_owned_by(base, MIB(32), OWNER_FIRMWARE));
    assert_true(reaches(display, base) && reaches(display, base + MIB(32) - 1));
    assert_false(reaches(display, base - 1) || reaches(display, base + MIB(32)));
    assert_sound();
}

static void too_many_regions_are_everybodys(void **state)
{
    for (unsigned i = 0; i < 65; i++) {
        machine_rmrr(0, MIB(100) + i * MIB(1), MIB(100) + i * MIB(1) + 0xfff);
        machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    }
    struct pci_function *card = add(RID(0, 0, 2, 0), NULL), *other = add(RID(0, 0, 3, 0), NULL);
    start();
    struct iommu_region region;
    unsigned cursor = 0;
    assert_true(iommu_region_next(other, &cursor, &region) && region.refusal[0] != '\0');
    assert_false(iommu_region_next(other, &cursor, &region));
    assert_int_equal(host_log_count("iommu.refused", "more reserved regions"), 1);
    assert_false(iommu_firmware_connected(card->rid) || iommu_firmware_connected(other->rid));
    assert_sound();
}

static void a_full_frame_table_refuses_the_region(void **state)
{
    uint64_t at = MIB(200);
    while (frames_transfer(at, PAGE_SIZE, OWNER_NOBODY, OWNER_GUEST(1)) == STATUS_OK)
        at += 2 * PAGE_SIZE;
    machine_rmrr(0, MIB(100), MIB(100) + 0xfff);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    struct pci_function *card = add(RID(0, 0, 2, 0), NULL);
    iommu_regions_reserve(machine_table());
    assert_int_equal(machine_init(), STATUS_OK);
    iommu_regions_honour();
    assert_int_equal(iommu_translate(machine_table()), STATUS_OK);
    assert_int_equal(host_log_count("iommu.refused", "more pieces than"), 1);
    assert_false(iommu_firmware_connected(card->rid));
}

/* --- who reaches it --- */

static void the_hosts_functions_reach_their_memory(void **state)
{
    machine_rmrr(0, MIB(100), MIB(108) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_scope(SCOPE_ENDPOINT, 0, "14.0");
    machine_rmrr(0, MIB(106), MIB(111) - 1); /* overlaps the first, and lies around the third */
    machine_scope(SCOPE_ENDPOINT, 0, "3.0");
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_rmrr(0, MIB(109), MIB(110) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    machine_rmrr(1, MIB(120), MIB(121) - 1); /* another segment's */
    machine_scope(SCOPE_ENDPOINT, 0, "2.0");
    struct pci_function *card = add(RID(0, 0, 2, 0), NULL), *usb = add(RID(0, 0, 0x14, 0), NULL);
    struct pci_function *shared = add(RID(0, 0, 3, 0), NULL), *none = add(RID(0, 0, 4, 0), NULL);
    struct pci_function *vf = functions[function_count++] = machine_vf(RID(0, 0, 5, 0), card);
    start();
    static const struct {
        uint64_t address;
        bool card, usb, shared;
    } cases[] = {
        {MIB(100) - 1, false, false, false}, {MIB(100), true, true, false},
        {MIB(106), true, true, true},        {MIB(108) - 1, true, true, true},
        {MIB(108), true, false, true},       {MIB(109), true, false, true},
        {MIB(111) - 1, true, false, true},   {MIB(111), false, false, false},
        {MIB(120), false, false, false},     {0, false, false, false},
        {UNIT, false, false, false},         {IMAGE, false, false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(reaches(card, cases[i].address), cases[i].card);
        assert_int_equal(reaches(usb, cases[i].address), cases[i].usb);
        assert_int_equal(reaches(shared, cases[i].address), cases[i].shared);
        assert_false(reaches(none, cases[i].address) || reaches(vf, cases[i].address));
    }
    assert_int_equal(host_log_count("iommu.firmware", NULL), 3);
    assert_int_equal(host_log_count("iommu.refused", NULL), 0);
    assert_int_equal(mastering, UINT32_MAX); /* firmware had left it off */
    assert_sound();
}

/* A scope may be a bridge and mean all that is behind it; VFs are not the firmware's. */
static void firmware_may_mean_what_is_behind_a_bridge(void **state)
{
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_BRIDGE, 0, "1c.0");
    struct pci_function *port = machine_bridge(RID(0, 0, 0x1c, 0), NULL, 1);
    struct pci_function *other_port = machine_bridge(RID(0, 0, 0x1d, 0), NULL, 3);
    struct pci_function *inner = machine_bridge(RID(0, 1, 0, 0), port, 2);
    struct pci_function *to_pci = machine_bridge(RID(0, 1, 1, 0), port, 4);
    to_pci->pcie_type = 7;
    functions[function_count++] = port;
    struct pci_function *card = add(RID(0, 2, 0, 0), inner),
                        *other = add(RID(0, 3, 0, 0), other_port);
    struct pci_function *shares_its_id = add(RID(0, 4, 0, 0), to_pci);
    struct pci_function *vf = machine_vf(RID(0, 2, 0x10, 0), card);
    start();
    struct iommu_region region;
    unsigned cursor = 0;
    assert_true(iommu_region_next(card, &cursor, &region));
    assert_true(region.base == MIB(100) && region.size == MIB(1) && region.refusal[0] == '\0');
    assert_false(iommu_region_next(card, &cursor, &region));
    cursor = 0;
    assert_false(iommu_region_next(other, &cursor, &region) ||
                 iommu_region_next(vf, &cursor, &region));
    assert_true(reaches(card, MIB(100)));
    assert_false(reaches(other, MIB(100)) || reaches(port, MIB(100)));
    assert_false(reaches(shares_its_id, MIB(100)));
    assert_int_equal(host_log_count("iommu.refused", "rid=04:00.0 status=denied"), 1);
    assert_sound();
}

static void bus_mastering_comes_back_once_it_is_confined(void **state)
{
    machine_rmrr(0, MIB(100), MIB(101) - 1);
    machine_scope(SCOPE_ENDPOINT, 0, "14.0");
    struct pci_function *usb = add(RID(0, 0, 0x14, 0), NULL), *other = add(RID(0, 0, 3, 0), NULL);
    usb->firmware_master = other->firmware_master = true;
    memory_then = MIB(100);
    start();
    assert_int_equal(mastering, usb->rid);
    assert_true(ready_then);
    assert_int_equal(host_log_count("iommu.firmware", "rid=00:14.0 domain=1 master=on"), 1);

    /* For its next owner it is reset: what firmware had it do is gone, and so is the bit. */
    mastering = UINT32_MAX;
    assert_int_equal(iommu_firmware_disconnect(usb), STATUS_OK);
    assert_false(reaches(usb, MIB(100)) || iommu_firmware_connected(usb->rid));
    assert_int_equal(iommu_firmware_disconnect(usb), STATUS_OK);
    struct iommu_domain guests;
    assert_int_equal(iommu_domain_create(&guests, OWNER_GUEST(0)), STATUS_OK);
    assert_int_equal(iommu_connect(usb, &guests), STATUS_OK);
    assert_int_equal(iommu_firmware_disconnect(usb), STATUS_OK); /* not a guest's */
    iommu_firmware_connect(usb);
    assert_ptr_equal(iommu_domain_of(usb->rid), &guests);
    assert_int_equal(iommu_disconnect(usb, &guests), STATUS_OK);
    iommu_firmware_connect(usb);
    assert_true(reaches(usb, MIB(100)) && iommu_firmware_connected(usb->rid));
    assert_int_equal(mastering, UINT32_MAX);
    /* Nobody else's while firmware has it. */
    assert_int_equal(iommu_connect(usb, &guests), STATUS_BUSY);
    assert_sound();
}

/* 15 domain ids (ND = 0): firmware gets 4, functions with the same regions share one. */
static void few_domain_ids_are_left_to_the_guests(void **state)
{
    fresh_with(MODEL_CAP & ~UINT64_C(7));
    for (unsigned i = 0; i < 6; i++) {
        char one[8], two[8];
        snprintf(one, sizeof one, "%x.0", i + 2);
        snprintf(two, sizeof two, "%x.1", i + 2);
        machine_rmrr(0, MIB(100) + i * MIB(1), MIB(100) + i * MIB(1) + 0xfff);
        machine_scope(SCOPE_ENDPOINT, 0, one);
        machine_scope(SCOPE_ENDPOINT, 0, two);
        add(RID(0, 0, i + 2, 0), NULL);
        add(RID(0, 0, i + 2, 1), NULL);
    }
    start();
    for (unsigned i = 0; i < 6; i++) {
        const struct pci_function *one = functions[2 * i], *two = functions[2 * i + 1];
        assert_int_equal(domain_of(one), i < 4 ? i + 1 : 0);
        assert_int_equal(domain_of(two), domain_of(one));
        assert_int_equal(reaches(one, MIB(100) + i * MIB(1)), i < 4);
        assert_false(reaches(one, MIB(100) + (i + 1) * MIB(1)));
    }
    assert_int_equal(host_log_count("iommu.refused", "domain ids are left to the guests"), 4);
    struct iommu_domain guests[11];
    for (unsigned i = 0; i < ARRAY_SIZE(guests); i++)
        assert_int_equal(iommu_domain_create(&guests[i], OWNER_GUEST(i)), STATUS_OK);
    assert_sound();
}

static void memory_running_out_leaves_it_blocked(void **state)
{
    for (size_t pages = 0;; pages++) {
        fresh(NULL);
        machine_rmrr(0, MIB(100), MIB(100) + 0xfff);
        machine_scope(SCOPE_ENDPOINT, 0, "2.0");
        struct pci_function *card = add(RID(0, 0, 2, 0), NULL);
        iommu_regions_reserve(machine_table());
        assert_int_equal(machine_init(), STATUS_OK);
        const size_t before = pages_in_use();
        host_pages_limit(before + pages);
        iommu_regions_honour();
        host_pages_limit(SIZE_MAX);
        const size_t after = pages_in_use();
        assert_int_equal(iommu_translate(machine_table()), STATUS_OK);
        if (iommu_firmware_connected(card->rid)) {
            assert_true(reaches(card, MIB(100)));
            assert_int_equal(pages, 5); /* four levels and a context table */
            break;
        }
        assert_false(reaches(card, MIB(100)));
        assert_int_equal(host_log_count("iommu.refused", "rid=00:02.0 status=no-memory"), 1);
        assert_true(pages == 4 || after == before);
        assert_sound();
    }
}

/* --- real machines: every region is firmware's afterwards, even where all of it were usable --- */

static uint64_t value(const uint8_t *bytes, size_t size)
{
    uint64_t result = 0;
    memcpy(&result, bytes, size);
    return result;
}

static unsigned regions_found;

static void check_table(const char *name, const uint8_t *bytes, size_t length)
{
    static const struct boot_info all_usable = {.range_count = 1,
                                                .ranges = {{0, BIT(46), BOOT_MEMORY_USABLE, 0}}};
    struct dmar dmar;
    unsigned regions = 0;
    assert_int_equal(frames_init(&all_usable), STATUS_OK);
    assert_int_equal(dmar_parse(bytes, (uint32_t)length, &dmar), STATUS_OK);
    host_log_clear();
    iommu_regions_reserve(&dmar);
    /* Without the parser: what the table's bytes say. */
    for (size_t at = 48; at + 4 <= length; at += value(bytes + at + 2, 2)) {
        if (value(bytes + at, 2) != DMAR_RMRR)
            continue;
        uint64_t base = value(bytes + at + 8, 8), end = value(bytes + at + 16, 8) + 1;
        char line[96];
        if (base != 0 || end != 1) {
            assert_true(frames_owned_by(base, end - base, OWNER_FIRMWARE));
            snprintf(line, sizeof line, "base=%#llx size=%#llx offset=%#zx ",
                     (unsigned long long)base, (unsigned long long)(end - base), at);
        } else {
            snprintf(line, sizeof line,
                     "offset=%#zx usable=0 message=\"the firmware left this entry empty", at);
        }
        if (host_log_count("iommu.reserved", line) != 1)
            fail_msg("%s: no \"%s\" in %s", name, line, host_log_text());
        regions++;
    }
    assert_int_equal(host_log_count("iommu.reserved", NULL), regions);
    assert_int_equal(host_log_count("iommu.refused", NULL), 0);
    regions_found += regions;
}

static void regions_of_real_machines(void **state)
{
    unsigned tables = corpus_each(check_table);
    print_message("%u regions in %u tables of real machines\n", regions_found, tables);
    assert_true(regions_found > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fresh)
    const struct CMUnitTest tests[] = {
        TEST(usable_memory_is_withheld),
        TEST(what_the_image_gives_up_is_withheld),
        TEST(regions_that_cannot_be),
        TEST(others_keep_what_they_have),
        TEST(unlisted_memory_becomes_firmwares),
        TEST(too_many_regions_are_everybodys),
        TEST(a_full_frame_table_refuses_the_region),
        TEST(the_hosts_functions_reach_their_memory),
        TEST(firmware_may_mean_what_is_behind_a_bridge),
        TEST(bus_mastering_comes_back_once_it_is_confined),
        TEST(few_domain_ids_are_left_to_the_guests),
        TEST(memory_running_out_leaves_it_blocked),
        TEST(regions_of_real_machines),
    };
    return cmocka_run_group_tests_name("vtd_reserved", tests, NULL, NULL);
}
