/* SPDX-License-Identifier: MIT */
// SOURCES: boot/efi/root_windows.c
/* Any bytes as what a root bridge says of itself, twice: nothing outside is read. */
#include <stdlib.h>
#include <string.h>

#include "boot/efi/root_windows.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct boot_info *info)
{
    fuzz_check(info->root_count <= BOOT_MAX_ROOTS);
    fuzz_check(info->root_window_count <= BOOT_MAX_ROOT_WINDOWS);
    for (uint32_t i = 0; i < info->root_count; i++)
        fuzz_check(info->roots[i].first_bus <= info->roots[i].last_bus);
    for (uint32_t i = 0; i < info->root_window_count; i++) {
        const struct boot_root_window *window = &info->root_windows[i];
        fuzz_check(window->root < info->root_count && window->size != 0);
        if ((window->flags & BOOT_WINDOW_CONTRADICTORY) == 0)
            fuzz_check(window->base <= UINT64_MAX - (window->size - 1));
        /* A reach holds its window and ends before those of others. */
        fuzz_check(window->reach_size == 0 ||
                   (window->reach_base <= window->base &&
                    window->reach_base + window->reach_size >= window->base + window->size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    info = (struct boot_info){0};
    size_t half = size / 2;
    bool whole = root_windows_read(data, half, 0, &info);
    whole = root_windows_read(data + half, size - half, 1, &info) && whole;
    fuzz_check(!whole || info.root_count == 2);
    check(&info);
    for (uint32_t i = 0; i < info.root_window_count; i++)
        root_window_reach(&info, i, info.root_windows[i].base & ~UINT64_C(0xfffffff),
                          UINT64_MAX - 0xfff);
    check(&info);
    return 0;
}
