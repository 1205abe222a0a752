/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/framebuffer.h"

#include "boot/screen.h"
#include "drivers/framebuffer/framebuffer.h"
#include "drivers/framebuffer/screen.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space_internal.h"

#define MAX_STRIDE 65536u
#define TURN_BYTES                                                                                 \
    MIB(1)               /* of the framebuffer: 10 ms at the 100 MB/s of a management controller   \
                          */
#define BRIGHTNESS 0xd0u /* of 0xff */

static struct boot_framebuffer used;

static uint64_t bytes(const struct boot_framebuffer *description)
{
    return (uint64_t)description->height * description->stride;
}

/* A grey a little darker than white; 0 when the colours' bits are no colours' or too few. */
static uint32_t ink(const struct boot_framebuffer *description)
{
    const uint32_t masks[] = {description->red, description->green, description->blue};
    uint32_t result = 0;
    for (size_t i = 0; boot_masks_sound(description) && i < ARRAY_SIZE(masks); i++) {
        uint32_t lowest = masks[i] & -masks[i];
        result |= (uint32_t)((uint64_t)(masks[i] / lowest) * BRIGHTNESS / 0xff) * lowest;
    }
    return result;
}

static bool in_memory(const struct boot_info *boot)
{
    uint64_t base = boot->framebuffer.base, size = bytes(&boot->framebuffer);
    for (uint32_t i = 0; i < boot->range_count; i++) {
        const struct boot_memory_range *range = &boot->ranges[i];
        if (range->type != BOOT_MEMORY_RESERVED && range->type != BOOT_MEMORY_MMIO &&
            base < range->base + range->size && range->base < base + size)
            return true;
    }
    return false;
}

static const char *contradiction(const struct boot_info *boot)
{
    const struct boot_framebuffer *description = &boot->framebuffer;
    if (description->width == 0 || description->height == 0 || description->base == 0)
        return "it has no pixels";
    if (description->stride > MAX_STRIDE || description->stride / 4 < description->width)
        return "its lines are longer than the distance between them, or absurdly far apart";
    if (description->base > BIT(47) - bytes(description))
        return "it ends behind the last address";
    return in_memory(boot) ? "memory is where it is said to be" : NULL;
}

static void clear(void)
{
    for (uint32_t y = 0; y < used.height; y++) {
        uintptr_t line = screen.pixels + (uintptr_t)y * screen.stride;
        for (uint32_t x = 0; x + 1 < used.width; x += 2)
            mmio_write64(line + (uintptr_t)x * 4, PAPER | (uint64_t)PAPER << 32);
        if (used.width % 2 != 0)
            mmio_write32(line + (uintptr_t)(used.width - 1) * 4, PAPER);
    }
}

enum status framebuffer_init(const struct boot_info *boot, const char **message)
{
    const struct boot_framebuffer *description = &boot->framebuffer;
    uint32_t colour = ink(description);
    *message = contradiction(boot);
    if (*message != NULL)
        return STATUS_INVALID;
    *message = BOOT_MASKS_UNSOUND;
    if (colour == 0)
        return STATUS_UNSUPPORTED;
    /* The smallest scale at which a line has a readable number of characters. */
    uint32_t scale = 1 + (description->width - 1) / (CELL_WIDTH * MAX_COLUMNS);
    uint32_t columns = MIN(description->width / (CELL_WIDTH * scale), (uint32_t)MAX_COLUMNS);
    uint32_t rows = MIN(description->height / (CELL_HEIGHT * scale), (uint32_t)MAX_ROWS);
    *message = "it is smaller than a character";
    if (columns == 0 || rows == 0)
        return STATUS_INVALID;
    *message = bytes(description) > description->size
                   ? "its size is said to be less than its lines take; these are believed"
                   : NULL;
    used = *description;
    screen = (struct screen){.pixels = (uintptr_t)description->base,
                             .stride = description->stride,
                             .scale = scale,
                             .ink = colour,
                             .columns = columns,
                             .rows = rows};
    memset(screen.text, ' ', sizeof screen.text);
    memset(screen.shown, ' ', sizeof screen.shown);
    clear();
    return STATUS_OK;
}

void framebuffer_hide(void)
{
    screen.pixels = 0;
}

enum status framebuffer_map(void)
{
    if (screen.rows == 0)
        return STATUS_OK;
    screen.pixels = address_space_map_on_demand(used.base, bytes(&used),
                                                PAGE_READ | PAGE_WRITE | PAGE_COMBINED);
    framebuffer_flush();
    return screen.pixels != 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

void framebuffer_settle(void)
{
    uint64_t row = (uint64_t)CELL_HEIGHT * screen.scale * screen.stride;
    if (screen.rows != 0)
        screen.turn = (uint32_t)MAX(TURN_BYTES / row, UINT64_C(1));
}
