/* SPDX-License-Identifier: MIT */
/* What of USB controllers' registers firmware's letting go needs. */
#pragma once

#include "hypervisor/base/core.h"

/* Interface byte of the class code */
#define USB_UHCI 0x00
#define USB_OHCI 0x10
#define USB_EHCI 0x20
#define USB_XHCI 0x30

/* USBLEGSUP and the register behind it: the same in EHCI 2.1.7 and xHCI 7.1 */
#define LEGSUP_BIOS_OWNED 0x00010000u
#define LEGSUP_OS_OWNED   0x01000000u
#define LEGCTLSTS         4u
#define LEGCTLSTS_EVENTS  0xe0000000u /* writing a one clears them */

/* xHCI 5.3.6, 5.4, 7.1.2 */
#define XHCI_HCCPARAMS1     0x10u
#define XHCI_CAP_LEGACY     1u
#define XHCI_LEGCTLSTS_KEEP 0x000e1feeu /* reserved: 3:1, 12:5, 19:17; the rest are SMI enables */
#define XHCI_USBCMD         0x00u
#define XHCI_USBCMD_ACTIVE  0x0000040du /* run, and what raises interrupts */
#define XHCI_USBSTS         0x04u
#define XHCI_USBSTS_HALTED  0x00000001u

/* EHCI 2.2.4, 2.3 */
#define EHCI_HCCPARAMS     0x08u
#define EHCI_CAP_LEGACY    1u
#define EHCI_USBCMD        0x00u
#define EHCI_USBCMD_ACTIVE 0x00000031u /* run, both schedules */
#define EHCI_USBSTS        0x04u
#define EHCI_USBSTS_HALTED 0x00001000u
#define EHCI_USBINTR       0x08u

/* OHCI 7.1 */
#define OHCI_CONTROL           0x04u
#define OHCI_CONTROL_ROUTED    0x00000100u /* interrupts go to SMM */
#define OHCI_CONTROL_KEEP      0x00000200u /* remote wake-up connected */
#define OHCI_COMMAND           0x08u
#define OHCI_COMMAND_REQUEST   0x00000008u
#define OHCI_INTERRUPT_ENABLE  0x10u
#define OHCI_INTERRUPT_DISABLE 0x14u
#define OHCI_OWNERSHIP_CHANGE  0x40000000u

/* UHCI 2.1, 5.2.1 */
#define UHCI_BAR           0x20u
#define UHCI_LEGSUP        0xc0u
#define UHCI_LEGSUP_CLEAR  0x8f00u /* no SMI, no trap; what was trapped is cleared */
#define UHCI_USBCMD        0x00u
#define UHCI_USBSTS        0x02u
#define UHCI_USBSTS_HALTED 0x0020u
#define UHCI_USBINTR       0x04u
