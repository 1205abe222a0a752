/* SPDX-License-Identifier: MIT */
// The hypervisor's own address space, with control registers that are variables.
// SOURCES: hypervisor/memory/page_table.c hypervisor/memory/formats.c
// SOURCES: hypervisor/memory/format_ept.c hypervisor/memory/format_npt.c
// SOURCES: hypervisor/memory/frames.c hypervisor/base/status.c
// SOURCES: hypervisor/setup/frames.c hypervisor/memory/owners.c hypervisor/base/format.c
#include <string.h>

#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/x86/registers.h"
#include "tests/unit/support/host.h"

static uint64_t model_cr3, model_cr4;
static unsigned cr3_loads;

static uint64_t model_cr3_read(void)
{
    return model_cr3;
}

static void model_cr3_write(uint64_t value)
{
    model_cr3 = value;
    cr3_loads++;
}

static uint64_t model_cr4_read(void)
{
    return model_cr4;
}

static void model_cr4_write(uint64_t value)
{
    model_cr4 = value;
}

/* A processor with 39 address bits. */
static struct cpuid_result model_cpuid(uint32_t leaf, uint32_t subleaf)
{
    assert_int_equal(subleaf, 0);
    return (struct cpuid_result){.eax = leaf == 0x80000008u ? 0x3027u : 0x80000008u};
}

static uint64_t window_written;

/* The window's addresses mean nothing here. */
static void *model_memset(void *at, int byte, size_t size)
{
    if ((uintptr_t)at < WINDOW_BASE)
        return memset(at, byte, size);
    window_written += size;
    return at;
}

#define cpuid     model_cpuid
#define cr3_read  model_cr3_read
#define cr3_write model_cr3_write
#define cr4_read  model_cr4_read
#define cr4_write model_cr4_write
#define memset    model_memset
#include "hypervisor/memory/address_space.c"
#include "hypervisor/memory/firmware_map.c"
#include "hypervisor/setup/address_space.c"

/* An image in miniature: a page each of text, constants and data that run only at boot; then two
 * pages of text, one of constants, data around a guard page. */
__asm__(".pushsection .data\n"
        ".balign 4096\n"
        ".globl image_text_start, image_text_end, image_rodata_start, image_rodata_end\n"
        ".globl image_data_start, image_data_end, boot_stack_guard\n"
        ".globl image_start, image_boot_text_end, image_boot_rodata_start, image_boot_rodata_end\n"
        ".globl image_boot_data_start, image_boot_data_end\n"
        "image_start: .zero 100\n"
        "image_boot_text_end: .balign 4096\n"
        "image_boot_rodata_start: .zero 16\n"
        "image_boot_rodata_end: .balign 4096\n"
        "image_boot_data_start: .zero 4096\n"
        "image_boot_data_end:\n"
        "image_text_start: .zero 4196\n"
        "image_text_end: .balign 4096\n"
        "image_rodata_start: .zero 16\n"
        "image_rodata_end: .balign 4096\n"
        "image_data_start: .zero 8192\n"
        "boot_stack_guard: .zero 4096\n"
        ".zero 4096\n"
        "image_data_end:\n"
        ".popsection\n");

#define IMAGE_PHYSICAL MIB(16)
#define CHUNK          MIB(20)
#define BOOT_PAGES     3

static struct boot_info boot;

void cache_flush_range(const volatile void *address, size_t size)
{
    fail_msg("the processor snoops its own tables");
}

enum status pages_init(uint64_t image_physical, uintptr_t image_virtual, uint64_t image_size)
{
    assert_int_equal(image_physical, IMAGE_PHYSICAL);
    assert_int_equal(image_virtual, (uintptr_t)image_start);
    assert_int_equal(image_size, (BOOT_PAGES + 7) * PAGE_SIZE);
    return STATUS_OK;
}

void pages_use_direct_map(void)
{
    assert_int_equal(cr3_loads, 1); /* not before the tables are live */
}

uint64_t pages_chunk(size_t index)
{
    return index == 0 ? CHUNK : 0;
}

static int start(void **state)
{
    host_log_clear();
    host_pages_limit(SIZE_MAX);
    memset(&boot, 0, sizeof boot);
    memset(&address_space.shared, 0, sizeof address_space.shared);
    memset(address_space.cores, 0, sizeof address_space.cores);
    address_space.next_device = DEVICE_MAP_BASE;
    address_space.next_stack = STACK_MAP_BASE;
    boot.image_base = IMAGE_PHYSICAL;
    boot.ranges[boot.range_count++] =
        (struct boot_memory_range){MIB(1), MIB(255), BOOT_MEMORY_USABLE, 0};
    model_cr3 = 0;
    model_cr4 = CR4_PAE | CR4_PGE;
    cr3_loads = 0;
    return frames_init(&boot) == STATUS_OK ? 0 : -1;
}

static int end(void **state)
{
    host_pages_limit(SIZE_MAX);
    for (unsigned i = 0; i < CPU_MAX; i++) {
        page_table_destroy(&address_space.cores[i].window);
        if (address_space.cores[i].top != NULL)
            address_space.cores[i].top[top_index(WINDOW_BASE)] = 0;
        if (i > 0 && address_space.cores[i].top != NULL)
            pages_free(address_space.cores[i].top, 1);
    }
    page_table_destroy(&address_space.shared);
    return 0;
}

static void init(void)
{
    assert_int_equal(address_space_init(&boot), STATUS_OK);
}

/* What the processor finds at `address` in the tables of CR3. */
static struct page_walk look(uint64_t address)
{
    struct page_table table = {.format = &page_format_host,
                               .root = virtual_address(model_cr3),
                               .levels = (model_cr4 & CR4_LA57) != 0 ? 5 : 4};
    struct page_walk walk;
    page_table_walk(&table, address & BITS(table.levels == 5 ? 56 : 47, 0), &walk);
    return walk;
}

static void expect(uint64_t address, uint64_t physical, unsigned rights)
{
    struct page_walk walk = look(address);
    assert_true(walk.present);
    assert_int_equal(walk.physical, physical);
    assert_int_equal(walk.rights, rights);
}

static void check_image(void)
{
    uint64_t image = (uintptr_t)image_text_start;
    const uint64_t physical = IMAGE_PHYSICAL + BOOT_PAGES * PAGE_SIZE;
    expect(image, physical, PAGE_READ | PAGE_EXECUTE);
    expect(image + 0x1fff, physical + 0x1fff, PAGE_READ | PAGE_EXECUTE);
    expect(image + 0x2000, physical + 0x2000, PAGE_READ);
    expect(image + 0x3000, physical + 0x3000, PAGE_READ | PAGE_WRITE);
    assert_false(look((uintptr_t)boot_stack_guard).present);
    expect(image + 0x6000, physical + 0x6000, PAGE_READ | PAGE_WRITE);
    assert_false(look(image + 0x7000).present);
    expect(DIRECT_MAP_BASE + CHUNK + 5, CHUNK + 5, PAGE_READ | PAGE_WRITE);
    assert_int_equal(look(DIRECT_MAP_BASE + CHUNK).page_size, PAGE_2M);
}

static void test_image_and_direct_map(void **state)
{
    init();
    check_image();
    assert_int_equal(model_cr4, CR4_PAE); /* no global entry survives */
    assert_false(look(0).present);
    assert_false(look(IMAGE_PHYSICAL).present);
    /* nothing is writable and executable, and nothing else is mapped at all */
    struct page_walk walk;
    size_t leaves = 0;
    for (uint64_t at = 0; page_table_next(&address_space.shared, &at, &walk);
         at += walk.page_size, leaves++)
        assert_true((walk.rights & (PAGE_WRITE | PAGE_EXECUTE)) != (PAGE_WRITE | PAGE_EXECUTE));
    assert_int_equal(leaves, BOOT_PAGES + 6 + 1);
}

/* After boot nothing is executable but the text that stays; what was there is overwritten, free,
 * and mapped nowhere. */
static void test_what_runs_only_at_boot_goes(void **state)
{
    init();
    uint64_t image = (uintptr_t)image_start;
    expect(image, IMAGE_PHYSICAL, PAGE_READ | PAGE_EXECUTE);
    expect(image + 0x1000, IMAGE_PHYSICAL + 0x1000, PAGE_READ);
    expect(image + 0x2000, IMAGE_PHYSICAL + 0x2000, PAGE_READ | PAGE_WRITE);
    assert_false(address_space_may_execute(image & BITS(47, 0), IMAGE_PHYSICAL));
    assert_int_equal(frames_transfer(IMAGE_PHYSICAL, (BOOT_PAGES + 7) * PAGE_SIZE, OWNER_NOBODY,
                                     OWNER_HYPERVISOR),
                     STATUS_OK);
    unsigned loads = cr3_loads;
    window_written = 0;
    assert_int_equal(address_space_drop_boot(IMAGE_PHYSICAL), BOOT_PAGES * PAGE_SIZE);
    assert_int_equal(window_written, BOOT_PAGES * PAGE_SIZE);
    assert_true(frames_owned_by(IMAGE_PHYSICAL, BOOT_PAGES * PAGE_SIZE, OWNER_NOBODY));
    assert_int_equal(frames_owner(IMAGE_PHYSICAL + BOOT_PAGES * PAGE_SIZE), OWNER_HYPERVISOR);
    assert_true(cr3_loads > loads); /* after the tables were changed */
    for (unsigned page = 0; page < BOOT_PAGES; page++)
        assert_false(look(image + page * PAGE_SIZE).present);
    check_image();
    struct page_walk walk;
    for (uint64_t at = 0; page_table_next(&address_space.shared, &at, &walk); at += walk.page_size)
        assert_true((walk.rights & PAGE_EXECUTE) == 0 ||
                    address_space_may_execute(at, walk.physical));
    /* Not the hypervisor's: nothing happens. */
    assert_int_equal(address_space_drop_boot(IMAGE_PHYSICAL), 0);
    assert_int_equal(host_log_count("memory.refused", "the window"), 1);
}

/* A page of the text goes that this machine has no use of: it may not be executed any more. */
static void test_a_part_goes(void **state)
{
    init();
    const uint64_t text = (uintptr_t)image_text_start;
    const uint64_t physical = IMAGE_PHYSICAL + BOOT_PAGES * PAGE_SIZE;
    assert_int_equal(frames_transfer(physical, 7 * PAGE_SIZE, OWNER_NOBODY, OWNER_HYPERVISOR),
                     STATUS_OK);
    for (uint64_t page = 0; page < 2 * PAGE_SIZE; page += PAGE_SIZE)
        assert_true(address_space_may_execute((text + page) & BITS(47, 0), physical + page));
    window_written = 0;
    assert_int_equal(address_space_drop(physical + PAGE_SIZE, text + PAGE_SIZE, PAGE_SIZE),
                     PAGE_SIZE);
    assert_int_equal(window_written, PAGE_SIZE);
    assert_true(frames_owned_by(physical + PAGE_SIZE, PAGE_SIZE, OWNER_NOBODY));
    assert_false(look(text + PAGE_SIZE).present);
    assert_false(address_space_may_execute((text + PAGE_SIZE) & BITS(47, 0), physical + PAGE_SIZE));
    assert_true(address_space_may_execute(text & BITS(47, 0), physical));
    expect(text, physical, PAGE_READ | PAGE_EXECUTE);
    expect(text + 2 * PAGE_SIZE, physical + 2 * PAGE_SIZE, PAGE_READ);
    assert_int_equal(address_space_drop(physical + PAGE_SIZE, text + PAGE_SIZE, PAGE_SIZE), 0);
}

static void test_five_levels(void **state)
{
    model_cr4 |= CR4_LA57;
    init();
    check_image();
    assert_int_not_equal(model_cr3, physical_address(address_space.shared.root));
    assert_int_equal(address_space_root(), physical_address(address_space.shared.root));
    uint64_t other = address_space_create_core(1);
    model_cr4 &= ~CR4_LA57; /* the other core starts with four */
    model_cr3 = other;
    check_image();
    pages_free(virtual_address(address_space.cores[0].cr3), 1);
}

static void test_direct_map_grows_without_pages(void **state)
{
    init();
    host_pages_limit(pages_in_use());
    assert_int_equal(direct_map_add(MIB(64), PAGE_2M), STATUS_OK);
    assert_int_equal(direct_map_add(GIB(4) - PAGE_2M, PAGE_2M), STATUS_OK);
    expect(DIRECT_MAP_BASE + GIB(4) - 1, GIB(4) - 1, PAGE_READ | PAGE_WRITE);
}

static void test_no_memory_at_any_step(void **state)
{
    init();
    size_t needed = pages_in_use();
    end(state);
    for (size_t pages = 0; pages < needed; pages++) {
        start(state);
        host_pages_limit(pages);
        assert_int_equal(address_space_init(&boot), STATUS_NO_MEMORY);
        assert_int_equal(cr3_loads, 0);
        assert_int_equal(host_log_count("memory.refused", "message="), 1);
        end(state);
        assert_int_equal(pages_in_use(), 0);
    }
    start(state);
}

static void test_devices_and_firmware(void **state)
{
    init();
    uint64_t boot_cr3 = model_cr3;
    uint64_t other = address_space_create_core(1);
    assert_int_not_equal(other, 0);
    assert_int_equal(address_space_create_core(1), other);
    uintptr_t device = map_device(0xfed90010, 0x1000);
    assert_int_not_equal(device, 0);
    uintptr_t table = (uintptr_t)map_firmware(0x7fe0123, 8);
    assert_true(table >= device + 0x1ff0);
    /* mapped after the other core's tables were made, and there all the same */
    model_cr3 = other;
    expect(device, 0xfed90010, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
    expect(device + 0xfff, 0xfed9100f, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
    expect(table, 0x7fe0123, PAGE_READ);
    check_image();
    model_cr3 = boot_cr3;
    unmap(device, 0x1000);
    assert_false(look(device).present);
    assert_false(look(device + 0xfff).present);
    expect(table, 0x7fe0123, PAGE_READ);
    assert_true(map_device(0xfed90010, 0x1000) > table); /* addresses are not reused */
    uintptr_t ecam = map_device(0xe0000000, MIB(256));
    assert_int_equal(look(ecam).page_size, PAGE_2M);
    assert_int_equal(look(ecam + MIB(256) - 1).physical, 0xefffffff);
}

static void test_bad_device_ranges(void **state)
{
    init();
    assert_int_equal(map_device(0xfed90000, 0), 0);
    assert_int_equal(map_device(UINT64_MAX, 2), 0);
    assert_int_equal(map_device(BIT(52) - 4, 8), 0);
    /* What this processor cannot address: reading it would fault. */
    assert_int_equal(map_device(BIT(39), 8), 0);
    assert_int_equal(map_device(BIT(39) - 4, 8), 0);
    assert_int_equal(map_device(BIT(51), 8), 0);
    assert_null(map_firmware(BIT(45), 36));
    assert_int_equal(map_device(0, UINT64_MAX), 0);
    assert_null(map_firmware(0, 513 * PAGE_1G));
    unmap(0x1000, 0x1000);
    unmap(DEVICE_MAP_BASE, UINT64_MAX);
    unmap(DIRECT_MAP_BASE + CHUNK, PAGE_SIZE); /* not a device mapping */
    check_image();
    host_pages_limit(pages_in_use());
    assert_int_equal(map_device(0xfed90000, 4), 0);
    host_pages_limit(SIZE_MAX);
    uintptr_t device = map_device(0xfed90000, 4);
    expect(device, 0xfed90000, PAGE_READ | PAGE_WRITE | PAGE_DEVICE);
    assert_int_not_equal(map_device(BIT(39) - 8, 8), 0);
}

static void test_trampoline(void **state)
{
    init();
    model_cr3 = address_space_create_core(3);
    assert_int_equal(trampoline_map(MIB(1)), STATUS_INVALID);
    assert_int_equal(trampoline_map(0x8000), STATUS_OK);
    expect(0x8000, 0x8000, PAGE_READ | PAGE_EXECUTE);
    assert_false(look(0x9000).present);
    assert_true(address_space_may_execute(0x8123, 0x8123));
    assert_false(address_space_may_execute(0x9000, 0x9000));
    trampoline_unmap(0x8000);
    assert_false(look(0x8000).present);
    assert_false(address_space_may_execute(0x8000, 0x8000));
}

static void test_stacks(void **state)
{
    init();
    uintptr_t first = stack_create(4);
    uintptr_t second = stack_create(2);
    assert_int_not_equal(first, 0);
    assert_int_not_equal(second, 0);
    for (uintptr_t at = first - 4 * PAGE_SIZE; at < first; at += PAGE_SIZE) {
        assert_false(stack_is_guard(at));
        assert_int_equal(look(at).rights, PAGE_READ | PAGE_WRITE);
    }
    assert_true(stack_is_guard(first - 4 * PAGE_SIZE - 1));
    assert_true(stack_is_guard(first));
    assert_true(stack_is_guard(second));
    assert_false(stack_is_guard(second - 1));
    assert_true(stack_is_guard((uintptr_t)boot_stack_guard + 4095));
    assert_false(stack_is_guard((uintptr_t)boot_stack_guard - 1));
    assert_false(stack_is_guard(second + PAGE_SIZE));
    assert_false(stack_is_guard(0));
    pages_free(virtual_address(look(first - 4 * PAGE_SIZE).physical), 4);
    pages_free(virtual_address(look(second - 2 * PAGE_SIZE).physical), 2);
}

static void test_window_is_private_and_owned(void **state)
{
    init();
    uint64_t boot_cr3 = model_cr3;
    uint64_t other = address_space_create_core(2);
    uint64_t alpha, beta;
    assert_int_equal(frames_claim(OWNER_GUEST(0), MIB(8), PAGE_2M, 0, &alpha), STATUS_OK);
    assert_int_equal(frames_claim(OWNER_GUEST(1), MIB(4), PAGE_2M, 0, &beta), STATUS_OK);

    /* Three pieces of alpha's in two, seen in another order and with a gap between them. */
    const struct memory_piece pieces[] = {
        {0, alpha + MIB(6), MIB(2)}, {MIB(2), alpha, MIB(4)}, {GIB(4), alpha + MIB(4), MIB(2)}};
    const struct memory_piece betas = {PAGE_SIZE, beta, PAGE_SIZE};
    const size_t before = pages_in_use();
    assert_int_equal(address_space_window_pages(), 0);
    uint8_t *window = window_open(pieces, 3);
    assert_true(pages_in_use() > before);
    assert_int_equal(address_space_window_pages(), pages_in_use() - before);
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        uintptr_t at = (uintptr_t)window + pieces[i].at;
        expect(at, pieces[i].physical, PAGE_READ | PAGE_WRITE);
        assert_int_equal(look(at).page_size, PAGE_2M);
        expect(at + pieces[i].size - 1, pieces[i].physical + pieces[i].size - 1,
               PAGE_READ | PAGE_WRITE);
    }
    assert_false(look((uintptr_t)window + MIB(6)).present);
    assert_false(look((uintptr_t)window + GIB(4) + MIB(2)).present);

    model_cr3 = other;
    assert_false(look((uintptr_t)window).present);
    uint8_t *second = window_open(&betas, 1);
    expect((uintptr_t)second + PAGE_SIZE, beta, PAGE_READ | PAGE_WRITE);
    assert_false(look((uintptr_t)second).present);
    assert_false(look((uintptr_t)second + 2 * PAGE_SIZE).present);
    model_cr3 = boot_cr3;
    expect((uintptr_t)window, alpha + MIB(6), PAGE_READ | PAGE_WRITE);

    /* what has another owner, two owners or none is not shown, and the window stays as it is */
    const struct memory_piece refused[][2] = {
        {{0, beta, MIB(8)}, {0}},      {{0, MIB(2), PAGE_SIZE}, {0}},
        {{0, GIB(3), PAGE_SIZE}, {0}}, {{0, alpha, 0}, {0}},
        {{0, alpha, UINT64_MAX}, {0}}, {{0, alpha, PAGE_SIZE}, {PAGE_SIZE, beta, PAGE_SIZE}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_null(window_open(refused[i], refused[i][1].size != 0 ? 2 : 1));
    assert_int_equal(host_log_count("memory.refused", "window"), ARRAY_SIZE(refused));
    expect((uintptr_t)window, alpha + MIB(6), PAGE_READ | PAGE_WRITE);

    unsigned loads = cr3_loads;
    size_t pages = pages_in_use();
    window_close();
    assert_int_equal(cr3_loads, loads + 1); /* the TLB forgets it */
    assert_false(look((uintptr_t)window).present);
    assert_true(pages_in_use() < pages);
    window_close();
    assert_int_equal(cr3_loads, loads + 1);
    host_pages_limit(pages_in_use() + 1);
    assert_null(window_open(&betas, 1));
    host_pages_limit(SIZE_MAX);
    /* what lies beyond it, or twice in one place, cannot be mapped, and nothing is shown then */
    const struct memory_piece beyond = {REGION_SIZE, alpha, PAGE_SIZE};
    const struct memory_piece twice[] = {{0, alpha, PAGE_SIZE}, {0, alpha + MIB(2), PAGE_SIZE}};
    assert_null(window_open(&beyond, 1));
    assert_null(window_open(twice, 2));
    assert_false(look((uintptr_t)window).present);
    assert_non_null(window_open(&betas, 1));
    check_image();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_runs_only_at_boot_goes),
        TEST(test_a_part_goes),
        TEST(test_image_and_direct_map),
        TEST(test_five_levels),
        TEST(test_direct_map_grows_without_pages),
        TEST(test_no_memory_at_any_step),
        TEST(test_devices_and_firmware),
        TEST(test_bad_device_ranges),
        TEST(test_trampoline),
        TEST(test_stacks),
        TEST(test_window_is_private_and_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
