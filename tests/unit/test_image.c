/* SPDX-License-Identifier: MIT */
// SOURCES: guest/start/image.c guest/start/image_linux.c
// SOURCES: guest/start/image_multiboot.c
/* PVH images: good ones of both ELF classes, then each field wrong, and every cut. */
#include "hypervisor/assign/guest.h"
#include "tests/unit/support/image_builder.h"

static struct image_builder builder;
static struct image image;

/* Over a copy of exactly the file's size, so that the sanitizer sees a read past it. */
static enum status parse_size(size_t size, uint64_t memory)
{
    uint8_t *copy = exact_copy(builder.file.bytes, size);
    enum status status =
        image_parse(copy, size, memory, GUEST_TABLES_BASE, GUEST_TABLES_END, &image);
    free(copy);
    if (status != STATUS_OK) {
        assert_non_null(image.problem);
        assert_true(strlen(image.problem) > 0);
    }
    return status;
}

static enum status parse(void)
{
    return parse_size(builder.file.length, IMAGE_MEMORY);
}

/* Refused with this status, and the complaint names this offset and value. */
static void expect(enum status status, uint64_t offset, uint64_t value)
{
    assert_int_equal(parse(), status);
    assert_int_equal(image.problem_offset, offset);
    assert_int_equal(image.problem_value, value);
}

static void test_good_images(void **state)
{
    for (int is_64bit = 0; is_64bit < 2; is_64bit++) {
        image_build(&builder, is_64bit);
        assert_int_equal(parse(), STATUS_OK);
        assert_int_equal(image.entry, IMAGE_ENTRY);
        assert_int_equal(image.segment_count, 2);
        const uint64_t content = builder.programs + 3 * builder.program_size;
        const struct image_segment expected[] = {{0x100000, content, 64, 64},
                                                 {0x200000, content + 64, 16, 0x1000}};
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(image.segments[i].address, expected[i].address);
            assert_int_equal(image.segments[i].file_offset, expected[i].file_offset);
            assert_int_equal(image.segments[i].file_size, expected[i].file_size);
            assert_int_equal(image.segments[i].memory_size, expected[i].memory_size);
        }
    }
}

/* A 32-bit x86 file may come in either class, and the other way round: PVH enters in 32-bit mode.
 */
static void test_machines(void **state)
{
    image_build(&builder, false);
    put_at(&builder.file, 0x12, 62, 2);
    assert_int_equal(parse(), STATUS_OK);
    put_at(&builder.file, 0x12, 183, 2);
    expect(STATUS_UNSUPPORTED, 0x12, 183);
}

static void test_header_fields(void **state)
{
    for (int is_64bit = 0; is_64bit < 2; is_64bit++) {
        static const struct {
            uint32_t at[2];
            unsigned size;
            uint64_t value;
            enum status status;
        } wrong[] = {
            {{4, 4}, 1, 3, STATUS_INVALID},           {{5, 5}, 1, 2, STATUS_UNSUPPORTED},
            {{0x2a, 0x36}, 2, 40, STATUS_INVALID},    {{0x2a, 0x36}, 2, 0, STATUS_INVALID},
            {{0x2c, 0x38}, 2, 0, STATUS_INVALID},     {{0x2c, 0x38}, 2, 65, STATUS_INVALID},
            {{0x2c, 0x38}, 2, 65535, STATUS_INVALID},
        };
        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
            image_build(&builder, is_64bit);
            put_at(&builder.file, wrong[i].at[is_64bit], wrong[i].value, wrong[i].size);
            expect(wrong[i].status, wrong[i].at[is_64bit], wrong[i].value);
        }
        /* Where the program headers lie, up to wrapping. */
        const uint64_t top = is_64bit ? UINT64_MAX : UINT32_MAX;
        const uint32_t at = is_64bit ? 0x20 : 0x1c;
        const uint64_t offsets[] = {builder.file.length - 3 * builder.program_size + 1,
                                    builder.file.length, builder.file.length + 1, top,
                                    top - 3 * builder.program_size + 1};
        for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
            image_build(&builder, is_64bit);
            put_at(&builder.file, at, offsets[i], image_word(&builder));
            expect(STATUS_INVALID, at, offsets[i]);
        }
    }
    for (unsigned byte = 0; byte < 4; byte++) {
        image_build(&builder, true);
        builder.file.bytes[byte] ^= 0x20;
        expect(STATUS_INVALID, 0, builder.file.length);
    }
}

static void test_every_cut(void **state)
{
    for (int is_64bit = 0; is_64bit < 2; is_64bit++) {
        image_build(&builder, is_64bit);
        for (uint32_t size = 0; size < builder.file.length; size++)
            assert_int_not_equal(parse_size(size, IMAGE_MEMORY), STATUS_OK);
        assert_int_equal(parse(), STATUS_OK);
    }
}

/* Values at and around each border of a segment. */
static void test_segments(void **state)
{
    const uint64_t top = UINT64_MAX;
    const struct {
        enum image_field field;
        uint64_t value;
        enum status status;
        uint64_t reported; /* 0: the value itself */
    } cases[] = {
        {FIELD_ADDRESS, IMAGE_MEMORY - 0x1000, STATUS_OK, 0},
        {FIELD_ADDRESS, IMAGE_MEMORY - 0xfff, STATUS_INVALID, 0},
        {FIELD_ADDRESS, IMAGE_MEMORY, STATUS_INVALID, 0},
        {FIELD_ADDRESS, top, STATUS_INVALID, 0},
        {FIELD_ADDRESS, top - 0xfff, STATUS_INVALID, 0}, /* ends at 2^64 */
        {FIELD_ADDRESS, GUEST_TABLES_BASE - 0x1000, STATUS_OK, 0},
        {FIELD_ADDRESS, GUEST_TABLES_BASE - 0xfff, STATUS_INVALID, 0},
        {FIELD_ADDRESS, GUEST_TABLES_END - 1, STATUS_INVALID, 0},
        {FIELD_ADDRESS, 0x100000 - 1, STATUS_INVALID, 0},
        {FIELD_ADDRESS, 0x100000, STATUS_INVALID, 0}, /* the text is there */
        {FIELD_ADDRESS, 0x10003f, STATUS_INVALID, 0},
        {FIELD_ADDRESS, 0x100040, STATUS_OK, 0},
        {FIELD_ADDRESS, 0, STATUS_OK, 0},
        {FIELD_MEMORY_SIZE, 15, STATUS_INVALID, 16}, /* less than the file's part */
        {FIELD_MEMORY_SIZE, 16, STATUS_OK, 0},
        {FIELD_MEMORY_SIZE, IMAGE_MEMORY - 0x200000, STATUS_OK, 0},
        {FIELD_MEMORY_SIZE, IMAGE_MEMORY - 0x200000 + 1, STATUS_INVALID, 0x200000},
        {FIELD_MEMORY_SIZE, top, STATUS_INVALID, 0x200000},
        {FIELD_MEMORY_SIZE, 0, STATUS_OK, 0}, /* nothing to load */
        {FIELD_OFFSET, top, STATUS_INVALID, 0},
        {FIELD_OFFSET, top - 15, STATUS_INVALID, 0},
        {FIELD_FILE_SIZE, top, STATUS_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        image_build(&builder, true);
        const uint64_t header = builder.programs + builder.program_size;
        image_set(&builder, 1, cases[i].field, cases[i].value);
        if (cases[i].status == STATUS_OK) {
            assert_int_equal(parse(), STATUS_OK);
        } else if (cases[i].field == FIELD_FILE_SIZE) {
            assert_int_equal(parse(), STATUS_INVALID);
            assert_int_equal(image.problem_offset, header);
        } else {
            expect(cases[i].status, header,
                   cases[i].reported != 0 ? cases[i].reported : cases[i].value);
        }
    }
}

static void test_offsets_at_the_end_of_the_file(void **state)
{
    image_build(&builder, true);
    image_set(&builder, 1, FIELD_OFFSET, builder.file.length - 16);
    assert_int_equal(parse(), STATUS_OK);
    image_set(&builder, 1, FIELD_OFFSET, builder.file.length - 15);
    expect(STATUS_INVALID, builder.programs + builder.program_size, builder.file.length - 15);
}

static void test_guest_too_small(void **state)
{
    image_build(&builder, true);
    assert_int_equal(parse_size(builder.file.length, 0x201000), STATUS_OK);
    assert_int_equal(parse_size(builder.file.length, 0x200fff), STATUS_INVALID);
    assert_int_equal(parse_size(builder.file.length, 0), STATUS_INVALID);
}

static void test_too_many_segments(void **state)
{
    for (unsigned count = IMAGE_MAX_SEGMENTS; count <= IMAGE_MAX_SEGMENTS + 1; count++) {
        image_build(&builder, true);
        const struct image_builder before = builder;
        /* The headers anew, behind everything else. */
        put_at(&builder.file, 0x20, builder.file.length, 8);
        builder.programs = builder.file.length;
        builder.program_count = 0;
        for (unsigned i = 0; i < count; i++)
            image_add_program(&builder, 1, 0, 0x100000 + i * 0x1000, 64, 64);
        image_add_program(&builder, 4, before.notes, 0, before.file.length - before.notes, 0);
        assert_int_equal(parse(), count <= IMAGE_MAX_SEGMENTS ? STATUS_OK : STATUS_FULL);
    }
}

static void test_entry(void **state)
{
    static const struct {
        uint64_t entry;
        enum status status;
    } cases[] = {
        {0x100000, STATUS_OK},      {0x10003f, STATUS_OK},
        {0x100040, STATUS_INVALID}, {0xfffff, STATUS_INVALID},
        {0x200000, STATUS_OK},      {0x20000f, STATUS_OK},
        {0x200010, STATUS_INVALID}, /* zeros are not code */ {0, STATUS_INVALID},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        image_build(&builder, false);
        put_at(&builder.file, builder.file.length - 4, cases[i].entry, 4);
        if (cases[i].status == STATUS_OK)
            assert_int_equal(parse(), STATUS_OK);
        else
            expect(cases[i].status, 0, cases[i].entry);
    }
}

static void test_notes(void **state)
{
    static const struct {
        const char *name;
        uint32_t type;
        unsigned size;
        enum status status;
    } cases[] = {
        {"Xen", 18, 4, STATUS_OK},          {"Xen", 18, 8, STATUS_OK},
        {"Xen", 18, 0, STATUS_UNSUPPORTED}, {"Xen", 18, 3, STATUS_UNSUPPORTED},
        {"Xen", 17, 4, STATUS_UNSUPPORTED}, {"Xem", 18, 4, STATUS_UNSUPPORTED},
        {"Xe", 18, 4, STATUS_UNSUPPORTED},  {"Xenon", 18, 4, STATUS_UNSUPPORTED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        image_build(&builder, true);
        builder.file.length = builder.notes;
        image_put_note(&builder, cases[i].name, cases[i].type, IMAGE_ENTRY, cases[i].size);
        image_set(&builder, 2, FIELD_FILE_SIZE, builder.file.length - builder.notes);
        assert_int_equal(parse(), cases[i].status);
    }
    /* Sizes that lead out of the segment, up to wrapping in 32 bits. */
    for (uint32_t field = 0; field < 8; field += 4)
        for (uint64_t size = 0xfffffff0; size <= UINT32_MAX; size++) {
            image_build(&builder, true);
            put_at(&builder.file, builder.notes + field, size, 4);
            assert_int_equal(parse(), STATUS_UNSUPPORTED);
        }
    /* A note without a name whose value reads like one. */
    image_build(&builder, true);
    builder.file.length = builder.notes;
    put(&builder.file, 0, 4);
    put(&builder.file, 4, 4);
    put(&builder.file, 18, 4);
    put_text(&builder.file, "Xen");
    put(&builder.file, 0, 1);
    put(&builder.file, IMAGE_ENTRY, 4);
    image_set(&builder, 2, FIELD_FILE_SIZE, builder.file.length - builder.notes);
    assert_int_equal(parse(), STATUS_UNSUPPORTED);
    /* A second segment of notes that says nothing changes nothing. */
    image_build(&builder, true);
    image_set(&builder, 1, FIELD_TYPE, 4);
    assert_int_equal(parse(), STATUS_OK);
    image_set(&builder, 1, FIELD_OFFSET, builder.notes);
    image_set(&builder, 1, FIELD_FILE_SIZE, builder.file.length - builder.notes);
    image_set(&builder, 2, FIELD_FILE_SIZE, 0);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.entry, IMAGE_ENTRY);
    /* The first entry found counts; no segment of notes, no entry. */
    image_build(&builder, true);
    image_put_note(&builder, "Xen", 18, 0x100020, 4);
    image_set(&builder, 2, FIELD_FILE_SIZE, builder.file.length - builder.notes);
    assert_int_equal(parse(), STATUS_OK);
    assert_int_equal(image.entry, IMAGE_ENTRY);
    image_set(&builder, 2, FIELD_TYPE, 6);
    assert_int_equal(parse(), STATUS_UNSUPPORTED);
}

/* Whatever a byte becomes: what is accepted lies inside file and memory. */
static void test_every_changed_byte(void **state)
{
    for (int is_64bit = 0; is_64bit < 2; is_64bit++) {
        image_build(&builder, is_64bit);
        for (uint32_t at = 0; at < builder.file.length; at++) {
            uint8_t was = builder.file.bytes[at];
            for (unsigned bit = 0; bit < 8; bit++) {
                builder.file.bytes[at] = (uint8_t)(was ^ 1u << bit);
                if (parse() != STATUS_OK)
                    continue;
                for (uint32_t i = 0; i < image.segment_count; i++) {
                    const struct image_segment *segment = &image.segments[i];
                    assert_true(segment->file_offset + segment->file_size <= builder.file.length);
                    assert_true(segment->file_size <= segment->memory_size);
                    assert_true(segment->address + segment->memory_size <= IMAGE_MEMORY);
                }
            }
            builder.file.bytes[at] = was;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_images),
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_offsets_at_the_end_of_the_file),
        cmocka_unit_test(test_guest_too_small),
        cmocka_unit_test(test_too_many_segments),
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_every_changed_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
