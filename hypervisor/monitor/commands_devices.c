/* SPDX-License-Identifier: MIT */
/* PCI functions: where they are, whose, and which of them belong together. */
#include "hypervisor/iommu/reserved.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/decode.h"
#include "hypervisor/pci/acs.h"

const struct pci_function *command_tree[PCI_MAX_FUNCTIONS + 1];

void command_devices(void)
{
    const struct pci_function *function;
    console_printf("%-27s %-6s %-11s %-10s %s\n", "rid            id       unit", "master", "owner",
                   "name", "device");
    for (size_t i = 0; (function = command_tree[i]) != NULL; i++)
        console_printf("%-27s %-6s %-11s %-10s %s%s\n", function->row,
                       decode_masters(function) ? "on" : "off", owner_name(function->owner),
                       function->name, function->words,
                       iommu_firmware_connected(function->rid) ? " (firmware's DMA)" : "");
}

/* Each group once, with the member that comes first. */
void command_groups(void)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        const struct acs_group *group = function->group;
        if (pci_is_bridge(function) || (group != NULL && group->members[0] != function))
            continue;
        console_printf("%s (%s)", rid_text(function->rid).text, owner_name(function->owner));
        for (size_t m = 1; group != NULL && m < group->count; m++)
            console_printf(" %s (%s)", rid_text(group->members[m]->rid).text,
                           owner_name(group->members[m]->owner));
        if (group != NULL)
            console_printf(": no ACS at %s", rid_text(group->culprit->rid).text);
        console_printf("\n");
    }
}
