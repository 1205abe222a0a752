/* SPDX-License-Identifier: MIT */
/* PCI functions: where they are, whose, and which of them belong together. */
#include "hypervisor/base/format.h"
#include "hypervisor/iommu/iommu.h"
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/pci/acs.h"

void command_devices(void)
{
    console_printf("%-13s %-10s %-7s %-5s %-7s %s\n", "rid", "id", "class", "unit", "master",
                   "owner");
    for (size_t i = 0; i < pci_function_count(); i++) {
        const struct pci_function *function = pci_function_at(i);
        console_printf("%-13s %04x:%04x  %06x  %-5d %-7s %s%s%s%s\n", rid_text(function->rid).text,
                       function->vendor, function->device, function->class_code,
                       iommu_unit_of(function), decode_masters(function) ? "on" : "off",
                       owner_name(function->owner), function->is_bridge ? " (bridge)" : "",
                       function->is_vf ? " (VF)" : "",
                       iommu_firmware_connected(function->rid) ? " (firmware's DMA)" : "");
    }
}

/* Each group once, with the member that comes first. */
void command_groups(void)
{
    const struct pci_function *function;
    static struct acs_group group; /* too large for a stack */
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (pci_is_bridge(function))
            continue;
        acs_group(function, &group);
        bool first = true;
        for (size_t m = 1; m < group.count; m++)
            first = first && group.members[m] > i;
        if (!first)
            continue;
        console_printf("%s (%s)", rid_text(function->rid).text, owner_name(function->owner));
        for (size_t m = 1; m < group.count; m++) {
            const struct pci_function *member = pci_function_at(group.members[m]);
            console_printf(" %s (%s)", rid_text(member->rid).text, owner_name(member->owner));
        }
        if (group.culprit != NULL)
            console_printf(": no ACS at %s", rid_text(group.culprit->rid).text);
        console_printf("\n");
    }
}
