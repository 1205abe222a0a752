/* SPDX-License-Identifier: MIT */
// The hypervisor's own pages, over chunks of host memory.
// SOURCES: hypervisor/memory/pages.c hypervisor/setup/pages.c -pages.c
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/memory/pages.h"
#include "hypervisor/setup/memory.h"
#include "tests/unit/support/host.h"

#define IMAGE_PHYSICAL UINT64_C(0x1000000)

/* --- frames and the direct map: what pages.c stands on --- */
static void *chunks[8];
static size_t claimed, limit, mapped, returned;
static bool refuse_map;

enum status frames_claim(owner_t owner, uint64_t size, uint64_t alignment, uint64_t below,
                         uint64_t *base)
{
    assert_int_equal(owner, OWNER_HYPERVISOR);
    assert_int_equal(size, PAGE_2M);
    assert_int_equal(alignment, PAGE_2M);
    assert_int_equal(below, GIB(4));
    if (claimed == limit)
        return STATUS_NO_MEMORY;
    chunks[claimed] = aligned_alloc(PAGE_2M, PAGE_2M);
    memset(chunks[claimed], 0xa5, PAGE_2M);
    *base = (uintptr_t)chunks[claimed++];
    return STATUS_OK;
}

enum status frames_transfer(uint64_t base, uint64_t size, owner_t from, owner_t to)
{
    assert_int_equal(base, (uintptr_t)chunks[claimed - 1]);
    assert_int_equal(size, PAGE_2M);
    assert_int_equal(from, OWNER_HYPERVISOR);
    assert_int_equal(to, OWNER_NOBODY);
    free(chunks[--claimed]);
    returned++;
    return STATUS_OK;
}

static uint64_t gone; /* a page of the image that is not the hypervisor's any more */

owner_t frames_owner(uint64_t address)
{
    return gone != 0 && address - gone < PAGE_SIZE ? OWNER_NOBODY : OWNER_HYPERVISOR;
}

enum status direct_map_add(uint64_t physical, uint64_t size)
{
    if (refuse_map)
        return STATUS_NO_MEMORY;
    assert_int_equal(size, PAGE_2M);
    mapped++;
    return STATUS_OK;
}

static int start(void **state)
{
    claimed = mapped = returned = 0;
    limit = ARRAY_SIZE(chunks);
    refuse_map = false;
    host_log_clear();
    return pages_init(IMAGE_PHYSICAL, IMAGE_BASE, MIB(1)) == STATUS_OK ? 0 : -1;
}

static int end(void **state)
{
    while (claimed > 0)
        free(chunks[--claimed]);
    return 0;
}

static void test_pages_are_zeroed_and_aligned(void **state)
{
    for (size_t count = 1; count <= 512; count = count * 2 + 1) {
        uint8_t *pages = pages_allocate(count);
        assert_non_null(pages);
        size_t order = 1;
        while (order < count)
            order *= 2;
        assert_int_equal((uintptr_t)pages % (order * PAGE_SIZE), 0);
        for (size_t i = 0; i < count * PAGE_SIZE; i++)
            assert_int_equal(pages[i], 0);
        memset(pages, 0x5a, count * PAGE_SIZE);
        assert_int_equal(pages_in_use(), count);
        pages_free(pages, count);
        assert_int_equal(pages_in_use(), 0);
    }
}

static void test_impossible_counts(void **state)
{
    assert_null(pages_allocate(0));
    assert_null(pages_allocate(513));
    assert_null(pages_allocate(SIZE_MAX));
    pages_free(NULL, 1);
    assert_int_equal(pages_in_use(), 0);
}

static void test_growth_and_exhaustion(void **state)
{
    limit = 2;
    void *pages[1024];
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
        assert_non_null(pages[i] = pages_allocate(1));
    assert_null(pages_allocate(1));
    assert_int_equal(claimed, 2);
    assert_int_equal(mapped, 2);
    assert_int_equal(pages_chunk(1), (uintptr_t)chunks[1]);
    assert_int_equal(pages_chunk(2), 0);
    pages_free(pages[700], 1);
    assert_ptr_equal(pages_allocate(1), pages[700]);
    /* a hole of 2 that is not aligned to 2 does not serve for 2 */
    pages_free(pages[1], 1);
    pages_free(pages[2], 1);
    assert_null(pages_allocate(2));
    pages_free(pages[3], 1);
    assert_ptr_equal(pages_allocate(2), pages[2]);
}

static void test_a_chunk_that_cannot_be_mapped_goes_back(void **state)
{
    assert_non_null(pages_allocate(512));
    refuse_map = true;
    assert_null(pages_allocate(1));
    assert_int_equal(returned, 1);
    assert_int_equal(claimed, 1);
}

static void test_wrong_frees_are_refused(void **state)
{
    uint8_t *pages = pages_allocate(4);
    int elsewhere;
    pages_free(&elsewhere, 1);
    pages_free(pages + 1, 1);
    pages_free(pages, 5);
    pages_free(pages, SIZE_MAX);
    pages_free(pages + 4 * PAGE_SIZE, 1);
    assert_int_equal(pages_in_use(), 4);
    pages_free(pages, 4);
    pages_free(pages, 4);
    assert_int_equal(pages_in_use(), 0);
    assert_int_equal(host_log_count("memory.refused", "pages="), 6);
}

static void test_translation(void **state)
{
    uint64_t chunk = pages_chunk(0);
    uint8_t *page = pages_allocate(1);
    assert_int_equal(physical_address(page + 7), (uintptr_t)page + 7);
    assert_ptr_equal(virtual_address(chunk), (void *)(uintptr_t)chunk);
    assert_null(virtual_address(chunk + PAGE_2M));
    assert_null(virtual_address(0));
    assert_null(virtual_address(UINT64_MAX));
    /* the image */
    assert_int_equal(physical_address((void *)(IMAGE_BASE + 5)), IMAGE_PHYSICAL + 5);
    assert_ptr_equal(virtual_address(IMAGE_PHYSICAL + MIB(1) - 1),
                     (void *)(IMAGE_BASE + MIB(1) - 1));
    assert_null(virtual_address(IMAGE_PHYSICAL + MIB(1)));
    gone = IMAGE_PHYSICAL + PAGE_SIZE;
    assert_null(virtual_address(gone + 8));
    assert_ptr_equal(virtual_address(gone + PAGE_SIZE), (void *)(IMAGE_BASE + 2 * PAGE_SIZE));
    gone = 0;
    pages_use_direct_map();
    assert_ptr_equal(virtual_address(chunk + 9), (void *)(DIRECT_MAP_BASE + chunk + 9));
    assert_int_equal(physical_address((void *)(DIRECT_MAP_BASE + chunk + 9)), chunk + 9);
    assert_int_equal(physical_address((void *)(IMAGE_BASE + 5)), IMAGE_PHYSICAL + 5);
}

/* Runs of all sizes come and go; no page is ever in two of them. */
static void test_random(void **state)
{
    struct {
        uint8_t *pages;
        size_t count;
    } held[64] = {0};
    uint32_t random = 4711;
    size_t total = 0;
    for (unsigned round = 0; round < 20000; round++) {
        random = random * 1664525u + 1013904223u;
        size_t slot = (random >> 8) % ARRAY_SIZE(held);
        if (held[slot].pages != NULL) {
            for (size_t i = 0; i < held[slot].count; i++)
                assert_int_equal(held[slot].pages[i * PAGE_SIZE], slot + 1);
            pages_free(held[slot].pages, held[slot].count);
            total -= held[slot].count;
            held[slot].pages = NULL;
            continue;
        }
        held[slot].count = 1 + (random >> 16) % ((random >> 24) % 4 == 0 ? 100 : 4);
        held[slot].pages = pages_allocate(held[slot].count);
        if (held[slot].pages == NULL)
            continue;
        total += held[slot].count;
        for (size_t i = 0; i < held[slot].count; i++) {
            assert_int_equal(held[slot].pages[i * PAGE_SIZE], 0);
            held[slot].pages[i * PAGE_SIZE] = (uint8_t)(slot + 1);
        }
        assert_int_equal(pages_in_use(), total);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_are_zeroed_and_aligned),
        TEST(test_impossible_counts),
        TEST(test_growth_and_exhaustion),
        TEST(test_a_chunk_that_cannot_be_mapped_goes_back),
        TEST(test_wrong_frees_are_refused),
        TEST(test_translation),
        TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
