/* SPDX-License-Identifier: MIT */
/* Reading an instruction byte by byte: what its decoders share. */
#pragma once

#include "hypervisor/vcpu/emulate/instruction.h"

/* The bytes, how far they are read, and what the prefixes said. */
struct cursor {
    const uint8_t *bytes;
    size_t size;
    size_t at;
    unsigned code_bits;
    bool operand_override, address_override, lock;
    bool has_rex;
    uint8_t rex;
};

/* False: so many bytes are not there. */
MUST_CHECK bool cursor_take(struct cursor *cursor, uint8_t *byte);
MUST_CHECK bool cursor_skip(struct cursor *cursor, size_t count);
/* Reads prefixes and the first opcode byte. A REX that another prefix follows is ignored. Errors as
 * of instruction_decode(). */
MUST_CHECK enum status cursor_start(struct cursor *cursor, const uint8_t *bytes, size_t size,
                                    unsigned code_bits, uint8_t *opcode);
