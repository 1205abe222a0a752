/* SPDX-License-Identifier: MIT */
/* Offsets and bits of configuration space that only finding functions and taking them over at boot
 * needs. Names and sections as in config_space.h. */
#pragma once

#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/rid.h"

#define RID_DEVICE(rid)   ((uint8_t)(((rid) >> 3) & 0x1f))
#define RID_FUNCTION(rid) ((uint8_t)((rid) & 7))

/* Of one segment. */
#define PCI_REQUESTERS 65536
#define PCI_BUSES      256
#define PCI_DEVICES    32 /* of a bus */
#define PCI_FUNCTIONS  8  /* of a device */

#define PCI_STANDARD_HEADER 0x40

#define PCI_VENDOR_AMD 0x1022

/* Base classes */
#define PCI_CLASS_PERIPHERAL 0x08
#define PCI_CLASS_SIGNAL     0x11

#define PCI_STATUS               0x06
#define PCI_CLASS_REVISION       0x08
#define PCI_HEADER_TYPE          0x0e
#define PCI_HEADER_MULTI         0x80
#define PCI_HEADER_ENDPOINT      0
#define PCI_HEADER_BRIDGE        1
#define PCI_HEADER_CARDBUS       2
#define PCI_BUS_NUMBERS          0x18 /* primary, secondary, subordinate; latency timer */
#define PCI_SECONDARY_BUS        0x19
#define PCI_SUBORDINATE_BUS      0x1a
#define PCI_MEMORY_BASE          0x20
#define PCI_MEMORY_LIMIT         0x22
#define PCI_PREFETCH_BASE        0x24
#define PCI_PREFETCH_LIMIT       0x26
#define PCI_PREFETCH_BASE_UPPER  0x28
#define PCI_PREFETCH_LIMIT_UPPER 0x2c
#define PCI_BRIDGE_ROM           0x38
#define PCI_SUBSYSTEM            0x2c
#define PCI_CAP_POINTER          0x34
#define PCI_BRIDGE_CONTROL_SERR  BIT(1)

#define PCI_BAR_IO        BIT(0)
#define PCI_BAR_TYPE_64   0x4u
#define PCI_BAR_TYPE_MASK 0x6u
#define PCI_BAR_PREFETCH  BIT(3)
#define PCI_BAR_IO_FLAGS  0x3u

/* Capability ids */
#define PCI_CAP_PM         0x01
#define PCI_CAP_MSI        0x05
#define PCI_CAP_VENDOR     0x09
#define PCI_CAP_AF         0x13
#define PCI_EXT_CAP_AER    0x0001
#define PCI_EXT_CAP_VENDOR 0x000b
#define PCI_EXT_CAP_ACS    0x000d
#define PCI_EXT_CAP_ARI    0x000e
#define PCI_EXT_CAP_ATS    0x000f
#define PCI_EXT_CAP_SRIOV  0x0010

/* PCIe capability (7.5.3) */
#define PCIE_ROOT_CONTROL               0x1c
#define PCIE_ROOT_CONTROL_SYSTEM_ERRORS BITS(2, 0)
#define PCIE_DEVICE_CAP2                0x24
#define PCIE_DEVICE_CAP2_ARI            BIT(5)
#define PCIE_DEVICE_CONTROL2_ARI        BIT(5)

#define PCIE_TYPE_ENDPOINT        0x0
#define PCIE_TYPE_LEGACY          0x1
#define PCIE_TYPE_INTEGRATED      0x9
#define PCIE_TYPE_EVENT_COLLECTOR 0xa /* of a root complex */

/* SR-IOV (9.3.3) */
#define SRIOV_CONTROL_ARI     BIT(4)
#define SRIOV_INITIAL_VFS     0x0c
#define SRIOV_TOTAL_VFS       0x0e
#define SRIOV_FIRST_OFFSET    0x14
#define SRIOV_STRIDE          0x16
#define SRIOV_VF_DEVICE_ID    0x1a
#define SRIOV_SUPPORTED_PAGES 0x1c
#define SRIOV_SIZE            0x40
