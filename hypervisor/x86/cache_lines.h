/* SPDX-License-Identifier: MIT */
/* How the caches are written back. */
#pragma once

#include "hypervisor/base/core.h"

/* By setup/cpu.c; all of them at once until then. Every core finds the same. */
extern struct cache_lines {
    enum { FLUSH_WBINVD, FLUSH_CLFLUSH, FLUSH_CLFLUSHOPT } flush;
    size_t size; /* bytes of a line */
} cache_lines;
