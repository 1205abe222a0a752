#include "drivers/framebuffer/framebuffer.h"

#include "drivers/framebuffer/font.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"
#include "hypervisor/memory/address_space.h"

#define MAX_COLUMNS 160
#define MAX_ROWS    100
#define CELL_WIDTH  (FONT_WIDTH + 1)
#define CELL_HEIGHT (FONT_HEIGHT + 1)
#define MAX_STRIDE  65536u
#define INK         0x00d0d0d0u
#define PAPER       0x00000000u
#define TAB_WIDTH   8u

static struct {
    uintptr_t pixels; /* 0: no framebuffer */
    uint32_t stride;  /* bytes */
    uint32_t scale;   /* screen pixels per font pixel, in both directions */
    uint32_t columns, rows;
    uint32_t column, row; /* where the next character goes */
    char text[MAX_ROWS][MAX_COLUMNS];
    char shown[MAX_ROWS][MAX_COLUMNS];
} screen;

static void draw_cell(uint32_t column, uint32_t row, char character)
{
    const uint8_t *glyph = font_glyph(character);
    uint32_t scale = screen.scale;
    uintptr_t origin = screen.pixels + (uintptr_t)row * CELL_HEIGHT * scale * screen.stride +
                       (uintptr_t)column * CELL_WIDTH * scale * 4;
    for (uint32_t y = 0; y < FONT_HEIGHT * scale; y++) {
        uint32_t bits = glyph[y / scale];
        uintptr_t at = origin + (uintptr_t)y * screen.stride;
        for (uint32_t x = 0; x < FONT_WIDTH; x++) {
            uint32_t colour = (bits >> (FONT_WIDTH - 1 - x) & 1) != 0 ? INK : PAPER;
            for (uint32_t repeat = 0; repeat < scale; repeat++, at += 4)
                mmio_write32(at, colour);
        }
    }
}

static void show(void)
{
    for (uint32_t row = 0; row < screen.rows; row++)
        for (uint32_t column = 0; column < screen.columns; column++) {
            char wanted = screen.text[row][column];
            if (screen.shown[row][column] == wanted)
                continue;
            draw_cell(column, row, wanted);
            screen.shown[row][column] = wanted;
        }
}

/* A quarter of the screen at once: drawing is slow on uncached memory. */
static void scroll(void)
{
    uint32_t lines = MAX(screen.rows / 4, 1u);
    memmove(screen.text[0], screen.text[lines], (screen.rows - lines) * sizeof screen.text[0]);
    memset(screen.text[screen.rows - lines], ' ', lines * sizeof screen.text[0]);
    screen.row -= lines;
}

static void new_line(void)
{
    screen.column = 0;
    if (++screen.row == screen.rows)
        scroll();
}

static void put_character(char character)
{
    switch (character) {
    case '\n':
        new_line();
        return;
    case '\r':
        screen.column = 0;
        return;
    case '\b':
        if (screen.column > 0)
            screen.column--;
        return;
    case '\t':
        screen.column = ALIGN_DOWN(screen.column, TAB_WIDTH) + TAB_WIDTH;
        if (screen.column >= screen.columns)
            new_line();
        return;
    default:
        if (screen.column == screen.columns)
            new_line();
        screen.text[screen.row][screen.column++] = character;
    }
}

void framebuffer_write(const char *text, size_t size)
{
    if (screen.pixels == 0)
        return;
    for (size_t i = 0; i < size; i++)
        put_character(text[i]);
    show();
}

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
