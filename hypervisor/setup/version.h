/* SPDX-License-Identifier: MIT */
/* Which Bulkhead this is, and which interfaces it has. */
#pragma once

/* The version of the log: raised when an event or a key is renamed or removed, or means something
 * else. New events and new keys do not count. The version of the guest calls is ABI_VERSION. */
#define LOG_VERSION 1

extern const char version_number[]; /* the content of VERSION: MAJOR.MINOR.PATCH */
extern const char version_commit[]; /* 12 digits, "-dirty" if files were changed; "unknown" */
