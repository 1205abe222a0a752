/* SPDX-License-Identifier: MIT */
/*
 * The isolation audit: reads the tables the hardware reads, from the registers down, and proves the
 * invariants I1..I6 (docs/audit.md). It takes nothing from bookkeeping but the owners it checks
 * against (frames, functions). Logs `audit.violation invariant= ...` for each breach and at the end
 * `audit.ok` with what it looked at.
 */
#pragma once

#include "hypervisor/pci/function.h"

#define AUDIT_MAX_STRANGERS 16

#define AUDIT_INVARIANTS 8 /* I1 to I7, and W^X */

/* Whom the violations concern. */
struct audit_findings {
    struct audit_check {
        uint64_t looked, violated; /* at how many of what: monitor/help.txt */
    } checks[AUDIT_INVARIANTS];
    unsigned violations;
    uint64_t guests;                            /* a bit for each guest's index */
    uint64_t functions[PCI_MAX_FUNCTIONS / 64]; /* a bit for each pci_function_at() */
    rid_t strangers[AUDIT_MAX_STRANGERS];       /* requester ids without a function */
    unsigned stranger_count;
    /* Something that every guest depends on, or so many strangers that somebody writes tables. */
    bool machine;
};

/* True when there was no violation. */
bool audit_run(void);
/* What the last run found. */
const struct audit_findings *audit_findings(void);
/* Whether any run so far found one. */
bool audit_failed(void);
/* quarantine.c: from now on violations are said and nothing is done about them, so that an attack
 * can be watched. Only in a build made for that (BULKHEAD_AUDIT_WARN), and only if the
 * configuration says so, too. */
void audit_only_warn(void);
/* quarantine.c: audit_run(), and whatever it finds is taken out of service until a reboot: a guest
 * is stopped, a function blocked; where the fault is the machine's, every guest. Logs
 * guest.quarantined and device.quarantined. */
bool audit_enforce(void);
