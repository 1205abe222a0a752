/* SPDX-License-Identifier: MIT */
/* A piece of memory that is seen at another address than its own: in a guest, in a window. */
#pragma once

#include "hypervisor/base/core.h"

struct memory_piece {
    uint64_t at;       /* where it is seen */
    uint64_t physical; /* where it is */
    uint64_t size;     /* bytes */
};
