/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/framebuffer/framebuffer.c drivers/framebuffer/font.c
// SOURCES: hypervisor/setup/framebuffer.c
/* The text console on a framebuffer that refuses every access outside itself and outside its lines,
 * and from which the text is read back by its glyphs. */
#include <stdlib.h>
#include <string.h>

#include "drivers/framebuffer/font.h"
#include "drivers/framebuffer/framebuffer.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/setup/setup.h"
#include "tests/unit/support/host.h"

#define MAPPED 0x100000u

static uint32_t *pixels;
static struct boot_framebuffer current;
static size_t writes;
static bool can_map = true;

uintptr_t map_device(uint64_t physical, uint64_t size)
{
    assert_int_equal(physical, current.base);
    assert_true(size <= current.size);
    return can_map ? MAPPED : 0;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    uint64_t offset = address - MAPPED;
    assert_true(address >= MAPPED && offset + 4 <= current.size);
    assert_true(offset % current.stride + 4 <= current.width * 4 && offset % 4 == 0);
    assert_true(offset / current.stride < current.height);
    pixels[offset / 4] = value;
    writes++;
}

static enum status open_screen(uint32_t width, uint32_t height, uint32_t stride)
{
    current = (struct boot_framebuffer){.base = 0xc0000000,
                                        .size = (uint64_t)stride * height,
                                        .width = width,
                                        .height = height,
                                        .stride = stride,
                                        .format = BOOT_FRAMEBUFFER_BGRX};
    free(pixels);
    pixels = malloc(current.size + 1);
    memset(pixels, 0x5a, current.size);
    return framebuffer_init(&current);
}

/* The character whose glyph stands in this cell; '\0' when none does. */
static char read_cell(uint32_t scale, uint32_t column, uint32_t row)
{
    for (char character = ' '; character <= '~'; character++) {
        const uint8_t *glyph = font_glyph(character);
        bool same = true;
        for (uint32_t y = 0; same && y < FONT_HEIGHT * scale; y++)
            for (uint32_t x = 0; same && x < FONT_WIDTH * scale; x++) {
                size_t line = row * (FONT_HEIGHT + 1) * scale + y;
                size_t at = line * current.stride / 4 + column * (FONT_WIDTH + 1) * scale + x;
                bool ink = (glyph[y / scale] >> (FONT_WIDTH - 1 - x / scale) & 1) != 0;
                same = (pixels[at] != 0) == ink;
            }
        if (same)
            return character;
    }
    return '\0';
}

static void assert_line(uint32_t scale, uint32_t row, const char *expected)
{
    for (uint32_t column = 0; expected[column] != '\0'; column++)
        assert_int_equal(read_cell(scale, column, row), expected[column]);
    assert_int_equal(read_cell(scale, (uint32_t)strlen(expected), row), ' ');
}

static void say(const char *text)
{
    framebuffer_write(text, strlen(text));
}

static void test_glyphs_differ(void **state)
{
    for (char a = ' '; a <= '~'; a++)
        for (char b = ' '; b < a; b++)
            assert_memory_not_equal(font_glyph(a), font_glyph(b), FONT_HEIGHT);
    assert_ptr_equal(font_glyph('\x7f'), font_glyph('\x80'));
}

static void test_nothing_before_init(void **state)
{
    writes = 0;
    say("too early");
    assert_int_equal(writes, 0);
}

static void test_refuses_what_contradicts_itself(void **state)
{
    assert_int_equal(open_screen(800, 600, 3196), STATUS_INVALID);
    assert_int_equal(open_screen(0, 600, 3200), STATUS_INVALID);
    assert_int_equal(open_screen(800, 0, 3200), STATUS_INVALID);
    assert_int_equal(open_screen(4, 4, 16), STATUS_INVALID);
    assert_int_equal(open_screen(800, 600, 65540), STATUS_INVALID);
    current.stride = 3200;
    current.size = 3200 * 599;
    assert_int_equal(framebuffer_init(&current), STATUS_INVALID);
    current.format = 7;
    assert_int_equal(framebuffer_init(&current), STATUS_UNSUPPORTED);
    can_map = false;
    assert_int_equal(open_screen(800, 600, 3200), STATUS_NO_MEMORY);
    can_map = true;
}

static void test_text_appears(void **state)
{
    static const struct {
        uint32_t width, height, stride, scale;
    } screens[] = {
        {640, 480, 2560, 1}, {800, 600, 3328, 1}, {1024, 768, 4096, 2}, {3840, 2160, 15360, 4}};
    for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
        assert_int_equal(open_screen(screens[i].width, screens[i].height, screens[i].stride),
                         STATUS_OK);
        say("[0.000001] boot.start x=\"~\"\nsecond\tline\rS\nab\bc\n");
        assert_line(screens[i].scale, 0, "[0.000001] boot.start x=\"~\"");
        assert_line(screens[i].scale, 1, "Second  line");
        assert_line(screens[i].scale, 2, "ac");
        /* What already stands there is not drawn again. */
        writes = 0;
        say("\r");
        assert_int_equal(writes, 0);
    }
}

static void test_long_text_wraps_and_scrolls(void **state)
{
    /* 20 columns, 8 rows */
    assert_int_equal(open_screen(120, 72, 480), STATUS_OK);
    say("abcdefghijklmnopqrstuvwxyz\n");
    assert_line(1, 1, "uvwxyz");
    assert_int_equal(read_cell(1, 19, 0), 't');
    for (char row = '0'; row <= '9'; row++) {
        char text[3] = {row, '\n', '\0'};
        say(text);
    }
    /* Two lines at a time: the last ones stand at the bottom, with the cursor's line below. */
    assert_line(1, 5, "9");
    assert_line(1, 4, "8");
    assert_line(1, 0, "4");
    assert_line(1, 6, "");
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        char byte = (char)(rand() & 0xff);
        framebuffer_write(&byte, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glyphs_differ),
        cmocka_unit_test(test_nothing_before_init),
        cmocka_unit_test(test_refuses_what_contradicts_itself),
        cmocka_unit_test(test_text_appears),
        cmocka_unit_test(test_long_text_wraps_and_scrolls),
    };
    return cmocka_run_group_tests_name("framebuffer", tests, NULL, NULL);
}
