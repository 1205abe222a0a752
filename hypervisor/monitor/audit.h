/*
 * The isolation audit: reads the tables the hardware reads, from the registers down, and proves the
 * invariants I1..I6 (docs/audit.md). It takes nothing from bookkeeping but the owners it checks
 * against (frames, functions). Logs `audit.violation invariant= ...` for each breach and at the end
 * `audit.ok` with what it looked at.
 */
#pragma once

#include "hypervisor/base/core.h"

bool audit_run(void);
