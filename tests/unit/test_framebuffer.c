/* SPDX-License-Identifier: MIT */
// SOURCES: drivers/framebuffer/framebuffer.c drivers/framebuffer/font.c
// SOURCES: hypervisor/setup/framebuffer.c
/* The text console on a framebuffer that refuses every access outside itself and outside its lines,
 * and from which the text is read back by its glyphs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/framebuffer/font.h"
#include "drivers/framebuffer/framebuffer.h"
#include "hypervisor/base/mmio.h"
#include "drivers/framebuffer/screen.h"
#include "hypervisor/memory/address_space_internal.h"
#include "hypervisor/setup/framebuffer.h"
#include "tests/unit/support/host.h"

#define PHYSICAL 0xc0000000u
#define MAPPED   0x100000u

static uint32_t *pixels;
static struct boot_info boot;
static struct boot_framebuffer *const current = &boot.framebuffer;
static uint64_t bytes; /* that its lines take, whatever is said */
static uintptr_t base = PHYSICAL;
static size_t writes;
static bool can_map = true;
static const char *message;

uintptr_t address_space_map_on_demand(uint64_t physical, uint64_t size, unsigned rights)
{
    assert_int_equal(physical, current->base);
    assert_int_equal(size, bytes);
    assert_int_equal(rights, PAGE_READ | PAGE_WRITE | PAGE_COMBINED);
    base = can_map ? MAPPED : 0;
    return base;
}

static void store(uintptr_t address, uint32_t value)
{
    uint64_t offset = address - base;
    assert_true(base != 0 && address >= base && offset + 4 <= bytes);
    assert_true(offset % current->stride + 4 <= current->width * 4 && offset % 4 == 0);
    assert_true(offset / current->stride < current->height);
    pixels[offset / 4] = value;
}

void mmio_write32(uintptr_t address, uint32_t value)
{
    store(address, value);
    writes++;
}

void mmio_write64(uintptr_t address, uint64_t value)
{
    store(address, (uint32_t)value);
    store(address + 4, (uint32_t)(value >> 32));
    writes++;
}

void memory_fence(void)
{
}

static enum status open_masks(uint32_t width, uint32_t height, uint32_t stride, uint32_t red,
                              uint32_t green, uint32_t blue)
{
    memset(&screen, 0, sizeof screen);
    boot.range_count = 0;
    bytes = (uint64_t)stride * height;
    *current = (struct boot_framebuffer){.base = PHYSICAL,
                                         .size = bytes,
                                         .width = width,
                                         .height = height,
                                         .stride = stride,
                                         .format = BOOT_FRAMEBUFFER_MASKS,
                                         .red = red,
                                         .green = green,
                                         .blue = blue};
    base = PHYSICAL;
    free(pixels);
    pixels = malloc(bytes + 1);
    memset(pixels, 0x5a, bytes);
    return framebuffer_init(&boot, &message);
}

static enum status open_screen(uint32_t width, uint32_t height, uint32_t stride)
{
    return open_masks(width, height, stride, 0xff0000, 0xff00, 0xff);
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
                size_t at = line * current->stride / 4 + column * (FONT_WIDTH + 1) * scale + x;
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
    assert_int_equal(open_screen(800, 600, 3200), STATUS_OK);
    assert_null(message);
    current->base = 0;
    assert_int_equal(framebuffer_init(&boot, &message), STATUS_INVALID);
    current->base = BIT(47) - 4096;
    assert_int_equal(framebuffer_init(&boot, &message), STATUS_INVALID);
    current->base = UINT64_MAX - 4096;
    assert_int_equal(framebuffer_init(&boot, &message), STATUS_INVALID);
}

/* Some firmware tells the size of what is shown at once, or none: the lines count. */
static void test_a_size_that_is_too_small(void **state)
{
    assert_int_equal(open_screen(800, 600, 3200), STATUS_OK);
    current->size = 3200 * 599;
    assert_int_equal(framebuffer_init(&boot, &message), STATUS_OK);
    assert_non_null(strstr(message, "size"));
    current->size = 0;
    assert_int_equal(framebuffer_init(&boot, &message), STATUS_OK);
    say("all of it is drawn on");
    assert_line(1, 0, "all of it is drawn on");
}

static void test_refuses_what_lies_in_memory(void **state)
{
    static const struct {
        uint64_t base, size;
        uint32_t type;
        bool good;
    } ranges[] = {
        {PHYSICAL - 4096, 4096, BOOT_MEMORY_USABLE, true},
        {PHYSICAL - 4096, 8192, BOOT_MEMORY_USABLE, false},
        {PHYSICAL + 3200 * 600 - 1, 4096, BOOT_MEMORY_LOADER, false},
        {PHYSICAL + 3200 * 600, 4096, BOOT_MEMORY_IMAGE, true},
        {PHYSICAL, MIB(16), BOOT_MEMORY_RESERVED, true}, /* as graphics' own memory is */
        {PHYSICAL, MIB(16), BOOT_MEMORY_MMIO, true},
        {PHYSICAL + 4096, 4096, BOOT_MEMORY_ACPI, false},
    };
    assert_int_equal(open_screen(800, 600, 3200), STATUS_OK);
    boot.range_count = 1;
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        boot.ranges[0] =
            (struct boot_memory_range){ranges[i].base, ranges[i].size, ranges[i].type, 0};
        assert_int_equal(framebuffer_init(&boot, &message),
                         ranges[i].good ? STATUS_OK : STATUS_INVALID);
    }
}

static void test_colours(void **state)
{
    static const struct {
        uint32_t red, green, blue, ink; /* 0: refused */
    } colours[] = {
        {0xff0000, 0xff00, 0xff, 0xd0d0d0},
        {0xff, 0xff00, 0xff0000, 0xd0d0d0},
        {0xff000000, 0xff0000, 0xff00, 0xd0d0d000},
        {0x3ff00000, 0xffc00, 0x3ff, 0x342 << 20 | 0x342 << 10 | 0x342},
        {0x80000000, 0x7fff0000, 0xffff, 0x6867d0d0},
        {0, 0xff00, 0xff, 0},
        {0xff0000, 0xff00, 0x1ff, 0},
        {0xff0000, 0xff0000, 0xff, 0},
        {0xf0f000, 0xf00, 0xff, 0},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(colours); i++) {
        enum status status =
            open_masks(120, 72, 480, colours[i].red, colours[i].green, colours[i].blue);
        assert_int_equal(status, colours[i].ink != 0 ? STATUS_OK : STATUS_UNSUPPORTED);
        if (status != STATUS_OK)
            continue;
        say("H");
        assert_int_equal(pixels[0], colours[i].ink);
        assert_int_equal(pixels[1], 0);
    }
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
        /* On the loader's tables first, then on the hypervisor's; what comes between is kept. */
        framebuffer_hide();
        base = 0;
        say("\033");
        say("\r...");
        assert_int_equal(framebuffer_map(), STATUS_OK);
        assert_line(screens[i].scale, 3, "...");
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

static void test_hidden_when_it_cannot_be_mapped(void **state)
{
    assert_int_equal(open_screen(800, 600, 3200), STATUS_OK);
    framebuffer_hide();
    can_map = false;
    assert_int_equal(framebuffer_map(), STATUS_NO_MEMORY);
    can_map = true;
    writes = 0;
    say("nobody sees this");
    framebuffer_flush();
    framebuffer_turn();
    assert_int_equal(writes, 0);
}

/* The largest screen that people have: what a line and a scroll cost in stores. A store of one
 * pixel for each of a cell's took 51120 for a full line and 2709360 for the screen. */
static void test_stores_and_turns(void **state)
{
    const uint32_t columns = 142, rows = 53;
    char line[143];
    writes = 0;
    assert_int_equal(open_screen(2560, 1440, 10240), STATUS_OK);
    assert_int_equal(screen.columns, columns);
    assert_int_equal(screen.rows, rows);
    assert_int_equal(writes, 2560 * 1440 / 2);
    memset(line, 'M', columns);
    line[columns] = '\0';
    writes = 0;
    say(line);
    printf("framebuffer: a full line takes %zu stores\n", writes);
    assert_true(writes <= columns * 8 * 3 * 9);
    for (uint32_t row = 1; row < rows; row++) {
        line[0] = (char)('0' + row % 10);
        say(line);
    }
    /* A scroll moves each line onto one like it: little is drawn. */
    writes = 0;
    say("\n");
    printf("framebuffer: a scroll of like lines takes %zu stores\n", writes);
    assert_true(writes < rows * columns * 8 * 3 * 9 / 2);
    /* From here on a call draws nothing, and a turn a MiB of lines, which is three rows. */
    framebuffer_settle();
    writes = 0;
    memset(line, 'W', columns);
    for (uint32_t row = 0; row < rows; row++)
        say(line);
    assert_int_equal(writes, 0);
    size_t all = 0;
    unsigned turns = 0;
    for (; turns < 1000; turns++) {
        writes = 0;
        framebuffer_turn();
        assert_true(writes <= 3 * columns * 8 * 3 * 9);
        all += writes;
        if (!screen.changed)
            break;
    }
    printf("framebuffer: a screen takes %zu stores in %u turns\n", all, turns + 1);
    assert_true(turns >= 10 && turns <= rows / 3 + 1);
    for (uint32_t column = 0; column < columns; column++)
        assert_int_equal(read_cell(3, column, screen.row), 'W');
    /* Dying words are drawn at once. */
    say("\nthe end");
    framebuffer_flush();
    assert_line(3, screen.row, "the end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_glyphs_differ),
        cmocka_unit_test(test_nothing_before_init),
        cmocka_unit_test(test_refuses_what_contradicts_itself),
        cmocka_unit_test(test_text_appears),
        cmocka_unit_test(test_long_text_wraps_and_scrolls),
        cmocka_unit_test(test_a_size_that_is_too_small),
        cmocka_unit_test(test_refuses_what_lies_in_memory),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_hidden_when_it_cannot_be_mapped),
        cmocka_unit_test(test_stores_and_turns),
    };
    return cmocka_run_group_tests_name("framebuffer", tests, NULL, NULL);
}
