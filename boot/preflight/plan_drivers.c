/* SPDX-License-Identifier: MIT */
/* Which PFs the hypervisor has a driver for, as the drivers' own tables say. */
#include "boot/preflight/plan.h"
#include "drivers/igb/setup/igb_kinds.h"
#include "drivers/nvme/setup/nvme_setup_registers.h"

bool plan_has_driver(const struct pci_function *function)
{
    return igb_card_of(function) != NULL || function->class_code == NVME_CLASS;
}
