/* SPDX-License-Identifier: MIT */
/*
 * Offsets and bits of configuration space. Names follow the specification: PCIe 7.5.1
 * (headers), 7.5.3 (PCIe capability), 7.7.7 (ACS), 7.7.1 (MSI-X), 9.3.3 (SR-IOV); PCI-to-PCI bridge
 * windows are PCI-to-PCI Bridge Architecture 3.2.5.
 */
#pragma once

#include "hypervisor/base/core.h"

#ifndef PCI_CONFIG_SIZE /* the proofs walk a smaller one */
#define PCI_CONFIG_SIZE 4096
#endif
#define PCI_LEGACY_SIZE     256
#define PCI_STANDARD_HEADER 0x40

#define PCI_VENDOR_INTEL         0x8086
#define PCI_VENDOR_ID            0x00
#define PCI_COMMAND              0x04
#define PCI_COMMAND_IO           BIT(0)
#define PCI_COMMAND_MEMORY       BIT(1)
#define PCI_COMMAND_BUS_MASTER   BIT(2)
#define PCI_COMMAND_SERR         BIT(8)
#define PCI_COMMAND_INTX_OFF     BIT(10)
#define PCI_STATUS               0x06
#define PCI_STATUS_CAPS          BIT(4)
#define PCI_CLASS_REVISION       0x08
#define PCI_CACHE_LINE           0x0c
#define PCI_HEADER_TYPE          0x0e
#define PCI_HEADER_MULTI         0x80
#define PCI_HEADER_ENDPOINT      0
#define PCI_HEADER_BRIDGE        1
#define PCI_BAR0                 0x10
#define PCI_PRIMARY_BUS          0x18
#define PCI_SECONDARY_BUS        0x19
#define PCI_SUBORDINATE_BUS      0x1a
#define PCI_MEMORY_BASE          0x20
#define PCI_MEMORY_LIMIT         0x22
#define PCI_PREFETCH_BASE        0x24
#define PCI_PREFETCH_LIMIT       0x26
#define PCI_PREFETCH_BASE_UPPER  0x28
#define PCI_PREFETCH_LIMIT_UPPER 0x2c
#define PCI_ROM                  0x30
#define PCI_BRIDGE_ROM           0x38
#define PCI_ROM_ENABLE           BIT(0)
#define PCI_CAP_POINTER          0x34
#define PCI_INTERRUPT_LINE       0x3c
#define PCI_BRIDGE_CONTROL       0x3e
#define PCI_BRIDGE_CONTROL_RESET BIT(6)
#define PCI_BRIDGE_CONTROL_SERR  BIT(1)

#define PCI_BAR_IO        BIT(0)
#define PCI_BAR_TYPE_64   0x4u
#define PCI_BAR_TYPE_MASK 0x6u
#define PCI_BAR_PREFETCH  BIT(3)
#define PCI_BAR_MEM_FLAGS 0xfu
#define PCI_BAR_IO_FLAGS  0x3u

/* Capability ids */
#define PCI_CAP_PM         0x01
#define PCI_CAP_MSI        0x05
#define PCI_CAP_PCIE       0x10
#define PCI_CAP_MSIX       0x11
#define PCI_CAP_AF         0x13
#define PCI_EXT_CAP_AER    0x0001
#define PCI_EXT_CAP_VENDOR 0x000b
#define PCI_EXT_CAP_ACS    0x000d
#define PCI_EXT_CAP_ARI    0x000e
#define PCI_EXT_CAP_ATS    0x000f
#define PCI_EXT_CAP_SRIOV  0x0010

/* PCIe capability (7.5.3) */
#define PCIE_CAPABILITIES               0x02
#define PCIE_DEVICE_CAP                 0x04
#define PCIE_DEVICE_CAP_FLR             BIT(28)
#define PCIE_DEVICE_CONTROL             0x08
#define PCIE_DEVICE_CONTROL_ERRORS      BITS(3, 0) /* correctable, non-fatal, fatal, unsupported */
#define PCIE_DEVICE_CONTROL_PHANTOM     BIT(9)
#define PCIE_DEVICE_CONTROL_NO_SNOOP    BIT(11)
#define PCIE_DEVICE_CONTROL_FLR         BIT(15)
#define PCIE_DEVICE_STATUS              0x0a
#define PCIE_DEVICE_STATUS_PENDING      BIT(5)
#define PCIE_LINK_CAP                   0x0c
#define PCIE_LINK_CAP_SPEED(cap)        FIELD(cap, 3, 0) /* 1: 2.5 GT/s, 2: 5 GT/s, ... */
#define PCIE_LINK_CAP_ACTIVE            BIT(20) /* Link Status tells whether the link is up */
#define PCIE_LINK_CONTROL               0x10
#define PCIE_LINK_STATUS                0x12
#define PCIE_LINK_STATUS_ACTIVE         BIT(13)
#define PCIE_ROOT_CONTROL               0x1c
#define PCIE_ROOT_CONTROL_SYSTEM_ERRORS BITS(2, 0)
#define PCIE_DEVICE_CAP2                0x24
#define PCIE_DEVICE_CAP2_ARI            BIT(5)
#define PCIE_DEVICE_CONTROL2            0x28
#define PCIE_DEVICE_CONTROL2_ARI        BIT(5)

/* What no function that a guest may have is allowed to do. */
#define PCIE_DEVICE_CONTROL_FORBIDDEN                                                              \
    (PCIE_DEVICE_CONTROL_ERRORS | PCIE_DEVICE_CONTROL_PHANTOM | PCIE_DEVICE_CONTROL_NO_SNOOP)

#define PCIE_TYPE_ENDPOINT        0x0
#define PCIE_TYPE_LEGACY          0x1
#define PCIE_TYPE_ROOT_PORT       0x4
#define PCIE_TYPE_UPSTREAM        0x5
#define PCIE_TYPE_DOWNSTREAM      0x6
#define PCIE_TYPE_TO_PCI_BRIDGE   0x7
#define PCIE_TYPE_FROM_PCI_BRIDGE 0x8
#define PCIE_TYPE_INTEGRATED      0x9
#define PCIE_TYPE_EVENT_COLLECTOR 0xa /* of a root complex */
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
#define MSI_CONTROL         0x02
#define MSI_CONTROL_ENABLE  BIT(0)
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
#define SRIOV_CONTROL_ARI       BIT(4)
#define SRIOV_INITIAL_VFS       0x0c
#define SRIOV_TOTAL_VFS         0x0e
#define SRIOV_NUM_VFS           0x10
#define SRIOV_FIRST_OFFSET      0x14
#define SRIOV_STRIDE            0x16
#define SRIOV_VF_DEVICE_ID      0x1a
#define SRIOV_SUPPORTED_PAGES   0x1c
#define SRIOV_SYSTEM_PAGE       0x20
#define SRIOV_VF_BAR0           0x24
#define SRIOV_SIZE              0x40
