/* SPDX-License-Identifier: MIT */
/* Boot: memory for a guest. */
#pragma once

#include "hypervisor/assign/guest.h"
#include "hypervisor/setup/affinity.h"
#include "hypervisor/setup/policy.h"

/* Takes what the guest's configuration asks for, in as few pieces as there are, maps it into the
 * guest's memory tables, and lays out where its BARs go. STATUS_NO_MEMORY, STATUS_UNSUPPORTED,
 * logged as guest.refused; guest_memory_release() gives back what it has then. */
MUST_CHECK enum status guest_memory_create(struct guest *guest, const struct affinity *affinity,
                                           cpuid_query *query);
/* Once the guest has its functions: its window above the RAM is what their BARs fill. */
void guest_memory_close_window(struct guest *guest);
/* Nothing of the guest ever ran, and none of its functions is connected. */
void guest_memory_release(struct guest *guest);
/* guest.memory for each piece when there are several, and guest.tables. */
void guest_memory_log(const struct guest *guest);
