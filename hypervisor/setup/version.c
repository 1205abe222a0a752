/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/version.h"

#include "hypervisor/base/format.h"

/* The Makefile defines both, for this file alone. */
#ifndef BULKHEAD_VERSION
#define BULKHEAD_VERSION "unknown"
#endif
#ifndef BULKHEAD_COMMIT
#define BULKHEAD_COMMIT "unknown"
#endif

const char version_number[] = BULKHEAD_VERSION;
const char version_commit[] = BULKHEAD_COMMIT;

extern const uint8_t image_build_id[BUILD_ID_SIZE]; /* linker.ld */

struct build_text version_build(void)
{
    struct build_text build;
    for (size_t i = 0; i < BUILD_ID_SIZE; i++)
        (void)format_text(build.text + 2 * i, 3, "%02x", image_build_id[i]);
    return build;
}
