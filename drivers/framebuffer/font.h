/* SPDX-License-Identifier: MIT */
/* A font of five by eight pixels for printable ASCII; the eighth line is for descenders. */
#pragma once

#include "hypervisor/base/core.h"

#define FONT_WIDTH  5
#define FONT_HEIGHT 8

/* FONT_HEIGHT lines from the top; bit 4 is the leftmost pixel. Any byte outside 0x20..0x7e gives
 * the replacement box. */
const uint8_t *font_glyph(char character);
