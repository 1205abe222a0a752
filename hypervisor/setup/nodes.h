/* SPDX-License-Identifier: MIT */
/*
 * NUMA nodes: which memory is near which cores. A node is a proximity domain of the SRAT, with
 * firmware's number; a machine without a usable SRAT is one node, 0.
 */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/acpi/srat.h"
#include "hypervisor/base/this_core.h"

struct cpu;

#define NODE_NONE UINT32_MAX /* firmware does not say */

/* A part of the physical address space; all of it together is a node's, or nobody's. */
struct node_place {
    uint64_t base, end; /* bytes */
    uint32_t node;      /* or NODE_NONE */
    bool special;       /* the loader or the SRAT calls it specific-purpose memory */
};

/* Puts the places together. `srat` may be empty. Logs numa.refused for what is not told apart. */
void nodes_init(const struct srat *srat, const struct boot_info *boot);
/* Once the cores run: numa.node for each node, with its cores and its free memory. */
void nodes_log(void);
/* In ascending order, from 0 to the last physical address; NULL past the end. */
const struct node_place *node_place(size_t index);
uint32_t node_of_core(const struct cpu *cpu);
uint32_t node_of_memory(uint64_t address);
bool node_has_cores(uint32_t node);
/* Has memory or cores. */
bool node_exists(uint32_t node);
/* Free RAM in it, but for specific-purpose memory. */
uint64_t node_free_bytes(uint32_t node);

/* 1-3,8 for a set of cores; bit n of `set` is core n, CPU_MAX of them. */
#define CORES_TEXT_SIZE 96
struct cores_text {
    char text[CORES_TEXT_SIZE];
};
struct cores_text cores_text(const uint64_t *set);
