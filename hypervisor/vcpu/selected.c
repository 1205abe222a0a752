/* SPDX-License-Identifier: MIT */
/* What exit handlers reach by tables of functions: the back-end below, the guest above. */
#include "hypervisor/vcpu/backend.h"
#include "hypervisor/vcpu/events.h"

const struct vcpu_backend *vcpu_selected;
const struct vcpu_events *vcpu_selected_events;
