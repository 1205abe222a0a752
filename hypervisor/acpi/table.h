/* SPDX-License-Identifier: MIT */
/* What every parser of a table begins with, and how it refuses. */
#pragma once

#include "hypervisor/base/core.h"

/* The bytes of `table` that may be read: the smaller of its own length field and `length`. 0, and a
 * log line, when the signature is not `signature` or fewer than `minimum` bytes are there. */
uint32_t acpi_usable_length(const void *table, uint32_t length, const char *signature,
                            uint32_t minimum);
/* The one line that every refusal is: `acpi.refused table= offset= value= message=`. */
void acpi_refuse(const char *table, uint64_t offset, uint64_t value, const char *message);
