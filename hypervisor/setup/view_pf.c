/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of SR-IOV on a PF that it drives (PCIe 9.3.3): a capability of plain registers.
 * The card's own, its VFs and where they lie were set at boot and stay. A driver needs more than
 * the capability: VFs that answer once it has set VF Enable, and addresses for their BARs.
 */
#include "hypervisor/base/log.h"
#include "hypervisor/pci/config_access.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/view.h"

#define VIRTUAL_SRIOV PCI_LEGACY_SIZE /* its place: the first and last extended capability */
#define FIRST_DEVICE  16              /* for VFs, behind all slots */
#define BUS_FUNCTIONS (PCI_DEVICES * PCI_FUNCTIONS)
#define PAGE_SIZE_4K  BIT(0)
#define STRIDE        1

#define VF_CAP_PCIE     0x40
#define VF_PCIE_VERSION 2
#define VF_ROLE_BASED   BIT(15) /* Role-Based Error Reporting, which every function has */

_Static_assert(FIRST_DEVICE > GUEST_MAX_FUNCTIONS, "no slot is a VF's");

static enum status refuse(const struct assignment *assignment, const char *message)
{
    return assignment_refuse(assignment->guest, assignment->function, STATUS_FULL, message);
}

/* Behind the VFs of other cards that the guest drives. */
static unsigned first_vf(const struct guest *guest)
{
    unsigned first = FIRST_DEVICE * PCI_FUNCTIONS;
    for (unsigned i = 0; i < guest->assignment_count; i++) {
        const struct function_view *view = guest->assignments[i]->function->view;
        if (view != NULL && view->vf_count != 0)
            first = MAX(first, view->vf_first + view->vf_count);
    }
    return first;
}

/* Behind everything that is there. */
static uint64_t window_start(const struct guest *guest)
{
    uint64_t start = MAX(guest->bar_windows[0].base, guest->bar_windows[0].vfs_end);
    for (unsigned i = 0; i < guest->assignment_count; i++)
        for (unsigned number = 0; number < PCI_BARS; number++) {
            const struct guest_bar *bar = &guest->assignments[i]->bars[number];
            if (bar->size != 0 && bar->guest_base < GUEST_BAR_END)
                start = MAX(start, bar->guest_base + bar->size);
        }
    return start;
}

/* A BAR register is sized by writing ones: only the bits of an address can be written. */
static bool add_bar(struct function_view *view, unsigned offset, const struct pci_bar *bar,
                    uint64_t base)
{
    uint64_t address = ~(bar->size - 1);
    uint32_t flags = (bar->is_64bit ? PCI_BAR_TYPE_64 : 0) |
                     (bar->prefetchable ? (uint32_t)PCI_BAR_PREFETCH : 0);
    return view_add(view, offset, (uint32_t)base | flags, (uint32_t)address) &&
           (!bar->is_64bit ||
            view_add(view, offset + 4, (uint32_t)(base >> 32), (uint32_t)(address >> 32)));
}

static enum status add_bars(struct assignment *assignment, struct function_view *view,
                            const struct sriov *sriov)
{
    struct guest *guest = assignment->guest;
    uint64_t end = window_start(guest);
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &sriov->vf_bar[i];
        unsigned offset = VIRTUAL_SRIOV + SRIOV_VF_BAR0 + 4 * i;
        bool upper = i > 0 && sriov->vf_bar[i - 1].size != 0 && sriov->vf_bar[i - 1].is_64bit;
        if (bar->size == 0) {
            if (!upper && !view_add(view, offset, 0, 0))
                return STATUS_FULL;
            continue;
        }
        uint64_t base = ALIGN_UP(end, bar->size);
        if (base < end || base > GUEST_BAR_END ||
            bar->size > (GUEST_BAR_END - base) / sriov->num_vfs)
            return refuse(assignment, "the window of its VFs' registers does not fit into the "
                                      "guest's device window; ask for fewer VFs");
        end = base + bar->size * sriov->num_vfs;
        if (!add_bar(view, offset, bar, base))
            return STATUS_FULL;
    }
    guest->bar_windows[0].vfs_end = end;
    return STATUS_OK;
}

/* Every register of the capability, in their order: view_shows_vf() counts on it. */
static enum status add_capability(struct assignment *assignment, struct function_view *view,
                                  const struct sriov *sriov)
{
    const uint32_t control =
        (uint32_t)(SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY | SRIOV_CONTROL_ARI);
    const unsigned at = VIRTUAL_SRIOV;
    uint32_t vfs = sriov->num_vfs, self = assignment->slot * PCI_FUNCTIONS;
    uint32_t id = pci_read16(sriov->pf->rid, sriov->pf->cap_sriov + SRIOV_VF_DEVICE_ID);
    view->sriov = view->count;
    if (!view_add(view, at, 1u << 16 | PCI_EXT_CAP_SRIOV, 0) || !view_add(view, at + 4, 0, 0) ||
        !view_add(view, at + SRIOV_CONTROL, 0, control) ||
        !view_add(view, at + SRIOV_INITIAL_VFS, vfs << 16 | vfs, 0) ||
        /* Function Dependency Link: on itself alone, which Linux takes to be the whole low byte. */
        !view_add(view, at + SRIOV_NUM_VFS, self << 16, 0xffff) ||
        !view_add(view, at + SRIOV_FIRST_OFFSET, STRIDE << 16 | (view->vf_first - self), 0) ||
        !view_add(view, at + (SRIOV_VF_DEVICE_ID & ~3u), id << 16, 0) ||
        !view_add(view, at + SRIOV_SUPPORTED_PAGES, PAGE_SIZE_4K, 0) ||
        !view_add(view, at + SRIOV_SYSTEM_PAGE, PAGE_SIZE_4K, 0))
        return STATUS_FULL;
    return add_bars(assignment, view, sriov);
}

/* Enough for an operating system to list it: a network card's class, no BARs (they follow from the
 * PF's), no interrupts, no ids, as every VF. */
static bool add_vf(struct function_view *view, const struct pci_function *pf)
{
    const unsigned vf = VIEW_OF_VF;
    return view_add(view, vf + PCI_VENDOR_ID, UINT32_MAX, 0) &&
           view_add(view, vf + PCI_COMMAND, (uint32_t)PCI_STATUS_CAPS << 16, 0) &&
           view_add(view, vf + PCI_CLASS_REVISION, pci_read32(pf->rid, PCI_CLASS_REVISION), 0) &&
           view_add(view, vf + PCI_SUBSYSTEM, pci_read32(pf->rid, PCI_SUBSYSTEM), 0) &&
           view_add(view, vf + PCI_CAP_POINTER, VF_CAP_PCIE, 0) &&
           view_add(view, vf + VF_CAP_PCIE, VF_PCIE_VERSION << 16 | PCI_CAP_PCIE, 0) &&
           view_add(view, vf + VF_CAP_PCIE + PCIE_DEVICE_CAP,
                    (uint32_t)(PCIE_DEVICE_CAP_FLR | VF_ROLE_BASED), 0);
}

enum status view_add_vfs(struct assignment *assignment, const struct sriov *sriov)
{
    struct function_view *view = view_of(assignment->function);
    unsigned first = first_vf(assignment->guest);
    if (view == NULL)
        return STATUS_NO_MEMORY;
    if (sriov->num_vfs > BUS_FUNCTIONS - first)
        return refuse(assignment, "the guest's bus has no room for so many VFs; ask for fewer");
    view->vf_first = first;
    view->vf_count = sriov->num_vfs;
    enum status status = add_capability(assignment, view, sriov);
    if (status != STATUS_OK)
        return status;
    return add_vf(view, sriov->pf) ? STATUS_OK : STATUS_FULL;
}
