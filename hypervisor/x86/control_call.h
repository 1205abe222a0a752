/* SPDX-License-Identifier: MIT */
/*
 * Work that a guest's core hands to the control core: everything that touches a device, the IOMMU
 * or another guest is done there, one thing at a time, so it needs no locks. The guest's core waits
 * (its guest asked for set-up, not for data); other guests are not held up.
 */
#pragma once

#include "hypervisor/base/core.h"

typedef void control_function(void *argument);

/* Runs `function(argument)` on the control core and waits for it; at once when called there.
 * False when the control core did not take it within 20 seconds: it will not be run then. */
MUST_CHECK bool control_call(control_function *function, void *argument);
/* Control core: runs what is waiting. Called from the control loop and from every wait for a
 * guest's core. */
void control_calls_service(void);
