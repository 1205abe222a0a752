# SPDX-License-Identifier: MIT
"""Reads the text on a screen, pixel by pixel, by the glyphs that the hypervisor draws."""

import re
from pathlib import Path

from . import paths

WIDTH, HEIGHT = 5, 8  # of a glyph; one more of each between them
MAX_COLUMNS = 160     # drivers/framebuffer/screen.h


def glyphs() -> dict[tuple[int, ...], str]:
    """Lines of pixels, from the top, of each printable character, from the font's source."""
    source = (paths.REPOSITORY / "drivers/framebuffer/font.c").read_text()
    words = re.findall(r"0x([0-9a-f]{16})", source)[:95]
    return {tuple(int(word, 16).to_bytes(HEIGHT, "little")): chr(32 + number) for number, word in enumerate(words)}


def pixels(picture: Path) -> tuple[int, int, bytes]:
    """Width, height and three bytes a pixel of a binary PPM."""
    content = picture.read_bytes()
    magic, width, height, depth = content.split(maxsplit=4)[:4]
    if (magic, depth) != (b"P6", b"255"):
        raise ValueError(f"{picture} is not a PPM of 8 bits a colour")
    width, height = int(width), int(height)
    return width, height, content[-3 * width * height:]


def lines(picture: Path) -> list[str]:
    """What stands on the screen, a string a row; "?" is a cell with something else in it."""
    width, height, content = pixels(picture)
    known = glyphs()
    scale = 1 + (width - 1) // ((WIDTH + 1) * MAX_COLUMNS)
    cell_width, cell_height = (WIDTH + 1) * scale, (HEIGHT + 1) * scale
    result = []
    for row in range(height // cell_height):
        text = ""
        for column in range(min(width // cell_width, MAX_COLUMNS)):
            cell = []
            for y in range(HEIGHT):
                at = 3 * ((row * cell_height + y * scale) * width + column * cell_width)
                ink = (content[at + 3 * scale * x] != 0 for x in range(WIDTH))
                cell.append(sum(bit << WIDTH - 1 - x for x, bit in enumerate(ink)))
            text += known.get(tuple(cell), "?")
        result.append(text.rstrip())
    return result
