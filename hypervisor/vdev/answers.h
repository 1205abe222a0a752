/* SPDX-License-Identifier: MIT */
/* What a guest's exits mean beyond CPU policy. Called on the guest's own core. */
#pragma once

#include "hypervisor/vcpu/events.h"

extern const struct vcpu_events guest_events;
