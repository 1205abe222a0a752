/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c
/* Images as guests: whatever the bytes are, what is accepted lies inside the file and the guest's
 * memory, apart from each other and from the tables. */
#include "hypervisor/abi/machine.h"
#include "guest/start/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint64_t memory = MIB(32);
    struct image image;
    enum status status =
        image_parse(data, size, memory, GUEST_TABLES_BASE, GUEST_TABLES_END, &image);
    if (status != STATUS_OK) {
        fuzz_check(image.problem != NULL);
        return 0;
    }
    bool entry_is_loaded = false;
    fuzz_check(image.segment_count > 0 && image.segment_count <= IMAGE_MAX_SEGMENTS);
    for (uint32_t i = 0; i < image.segment_count; i++) {
        const struct image_segment *one = &image.segments[i];
        const uint64_t end = one->address + one->memory_size;
        fuzz_check(one->memory_size <= memory && one->address <= memory - one->memory_size);
        fuzz_check(one->file_size <= one->memory_size);
        fuzz_check(one->file_size <= size && one->file_offset <= size - one->file_size);
        fuzz_check(end <= GUEST_TABLES_BASE || one->address >= GUEST_TABLES_END);
        fuzz_read(data + one->file_offset, one->file_size);
        entry_is_loaded |=
            image.entry >= one->address && image.entry < one->address + one->file_size;
        for (uint32_t j = 0; j < i; j++)
            fuzz_check(end <= image.segments[j].address ||
                       one->address >= image.segments[j].address + image.segments[j].memory_size);
    }
    fuzz_check(entry_is_loaded);
    return 0;
}
