/* SPDX-License-Identifier: MIT */
/* USB controllers, of which firmware lets go before their bus mastering goes. */
#pragma once

#include "boot/boot_info.h"
#include "hypervisor/pci/rid.h"

#define USB_CLASS 0x0c03u /* base and sub-class; the interface tells the kind */

/* Asks firmware for the controller, switches off the SMIs that it would raise, and halts it: UHCI,
 * OHCI, EHCI (2.1.7, 5.1) and xHCI (4.22.1). A second is waited at most, 100 ms more for the halt.
 * BOOT_USB_TAKEN, or why not; the controller halts in any case but BOOT_USB_UNREACHED. */
enum boot_usb_result usb_take(rid_t rid, uint8_t interface);
