/* SPDX-License-Identifier: MIT */
#include "drivers/framebuffer/framebuffer.h"

#include "drivers/framebuffer/font.h"
#include "drivers/framebuffer/screen.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/base/string.h"

struct screen screen;

#define TAB_WIDTH 8u

/* A pixel of a line of a cell, whose right edge is paper. */
static uint64_t colour(uint32_t bits, uint32_t x)
{
    return (bits >> (FONT_WIDTH - x / screen.scale) & 1) != 0 ? screen.ink : PAPER;
}

/* Two pixels a store (a cell is an even number of them wide), and no line that stays as it is. */
static void draw_cell(uint32_t column, uint32_t row)
{
    const uint8_t *old = font_glyph(screen.shown[row][column]);
    const uint8_t *glyph = font_glyph(screen.text[row][column]);
    uint32_t scale = screen.scale;
    uintptr_t line = screen.pixels + (uintptr_t)row * CELL_HEIGHT * scale * screen.stride +
                     (uintptr_t)column * CELL_WIDTH * scale * 4;
    for (uint32_t y = 0; y < FONT_HEIGHT * scale; y++, line += screen.stride) {
        uint32_t bits = (uint32_t)glyph[y / scale] << 1;
        for (uint32_t x = 0; glyph[y / scale] != old[y / scale] && x < CELL_WIDTH * scale; x += 2)
            mmio_write64(line + (uintptr_t)x * 4, colour(bits, x) | colour(bits, x + 1) << 32);
    }
    screen.shown[row][column] = screen.text[row][column];
}

/* As many rows as `limit` of those that changed; 0: all. */
static void draw(uint32_t limit)
{
    bool more = screen.changed && screen.pixels != 0;
    for (uint32_t i = 0; more && i < screen.rows; i++) {
        bool drawn = false;
        for (uint32_t column = 0; column < screen.columns; column++) {
            if (screen.shown[screen.next][column] == screen.text[screen.next][column])
                continue;
            draw_cell(column, screen.next);
            drawn = true;
        }
        screen.next = (screen.next + 1) % screen.rows;
        more = !drawn || --limit != 0;
        screen.changed = !more;
    }
    memory_fence(); /* out of the buffers that combine writes */
}

void framebuffer_turn(void)
{
    draw(screen.turn);
}

void framebuffer_flush(void)
{
    draw(0);
}

/* A quarter of the screen at once: each time nearly all of it is drawn. */
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
    if (screen.rows == 0)
        return;
    for (size_t i = 0; i < size; i++)
        put_character(text[i]);
    screen.changed = true;
    if (screen.turn == 0)
        framebuffer_flush();
}
