/* SPDX-License-Identifier: MIT */
/*
 * Offsets and bits of configuration space. Names follow the specification: PCIe 7.5.1
 * (headers), 7.5.3 (PCIe capability), 7.7.7 (ACS), 7.7.1 (MSI-X), 9.3.3 (SR-IOV); PCI-to-PCI bridge
 * windows are PCI-to-PCI Bridge Architecture 3.2.5. What only boot needs is in discovery.h.
 */
#pragma once

#include "hypervisor/base/core.h"

#ifndef PCI_CONFIG_SIZE /* the proofs walk a smaller one */
#define PCI_CONFIG_SIZE 4096
#endif
#define PCI_LEGACY_SIZE 256

#define PCI_VENDOR_INTEL         0x8086
#define PCI_VENDOR_ID            0x00
#define PCI_COMMAND              0x04
#define PCI_COMMAND_IO           BIT(0)
#define PCI_COMMAND_MEMORY       BIT(1)
#define PCI_COMMAND_BUS_MASTER   BIT(2)
#define PCI_COMMAND_SERR         BIT(8)
#define PCI_COMMAND_INTX_OFF     BIT(10)
#define PCI_STATUS_CAPS          BIT(4)
#define PCI_CACHE_LINE           0x0c
#define PCI_BAR0                 0x10
#define PCI_ROM                  0x30
#define PCI_ROM_ENABLE           BIT(0)
#define PCI_INTERRUPT_LINE       0x3c
#define PCI_BRIDGE_CONTROL       0x3e
#define PCI_BRIDGE_CONTROL_RESET BIT(6)

#define PCI_BAR_MEM_FLAGS 0xfu

/* Capability ids */
#define PCI_CAP_PCIE 0x10
#define PCI_CAP_MSIX 0x11

/* PCIe capability (7.5.3) */
#define PCIE_CAPABILITIES            0x02
#define PCIE_DEVICE_CAP              0x04
#define PCIE_DEVICE_CAP_FLR          BIT(28)
#define PCIE_DEVICE_CONTROL          0x08
#define PCIE_DEVICE_CONTROL_ERRORS   BITS(3, 0) /* correctable, non-fatal, fatal, unsupported */
#define PCIE_DEVICE_CONTROL_PHANTOM  BIT(9)
#define PCIE_DEVICE_CONTROL_NO_SNOOP BIT(11)
#define PCIE_DEVICE_CONTROL_FLR      BIT(15)
#define PCIE_DEVICE_STATUS           0x0a
#define PCIE_DEVICE_STATUS_PENDING   BIT(5)
#define PCIE_LINK_CAP                0x0c
#define PCIE_LINK_CAP_SPEED(cap)     FIELD(cap, 3, 0) /* 1: 2.5 GT/s, 2: 5 GT/s, ... */
#define PCIE_LINK_CAP_ACTIVE         BIT(20)          /* Link Status tells whether the link is up */
#define PCIE_LINK_CONTROL            0x10
#define PCIE_LINK_STATUS             0x12
#define PCIE_LINK_STATUS_ACTIVE      BIT(13)
#define PCIE_DEVICE_CONTROL2         0x28

/* What no function that a guest may have is allowed to do. */
#define PCIE_DEVICE_CONTROL_FORBIDDEN                                                              \
    (PCIE_DEVICE_CONTROL_ERRORS | PCIE_DEVICE_CONTROL_PHANTOM | PCIE_DEVICE_CONTROL_NO_SNOOP)

#define PCIE_TYPE_ROOT_PORT       0x4
#define PCIE_TYPE_UPSTREAM        0x5
#define PCIE_TYPE_DOWNSTREAM      0x6
#define PCIE_TYPE_TO_PCI_BRIDGE   0x7
#define PCIE_TYPE_FROM_PCI_BRIDGE 0x8
#define PCIE_TYPE_NONE            0xff

/* Power management (7.5.2) */
#define PM_CONTROL               0x04
#define PM_CONTROL_STATE         0x3u
#define PM_CONTROL_D3HOT         0x3u
#define PM_CONTROL_NO_SOFT_RESET BIT(3)

/* Advanced Features (PCI ECN 2006; offsets from the capability) */
#define AF_CAPABILITIES     0x03
#define AF_CAPABILITIES_TP  BIT(0)
#define AF_CAPABILITIES_FLR BIT(1)
#define AF_CONTROL          0x04
#define AF_CONTROL_FLR      BIT(0)
#define AF_STATUS           0x05
#define AF_STATUS_PENDING   BIT(0)

/* MSI and MSI-X */
#define MSIX_CONTROL        0x02
#define MSIX_CONTROL_ENABLE BIT(15)
#define MSIX_CONTROL_MASK   BIT(14)
#define MSIX_TABLE          0x04
#define MSIX_PBA            0x08
#define MSIX_ENTRY_SIZE     16u

/* ATS (10.5.1) */
#define ATS_CONTROL        0x06
#define ATS_CONTROL_ENABLE BIT(15)

/* ACS (7.7.7) */
#define ACS_CAPABILITY           0x04
#define ACS_CONTROL              0x06
#define ACS_SOURCE_VALIDATION    BIT(0)
#define ACS_TRANSLATION_BLOCKING BIT(1)
#define ACS_REQUEST_REDIRECT     BIT(2)
#define ACS_COMPLETION_REDIRECT  BIT(3)
#define ACS_UPSTREAM_FORWARDING  BIT(4)
#define ACS_EGRESS_CONTROL       BIT(5)
#define ACS_DIRECT_TRANSLATED    BIT(6)

/* SR-IOV (9.3.3) */
#define SRIOV_CONTROL           0x08
#define SRIOV_CONTROL_VF_ENABLE BIT(0)
#define SRIOV_CONTROL_VF_MEMORY BIT(3)
#define SRIOV_NUM_VFS           0x10
#define SRIOV_SYSTEM_PAGE       0x20
#define SRIOV_VF_BAR0           0x24
