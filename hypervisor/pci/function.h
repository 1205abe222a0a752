/* SPDX-License-Identifier: MIT */
/* PCI functions: what is known of each, and the table of all. */
#pragma once

#include "hypervisor/memory/frames.h"
#include "hypervisor/pci/bars.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/life.h"
#include "hypervisor/pci/reset.h"
#include "hypervisor/pci/saved.h"
#include "hypervisor/pci/rid.h"

struct pci_function {
    rid_t rid;
    uint16_t vendor, device;
    uint32_t class_code; /* base << 16 | sub << 8 | interface */
    uint8_t header_type; /* without the multi-function bit */
    bool is_bridge;      /* PCI-to-PCI bridge, root and switch ports included */
    bool is_vf;
    uint8_t secondary_bus, subordinate_bus; /* bridges */
    uint8_t pcie_type;            /* device/port type of the PCIe capability, 0xff without one */
    struct pci_bar bar[PCI_BARS]; /* of a VF: its share of the PF's VF BARs */
    /* offsets in configuration space, 0 when absent */
    uint16_t cap_pm, cap_msi, cap_msix, cap_pcie, cap_af;
    uint16_t cap_sriov, cap_ari, cap_acs, cap_ats;
    bool has_flr;                  /* as DEVCAP says, unless setup/pci_known.c knows better */
    uint8_t firmware_bus;          /* the number of its bus before setup/pci_buses.c changed it */
    struct pci_function *bridge;   /* the bridge it sits behind, NULL on a root bus */
    struct pci_function *pf;       /* of a VF */
    uint16_t vf_index;             /* of a VF, from 0 */
    const struct acs_group *group; /* pci/acs.h; NULL: nobody else is in it */
    uint16_t num_vfs; /* of a PF that is split, else 0; and SR-IOV Control as it was set */
    uint16_t sriov_control;
    bool no_peer_to_peer; /* by its maker's word, though without ACS (setup/pci_known.c) */
    bool flash_bar;       /* a BAR leads to the flash of the option ROM */
    enum pci_life life;   /* changed by pci_life_set() only */
    bool firmware_master; /* firmware left bus mastering on, and no reset has come since */
    owner_t owner;        /* OWNER_HYPERVISOR, OWNER_GUEST(n) or OWNER_NOBODY */
    enum pci_reset_method reset_method; /* the one that has worked; PCI_RESET_NONE: not known yet */
    /* Mapped when a guest first got the function, and kept. */
    uintptr_t msix_table;
    uint64_t msix_table_base, msix_table_size; /* physical; bytes that are mapped */
    uintptr_t reset_registers; /* of an xHCI, which can reset itself by them, or 0 */
    bool in_reset;        /* its registers are in `saved`; of a bridge: its bus is being reset */
    bool link_was_active; /* of a bridge, before that */
    struct pci_saved saved;
    /* For the prompt, written at boot (setup/words.h): what the configuration calls it, "-" if it
     * does not; how its row of `devices` begins; what kind of device it is; its record of `map`. */
    char name[40], row[40], words[24], record[144];
    struct function_view *view; /* what its guest finds written down (assign/view.h), or NULL */
};

#define PCI_MAX_FUNCTIONS 2048

/* A PCI-to-PCI bridge, or one to something else (host, ISA). */
static inline bool pci_is_bridge(const struct pci_function *function)
{
    return function->is_bridge || function->class_code >> 16 == 0x06;
}

/* A VF's PF; any other function itself. */
static inline const struct pci_function *pci_physical(const struct pci_function *function)
{
    return function->is_vf && function->pf != NULL ? function->pf : function;
}

/* Root ports and downstream ports of switches: one link below them, to one device. */
static inline bool pci_is_downstream_port(const struct pci_function *function)
{
    return function->pcie_type == PCIE_TYPE_ROOT_PORT ||
           function->pcie_type == PCIE_TYPE_DOWNSTREAM;
}

/* The function and every bridge on its way to the root. It ends: a bridge is in the table before
 * what is behind it. */
#define PCI_FOR_EACH_UPWARD(at, from)                                                              \
    for (const struct pci_function *at = (from); at != NULL; at = at->bridge)

/* Whether the bridge is on the function's way to the root; false for the bridge itself. */
static inline bool pci_is_behind(const struct pci_function *function,
                                 const struct pci_function *bridge)
{
    PCI_FOR_EACH_UPWARD (above, function->bridge)
        if (above == bridge)
            return true;
    return false;
}

/* Filled in at boot (setup/pci_functions.c). Entries never move: others keep pointers to them
 * (`bridge`, `pf`, a guest's devices). */
extern struct pci_function_table {
    struct pci_function *order[PCI_MAX_FUNCTIONS]; /* by rising requester id */
    size_t count;                                  /* of `order` */
} pci_functions;

size_t pci_function_count(void);
struct pci_function *pci_function_at(size_t index); /* NULL past the end */
struct pci_function *pci_function_find(rid_t rid);

/* Offset of Device Control 2, which came with version 2 of the PCIe capability (PCIe 7.5.3.16); 0
 * without it, or without the capability. */
uint16_t pci_device_control2(rid_t rid, uint16_t cap_pcie);
/* Command register. The bridges above get the decoding and mastering bits of `set` as well. */
void pci_command_set(const struct pci_function *function, uint16_t set, uint16_t clear);
/* Bus mastering of one function; a VF's own bit. */
void pci_bus_master(const struct pci_function *function, bool on);
