/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/affinity.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/setup/memory.h"
#include "hypervisor/setup/nodes.h"
#include "hypervisor/setup/topology.h"
#include "hypervisor/x86/cpu.h"

static const struct guest *core_owner[CPU_MAX];

/* Who has the physical core that a core is a thread of, or may be: only that guest gets it. NULL:
 * anybody may; `several`: nobody, because several have a part of it. */
static const struct guest *physical_owner[CPU_MAX];
static const struct guest control_core = {.name = "hypervisor"}, several = {.name = "several"};
static bool threads_shared; /* smt = shared: a thread is as good as a core */

enum affinity_turn affinity_turn(const struct config_guest *config)
{
    return config->core_count != 0 ? AFFINITY_NAMED
           : config->on_node       ? AFFINITY_ON_NODE
                                   : AFFINITY_ANY;
}

/* --- threads of one physical core --- */

static void reserve_physical(unsigned core, const struct guest *owner)
{
    for (unsigned other = 0; other < cpu_count() && !threads_shared; other++) {
        if (!topology_may_share(core, other))
            continue;
        const struct guest *before = physical_owner[other];
        physical_owner[other] = before == NULL || before == owner ? owner : &several;
    }
}

static void reserve_all(void)
{
    for (unsigned core = 0; core < CPU_MAX; core++)
        physical_owner[core] = NULL;
    reserve_physical(0, &control_core);
    for (unsigned core = 1; core < cpu_count(); core++)
        if (core_owner[core] != NULL)
            reserve_physical(core, core_owner[core]);
}

void affinity_init(bool smt_shared)
{
    threads_shared = smt_shared;
    for (unsigned core = 0; core < CPU_MAX; core++)
        core_owner[core] = NULL;
    reserve_all();
}

static bool is_withheld(const struct cpu *cpu, const struct guest *guest)
{
    const struct guest *owner = physical_owner[cpu->index];
    return owner != NULL && owner != guest;
}

/* --- cores --- */

static bool is_idle(const struct cpu *cpu)
{
    return cpu->index != 0 && cpu->state == CPU_IDLE && core_owner[cpu->index] == NULL;
}

static bool is_free(const struct cpu *cpu, const struct guest *guest)
{
    return is_idle(cpu) && !is_withheld(cpu, guest);
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
    reserve_physical(cpu->index, affinity->guest);
}

/* The core is a thread of a physical core that somebody else has a thread of. */
static enum status refuse_thread(const struct guest *guest, unsigned core)
{
    const struct guest *owner = physical_owner[core];
    char text[CONFIG_NAME_SIZE + 160];
    if (owner == &control_core)
        (void)format_text(text, sizeof text,
                          "it is a thread of the physical core that core 0, the hypervisor's, is "
                          "on; name another one, or write smt = shared in [system]");
    else if (owner == &several)
        (void)format_text(text, sizeof text,
                          "several have threads of its physical core, or it is not known which "
                          "one that is; name another one, or write smt = shared in [system]");
    else
        (void)format_text(text, sizeof text,
                          "it is a thread of a physical core of guest %s's; name another one, or "
                          "write smt = shared in [system]",
                          owner->name);
    return refuse_core(guest, core, STATUS_DENIED, text);
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
        if (!is_idle(cpu))
            return refuse_core(guest, core, STATUS_DEVICE,
                               "the core is out of service (see cpu.refused above)");
        if (is_withheld(cpu, guest))
            return refuse_thread(guest, core);
        take(affinity, i, cpu);
    }
    return STATUS_OK;
}

/* NODE_NONE: on any. */
static bool is_free_on(unsigned core, uint32_t node, const struct guest *guest)
{
    struct cpu *cpu = cpu_at(core);
    return is_free(cpu, guest) && (node == NODE_NONE || node_of_core(cpu) == node);
}

static unsigned count_free(uint32_t node, const struct guest *guest)
{
    unsigned count = 0;
    for (unsigned i = 1; i < cpu_count(); i++)
        count += is_free_on(i, node, guest);
    return count;
}

/* The threads of a core one after the other: nobody else could have those that were left. */
static void pick(struct affinity *affinity, uint32_t node)
{
    const struct guest *guest = affinity->guest;
    const uint32_t wanted = guest->config->cpus;
    uint32_t picked = 0;
    for (unsigned i = 1; i < cpu_count() && picked < wanted; i++) {
        if (!is_free_on(i, node, guest))
            continue;
        take(affinity, picked++, cpu_at(i));
        for (unsigned other = i + 1; other < cpu_count() && picked < wanted && !threads_shared;
             other++)
            if (topology_may_share(i, other) && is_free_on(other, node, guest))
                take(affinity, picked++, cpu_at(other));
    }
}

/* The first node that has enough of both, or else enough cores; NODE_NONE: there is none. */
static uint32_t best_node(const struct guest *guest)
{
    const struct config_guest *config = guest->config;
    uint32_t best = NODE_NONE;
    for (unsigned i = 1; i < cpu_count(); i++) {
        uint32_t node = node_of_core(cpu_at(i));
        if (!is_free(cpu_at(i), guest) || count_free(node, guest) < config->cpus)
            continue;
        if (node_free_bytes(node) >= config->memory)
            return node;
        best = best == NODE_NONE ? node : best;
    }
    return best;
}

static const char *why_too_few(const struct config_guest *config)
{
    unsigned withheld = 0;
    for (unsigned i = 1; i < cpu_count(); i++)
        withheld += is_idle(cpu_at(i)) && physical_owner[i] != NULL &&
                    (!config->on_node || node_of_core(cpu_at(i)) == config->node);
    if (withheld != 0)
        return "not enough cores: those that are left are threads of a physical core that core 0 "
               "or another guest has; give it fewer vCPUs, or write smt = shared in [system] if "
               "guests may share physical cores";
    return config->on_node
               ? "not enough free cores on this node for its vCPUs; give it fewer, or no node"
               : "not enough cores: each vCPU owns one, and core 0 is the hypervisor's";
}

static enum status take_free(struct affinity *affinity)
{
    const struct guest *guest = affinity->guest;
    const struct config_guest *config = guest->config;
    uint32_t node = config->on_node ? config->node : best_node(guest);
    if (count_free(node, guest) < config->cpus)
        return config->on_node ? affinity_refuse_node(guest, STATUS_FULL, why_too_few(config))
                               : refuse(guest, STATUS_FULL, why_too_few(config));
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
    reserve_all();
}

bool affinity_guests_share(void)
{
    for (unsigned i = 1; i < cpu_count(); i++)
        for (unsigned other = 0; other < i; other++)
            if (core_owner[i] != NULL && core_owner[i] != core_owner[other] &&
                (other == 0 || core_owner[other] != NULL) && topology_may_share(i, other))
                return true;
    return false;
}

void affinity_log_threads(void)
{
    struct affinity_cores idle = {{0}};
    if (!topology_has_threads())
        return;
    for (unsigned i = 1; i < cpu_count(); i++)
        if (is_idle(cpu_at(i)) && physical_owner[i] != NULL)
            idle.set[i / 64] |= BIT(i % 64);
    log_event("cpu.smt", "policy=%s idle=%s message=\"%s\"", threads_shared ? "shared" : "apart",
              cores_text(idle.set).text,
              threads_shared
                  ? "guests may have threads of one physical core, and of core 0's: they can learn "
                    "from each other's timing, and on a CPU with l1tf, mds or the like (see "
                    "cpu.vulnerable) read each other's data"
                  : "no two guests have threads of one physical core, and none has one of core "
                    "0's: the idle threads stay unused for that");
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
