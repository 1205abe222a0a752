/* SPDX-License-Identifier: MIT */
/* A bzImage of which any field of the setup header can then be broken. */
#pragma once

#include <string.h>

#define LINUX_SECTORS     3
#define LINUX_KERNEL_SIZE 0x3000
#define LINUX_FILE_SIZE   ((LINUX_SECTORS + 1) * 512 + LINUX_KERNEL_SIZE)

static uint8_t linux_file[LINUX_FILE_SIZE];

static inline void linux_set(unsigned offset, uint64_t value, unsigned size)
{
    memcpy(linux_file + offset, &value, size);
}

static inline void linux_build(uint64_t address, uint32_t memory_size)
{
    memset(linux_file, 0, sizeof linux_file);
    memset(linux_file + (LINUX_SECTORS + 1) * 512, 0x90, LINUX_KERNEL_SIZE);
    linux_set(0x1f1, LINUX_SECTORS, 1);
    linux_set(0x1fe, 0xaa55, 2);
    linux_set(0x200, 0x66eb, 2); /* a jump over the header, which ends at 0x268 */
    linux_set(0x202, 0x53726448, 4);
    linux_set(0x206, 0x020f, 2);
    linux_set(0x211, 1, 1);
    linux_set(0x22c, 0x7fffffff, 4);
    linux_set(0x230, 0x200000, 4);
    linux_set(0x236, 0x3f, 2);
    linux_set(0x258, address, 8);
    linux_set(0x260, memory_size, 4);
}
