/* SPDX-License-Identifier: MIT */
/* The screen as framebuffer.c keeps it and setup/framebuffer.c sets it up. */
#pragma once

#include "drivers/framebuffer/font.h"
#include "hypervisor/base/core.h"

#define MAX_COLUMNS 160
#define MAX_ROWS    100
#define CELL_WIDTH  (FONT_WIDTH + 1)
#define CELL_HEIGHT (FONT_HEIGHT + 1)
#define PAPER       0x00000000u

extern struct screen {
    uintptr_t pixels; /* 0: no framebuffer */
    uint32_t stride;  /* bytes */
    uint32_t scale;   /* screen pixels per font pixel, in both directions */
    uint32_t ink;     /* a pixel of a glyph */
    uint32_t columns, rows;
    uint32_t column, row; /* where the next character goes */
    uint32_t turn; /* rows that a turn of the control loop draws; 0: all at once, as at boot */
    uint32_t next; /* the row at which drawing goes on */
    bool changed;  /* `text` and `shown` may differ */
    char text[MAX_ROWS][MAX_COLUMNS];
    char shown[MAX_ROWS][MAX_COLUMNS];
} screen;
