/* SPDX-License-Identifier: MIT */
/* SDM 2A chapter 2 (prefixes, ModR/M, SIB) and appendix A (opcode maps). */
#include "hypervisor/vcpu/emulate/cursor.h"

#define REX_W 8u
#define REX_R 4u

bool cursor_take(struct cursor *cursor, uint8_t *byte)
{
    if (cursor->at >= cursor->size)
        return false;
    *byte = cursor->bytes[cursor->at++];
    return true;
}

bool cursor_skip(struct cursor *cursor, size_t count)
{
    if (count > cursor->size - cursor->at)
        return false;
    cursor->at += count;
    return true;
}

/* Little endian, sign-extended to 64 bits; 1, 2 or 4 bytes. */
MUST_CHECK static bool take_immediate(struct cursor *cursor, unsigned width, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned i = 0; i < width; i++) {
        uint8_t byte;
        if (!cursor_take(cursor, &byte))
            return false;
        result |= (uint64_t)byte << (8 * i);
    }
    uint64_t sign = BIT(8 * width - 1);
    *value = (result ^ sign) - sign;
    return true;
}

static bool is_legacy_prefix(struct cursor *cursor, uint8_t byte)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26,
                                       0x2e, 0x36, 0x3e, 0x64, 0x65};
    cursor->operand_override |= byte == 0x66;
    cursor->address_override |= byte == 0x67;
    cursor->lock |= byte == 0xf0;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (prefixes[i] == byte)
            return true;
    return false;
}

enum status cursor_start(struct cursor *cursor, const uint8_t *bytes, size_t size,
                         unsigned code_bits, uint8_t *opcode)
{
    *cursor = (struct cursor){
        .bytes = bytes, .size = MIN(size, (size_t)INSTRUCTION_MAX), .code_bits = code_bits};
    if (code_bits != 16 && code_bits != 32 && code_bits != 64)
        return STATUS_UNSUPPORTED;
    while (cursor_take(cursor, opcode)) {
        if (is_legacy_prefix(cursor, *opcode)) {
            cursor->has_rex = false;
            cursor->rex = 0;
        } else if (code_bits == 64 && (*opcode & 0xf0) == 0x40) {
            cursor->has_rex = true;
            cursor->rex = *opcode & 0xf;
        } else {
            return STATUS_OK;
        }
    }
    return STATUS_INVALID;
}

static unsigned operand_width(const struct cursor *cursor)
{
    if ((cursor->rex & REX_W) != 0)
        return 8;
    return (cursor->code_bits == 16) == cursor->operand_override ? 4 : 2;
}

static unsigned address_width(const struct cursor *cursor)
{
    if (cursor->code_bits == 64)
        return cursor->address_override ? 4 : 8;
    return (cursor->code_bits == 16) == cursor->address_override ? 4 : 2;
}

/* Steps over ModR/M, SIB and displacement of a memory operand; `field` is ModR/M.reg (0..7). */
MUST_CHECK static enum status memory_operand(struct cursor *cursor, uint8_t *field)
{
    uint8_t modrm, sib;
    if (!cursor_take(cursor, &modrm))
        return STATUS_INVALID;
    unsigned mode = modrm >> 6, rm = modrm & 7;
    size_t displacement = mode == 1 ? 1 : 0;
    *field = modrm >> 3 & 7;
    if (mode == 3)
        return STATUS_UNSUPPORTED;
    if (address_width(cursor) == 2) {
        if (mode == 2 || (mode == 0 && rm == 6))
            displacement = 2;
    } else {
        if (rm == 4) {
            if (!cursor_take(cursor, &sib))
                return STATUS_INVALID;
            rm = sib & 7; /* the base; 5 without a mode means a displacement, as in ModR/M */
        }
        if (mode == 2 || (mode == 0 && rm == 5))
            displacement = 4;
    }
    return cursor_skip(cursor, displacement) ? STATUS_OK : STATUS_INVALID;
}

/* One row per opcode. Widths: 0 means the operand size. */
struct form {
    uint16_t opcode; /* 0x0fxx for the two-byte map */
    uint8_t width;   /* of the memory operand */
    uint8_t register_width;
    bool write, immediate, offset, sign_extend, only_64;
};

// clang-format off
static const struct form forms[] = {
    {.opcode = 0x88, .width = 1, .register_width = 1, .write = true},
    {.opcode = 0x89, .write = true},
    {.opcode = 0x8a, .width = 1, .register_width = 1},
    {.opcode = 0x8b},
    {.opcode = 0xc6, .width = 1, .register_width = 1, .write = true, .immediate = true},
    {.opcode = 0xc7, .write = true, .immediate = true},
    {.opcode = 0xa0, .width = 1, .register_width = 1, .offset = true},
    {.opcode = 0xa1, .offset = true},
    {.opcode = 0xa2, .width = 1, .register_width = 1, .write = true, .offset = true},
    {.opcode = 0xa3, .write = true, .offset = true},
    {.opcode = 0x63, .width = 4, .sign_extend = true, .only_64 = true}, /* MOVSXD */
    {.opcode = 0x0fb6, .width = 1},                                     /* MOVZX */
    {.opcode = 0x0fb7, .width = 2},
    {.opcode = 0x0fbe, .width = 1, .sign_extend = true},                /* MOVSX */
    {.opcode = 0x0fbf, .width = 2, .sign_extend = true},
};
// clang-format on

static const struct form *form_of(uint16_t opcode, unsigned code_bits)
{
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (forms[i].opcode == opcode && (code_bits == 64 || !forms[i].only_64))
            return &forms[i];
    return NULL;
}

/* The register of ModR/M.reg; without REX, byte registers 4..7 are AH, CH, DH, BH. */
static void set_register(const struct cursor *cursor, const struct form *form, uint8_t field,
                         struct instruction *instruction)
{
    bool byte_register = form->register_width == 1;
    if (byte_register && !cursor->has_rex && field >= 4) {
        instruction->reg = (uint8_t)(field - 4);
        instruction->high_byte = true;
    } else {
        instruction->reg = (uint8_t)(field | ((cursor->rex & REX_R) != 0 ? 8 : 0));
    }
}

MUST_CHECK static enum status operands(struct cursor *cursor, const struct form *form,
                                       struct instruction *instruction)
{
    uint8_t field = 0;
    if (form->offset) {
        if (!cursor_skip(cursor, address_width(cursor)))
            return STATUS_INVALID;
        return STATUS_OK; /* the accumulator */
    }
    enum status status = memory_operand(cursor, &field);
    if (status != STATUS_OK)
        return status;
    if (!form->immediate) {
        set_register(cursor, form, field, instruction);
        return STATUS_OK;
    }
    if (field != 0)
        return STATUS_UNSUPPORTED;
    instruction->has_immediate = true;
    return take_immediate(cursor, MIN(instruction->width, 4), &instruction->immediate)
               ? STATUS_OK
               : STATUS_INVALID;
}

enum status instruction_decode(const uint8_t *bytes, size_t size, unsigned code_bits,
                               struct instruction *instruction)
{
    struct cursor cursor;
    uint8_t byte;
    *instruction = (struct instruction){0};
    enum status status = cursor_start(&cursor, bytes, size, code_bits, &byte);
    if (status != STATUS_OK)
        return status;
    uint16_t opcode = byte;
    if (byte == 0x0f) {
        if (!cursor_take(&cursor, &byte))
            return STATUS_INVALID;
        opcode = (uint16_t)(0x0f00 | byte);
    }
    const struct form *form = form_of(opcode, code_bits);
    if (form == NULL || cursor.lock)
        return STATUS_UNSUPPORTED;

    unsigned operand = operand_width(&cursor);
    instruction->write = form->write;
    instruction->sign_extend = form->sign_extend;
    instruction->register_width =
        (uint8_t)(form->register_width != 0 ? form->register_width : operand);
    /* MOVSXD with a 16-bit operand reads 16 bits. */
    instruction->width = (uint8_t)(form->width == 0 ? operand
                                   : form->only_64  ? MIN(form->width, operand)
                                                    : form->width);
    status = operands(&cursor, form, instruction);
    if (status != STATUS_OK)
        return status;
    instruction->length = (uint8_t)cursor.at;
    return STATUS_OK;
}
