/* SPDX-License-Identifier: MIT */
#include "tests/unit/model/pci_model.h"
#include "tests/unit/model/pci_routing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/base/clock.h"
#include "boot/pci/silence.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/setup/pci_sriov_ids.h"

#define MAX_FUNCTIONS 2304

static struct model_function functions[MAX_FUNCTIONS];
static size_t top /* entries from here on were never used */, frame_count;
static struct model_function *mirror;
static struct frame_range frames[FRAME_MAX_RANGES];
static unsigned violations, writes, masters_while_sizing;
static char last_violation[128];
static rid_t silenced;

void model_violation(const char *what, rid_t rid)
{
    violations++;
    snprintf(last_violation, sizeof last_violation, "%s (%02x:%02x.%x)", what, RID_BUS(rid),
             RID_DEVICE(rid), RID_FUNCTION(rid));
    if (getenv("SHOW_LOG") != NULL)
        fprintf(stderr, "violation: %s\n", last_violation);
}

void model_clear(void)
{
    for (size_t i = 0; i < top; i++)
        functions[i].used = false;
    top = 0;
    mirror = NULL;
    model_routing_clear();
    frame_count = violations = writes = masters_while_sizing = 0;
    last_violation[0] = '\0';
    silenced = UINT32_MAX;
}

unsigned model_violations(void)
{
    return violations;
}

const char *model_last_violation(void)
{
    return last_violation;
}

unsigned model_writes(void)
{
    return writes;
}

unsigned model_masters_while_sizing(void)
{
    return masters_while_sizing;
}

void model_frame(uint64_t base, uint64_t size, owner_t owner)
{
    frames[frame_count++] = (struct frame_range){base, size, owner};
}

__attribute__((weak)) const struct frame_range *frames_range(size_t index)
{
    return index < frame_count ? &frames[index] : NULL;
}

struct model_function *model_at(size_t index)
{
    return index < top ? &functions[index] : NULL;
}

struct model_function *model_find(rid_t rid)
{
    for (size_t i = 0; i < top; i++)
        if (functions[i].used && functions[i].rid == rid)
            return &functions[i];
    return NULL;
}

static struct model_function *new_function(rid_t rid)
{
    for (size_t i = 0; i < MAX_FUNCTIONS; i++) {
        if (functions[i].used)
            continue;
        functions[i] = (struct model_function){
            .used = true, .rid = rid, .captured = RID_BUS(rid), .made_bus = RID_BUS(rid)};
        top = i + 1 > top ? i + 1 : top;
        return &functions[i];
    }
    abort();
}

struct model_function *model_endpoint(rid_t rid, uint16_t vendor, uint16_t device,
                                      uint32_t class_code)
{
    struct model_function *function = new_function(rid);
    model_put(function, 0x00, 4, (uint32_t)device << 16 | vendor);
    model_put(function, 0x08, 4, class_code << 8);
    model_writable(function, 0x04, 2, 0x0547);
    model_writable(function, 0x0c, 1, 0xff);
    model_writable(function, 0x3c, 1, 0xff);
    return function;
}

struct model_function *model_bridge(rid_t rid, uint8_t secondary, uint8_t subordinate)
{
    struct model_function *function = model_endpoint(rid, 0x1b36, 0x000c, 0x060400);
    model_put(function, 0x0e, 1, 1);
    function->made_secondary = secondary;
    model_put(function, 0x18, 4,
              (uint32_t)subordinate << 16 | (uint32_t)secondary << 8 | RID_BUS(rid));
    model_writable(function, 0x18, 4, 0x00ffffff);
    model_writable(function, 0x3e, 2, 0x0040);
    model_writable(function, 0x20, 4, 0xfff0fff0);
    model_writable(function, 0x24, 4, 0xfff0fff0);
    model_writable(function, 0x28, 4, 0xffffffff);
    model_writable(function, 0x2c, 4, 0xffffffff);
    model_put(function, 0x20, 4, 0x0000fff0);
    model_put(function, 0x24, 4, 0x0001fff1);
    return function;
}

void model_window(struct model_function *bridge, bool prefetchable, uint64_t base, uint64_t limit)
{
    uint32_t low = (uint32_t)(base >> 16 & 0xfff0) | (uint32_t)(limit >> 16 & 0xfff0) << 16;
    model_put(bridge, prefetchable ? 0x24 : 0x20, 4, prefetchable ? low | 0x00010001 : low);
    if (prefetchable) {
        model_put(bridge, 0x28, 4, (uint32_t)(base >> 32));
        model_put(bridge, 0x2c, 4, (uint32_t)(limit >> 32));
    }
}

static void size_bar(struct model_function *function, unsigned offset, const struct model_bar *bar,
                     uint64_t size)
{
    uint64_t mask = ~(size - 1);
    model_writable(function, offset, 4, (uint32_t)mask & ~(bar->io ? 3u : 0xfu));
    if (bar->is_64bit)
        model_writable(function, offset + 4, 4, (uint32_t)(mask >> 32));
}

static void put_bar(struct model_function *function, unsigned offset, const struct model_bar *bar)
{
    uint32_t flags = bar->io ? 1 : (bar->is_64bit ? 4u : 0) | (bar->prefetchable ? 8u : 0);
    model_put(function, offset, 4, (uint32_t)bar->base | flags);
    if (bar->is_64bit)
        model_put(function, offset + 4, 4, (uint32_t)(bar->base >> 32));
    size_bar(function, offset, bar, bar->size);
}

void model_bar(struct model_function *function, unsigned index, struct model_bar bar)
{
    put_bar(function, 0x10 + 4 * index, &bar);
}

void model_capability(struct model_function *function, unsigned offset, uint8_t id)
{
    model_put(function, 0x06, 1, model_get(function, 0x06, 1) | 0x10);
    unsigned link = function->last_capability == 0 ? 0x34 : function->last_capability + 1;
    model_put(function, link, 1, offset);
    model_put(function, offset, 2, id);
    function->last_capability = offset;
}

void model_extended(struct model_function *function, unsigned offset, uint16_t id)
{
    if (function->last_extended != 0)
        model_put(function, function->last_extended + 2, 2, offset << 4 | 1);
    model_put(function, offset, 4, 0x00010000u | id);
    function->last_extended = offset;
}

void model_pcie(struct model_function *function, unsigned offset, unsigned type, bool flr)
{
    model_capability(function, offset, PCI_CAP_PCIE);
    function->cap_pcie = offset;
    model_put(function, offset + 2, 2, type << 4 | 2);
    model_put(function, offset + 4, 4, flr ? 1u << 28 : 0);
    model_writable(function, offset + 8, 2, 0x7fff);
    model_put(function, offset + 0x24, 4, type == 4 || type == 6 ? 1u << 5 : 0);
    model_writable(function, offset + 0x28, 2, 0x003f);
}

void model_pm(struct model_function *function, unsigned offset, bool no_soft_reset)
{
    model_capability(function, offset, PCI_CAP_PM);
    function->cap_pm = offset;
    model_put(function, offset + 2, 2, 0x0003);
    model_put(function, offset + 4, 2, no_soft_reset ? 0x0008 : 0);
    model_writable(function, offset + 4, 2, 0x0103);
}

void model_acs(struct model_function *function, unsigned offset, uint16_t offered)
{
    model_extended(function, offset, PCI_EXT_CAP_ACS);
    function->cap_acs = offset;
    model_put(function, offset + 4, 2, offered);
    model_writable(function, offset + 6, 2, offered);
}

void model_msix(struct model_function *function, unsigned offset, unsigned vectors, uint32_t table,
                uint32_t pba)
{
    model_capability(function, offset, PCI_CAP_MSIX);
    model_put(function, offset + 2, 2, vectors - 1);
    model_writable(function, offset + 2, 2, 0xc000);
    model_put(function, offset + 4, 4, table);
    model_put(function, offset + 8, 4, pba);
}

void model_sriov(struct model_function *pf, const struct model_sriov *sriov)
{
    unsigned cap = sriov->offset;
    pf->sriov = *sriov;
    model_extended(pf, cap, PCI_EXT_CAP_SRIOV);
    model_put(pf, cap + 0x0c, 2, sriov->initial);
    model_put(pf, cap + 0x0e, 2, sriov->total);
    model_put(pf, cap + 0x14, 2, sriov->first_offset);
    model_put(pf, cap + 0x16, 2, sriov->stride);
    model_put(pf, cap + 0x1a, 2, sriov->vf_device);
    model_put(pf, cap + 0x1c, 4, sriov->supported_pages);
    model_put(pf, cap + 0x20, 4, 1);
    model_writable(pf, cap + 0x08, 2, 0x0019);
    model_writable(pf, cap + 0x10, 2, sriov->refuses_num_vfs ? 0 : 0xffff);
    model_writable(pf, cap + 0x20, 4, sriov->supported_pages);
    for (unsigned i = 0; i < PCI_BARS; i++)
        if (sriov->bar[i].size != 0)
            put_bar(pf, cap + 0x24 + 4 * i, &sriov->bar[i]);
}

struct model_function *model_raw(rid_t rid, const uint8_t *bytes, size_t size)
{
    struct model_function *function = new_function(rid);
    function->raw = true;
    memcpy(function->config, bytes, size < 4096 ? size : 4096);
    memset(function->writable, 0xff, sizeof function->writable);
    memset(function->writable, 0, 4);
    memset(function->writable + 6, 0, 10);
    return function;
}

void model_mirror(struct model_function *function)
{
    mirror = function;
}

/* --- SR-IOV --- */

static void remove_vfs(const struct model_function *pf)
{
    for (size_t i = 0; i < top; i++)
        if (functions[i].used && functions[i].is_vf && functions[i].pf == pf)
            functions[i].used = false;
}

static void create_vfs(struct model_function *pf)
{
    unsigned cap = pf->sriov.offset, count = model_get(pf, cap + 0x10, 2);
    unsigned first = model_get(pf, cap + 0x14, 2), stride = model_get(pf, cap + 0x16, 2);
    for (unsigned i = 0; i < count && i < pf->sriov.total; i++) {
        if (pf->sriov.silent_vf == i + 1)
            continue;
        struct model_function *vf =
            new_function((pf->rid & 0xffff0000) | ((pf->rid + first + stride * i) & 0xffff));
        vf->is_vf = true;
        vf->pf = pf;
        model_put(vf, 0x00, 4, 0xffffffff);
        model_put(vf, 0x08, 4, model_get(pf, 0x08, 4));
        model_writable(vf, 0x04, 2, 0x0004);
        model_msix(vf, 0x70, 3, 3, 0x2003);
        model_pcie(vf, 0xa0, 0, true);
        if (pf->sriov.vf_acs != 0)
            model_acs(vf, 0x100, pf->sriov.vf_acs);
    }
    pf->vfs_ready_at = clock_microseconds() + MILLISECONDS(100);
}

/* A VF BAR takes a system page at least (PCIe 9.3.3.13). */
static void size_vf_bars(struct model_function *pf)
{
    uint64_t page = (uint64_t)model_get(pf, pf->sriov.offset + 0x20, 4) << 12;
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct model_bar *bar = &pf->sriov.bar[i];
        if (bar->size >= 4096)
            size_bar(pf, pf->sriov.offset + 0x24 + 4 * i, bar, bar->size > page ? bar->size : page);
    }
}

static void sriov_written(struct model_function *pf, unsigned offset, const uint8_t *before)
{
    unsigned cap = pf->sriov.offset;
    bool was = (before[cap + 8] & 1) != 0, is = (pf->config[cap + 8] & 1) != 0;
    if (clock_microseconds() < pf->sriov_quiet_until)
        model_violation("SR-IOV capability written within a second of clearing VF Enable", pf->rid);
    if (was && is && memcmp(before + cap + 0x10, pf->config + cap + 0x10, 0x2c) != 0) {
        model_violation("NumVFs, page size or VF BAR written while VF Enable is set", pf->rid);
        memcpy(pf->config + cap + 0x10, before + cap + 0x10, 0x2c);
    }
    if (model_get(pf, cap + 0x10, 2) > pf->sriov.total)
        model_violation("NumVFs above TotalVFs", pf->rid);
    bool ari = (model_get(pf, cap + 8, 2) & 0x10) != 0;
    unsigned without = pf->sriov.first_offset_without_ari;
    model_put(pf, cap + 0x14, 2, !ari && without != 0 ? without : pf->sriov.first_offset);
    size_vf_bars(pf);
    if (!was && is)
        create_vfs(pf);
    if (was && !is) {
        remove_vfs(pf);
        pf->sriov_quiet_until = clock_microseconds() + MILLISECONDS(1000);
    }
}

/* --- access --- */

static struct model_function *target(rid_t rid)
{
    struct model_function *function = model_find(rid);
    if (function == NULL)
        function = mirror;
    if (function == NULL || !model_reachable(rid) ||
        (function->stuck && RID_BUS(rid) != function->made_bus))
        return NULL;
    uint64_t now = clock_microseconds();
    if (function->is_vf && now < function->pf->vfs_ready_at) {
        model_violation("VF accessed within 100 ms of VF Enable", rid);
        return NULL;
    }
    if (now < function->resetting_until) {
        model_violation("function accessed too soon after its reset", rid);
        return NULL;
    }
    return function->dies_in_reset && function->resets > 0 ? NULL : function;
}

static bool in_sriov(const struct model_function *function, unsigned offset)
{
    return function->sriov.offset != 0 && offset >= function->sriov.offset &&
           offset < function->sriov.offset + 0x40u;
}

uint32_t pci_config_read(rid_t rid, unsigned offset, unsigned width)
{
    uint32_t ones = width == 4 ? 0xffffffff : (1u << (8 * width)) - 1;
    if (offset + width > 4096 || offset % width != 0) {
        model_violation("configuration read outside or misaligned", rid);
        return ones;
    }
    struct model_function *function = target(rid);
    if (function == NULL)
        return ones;
    if (in_sriov(function, offset) && clock_microseconds() < function->sriov_quiet_until)
        model_violation("SR-IOV capability read within a second of clearing VF Enable", rid);
    if ((function->pending_stuck || clock_microseconds() < function->pending_until) &&
        function->cap_pcie != 0 && offset == function->cap_pcie + 0x0a)
        return model_get(function, offset, width) | 0x20;
    return model_get(function, offset, width);
}

unsigned model_bus_masters(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < top; i++)
        if (functions[i].used && (functions[i].config[0x0e] & 0x7f) != 1 &&
            (functions[i].config[4] & 4) != 0)
            count++;
    return count;
}

void model_silenced(rid_t rid)
{
    silenced = rid;
}

__attribute__((weak)) bool sriov_registers_answer(const struct sriov *sriov,
                                                  const struct pci_function *vf)
{
    return true;
}

__attribute__((weak)) bool pci_silenced(rid_t rid)
{
    return rid == silenced;
}

static void reset_function(struct model_function *function, uint64_t time)
{
    function->resets++;
    if ((function->config[4] & 4) != 0)
        model_violation("reset while bus mastering is on", function->rid);
    function->resetting_until = clock_microseconds() + time - 10;
    if (function->ignored_resets > 0) {
        function->ignored_resets--;
        return;
    }
    model_put(function, 0x04, 2, 0);
    model_put(function, 0x0c, 1, 0);
    if (function->cap_acs != 0)
        model_put(function, function->cap_acs + 6, 2, 0);
    if (!function->is_vf)
        for (unsigned offset = 0x10; offset < 0x28; offset++)
            function->config[offset] &= (uint8_t)~function->writable[offset];
    remove_vfs(function);
    unsigned sriov = function->sriov.offset;
    for (unsigned at = sriov; sriov != 0 && at < sriov + 0x40; at++)
        function->config[at] &= (uint8_t)~function->writable[at];
}

/* From Secondary Bus Reset on nothing behind the bridge answers. */
static void bus_reset(struct model_function *bridge, bool held)
{
    uint64_t now = clock_microseconds();
    if (held == (bridge->held_since != 0))
        return;
    if (!held && now < bridge->held_since + MILLISECONDS(1))
        model_violation("bus reset shorter than 1 ms", bridge->rid);
    bridge->held_since = held ? now | 1 : 0;
    for (size_t i = 0; i < top; i++) {
        struct model_function *function = &functions[i];
        if (!function->used || RID_SEGMENT(function->rid) != RID_SEGMENT(bridge->rid) ||
            RID_BUS(function->rid) < bridge->config[0x19] ||
            RID_BUS(function->rid) > bridge->config[0x1a])
            continue;
        if (held)
            reset_function(function, UINT32_MAX);
        else
            function->resetting_until = now + MILLISECONDS(100) - 10;
    }
}

static void power_state(struct model_function *function, unsigned before)
{
    unsigned state = function->config[function->cap_pm + 4] & 3;
    if (state != 0)
        function->resetting_until = clock_microseconds() + MILLISECONDS(10) - 10;
    else if (before == 3 && (function->config[function->cap_pm + 4] & 8) == 0)
        reset_function(function, MILLISECONDS(10));
}

static void sizing(const struct model_function *function, unsigned offset, uint32_t value)
{
    bool bridge = (function->config[0x0e] & 0x7f) == 1;
    bool bar = offset >= 0x10 && offset < (bridge ? 0x18u : 0x28u);
    if (bar && function->no_bars)
        model_violation("a register that is not a BAR was written", function->rid);
    if (!bar || value != 0xffffffff || function->raw)
        return;
    if (model_bus_masters() > masters_while_sizing)
        masters_while_sizing = model_bus_masters();
    if ((function->config[4] & 3) != 0 && model_get(function, 0x0a, 2) != 0x0600)
        model_violation("BAR sized while decoding is on", function->rid);
}

void pci_config_write(rid_t rid, unsigned offset, unsigned width, uint32_t value)
{
    if (offset + width > 4096 || offset % width != 0) {
        model_violation("configuration write outside or misaligned", rid);
        return;
    }
    struct model_function *function = target(rid);
    if (function == NULL)
        return;
    writes++;
    function->captured = RID_BUS(rid);
    sizing(function, offset, value);
    uint8_t before[4096];
    memcpy(before, function->config, sizeof before);
    for (unsigned i = 0; i < width; i++) {
        uint8_t mask = function->writable[offset + i];
        function->config[offset + i] =
            (uint8_t)((before[offset + i] & ~mask) | ((value >> (8 * i)) & mask));
    }
    if (function->raw)
        return;
    if ((function->config[0x0e] & 0x7f) == 1 && offset >= 0x18 && offset < 0x1b)
        model_reroute();
    if (in_sriov(function, offset))
        sriov_written(function, offset, before);
    if (function->cap_pcie != 0 && offset == function->cap_pcie + 8 && width == 2 &&
        (value & 0x8000) != 0 &&
        (function->hidden_flr || (model_get(function, function->cap_pcie + 4, 4) & 1u << 28) != 0))
        reset_function(function, MILLISECONDS(100));
    if (function->cap_af != 0 && offset == function->cap_af + 4 && (value & 1) != 0)
        reset_function(function, MILLISECONDS(100));
    if (function->cap_pm != 0 && offset == function->cap_pm + 4)
        power_state(function, before[offset] & 3);
    if ((function->config[0x0e] & 0x7f) == 1 && offset == 0x3e)
        bus_reset(function, (function->config[0x3e] & 0x40) != 0);
}
