/*
 * The ports of guests whose boot protocol promises some (Linux): one 16550 at 0x3f8, PCI's
 * configuration ports, ACPI's sleep and reset registers, an exit
 * port and one for events. Any other guest has no
 * port at all.
 */
#pragma once

#include "hypervisor/base/core.h"

#define PORT_EXIT          0x0f4 /* write: the guest ends with this status, as QEMU's isa-debug-exit */
#define PORT_PIT           0x040 /* to 0x43; there is none */
#define PORT_RTC_INDEX     0x070 /* virtual_rtc.h */
#define PORT_RTC_DATA      0x071
#define PORT_EVENT         0x0f5 /* write: guest.event in the log, with this byte */
#define PORT_SERIAL        0x3f8 /* to 0x3ff */
#define PORT_SLEEP_CONTROL 0x600 /* ACPI 4.8.3.7 Sleep Registers (hardware-reduced) */
#define PORT_SLEEP_STATUS  0x601
#define PORT_RESET         0x602 /* ACPI 4.8.3.6 Reset Register */
#define PORT_PCI_ADDRESS   0xcf8 /* PCI 3.0 3.2.2.3.2, Configuration Mechanism 1 */
#define PORT_PCI_DATA      0xcfc
#define RESET_VALUE        1
#define SLEEP_TYPE_S5      5

struct vcpu;

/* An access by the guest's own core. False: the guest has no such port. */
bool ports_access(struct vcpu *vcpu, uint16_t port, unsigned width, bool write, uint32_t *value);
