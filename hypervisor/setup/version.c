/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/version.h"

/* The Makefile defines both, for this file alone. */
#ifndef BULKHEAD_VERSION
#define BULKHEAD_VERSION "unknown"
#endif
#ifndef BULKHEAD_COMMIT
#define BULKHEAD_COMMIT "unknown"
#endif

const char version_number[] = BULKHEAD_VERSION;
const char version_commit[] = BULKHEAD_COMMIT;
