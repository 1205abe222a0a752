/* SPDX-License-Identifier: MIT */
/*
 * Registers of a guest's configuration space that were written down at boot (setup/view_vendor.c,
 * setup/view_pf.c), beside those that vdev/virtual_config.c has a rule for. They reach no hardware:
 * a guest reads what is here and changes the bits that it may.
 */
#pragma once

#include "hypervisor/pci/function.h"

#define VIEW_REGISTERS 64
#define VIEW_OF_VF     0x1000 /* added to offsets in the VFs that a PF's manager sees */

struct view_register {
    uint16_t offset;   /* of the dword */
    uint32_t value;    /* now; read by any core, written by the control core */
    uint32_t reset;    /* at each start */
    uint32_t writable; /* bits */
};

struct function_view {
    unsigned count;
    struct view_register registers[VIEW_REGISTERS];
    /* Of a PF that its guest drives: its virtual SR-IOV capability, an index into `registers`, and
     * the VFs that this one offers, on the guest's bus. All of them read alike and do nothing. */
    unsigned sriov;
    unsigned vf_first, vf_count; /* requester id of the first, which is followed by the others */
};

/* NULL: nothing was written down for this offset. `view` may be NULL. */
struct view_register *view_find(struct function_view *view, unsigned offset);
/* Whether the guest has switched on one of them with this requester id. */
bool view_shows_vf(const struct function_view *view, unsigned rid);
