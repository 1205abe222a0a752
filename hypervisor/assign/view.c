/* SPDX-License-Identifier: MIT */
/* What a guest sees of its function begins as after a reset: vdev/ goes on from there. */
#include "hypervisor/assign/view.h"

#include "hypervisor/assign/assignment.h"
#include "hypervisor/iommu/interrupt.h"
#include "hypervisor/pci/config_space.h"

struct view_register *view_find(struct function_view *view, unsigned offset)
{
    for (unsigned i = 0; view != NULL && i < view->count; i++)
        if (view->registers[i].offset == offset)
            return &view->registers[i];
    return NULL;
}

bool view_shows_vf(const struct function_view *view, unsigned rid)
{
    const struct view_register *sriov = &view->registers[view->sriov];
    return rid - view->vf_first < view->vf_count &&
           rid - view->vf_first < (uint16_t)sriov[SRIOV_NUM_VFS / 4].value &&
           (sriov[SRIOV_CONTROL / 4].value & SRIOV_CONTROL_VF_ENABLE) != 0;
}

void view_reset_config(struct assignment *assignment)
{
    struct function_view *view = assignment->function->view;
    assignment->command = 0;
    for (unsigned i = 0; view != NULL && i < view->count; i++)
        view->registers[i].value = view->registers[i].reset;
    for (unsigned bar = 0; bar < PCI_BARS; bar++)
        assignment->bars[bar].sizing_low = assignment->bars[bar].sizing_high = false;
}

void view_reset_interrupts(struct assignment *assignment)
{
    if (!assignment->has_msix)
        return;
    assignment->msix_enabled = assignment->msix_function_mask = false;
    assignment->messages_refused = 0;
    msix_enable(assignment->function, false, true);
    for (unsigned number = 0; number < assignment->msix.vectors; number++)
        assignment->vectors[number] = (struct guest_vector){.masked = true};
    iommu_interrupts_release(assignment->function);
}
