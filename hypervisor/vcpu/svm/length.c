/* SPDX-License-Identifier: MIT */
/* Instructions without memory operand: SDM 2A chapter 2 and appendix A (opcode maps). */
#include "hypervisor/vcpu/svm/length.h"

#include "hypervisor/vcpu/emulate/cursor.h"

#define REX_B 1u

/* Bytes after the opcode byte of the one-byte map, plus one; 0: not one of ours. */
static const uint8_t one_byte_tails[256] = {
    [0x6c] = 1, [0x6d] = 1, [0x6e] = 1, [0x6f] = 1, /* INS, OUTS */
    [0x90] = 1,                                     /* NOP, PAUSE */
    [0xe4] = 2, [0xe5] = 2, [0xe6] = 2, [0xe7] = 2, /* IN, OUT with an immediate port */
    [0xec] = 1, [0xed] = 1, [0xee] = 1, [0xef] = 1, /* IN, OUT with DX */
    [0xf1] = 1,                                     /* INT1 */
    [0xf4] = 1,                                     /* HLT */
};

/* The same after 0F. */
static const uint8_t two_byte_tails[256] = {
    [0x01] = 2,                                     /* VMCALL .. by ModR/M: below */
    [0x06] = 1, [0x08] = 1, [0x09] = 1, [0x0b] = 1, /* CLTS, INVD, WBINVD, UD2 */
    [0x20] = 2, [0x21] = 2, [0x22] = 2, [0x23] = 2, /* MOV to and from CR, DR */
    [0x30] = 1, [0x31] = 1, [0x32] = 1, [0x33] = 1, /* WRMSR, RDTSC, RDMSR, RDPMC */
    [0x37] = 1,                                     /* GETSEC */
    [0xa2] = 1, [0xaa] = 1,                         /* CPUID, RSM */
};

enum status instruction_length(const uint8_t *bytes, size_t size, unsigned code_bits,
                               uint8_t *length)
{
    struct cursor cursor;
    uint8_t opcode;
    enum status status = cursor_start(&cursor, bytes, size, code_bits, &opcode);
    if (status != STATUS_OK)
        return status;
    unsigned tail = one_byte_tails[opcode];
    if (opcode == 0x0f) {
        if (!cursor_take(&cursor, &opcode))
            return STATUS_INVALID;
        tail = two_byte_tails[opcode];
        /* Group 7 takes memory unless ModR/M says register: VMCALL, XSETBV, MONITOR, SMSW r, ... */
        if (opcode == 0x01 && cursor.at < cursor.size && cursor.bytes[cursor.at] < 0xc0)
            return STATUS_UNSUPPORTED;
    }
    if (tail == 0)
        return STATUS_UNSUPPORTED;
    if (!cursor_skip(&cursor, tail - 1))
        return STATUS_INVALID;
    *length = (uint8_t)cursor.at;
    return STATUS_OK;
}

enum status instruction_control_register(const uint8_t *bytes, size_t size, unsigned code_bits,
                                         uint8_t *general)
{
    struct cursor cursor;
    uint8_t opcode, modrm;
    enum status status = cursor_start(&cursor, bytes, size, code_bits, &opcode);
    if (status != STATUS_OK)
        return status;
    if (opcode != 0x0f)
        return STATUS_UNSUPPORTED;
    if (!cursor_take(&cursor, &opcode) || !cursor_take(&cursor, &modrm))
        return STATUS_INVALID;
    if (opcode != 0x20 && opcode != 0x22)
        return STATUS_UNSUPPORTED;
    *general = (uint8_t)((modrm & 7) | ((cursor.rex & REX_B) != 0 ? 8 : 0)); /* whatever the mode */
    return STATUS_OK;
}
