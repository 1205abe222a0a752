/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/nodes.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/memory/frames.h"
#include "hypervisor/x86/cpu.h"

#define MAX_PLACES   512
#define ADDRESSES    BIT(52) /* no x86 processor has more (SDM 3A 4.1.4) */
#define SETS         (CPU_MAX / 64)
#define ALONE(table) ((table)->cpu_count == 0 || (table)->memory_count == 0)

static const struct srat *table;
static struct node_place places[MAX_PLACES];
static size_t place_count;

/* What holds at an address, and up to where. */
static struct node_place place_at(uint64_t at, const struct boot_info *boot)
{
    struct node_place place = {at, ADDRESSES, ALONE(table) ? 0 : NODE_NONE, false};
    for (uint32_t i = 0; i < table->memory_count; i++) {
        const struct srat_memory *memory = &table->memory[i];
        if (memory->base > at) {
            place.end = MIN(place.end, memory->base);
        } else if (memory->end > at) {
            place.end = MIN(place.end, memory->end);
            place.node = ALONE(table) ? 0 : memory->node;
            place.special = place.special || memory->special;
        }
    }
    for (uint32_t i = 0; i < boot->range_count && i < BOOT_MAX_RANGES; i++) {
        const struct boot_memory_range *range = &boot->ranges[i];
        if (range->type != BOOT_MEMORY_SPECIAL)
            continue;
        uint64_t end = range->base + MIN(range->size, ADDRESSES);
        if (range->base > at) {
            place.end = MIN(place.end, range->base);
        } else if (end > at) {
            place.end = MIN(place.end, end);
            place.special = true;
        }
    }
    return place;
}

void nodes_init(const struct srat *srat, const struct boot_info *boot)
{
    table = srat;
    place_count = 0;
    if (ALONE(srat) && srat->cpu_count + srat->memory_count != 0)
        log_event("numa.refused",
                  "cpus=%u memory=%u message=\"the SRAT names no processors, or no "
                  "memory; all of the machine counts as one node\"",
                  srat->cpu_count, srat->memory_count);
    for (uint64_t at = 0; at < ADDRESSES;) {
        struct node_place place = place_at(at, boot);
        struct node_place *last = place_count > 0 ? &places[place_count - 1] : NULL;
        if (last != NULL && last->node == place.node && last->special == place.special) {
            last->end = place.end;
        } else if (place_count < MAX_PLACES) {
            places[place_count++] = place;
        } else {
            log_event("numa.refused",
                      "base=%#lx message=\"more pieces of memory than can be told apart; from here "
                      "on it belongs to no node\"",
                      last->base);
            *last = (struct node_place){last->base, ADDRESSES, NODE_NONE, false};
            return;
        }
        at = place.end;
    }
}

const struct node_place *node_place(size_t index)
{
    return index < place_count ? &places[index] : NULL;
}

uint32_t node_of_memory(uint64_t address)
{
    for (size_t i = 0; i < place_count; i++)
        if (address < places[i].end)
            return places[i].node;
    return NODE_NONE;
}

uint32_t node_of_core(const struct cpu *cpu)
{
    if (ALONE(table))
        return 0;
    for (uint32_t i = 0; i < table->cpu_count; i++)
        if (table->cpu[i].apic_id == cpu->apic_id)
            return table->cpu[i].node;
    return NODE_NONE;
}

bool node_has_cores(uint32_t node)
{
    for (unsigned i = 0; i < cpu_count(); i++)
        if (node_of_core(cpu_at(i)) == node)
            return true;
    return false;
}

bool node_exists(uint32_t node)
{
    for (size_t i = 0; i < place_count; i++)
        if (places[i].node == node)
            return true;
    return node_has_cores(node);
}

/* Free RAM in a place. */
static uint64_t free_bytes(const struct node_place *place)
{
    const struct frame_range *range;
    uint64_t bytes = 0;
    for (size_t i = 0; (range = frames_range(i)) != NULL; i++) {
        uint64_t base = MAX(range->base, place->base);
        uint64_t end = MIN(range->base + range->size, place->end);
        if (range->owner == OWNER_NOBODY && base < end)
            bytes += end - base;
    }
    return bytes;
}

uint64_t node_free_bytes(uint32_t node)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < place_count; i++)
        if (places[i].node == node && !places[i].special)
            bytes += free_bytes(&places[i]);
    return bytes;
}

struct cores_text cores_text(const uint64_t *set)
{
    struct cores_text cores = {.text = "none"};
    size_t used = 0;
    for (unsigned core = 0; core < CPU_MAX && used < sizeof cores.text; core++) {
        unsigned last = core;
        if ((set[core / 64] & BIT(core % 64)) == 0)
            continue;
        while (last + 1 < CPU_MAX && (set[(last + 1) / 64] & BIT((last + 1) % 64)) != 0)
            last++;
        used += format_text(cores.text + used, sizeof cores.text - used, "%s%u",
                            used > 0 ? "," : "", core);
        if (last > core && used < sizeof cores.text)
            used += format_text(cores.text + used, sizeof cores.text - used, "-%u", last);
        core = last;
    }
    return cores;
}

static void log_node(uint32_t node)
{
    uint64_t cores[SETS] = {0}, special = 0;
    for (unsigned i = 0; i < cpu_count(); i++)
        if (node_of_core(cpu_at(i)) == node)
            cores[i / 64] |= BIT(i % 64);
    for (size_t i = 0; i < place_count; i++)
        if (places[i].node == node && places[i].special)
            special += free_bytes(&places[i]);
    log_event("numa.node", "node=%u cores=%s memory=%s special=%s", node, cores_text(cores).text,
              size_text(node_free_bytes(node)).text, size_text(special).text);
}

/* The MADT says which processors there are and the SRAT where they are; firmware writes both. */
static void log_disagreement(void)
{
    uint64_t strangers[SETS] = {0};
    unsigned without = 0, absent = table->cpu_count;
    for (unsigned i = 0; i < cpu_count(); i++) {
        if (node_of_core(cpu_at(i)) == NODE_NONE) {
            strangers[i / 64] |= BIT(i % 64);
            without++;
        } else {
            absent--; /* no APIC id is in the table twice */
        }
    }
    if (without != 0)
        log_event("numa.refused",
                  "cores=%s message=\"the SRAT does not say which node these cores are in, though "
                  "the MADT has them: guests on them get memory of any node; update the "
                  "firmware\"",
                  cores_text(strangers).text);
    if (absent != 0)
        log_event("numa.refused",
                  "cpus=%u message=\"the SRAT lists processors that are not in use (switched off, "
                  "not in the MADT, or more than Bulkhead starts)\"",
                  absent);
}

void nodes_log(void)
{
    if (ALONE(table)) {
        log_node(0);
        return;
    }
    log_disagreement();
    /* Each node with the first entry that names it. */
    for (uint32_t i = 0; i < table->cpu_count; i++) {
        bool first = true;
        for (uint32_t other = 0; other < i; other++)
            first = first && table->cpu[other].node != table->cpu[i].node;
        if (first)
            log_node(table->cpu[i].node);
    }
    for (uint32_t i = 0; i < table->memory_count; i++) {
        bool first = true;
        for (uint32_t other = 0; other < table->cpu_count; other++)
            first = first && table->cpu[other].node != table->memory[i].node;
        for (uint32_t other = 0; other < i; other++)
            first = first && table->memory[other].node != table->memory[i].node;
        if (first)
            log_node(table->memory[i].node);
    }
}
