/* SPDX-License-Identifier: MIT */
/* There can be CPU_MAX cores, and most machines have a few: whole pages behind the last core's part
 * of an array become free memory. */
#include "hypervisor/setup/core_arrays.h"

#include "hypervisor/base/log.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/vdev/calls.h"
#include "hypervisor/x86/descriptors.h"
#include "hypervisor/x86/machine_check_internal.h"

extern const char image_start[];

static const struct {
    const void *array;
    size_t each; /* bytes of a core */
} arrays[] = {
    {machine_check_notes, sizeof machine_check_notes[0]},
    {core_tables, sizeof core_tables[0]},
    {calls_views, sizeof calls_views[0]},
};

void core_arrays_drop(uint64_t image)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
        uintptr_t start = (uintptr_t)arrays[i].array;
        uintptr_t first = ALIGN_UP(start + cpu_count() * arrays[i].each, PAGE_SIZE);
        uintptr_t end = ALIGN_DOWN(start + CPU_MAX * arrays[i].each, PAGE_SIZE);
        if (first >= end)
            continue;
        uint64_t physical = image + first - (uintptr_t)image_start;
        uint64_t dropped = address_space_drop(physical, first, end - first);
        iommu_regions_withhold(physical, dropped);
        bytes += dropped;
    }
    log_event("boot.unused_cores",
              "bytes=%lu message=\"what cores would need that this machine does not have "
              "is overwritten, unmapped and free memory\"",
              bytes);
}
