/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/vcpu/emulate/instruction.c hypervisor/vcpu/svm/length.c
// UNWIND: 17
// BOUND: any 15 bytes, of which any number is there; 16-, 32- and 64-bit code
// PLANT: hypervisor/vcpu/emulate/instruction.c ==> if (cursor->at >= cursor->size) ==> if (cursor->at > cursor->size)
// clang-format on
/* The decoder reads only bytes that are there, and what it says of an instruction can be. */
#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/vcpu/svm/length.h"
#include "tests/prove/prove.h"

int main(void)
{
    uint8_t bytes[15], length, general;
    size_t size = nondet_size();
    unsigned code_bits = 16u << nondet_uint8() % 3;
    struct instruction found;
    ANY(bytes);
    ASSUME(size >= 1 && size <= sizeof bytes);
    /* No byte behind the last one may be read. */
    const uint8_t *start = bytes + (sizeof bytes - size);
    if (instruction_decode(start, size, code_bits, &found) == STATUS_OK) {
        CLAIM(found.length >= 2 && found.length <= size);
        CLAIM(found.width == 1 || found.width == 2 || found.width == 4 || found.width == 8);
        CLAIM(found.reg < 16);
        CLAIM(found.width < 8 || code_bits == 64);
        CLAIM(!found.high_byte || found.reg < 4 || found.width == 1);
    }
    if (instruction_length(start, size, code_bits, &length) == STATUS_OK)
        CLAIM(length >= 1 && length <= size);
    if (instruction_control_register(start, size, code_bits, &general) == STATUS_OK)
        CLAIM(general < 16);
    return 0;
}
