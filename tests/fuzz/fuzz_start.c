/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/start.c guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c guest/start/tables.c guest/start/tables_acpi.c
// SOURCES: guest/start/tables_linux.c guest/start/tables_multiboot.c hypervisor/base/text.c
/* All that the start stub does with an image, behind a few bytes that say where it lies and whether
 * there is an initial RAM disk: nothing outside of the guest's memory is touched, and nothing is
 * left in it but what belongs there. */
#include <string.h>

#include "guest/start/start.h"
#include "tests/fuzz/fuzz.h"

#define MEMORY_SIZE (MIB(2) + KIB(256))

static uint8_t memory[MEMORY_SIZE] __attribute__((aligned(4096)));

/* The image's own bytes are where its segments say; all else above the tables is zero. */
static void check_memory(const uint8_t *data, size_t size, uint64_t initrd_size)
{
    struct image image;
    fuzz_check(image_parse(data, size, MEMORY_SIZE, GUEST_TABLES_BASE, GUEST_TABLES_END, &image) ==
               STATUS_OK);
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const struct image_segment *segment = &image.segments[i];
        fuzz_check(memcmp(memory + segment->address, data + segment->file_offset,
                          segment->file_size) == 0);
        memset(memory + segment->address, 0, segment->file_size);
    }
    memset(memory + GUEST_TABLES_BASE, 0, GUEST_TABLES_END - GUEST_TABLES_BASE);
    static const uint8_t zeros[PAGE_SIZE];
    uint64_t marked = 0;
    for (uint64_t page = 0; page < MEMORY_SIZE; page += PAGE_SIZE) {
        if (memcmp(memory + page, zeros, PAGE_SIZE) == 0)
            continue;
        for (uint64_t at = page; at < page + PAGE_SIZE; at++) {
            fuzz_check(memory[at] == 0 || memory[at] == 0x77);
            marked += memory[at] != 0;
        }
    }
    fuzz_check(marked == initrd_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct start_result result;
    struct abi_refusal refusal = {0};
    struct abi_start *start = (struct abi_start *)(memory + ABI_START_BLOCK);
    if (size < 4)
        return 0;
    const bool has_initrd = (data[0] & 1) != 0;
    const uint64_t lower =
        (uint64_t)data[1] * PAGE_SIZE; /* as if the initial RAM disk were larger */
    data += 4;
    size -= 4;
    memset(memory, 0, sizeof memory);
    *start = (struct abi_start){
        .memory_size = MEMORY_SIZE, .cpu_count = 2, .initrd_base = MEMORY_SIZE, .image_size = size};
    if (has_initrd) {
        start->initrd_size = 0x1234;
        start->initrd_base = ALIGN_DOWN(MEMORY_SIZE - start->initrd_size, PAGE_SIZE);
        start->initrd_name[0] = 'i';
        memset(memory + start->initrd_base, 0x77, start->initrd_size);
    }
    start->image_base = ALIGN_DOWN(start->initrd_base - lower - size, PAGE_SIZE);
    memcpy(memory + start->image_base, data, size);
    if (start_load(memory, start, &result, &refusal)) {
        check_memory(data, size, start->initrd_size);
    } else {
        fuzz_check(refusal.message[0] != '\0');
        fuzz_check(memchr(refusal.message, '\0', sizeof refusal.message) != NULL);
    }
    return 0;
}
