/* SPDX-License-Identifier: MIT */
/* Little-endian fields at any alignment in bytes from outside; the caller has checked the length.
 */
#pragma once

#include "hypervisor/base/core.h"

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
