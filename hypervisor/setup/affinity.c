/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/affinity.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/x86/cpu.h"

static const struct guest *core_owner[CPU_MAX];

enum affinity_turn affinity_turn(const struct config_guest *config)
{
    return config->core_count != 0 ? AFFINITY_NAMED
           : config->on_node       ? AFFINITY_ON_NODE
                                   : AFFINITY_ANY;
}

/* --- cores --- */

static bool is_free(const struct cpu *cpu)
{
    return cpu->index != 0 && cpu->state == CPU_IDLE && core_owner[cpu->index] == NULL;
}

static enum status refuse(const struct guest *guest, enum status status, const char *message)
{
    log_event("guest.refused", "guest=%s line=%u status=%s message=\"%s\"", guest->name,
              guest->config->place.line, status_name(status), message);
    return status;
}

enum status affinity_refuse_node(const struct guest *guest, enum status status, const char *message)
{
    const struct config_guest *config = guest->config;
    log_event("guest.refused", "guest=%s line=%u column=%u node=%u status=%s message=\"%s\"",
              guest->name, config->node_place.line, config->node_place.column, config->node,
              status_name(status), message);
    return status;
}

static enum status refuse_core(const struct guest *guest, unsigned core, enum status status,
                               const char *message)
{
    const struct config_guest *config = guest->config;
    log_event("guest.refused", "guest=%s line=%u column=%u core=%u status=%s message=\"%s\"",
              guest->name, config->cores_place.line, config->cores_place.column, core,
              status_name(status), message);
    return status;
}

static void take(struct affinity *affinity, uint32_t vcpu, struct cpu *cpu)
{
    affinity->cores[vcpu] = cpu;
    core_owner[cpu->index] = affinity->guest;
}

static enum status take_named(struct affinity *affinity)
{
    const struct guest *guest = affinity->guest;
    char text[CONFIG_NAME_SIZE + 80];
    for (uint32_t i = 0; i < guest->config->core_count; i++) {
        unsigned core = guest->config->cores[i];
        struct cpu *cpu = cpu_at(core);
        if (cpu == NULL) {
            (void)format_text(text, sizeof text,
                              "the machine has no such core; those from 1 to %u can be named",
                              cpu_count() - 1);
            return refuse_core(guest, core, STATUS_NOT_FOUND, text);
        }
        if (core_owner[core] != NULL) {
            (void)format_text(text, sizeof text, "the core is guest %s's; name another one",
                              core_owner[core]->name);
            return refuse_core(guest, core, STATUS_BUSY, text);
        }
        if (!is_free(cpu))
            return refuse_core(guest, core, STATUS_DEVICE,
                               "the core is out of service (see cpu.refused above)");
        take(affinity, i, cpu);
    }
    return STATUS_OK;
}

/* NODE_NONE: on any. */
static unsigned count_free(uint32_t node)
{
    unsigned count = 0;
    for (unsigned i = 1; i < cpu_count(); i++)
        count += is_free(cpu_at(i)) && (node == NODE_NONE || node_of_core(cpu_at(i)) == node);
    return count;
}

static void pick(struct affinity *affinity, uint32_t node)
{
    uint32_t picked = 0;
    for (unsigned i = 1; i < cpu_count() && picked < affinity->guest->config->cpus; i++)
        if (is_free(cpu_at(i)) && (node == NODE_NONE || node_of_core(cpu_at(i)) == node))
            take(affinity, picked++, cpu_at(i));
}

/* The first node that has enough of both, or else enough cores; NODE_NONE: there is none. */
static uint32_t best_node(const struct config_guest *config)
{
    uint32_t best = NODE_NONE;
    for (unsigned i = 1; i < cpu_count(); i++) {
        uint32_t node = node_of_core(cpu_at(i));
        if (!is_free(cpu_at(i)) || count_free(node) < config->cpus)
            continue;
        if (node_free_bytes(node) >= config->memory)
            return node;
        best = best == NODE_NONE ? node : best;
    }
    return best;
}

static enum status take_free(struct affinity *affinity)
{
    const struct config_guest *config = affinity->guest->config;
    uint32_t node = config->on_node ? config->node : best_node(config);
    if (count_free(node) < config->cpus)
        return config->on_node
                   ? affinity_refuse_node(
                         affinity->guest, STATUS_FULL,
                         "not enough free cores on this node for its vCPUs; give it fewer, "
                         "or no node")
                   : refuse(affinity->guest, STATUS_FULL,
                            "not enough cores: each vCPU owns one, and core 0 is the hypervisor's");
    pick(affinity, node);
    return STATUS_OK;
}

enum status affinity_choose(const struct guest *guest, struct affinity *affinity)
{
    const struct config_guest *config = guest->config;
    *affinity = (struct affinity){.guest = guest, .strict = config->on_node};
    if (config->cpus > GUEST_MAX_CPUS)
        return refuse(guest, STATUS_UNSUPPORTED, "more vCPUs than a guest can have (64)");
    if (config->on_node && !node_exists(config->node))
        return affinity_refuse_node(guest, STATUS_NOT_FOUND,
                                    "the machine has no such node; numa.node above lists them");
    enum status status = config->core_count != 0 ? take_named(affinity) : take_free(affinity);
    if (status == STATUS_OK)
        affinity->node = config->on_node ? config->node : node_of_core(affinity->cores[0]);
    else
        affinity_release(guest);
    return status;
}

void affinity_release(const struct guest *guest)
{
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (core_owner[i] == guest)
            core_owner[i] = NULL;
}

struct affinity_cores affinity_cores(const struct guest *guest)
{
    struct affinity_cores cores = {{0}};
    for (unsigned i = 0; i < CPU_MAX; i++)
        if (core_owner[i] == guest)
            cores.set[i / 64] |= BIT(i % 64);
    return cores;
}

/* --- memory --- */

/* False: not for this guest at all. */
static bool rank_of(const struct affinity *affinity, const struct node_place *place,
                    enum affinity_rank *rank)
{
    bool near = affinity->node == NODE_NONE || place->node == affinity->node;
    if (affinity->strict)
        *rank = place->special ? AFFINITY_LAST : AFFINITY_NEAR;
    else if (place->special || (place->node != NODE_NONE && !node_has_cores(place->node)))
        *rank = AFFINITY_LAST;
    else
        *rank = near ? AFFINITY_NEAR : AFFINITY_FAR;
    return near || !affinity->strict;
}

/* Within a rank the highest comes first: `index` counts from 0. False past the last one. */
static bool window_of(const struct affinity *affinity, enum affinity_rank rank, size_t index,
                      uint64_t *from, uint64_t *limit)
{
    size_t count = 0;
    while (node_place(count) != NULL)
        count++;
    while (count-- > 0) {
        const struct node_place *place = node_place(count);
        enum affinity_rank its = AFFINITY_NEAR;
        if (!rank_of(affinity, place, &its) || its != rank || index-- > 0)
            continue;
        *from = place->base;
        *limit = place->end;
        return true;
    }
    return false;
}

uint64_t affinity_largest(const struct affinity *affinity, enum affinity_rank rank,
                          uint64_t alignment, uint64_t wanted, uint64_t *base)
{
    uint64_t from, limit, largest = 0;
    for (size_t i = 0; window_of(affinity, rank, i, &from, &limit); i++) {
        uint64_t at, size = frames_largest(from, limit, alignment, wanted, &at);
        if (size <= largest)
            continue;
        largest = size;
        *base = at;
    }
    return largest;
}

void affinity_report(const struct affinity *affinity)
{
    const struct guest *guest = affinity->guest;
    for (unsigned i = 0; i < guest->piece_count && affinity->node != NODE_NONE; i++) {
        uint32_t node = node_of_memory(guest->pieces[i].physical);
        if (node == affinity->node)
            continue;
        log_event(
            "guest.memory_far",
            "name=%s node=%u from=%d message=\"its cores' node has not enough free memory: it "
            "has memory of another one, which is slower to reach\"",
            guest->name, affinity->node, node == NODE_NONE ? -1 : (int)node);
        return;
    }
}
