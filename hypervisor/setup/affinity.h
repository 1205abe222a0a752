/* SPDX-License-Identifier: MIT */
/*
 * Which cores a guest gets, and where its memory is looked for: on the node of its cores, then on
 * others, and last where memory is special or has no cores near it.
 */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/base/this_core.h"

/* Where a guest is to be. */
struct affinity {
    const struct guest *guest;
    struct cpu *cores[GUEST_MAX_CPUS]; /* as many as the configuration has cpus */
    uint32_t node;                     /* or NODE_NONE: any */
    bool strict;                       /* memory of this node only */
};

/* First of all. `smt_shared`: guests may have threads of one physical core ([system] smt). */
void affinity_init(bool smt_shared);
/* When a guest's turn is: those that name cores are first, then those that name a node. */
enum affinity_turn { AFFINITY_NAMED, AFFINITY_ON_NODE, AFFINITY_ANY, AFFINITY_TURNS };
enum affinity_turn affinity_turn(const struct config_guest *config);

/* Takes cores for it: those that it names, or free ones, of one node if there are enough.
 * STATUS_NOT_FOUND, _BUSY, _FULL, logged as guest.refused, and nothing is taken then. */
MUST_CHECK enum status affinity_choose(const struct guest *guest, struct affinity *affinity);
/* Its cores are free again. */
void affinity_release(const struct guest *guest);
/* Once all guests have theirs: whether two owners, the hypervisor among them, have threads of one
 * physical core; only with smt = shared. */
bool affinity_guests_share(void);
/* cpu.smt, where cores have more than one thread: the policy, and which threads it leaves idle. */
void affinity_log_threads(void);

/* Logs guest.refused with the place of `node =` in the configuration; returns `status`. */
enum status affinity_refuse_node(const struct guest *guest, enum status status,
                                 const char *message);

/* Memory is looked for in one rank after the other. */
enum affinity_rank { AFFINITY_NEAR, AFFINITY_FAR, AFFINITY_LAST, AFFINITY_RANKS };
/* frames_largest() among the memory of one rank. */
uint64_t affinity_largest(const struct affinity *affinity, enum affinity_rank rank,
                          uint64_t alignment, uint64_t wanted, uint64_t *base);
/* guest.memory_far when some of its memory is not of the node that its cores are on. */
void affinity_report(const struct affinity *affinity);
/* The cores that a guest has; bit n is core n. */
struct affinity_cores {
    uint64_t set[CPU_MAX / 64];
};
struct affinity_cores affinity_cores(const struct guest *guest);
