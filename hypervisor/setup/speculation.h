/* SPDX-License-Identifier: MIT */
/*
 * What a CPU lets programs learn by speculation, and what it can do about it:
 * IA32_ARCH_CAPABILITIES (SDM 4), CPUID 7, 80000008h and 80000021h, and Intel's list of affected
 * processors by family and model.
 */
#pragma once

#include "hypervisor/vcpu/policy/cpuid.h"

enum vulnerability {
    VULNERABLE_L1TF, /* L1 terminal fault */
    VULNERABLE_MDS,  /* microarchitectural data sampling */
    VULNERABLE_TAA,  /* TSX asynchronous abort */
    VULNERABLE_MMIO, /* MMIO stale data */
    VULNERABLE_BHI,  /* branch history injection */
    VULNERABLE_RFDS, /* register file data sampling */
    VULNERABLE_ITS,  /* indirect target selection */
    VULNERABLE_GDS,  /* gather data sampling: Downfall */
    VULNERABLE_RETBLEED,
    VULNERABILITIES
};
enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

struct speculation {
    enum answer vulnerable[VULNERABILITIES];
    bool ibpb, flush, verw; /* what the CPU can clear: core_barriers */
    bool restricted;        /* enhanced or automatic IBRS: predictions of guests do not steer us */
    bool bhi_control;       /* BHI_DIS_S exists */
    bool skips_flush;       /* whoever is below us flushes the first cache at each entry */
};

/* What is done about it at each entry; between owners everything is cleared that can be. */
struct speculation_entry {
    bool cache, buffers;
    bool left; /* something stays that the CPU has no means to clear */
};

/* Reads an MSR; false when there is none. */
typedef bool msr_query(uint32_t msr, uint64_t *value);

void speculation_read(struct speculation *speculation, cpuid_query *query, msr_query *read);
/* `cores_shared`: threads of one physical core have several owners; else nothing is needed. */
struct speculation_entry speculation_at_entry(const struct speculation *speculation,
                                              bool cores_shared);
/* On each core: keeps guests' branch predictions from steering the hypervisor, for as long as it is
 * on, where the CPU can do that once and for all. */
void speculation_restrict(void);
/* On the boot core, once guests have their cores: logs cpu.vulnerable, and has cleared what the CPU
 * can clear between the owners of a core; at each entry where owners share one. */
void speculation_apply(bool cores_shared);
