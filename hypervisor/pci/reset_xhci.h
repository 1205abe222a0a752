/* SPDX-License-Identifier: MIT */
/* Host Controller Reset (xHCI 4.2, 5.4.1), for USB controllers that have nothing else, as those of
 * chipsets on the root bus: those whose `reset_registers` are mapped (setup/usb.c). Configuration
 * space stays as it is. */
#pragma once

#include "hypervisor/base/core.h"

struct pci_function;

#define XHCI_HALT_TIME MILLISECONDS(20) /* 16 ms by 5.4.1.1 */

/* Decoding on, and the schedules stop within XHCI_HALT_TIME. */
void xhci_halt(const struct pci_function *function);
/* Begins the reset; for 100 ms the registers are best left alone. */
void xhci_reset(const struct pci_function *function);
/* It is over, and it was one: registers that hold anything before are as after power-on. */
bool xhci_is_reset(const struct pci_function *function);
