/* SPDX-License-Identifier: MIT */
/* Loading an image from inside of the guest. Works on bytes alone (host tests). */
#pragma once

#include "guest/start/image.h"
#include "guest/start/tables.h"
#include "hypervisor/abi/start.h"

struct start_result {
    enum image_kind kind;
    uint32_t entry; /* as in struct image */
    struct guest_tables_output tables;
};

/* `memory` is guest-physical 0, `start` lies in it at ABI_START_BLOCK, and what is neither image,
 * initial RAM disk, block nor stub is zero. Afterwards the image is ready to be entered, and all
 * other memory is zero but for the tables, the block and the stub. False: `refusal` says why. */
MUST_CHECK bool start_load(uint8_t *memory, const struct abi_start *start,
                           struct start_result *result, struct abi_refusal *refusal);
