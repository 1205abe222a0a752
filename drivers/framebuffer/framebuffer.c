/* SPDX-License-Identifier: MIT */
#include "drivers/framebuffer/framebuffer.h"

#include "drivers/framebuffer/font.h"
#include "drivers/framebuffer/screen.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"

struct screen screen;

#define INK       0x00d0d0d0u
#define TAB_WIDTH 8u

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
