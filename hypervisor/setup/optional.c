/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/optional.h"

#include "hypervisor/assign/pf.h"
#include "hypervisor/base/log.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/vcpu/backend.h"

/* The groups of hypervisor/layers.txt; linker.ld says where they are. */
#define GROUPS(each) each(igb) each(nvme) each(svm) each(vmx)

#define DECLARE(name)                                                                              \
    extern const char name##_text_start[], name##_text_end[], name##_rodata_start[],               \
        name##_rodata_end[], name##_data_start[], name##_data_end[];
GROUPS(DECLARE)
extern const char image_start[];

struct part {
    const char *start, *end;
};

enum { TEXT, RODATA, DATA, PARTS };

#define PART(name, kind) {name##_##kind##_start, name##_##kind##_end}
#define ROW(name)        {#name, {PART(name, text), PART(name, rodata), PART(name, data)}},
static const struct group {
    const char *name;
    struct part parts[PARTS];
} groups[] = {GROUPS(ROW)};

static uint64_t offset(const struct part *part, const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)part->start;
}

static bool holds(const struct group *group, const void *table)
{
    const struct part *constants = &group->parts[RODATA];
    return offset(constants, table) < offset(constants, constants->end);
}

static bool in_use(const struct group *group)
{
    for (uint32_t i = 0; i < PF_MAX; i++)
        if (pf_device_at(i) != NULL && holds(group, pf_device_at(i)->driver))
            return true;
    return holds(group, vcpu_selected);
}

/* Returns whether all of it is free now. */
static bool drop(const struct part *part, uint64_t image, uint64_t *bytes)
{
    uint64_t size = ALIGN_UP(offset(part, part->end), PAGE_SIZE);
    uint64_t physical = image + (uintptr_t)part->start - (uintptr_t)image_start;
    if (size == 0)
        return true;
    uint64_t dropped = address_space_drop(physical, (uintptr_t)part->start, size);
    iommu_regions_withhold(physical, dropped);
    *bytes += dropped;
    return dropped == size;
}

void optional_drop(uint64_t image)
{
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
        uint64_t bytes = 0;
        bool all = true;
        if (in_use(&groups[i]))
            continue;
        for (size_t part = 0; part < PARTS; part++)
            all = drop(&groups[i].parts[part], image, &bytes) && all;
        log_event("boot.unused", "name=%s bytes=%lu message=\"%s\"", groups[i].name, bytes,
                  all ? "this machine has no use of it: it is overwritten, unmapped and free memory"
                      : "this machine has no use of it, but it could not all be given back");
    }
}
