/* SPDX-License-Identifier: MIT */
/*
 * Decoder for the instructions that touch emulated memory: MOV, MOVZX, MOVSX, MOVSXD between
 * register or immediate and memory, in 16-, 32- and 64-bit code. Works on bytes alone (host-tested,
 * fuzzed).
 */
#pragma once

#include "hypervisor/base/core.h"

#define INSTRUCTION_MAX 15

struct instruction {
    uint8_t length;
    uint8_t width; /* memory operand: 1, 2, 4 or 8 bytes */
    bool write;    /* register or immediate to memory */
    bool has_immediate;
    uint64_t immediate;     /* sign-extended as the manual says */
    uint8_t reg;            /* enum guest_register */
    bool high_byte;         /* AH, CH, DH, BH */
    uint8_t register_width; /* destination width of a read */
    bool sign_extend;
};

/* `size` bytes are there (1..15); `code_bits` is 16, 32 or 64. STATUS_UNSUPPORTED for anything else
 * than the above, STATUS_INVALID when the bytes end too early. */
MUST_CHECK enum status instruction_decode(const uint8_t *bytes, size_t size, unsigned code_bits,
                                          struct instruction *instruction);
