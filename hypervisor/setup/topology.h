/* SPDX-License-Identifier: MIT */
/*
 * Which CPUs are threads of one physical core: SDM 3A 9.9.3, APM 3 E.4 (8000001Eh). CPUID says how
 * many low bits of the APIC id number the threads. Where what a CPU says contradicts itself, its
 * APIC or the MADT, it counts as a thread of every core that it may belong to.
 */
#pragma once

#include "hypervisor/base/this_core.h"
#include "hypervisor/vcpu/policy/cpuid.h"

/* On the core itself, once its APIC is on. `apic_id` is what the APIC says, `listed` what the MADT
 * calls it. */
void topology_note(unsigned core, uint32_t apic_id, uint32_t listed, cpuid_query *query);
/* The two are threads of one physical core, or may be. A core that was never noted may be any's. */
bool topology_may_share(unsigned core, unsigned other);
/* Some core has more than one thread, or may have. */
bool topology_has_threads(void);
/* Once all cores are noted: cpu.topology, and cpu.topology_doubt for each contradiction. */
void topology_log(void);
