/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4) of bytes in memory. */
#pragma once

#include "hypervisor/base/core.h"

#define SHA256_SIZE 32 /* bytes of a digest */

/* `size` in bytes, any; `bytes` may be NULL when it is 0. */
void sha256(const void *bytes, size_t size, uint8_t digest[SHA256_SIZE]);
