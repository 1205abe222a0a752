/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/vcpu/emulate/instruction.c hypervisor/vcpu/svm/length.c
/* Guest code is outside data: whatever the bytes, the decoder stays inside them and says a length
 * that an instruction can have. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/vcpu/emulate/instruction.h"
#include "hypervisor/vcpu/svm/length.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(const uint8_t *bytes, size_t size, unsigned code_bits)
{
    struct instruction instruction;
    uint8_t length = 0;
    if (instruction_decode(bytes, size, code_bits, &instruction) == STATUS_OK) {
        require(instruction.length >= 2 && instruction.length <= size);
        require(instruction.length <= INSTRUCTION_MAX);
        require(instruction.reg < (code_bits == 64 ? 16 : 8));
        require(instruction.width == 1 || instruction.width == 2 || instruction.width == 4 ||
                instruction.width == 8);
        require(instruction.register_width <= (code_bits == 64 ? 8 : 4));
        require(!instruction.high_byte || instruction.reg < 4);
        require(!instruction.has_immediate || instruction.write);
        /* It must not depend on what lies behind it, and needs all of itself. */
        struct instruction again;
        require(instruction_decode(bytes, instruction.length, code_bits, &again) == STATUS_OK);
        require(memcmp(&again, &instruction, sizeof again) == 0);
        require(instruction_decode(bytes, instruction.length - 1u, code_bits, &again) ==
                STATUS_INVALID);
        require(instruction_length(bytes, size, code_bits, &length) != STATUS_OK);
    } else if (instruction_length(bytes, size, code_bits, &length) == STATUS_OK) {
        require(length >= 1 && length <= size && length <= INSTRUCTION_MAX);
    }
    uint8_t general;
    if (instruction_control_register(bytes, size, code_bits, &general) == STATUS_OK)
        require(general < (code_bits == 64 ? 16 : 8) && size >= 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1); /* its end is the allocation's: ASan watches it */
    require(copy != NULL);
    if (size > 0)
        memcpy(copy + 1, data, size);
    check(copy + 1, size, 16);
    check(copy + 1, size, 32);
    check(copy + 1, size, 64);
    free(copy);
    return 0;
}
