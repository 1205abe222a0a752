/* SPDX-License-Identifier: MIT */
/*
 * Errors that a function reports travel up as messages and can end as SERR, NMI or a machine check
 * of the whole machine (PCIe 6.2). A guest provokes them at will: with an access that its function
 * does not support, or a request that the IOMMU or ACS stops. So functions report nothing, and what
 * their ports see of them reaches nobody. The price: what a port finds on its own link or inside
 * itself (surprise down, flow control, receiver overflow) reaches nobody either, because the root
 * raises neither a system error nor an interrupt for any message; AER's status registers keep it.
 * Runs once; a reset restores what it finds.
 */
#include "hypervisor/setup/pci_errors.h"

#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci_capabilities.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_aer.h"

/* Uncorrectable errors (PCIe 7.8.4.3). All that a function has: nothing that happens inside of one
 * guest's function matters to anybody else. */
#define UNCORRECTABLE (BITS(5, 4) | BITS(25, 12))
/* At a port: those that a request or completion from below makes. Its own link's and its own
 * inside (data link protocol, surprise down, flow control, receiver overflow, internal) are not. */
#define FROM_BELOW                                                                                 \
    (ERROR_POISONED | ERROR_TIMEOUT | ERROR_ABORT | ERROR_UNEXPECTED | ERROR_MALFORMED |           \
     ERROR_ECRC | ERROR_UNSUPPORTED | ERROR_ACS | BITS(25, 23))
#define ERROR_POISONED   BIT(12)
#define ERROR_TIMEOUT    BIT(14)
#define ERROR_ABORT      BIT(15)
#define ERROR_UNEXPECTED BIT(16)
#define ERROR_MALFORMED  BIT(18)
#define ERROR_ECRC       BIT(19)
#define ERROR_ACS        BIT(21)
/* Correctable errors (7.8.4.6): receiver, bad TLP and DLLP, replay, advisory, internal, overflow */
#define CORRECTABLE (BIT(0) | BITS(8, 6) | BITS(15, 12))

static bool is_root(const struct pci_function *function)
{
    return function->pcie_type == PCIE_TYPE_ROOT_PORT ||
           function->pcie_type == PCIE_TYPE_EVENT_COLLECTOR;
}

/* The error messages of one function, and at a port those of all below it. */
static void silence(const struct pci_function *function)
{
    rid_t rid = function->rid;
    unsigned express = function->cap_pcie;
    pci_update16(rid, PCI_COMMAND, PCI_COMMAND_SERR, 0);
    if (function->is_bridge)
        pci_update16(rid, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CONTROL_SERR, 0);
    if (express == 0)
        return;
    pci_update16(rid, express + PCIE_DEVICE_CONTROL, PCIE_DEVICE_CONTROL_ERRORS, 0);
    if (is_root(function) && express + PCIE_ROOT_CONTROL + 2 <= PCI_LEGACY_SIZE)
        pci_update16(rid, express + PCIE_ROOT_CONTROL, PCIE_ROOT_CONTROL_SYSTEM_ERRORS, 0);
    unsigned aer = pci_extended_capability_find(rid, PCI_EXT_CAP_AER);
    if (aer == 0)
        return;
    pci_aer_mask(function, aer, function->is_bridge ? FROM_BELOW : UNCORRECTABLE,
                 function->is_bridge ? ERROR_ADVISORY : CORRECTABLE);
    if (is_root(function) && aer + AER_ROOT_COMMAND + 4 <= PCI_CONFIG_SIZE)
        pci_config_write(rid, aer + AER_ROOT_COMMAND, 4,
                         pci_read32(rid, aer + AER_ROOT_COMMAND) &
                             (uint32_t)~AER_ROOT_COMMAND_INTERRUPTS);
}

void pci_errors_silence(void)
{
    const struct pci_function *function;
    size_t functions = 0, ports = 0;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        /* What a host or ISA bridge reports is the machine's own: memory, the chipset. */
        if (!pci_is_bridge(function) || function->is_bridge)
            silence(function);
        functions += !pci_is_bridge(function);
        ports += function->is_bridge;
        pci_errors_chipset(function);
    }
    log_event("pci.errors", "functions=%zu ports=%zu reporting=off", functions, ports);
}
