/* SPDX-License-Identifier: MIT */
/*
 * Routing in the model. Until somebody writes bus numbers, functions are where they were made. From
 * then on each is behind the bridge that forwarded its bus, and its own bus is what this bridge
 * says.
 */
#include "tests/unit/model/pci_routing.h"

#include <string.h>

#include "hypervisor/pci/discovery.h"

static bool root[256], moving;

static bool is_bridge(const struct model_function *function)
{
    return function->used && (function->config[0x0e] & 0x7f) == 1;
}

static bool holds(const struct model_function *bridge, uint8_t bus)
{
    return bridge->config[0x19] != 0 && bus >= bridge->config[0x19] && bus <= bridge->config[0x1a];
}

void model_routing_clear(void)
{
    memset(root, 0, sizeof root);
    root[0] = true;
    moving = false;
}

void model_root_bus(uint8_t bus)
{
    root[bus] = true;
}

/* Whose secondary bus it was made on. */
static struct model_function *bridge_above(const struct model_function *function)
{
    struct model_function *bridge;
    for (size_t i = 0; (bridge = model_at(i)) != NULL; i++)
        if (is_bridge(bridge) && bridge != function &&
            RID_SEGMENT(bridge->rid) == RID_SEGMENT(function->rid) &&
            bridge->made_secondary == RID_BUS(function->rid))
            return bridge;
    return NULL;
}

static bool is_cut_off(const struct model_function *function, uint8_t bus)
{
    for (const struct model_function *at = function->behind; at != NULL; at = at->behind)
        if (!holds(at, bus))
            return true;
    return false;
}

void model_reroute(void)
{
    struct model_function *function;
    for (size_t i = 0; !moving && (function = model_at(i)) != NULL; i++)
        function->behind = function->used && !function->is_vf ? bridge_above(function) : NULL;
    moving = true;
    for (size_t i = 0; (function = model_at(i)) != NULL; i++) {
        if (!function->used || function->is_vf || function->behind == NULL)
            continue;
        uint8_t bus = function->behind->config[0x19];
        function->rid = (function->rid & 0xffff00ff) | (rid_t)bus << 8;
        function->cut_off = is_cut_off(function, bus);
    }
}

bool model_reachable(rid_t rid)
{
    uint8_t bus = RID_BUS(rid);
    if (root[bus])
        return true;
    const struct model_function *bridge, *function = model_find(rid);
    if (moving && function != NULL && !function->is_vf && function->cut_off)
        return false;
    for (size_t i = 0; (bridge = model_at(i)) != NULL; i++) {
        if (!is_bridge(bridge) || !holds(bridge, bus))
            continue;
        bool port = bridge->cap_pcie != 0;
        bool ari = port && (bridge->config[bridge->cap_pcie + 0x28] & 0x20) != 0;
        if (port && !ari && bus == bridge->config[0x19] && RID_DEVICE(rid) != 0)
            return false;
        return true;
    }
    return false;
}

unsigned model_stale(void)
{
    const struct model_function *function;
    unsigned count = 0;
    for (size_t i = 0; (function = model_at(i)) != NULL; i++)
        count += function->used && !function->is_vf && function->captured != RID_BUS(function->rid);
    return count;
}
