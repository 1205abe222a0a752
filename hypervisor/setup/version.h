/* SPDX-License-Identifier: MIT */
/* Which Bulkhead this is, and which interfaces it has. */
#pragma once

#include "hypervisor/base/core.h"

/* The version of the log: raised when an event or a key is renamed or removed, or means something
 * else. New events and new keys do not count. The version of the guest calls is ABI_VERSION. */
#define LOG_VERSION 1

extern const char version_number[]; /* the content of VERSION: MAJOR.MINOR.PATCH */
extern const char version_commit[]; /* 12 digits, "-dirty" if files were changed; "unknown" */

/* The build: hexadecimal digits of the linker's build ID, which `readelf -n` shows for
 * bulkhead.elf. Addresses in a log mean something in that file only. */
#define BUILD_ID_SIZE 20
struct build_text {
    char text[2 * BUILD_ID_SIZE + 1];
};
struct build_text version_build(void);
