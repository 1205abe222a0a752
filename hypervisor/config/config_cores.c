/* SPDX-License-Identifier: MIT */
/* The keys that say where in the machine a guest is: cpus, cores, node, and smt for all of them. */
#include "hypervisor/config/config_cores.h"

#define MAX_CPUS  64 /* GUEST_MAX_CPUS */
#define MAX_CORE  4095
#define MAX_NODES UINT32_MAX

_Static_assert(CONFIG_MAX_CORES == MAX_CPUS, "one for each vCPU");

/* Both keys may be there, in either order. */
static bool check_agreement(struct config_parser *parser, struct word value)
{
    const struct config_guest *guest = config_this_guest(parser);
    return guest->cpus == 0 || guest->core_count == 0 || guest->cpus == guest->core_count ||
           complain_word(parser, value, "cpus and cores of this guest differ: ",
                         "; leave cpus out, it follows from cores");
}

bool config_set_cpus(struct config_parser *parser, struct word value)
{
    uint64_t count;
    if (!word_number(value, &count) || count == 0 || count > MAX_CPUS)
        return complain_word(parser, value, "bad number ", "; a guest has 1 to 64 cpus");
    config_this_guest(parser)->cpus = (uint32_t)count;
    return check_agreement(parser, value);
}

static bool add_core(struct config_parser *parser, struct word item, uint64_t core)
{
    struct config_guest *guest = config_this_guest(parser);
    if (core == 0)
        return complain_word(parser, item,
                             "core 0 runs the hypervisor: ", "; name cores from 1 on");
    for (uint32_t i = 0; i < guest->core_count; i++)
        if (guest->cores[i] == core)
            return complain_word(parser, item, "this guest has the core twice: ", "");
    if (guest->core_count == CONFIG_MAX_CORES)
        return complain_word(parser, item, "one core too many: ", "; a guest has at most 64");
    guest->cores[guest->core_count++] = (uint16_t)core;
    return true;
}

/* N or N-M */
static bool add_item(struct config_parser *parser, struct word item)
{
    struct word first = item, last = item;
    for (size_t i = 0; i < item.length; i++) {
        if (item.start[i] != '-')
            continue;
        first = word_trim((struct word){item.start, i});
        last = word_trim((struct word){item.start + i + 1, item.length - i - 1});
        break;
    }
    uint64_t low, high;
    if (!word_digits(first, 10, &low) || !word_digits(last, 10, &high) || low > high ||
        high > MAX_CORE)
        return complain_word(parser, item, "bad core ",
                             "; write numbers and ranges, the lower one first, like 2-5,8");
    for (uint64_t core = low; core <= high; core++)
        if (!add_core(parser, item, core))
            return false;
    return true;
}

bool config_set_cores(struct config_parser *parser, struct word value)
{
    config_this_guest(parser)->cores_place = place_of(parser, value.start);
    for (size_t from = 0; from <= value.length;) {
        size_t end = from;
        while (end < value.length && value.start[end] != ',')
            end++;
        if (!add_item(parser, word_trim((struct word){value.start + from, end - from})))
            return false;
        from = end + 1;
    }
    return check_agreement(parser, value);
}

/* apart: no two guests have threads of one physical core. */
bool config_set_smt(struct config_parser *parser, struct word value)
{
    parser->config->smt_shared = word_is(value, "shared");
    return parser->config->smt_shared || word_is(value, "apart") ||
           complain_word(parser, value, "bad value ", "; allowed: apart, shared");
}

bool config_set_node(struct config_parser *parser, struct word value)
{
    struct config_guest *guest = config_this_guest(parser);
    uint64_t node;
    if (!word_number(value, &node) || node >= MAX_NODES)
        return complain_word(parser, value, "bad node ",
                             "; write its number, as numa.node in the log has it");
    guest->node = (uint32_t)node;
    guest->on_node = true;
    guest->node_place = place_of(parser, value.start);
    return true;
}
