/* SPDX-License-Identifier: MIT */
/* Configuration space answers wherever a VF's registers are. Whether they can be reached where they
 * were placed, only reading one of them tells. */
#include "hypervisor/setup/pci_sriov_ids.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/base/mmio.h"
#include "hypervisor/memory/address_space.h"
#include "hypervisor/memory/firmware_map.h"
#include "hypervisor/pci/config_access.h"

#define ALL_ONES        0xffffffffu
#define WORDS           4 /* that are read of a BAR without the MSI-X table */
#define MSIX_BAR(value) ((value) & 7u)
#define VECTOR_CONTROL                                                                             \
    12 /* of MSI-X table entry 0: its reserved bits are never all ones (7.7.2.7) */

/* The registers to read: side effects have none of them, as far as that can be known of a device
 * that nobody has described. */
static uint64_t first_register(const struct pci_function *vf, unsigned number, unsigned *words)
{
    const struct pci_bar *bar = &vf->bar[number];
    uint32_t table = vf->cap_msix != 0 ? pci_read32(vf->rid, vf->cap_msix + MSIX_TABLE) : 0;
    uint64_t offset = (table & ~UINT32_C(7)) + (uint64_t)VECTOR_CONTROL;
    bool has_table = vf->cap_msix != 0 && MSIX_BAR(table) == number && offset + 4 <= bar->size;
    *words = has_table ? 1 : WORDS;
    return bar->base + (has_table ? offset : 0);
}

/* True when any of them reads as something else than all ones, which is what an access gives that
 * nobody answers. */
static bool answers(uint64_t address, unsigned words)
{
    uintptr_t registers = map_device(address, words * sizeof(uint32_t));
    bool any = false;
    for (unsigned i = 0; registers != 0 && i < words && !any; i++)
        any = mmio_read32(registers + i * sizeof(uint32_t)) != ALL_ONES;
    if (registers != 0)
        unmap(registers, words * sizeof(uint32_t));
    return any;
}

bool sriov_registers_answer(const struct sriov *sriov, const struct pci_function *vf)
{
    for (unsigned i = 0; i < PCI_BARS; i++) {
        unsigned words;
        if (vf->bar[i].size == 0)
            continue;
        uint64_t address = first_register(vf, i, &words);
        if (answers(address, words))
            continue;
        log_event("sriov.refused",
                  "pf=%s rid=%s bar=%u base=%#lx address=%#lx value=%#x message=\"nothing answers "
                  "where the VF's registers were placed: the root bridge above does not forward "
                  "these addresses; let the firmware place them (SR-IOV and 4G decoding on in its "
                  "set-up), or use another slot\"",
                  rid_text(sriov->pf->rid).text, rid_text(vf->rid).text, i, vf->bar[i].base,
                  address, ALL_ONES);
        return false;
    }
    return true;
}
