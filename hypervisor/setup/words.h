/* SPDX-License-Identifier: MIT */
/* What the prompt says of hardware in words. It does not change while guests run, so it is written
 * down before they start, and how to write it goes with the boot code. */
#pragma once

#include "hypervisor/pci/function.h"

/* words_commands.c: what may be typed behind each command, in command_usages[]. */
void words_of_commands(void);
/* words_devices.c: each function's texts, VFs included, and command_tree[]. */
void words_of_devices(void);
/* words_units.c: for each unit that answers a page in iommu_words[] that names the fields of its
 * capability registers. */
void words_of_units(void);
