/* SPDX-License-Identifier: MIT */
#include "drivers/framebuffer/screen.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"

#define MAX_STRIDE 65536u

static void clear(const struct boot_framebuffer *description)
{
    for (uint32_t y = 0; y < description->height; y++)
        for (uint32_t x = 0; x < description->width; x++)
            mmio_write32(screen.pixels + (uintptr_t)y * screen.stride + (uintptr_t)x * 4, PAPER);
}

enum status framebuffer_init(const struct boot_framebuffer *description)
{
    if (description->format != BOOT_FRAMEBUFFER_BGRX &&
        description->format != BOOT_FRAMEBUFFER_RGBX)
        return STATUS_UNSUPPORTED;
    if (description->stride > MAX_STRIDE || description->stride / 4 < description->width ||
        (uint64_t)description->height * description->stride > description->size)
        return STATUS_INVALID;
    /* The smallest scale at which a line has a readable number of characters. */
    uint32_t scale = 1 + (description->width - 1) / (CELL_WIDTH * MAX_COLUMNS);
    uint32_t columns = MIN(description->width / (CELL_WIDTH * scale), (uint32_t)MAX_COLUMNS);
    uint32_t rows = MIN(description->height / (CELL_HEIGHT * scale), (uint32_t)MAX_ROWS);
    if (description->width == 0 || columns == 0 || rows == 0)
        return STATUS_INVALID;
    uintptr_t pixels =
        map_device(description->base, (uint64_t)description->height * description->stride);
    if (pixels == 0)
        return STATUS_NO_MEMORY;
    screen.stride = description->stride;
    screen.scale = scale;
    screen.columns = columns;
    screen.rows = rows;
    screen.pixels = pixels;
    screen.column = screen.row = 0;
    memset(screen.text, ' ', sizeof screen.text);
    memset(screen.shown, ' ', sizeof screen.shown);
    clear(description);
    return STATUS_OK;
}
