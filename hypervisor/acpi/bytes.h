/* Little-endian fields at any alignment in bytes from outside; the caller has checked the length.
 */
#pragma once

#include "hypervisor/acpi/acpi.h"

static inline uint16_t read16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | bytes[1] << 8);
}

static inline uint32_t read32(const uint8_t *bytes)
{
    return read16(bytes) | (uint32_t)read16(bytes + 2) << 16;
}

static inline uint64_t read64(const uint8_t *bytes)
{
    return read32(bytes) | (uint64_t)read32(bytes + 4) << 32;
}

/* The bytes of `table` that may be read: the smaller of its own length field and `length`. 0, and a
 * log line, when the signature is not `signature` or fewer than `minimum` bytes are there. */
uint32_t acpi_usable_length(const void *table, uint32_t length, const char *signature,
                            uint32_t minimum);
/* The one line that every refusal is: `acpi.refused table= offset= value= message=`. */
void acpi_refuse(const char *table, uint64_t offset, uint64_t value, const char *message);
