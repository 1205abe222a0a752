/* SPDX-License-Identifier: MIT */
/* Chipsets that make system errors of what guests can cause. */
#pragma once

#include "hypervisor/pci/function.h"

/* Intel's host bridges, root ports and I/O hubs that turn an unsupported request, or a request that
 * VT-d stopped, into a system error by registers of their own (XSA-59). Others: nothing. */
void pci_errors_chipset(const struct pci_function *function);
