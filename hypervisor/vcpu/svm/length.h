/* SPDX-License-Identifier: MIT */
/* What SVM does not always tell of the instruction that exited, from its bytes (host-tested,
 * fuzzed). Parameters and errors as of instruction_decode(). */
#pragma once

#include "hypervisor/vcpu/emulate/instruction.h"

/* Length of an instruction without memory operand (CPUID, RDMSR, WRMSR, VMMCALL...), prefixes
 * included. */
MUST_CHECK enum status instruction_length(const uint8_t *bytes, size_t size, unsigned code_bits,
                                          uint8_t *length);
/* MOV to or from a control register: the general register. */
MUST_CHECK enum status instruction_control_register(const uint8_t *bytes, size_t size,
                                                    unsigned code_bits, uint8_t *general);
