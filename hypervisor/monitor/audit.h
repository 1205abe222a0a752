/*
 * The isolation audit: reads the tables the hardware reads, from the registers down, and proves the
 * invariants I1..I6 (docs/audit.md). It takes nothing from bookkeeping but the owners it checks
 * against (frames, functions). Logs `audit.violation invariant= ...` for each breach and at the end
 * `audit.ok` with what it looked at.
 */
#pragma once

#include "hypervisor/pci/pci.h"

#define AUDIT_MAX_FUNCTIONS 16

/* Whom the violations concern. */
struct audit_findings {
    unsigned violations;
    uint64_t guests; /* a bit for each guest's index */
    rid_t functions[AUDIT_MAX_FUNCTIONS];
    unsigned function_count;
    bool machine; /* something that every guest depends on, or more functions than there is room */
};

/* True when there was no violation. */
bool audit_run(void);
/* What the last run found. */
const struct audit_findings *audit_findings(void);
/* Whether any run so far found one. */
bool audit_failed(void);
/* quarantine.c: audit_run(), and whatever it finds is taken out of service until a reboot: a guest
 * is stopped, a function blocked; where the fault is the machine's, every guest. Logs
 * guest.quarantined and device.quarantined. */
bool audit_enforce(void);
