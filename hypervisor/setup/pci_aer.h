/* SPDX-License-Identifier: MIT */
/* Advanced Error Reporting (PCIe 7.8.4): which errors a function does not report. */
#pragma once

#include "hypervisor/pci/function.h"

#define AER_UNCORRECTABLE_MASK      0x08
#define AER_CORRECTABLE_MASK        0x14
#define AER_ROOT_COMMAND            0x2c
#define AER_ROOT_COMMAND_INTERRUPTS BITS(2, 0)
#define ERROR_UNSUPPORTED           BIT(20) /* Unsupported Request */
#define ERROR_ADVISORY              BIT(13) /* Advisory Non-Fatal */

/* Sets bits of the two masks of the structure at `aer`. */
void pci_aer_mask(const struct pci_function *function, unsigned aer, uint64_t uncorrectable,
                  uint64_t correctable);
