/* SPDX-License-Identifier: MIT */
/*
 * The machine that a guest finds: guest-physical layout and ports. The start stub writes tables
 * that describe it, and the hypervisor answers where they point.
 *
 *   0 .. 0x7fffffff      RAM, as much as there is
 *     0xe0000..0xeffff   start_info, ACPI tables, command line (RAM, written before the start)
 *     0xf0000..0xfffff   the start stub (start.h), gone when the image runs
 *   0xb0000000           configuration space of the virtual PCI bus (ECAM, 1 MiB = bus 0), trapped
 *   0xc0000000 ..        BARs of the guest's functions, one behind the other
 *   0xfee00000           not mapped: x2APIC is reached through MSRs
 *   0x100000000 ..       the rest of RAM
 *   behind that          64-bit BARs for which there is no room below 4 GiB
 */
#pragma once

#include "hypervisor/base/core.h"

#define GUEST_TABLES_BASE UINT64_C(0x000e0000)
#define GUEST_TABLES_END  UINT64_C(0x00100000)
#define GUEST_ECAM_BASE   UINT64_C(0xb0000000)
#define GUEST_ECAM_SIZE   MIB(1)
#define GUEST_BAR_BASE    UINT64_C(0xc0000000)
#define GUEST_BAR_END     UINT64_C(0xfe000000)
#define GUEST_LOW_END     GIB(2) /* of the RAM below the hole */
#define GUEST_HIGH_BASE   GIB(4) /* of the RAM above it */
#define GUEST_MAX_CPUS    64
/* RAM then ends at 512 GiB: what three levels of tables reach, as VT-d units have them at least. */
#define GUEST_MAX_MEMORY GIB(510)

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

/* Guest-physical address of a byte of RAM, counted without the hole. */
static inline uint64_t guest_address_of(uint64_t offset)
{
    return offset < GUEST_LOW_END ? offset : offset - GUEST_LOW_END + GUEST_HIGH_BASE;
}
