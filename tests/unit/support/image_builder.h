/* SPDX-License-Identifier: MIT */
/* A PVH image of two segments and a note, 32- or 64-bit, of which any field can then be broken. */
#pragma once

#include <string.h>

#include "guest/start/image.h"
#include "tests/unit/support/tables.h"

#define IMAGE_MEMORY MIB(32)
#define IMAGE_ENTRY  UINT64_C(0x100010)

struct image_builder {
    bool is_64bit;
    struct table_builder file;
    uint32_t programs, program_size, program_count;
    uint32_t notes; /* where they begin */
};

static inline unsigned image_word(const struct image_builder *builder)
{
    return builder->is_64bit ? 8 : 4;
}

enum image_field { FIELD_TYPE, FIELD_OFFSET, FIELD_ADDRESS, FIELD_FILE_SIZE, FIELD_MEMORY_SIZE };

static inline uint32_t image_field_at(const struct image_builder *builder, unsigned program,
                                      enum image_field field)
{
    static const uint8_t offsets[][2] = {
        [FIELD_TYPE] = {0, 0},        [FIELD_OFFSET] = {4, 8},        [FIELD_ADDRESS] = {12, 24},
        [FIELD_FILE_SIZE] = {16, 32}, [FIELD_MEMORY_SIZE] = {20, 40},
    };
    return builder->programs + program * builder->program_size + offsets[field][builder->is_64bit];
}

static inline void image_set(struct image_builder *builder, unsigned program,
                             enum image_field field, uint64_t value)
{
    put_at(&builder->file, image_field_at(builder, program, field), value,
           field == FIELD_TYPE ? 4 : image_word(builder));
}

static inline void image_add_program(struct image_builder *builder, uint32_t type, uint64_t offset,
                                     uint64_t address, uint64_t file_size, uint64_t memory_size)
{
    unsigned program = builder->program_count++;
    builder->file.length += builder->program_size;
    image_set(builder, program, FIELD_TYPE, type);
    image_set(builder, program, FIELD_OFFSET, offset);
    image_set(builder, program, FIELD_ADDRESS, address);
    image_set(builder, program, FIELD_FILE_SIZE, file_size);
    image_set(builder, program, FIELD_MEMORY_SIZE, memory_size);
    put_at(&builder->file, builder->is_64bit ? 0x38 : 0x2c, builder->program_count, 2);
}

static inline void image_put_note(struct image_builder *builder, const char *name, uint32_t type,
                                  uint64_t value, unsigned size)
{
    struct table_builder *file = &builder->file;
    put(file, strlen(name) + 1, 4);
    put(file, size, 4);
    put(file, type, 4);
    put_text(file, name);
    do
        put(file, 0, 1);
    while (file->length % 4 != 0);
    put(file, value, size);
}

/* Program 0: text at 1 MiB. Program 1: data with zeros behind it at 2 MiB. Program 2: the notes, of
 * which the second gives the entry. */
static inline void image_build(struct image_builder *builder, bool is_64bit)
{
    struct table_builder *file = &builder->file;
    memset(builder, 0, sizeof *builder);
    builder->is_64bit = is_64bit;
    builder->program_size = is_64bit ? 56 : 32;
    builder->programs = is_64bit ? 64 : 52;
    put(file, 0x464c457f, 4);
    put(file, is_64bit ? 2 : 1, 1);
    put(file, 1, 1);
    put(file, 1, 1);
    put(file, 0, 9);
    put(file, 2, 2);
    put(file, is_64bit ? 62 : 3, 2);
    put(file, 1, 4);
    put(file, 0x12345678, image_word(builder)); /* e_entry is not PVH's */
    put(file, builder->programs, image_word(builder));
    put(file, 0, image_word(builder));
    put(file, 0, 4);
    put(file, builder->programs, 2);
    put(file, builder->program_size, 2);
    put(file, 0, 8);
    assert_int_equal(file->length, builder->programs);
    const uint32_t content = builder->programs + 3 * builder->program_size;
    image_add_program(builder, 1, content, 0x100000, 64, 64);
    image_add_program(builder, 1, content + 64, 0x200000, 16, 0x1000);
    image_add_program(builder, 4, content + 80, 0, 0, 0);
    for (unsigned i = 0; i < 80; i++)
        put(file, i, 1);
    builder->notes = file->length;
    image_put_note(builder, "GNU", 18, 0xbad, 4);
    image_put_note(builder, "Xen", 18, IMAGE_ENTRY, is_64bit ? 8 : 4);
    image_set(builder, 2, FIELD_FILE_SIZE, file->length - builder->notes);
}
