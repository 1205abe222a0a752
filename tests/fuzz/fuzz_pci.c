/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_roots.c hypervisor/setup/pci_buses.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/msix.c hypervisor/pci/reset.c hypervisor/pci/saved.c
// SOURCES: hypervisor/pci/life.c hypervisor/pci/acs.c hypervisor/setup/pci_acs.c
// SOURCES: hypervisor/pci/sriov.c hypervisor/pci/bars.c
// SOURCES: hypervisor/base/format.c hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: tests/unit/support/clock.c tests/unit/support/pages.c
// SOURCES: hypervisor/setup/pci_known.c
/* A device's configuration space is outside data: capability lists, BARs, the SR-IOV capability and
 * the MSI-X layout come from the fuzzer's bytes. Byte 0 chooses what is done, byte 1 how many VFs,
 * byte 2 the size of the BARs; the rest is configuration space. */
#include <string.h>

#include "hypervisor/pci/reset_xhci.h"
#include "boot/pci/silence.h"
#include "hypervisor/pci/config_space.h"
#include "hypervisor/pci/function.h"
#include "hypervisor/pci/msix.h"
#include "hypervisor/pci/acs.h"
#include "hypervisor/pci/discovery.h"
#include "hypervisor/setup/pci.h"
#include "hypervisor/setup/pci_buses.h"
#include "hypervisor/setup/pci_ram.h"
#include "hypervisor/setup/pci_sriov.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/model/pci_model.h"

#define SKELETON  0x01 /* link the capabilities properly, only their contents are the fuzzer's */
#define MIRROR    0x02 /* VFs answer with the same bytes */
#define ROOT_BUS  0x04
#define AS_BRIDGE 0x08
#define NO_ARI    0x10 /* of the port, whose neighbour has the next bus */

/* There is no xHCI to halt or to reset. */
void xhci_halt(const struct pci_function *function)
{
    (void)function;
    fuzz_check(false);
}

void xhci_reset(const struct pci_function *function)
{
    (void)function;
    fuzz_check(false);
}

bool xhci_is_reset(const struct pci_function *function)
{
    (void)function;
    fuzz_check(false);
    return false;
}

static const struct mcfg mcfg = {.count = 1, .segment = {{.base = 0xe0000000, .end_bus = 3}}};

static void link_capabilities(struct model_function *function)
{
    static const uint8_t standard[][2] = {
        {0x40, PCI_CAP_PM}, {0x50, PCI_CAP_MSIX}, {0x60, PCI_CAP_PCIE}, {0xa0, PCI_CAP_AF}};
    static const uint16_t extended[][2] = {
        {0x100, 1}, {0x150, PCI_EXT_CAP_ARI}, {0x160, PCI_EXT_CAP_SRIOV}, {0x1a0, PCI_EXT_CAP_ACS}};
    for (size_t i = 0; i < ARRAY_SIZE(standard); i++)
        model_capability(function, standard[i][0], (uint8_t)standard[i][1]);
    for (size_t i = 0; i < ARRAY_SIZE(extended); i++)
        model_extended(function, extended[i][0], extended[i][1]);
}

/* What the fuzzer left zero becomes what an 82576 has, so that short inputs get far. */
static void fill_in(struct model_function *function)
{
    static const struct {
        uint16_t offset;
        uint8_t width;
        uint32_t value;
    } fields[] = {
        {0x52, 2, 2},
        {0x54, 4, 3},
        {0x58, 4, 0x2003},
        {0x62, 2, 2},
        {0x64, 4, 1u << 28},
        {0xa3, 1, 3},
        {0x1c, 4, 0xc0000004},
        {0x160 + 0x0c, 2, 8},
        {0x160 + 0x0e, 2, 8},
        {0x160 + 0x14, 2, 0x80},
        {0x160 + 0x16, 2, 2},
        {0x160 + 0x1a, 2, 0x10ca},
        {0x160 + 0x1c, 4, 0x553},
        {0x160 + 0x24, 4, 12},
        {0x160 + 0x30, 4, 12},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (model_get(function, fields[i].offset, fields[i].width) == 0)
            model_put(function, fields[i].offset, fields[i].width, fields[i].value);
}

static void limit_bars(struct model_function *function, unsigned offset, unsigned shift)
{
    for (unsigned i = 0; i < PCI_BARS && offset + 4 * i + 4 <= 4096; i++)
        model_writable(function, offset + 4 * i, 4, 0xfffffff0u << shift);
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

static void check_msix(const struct pci_function *function)
{
    struct msix_layout layout;
    if (msix_layout_read(function, &layout) != STATUS_OK)
        return;
    const struct pci_bar *bar = &function->bar[layout.table_bar];
    fuzz_check(layout.vectors >= 1 && layout.vectors <= 2048 && !bar->io);
    fuzz_check(layout.table_offset + layout.vectors * UINT64_C(16) <= bar->size);
}

static void check_vfs(const struct sriov *sriov)
{
    fuzz_check(sriov->num_vfs >= 1 && sriov->num_vfs <= sriov->total_vfs);
    for (uint16_t i = 0; i < sriov->num_vfs; i++) {
        fuzz_check(sriov_vf_rid(sriov, i) != sriov->pf->rid);
        fuzz_check(i == 0 || sriov_vf_rid(sriov, i) > sriov_vf_rid(sriov, i - 1));
    }
    for (unsigned i = 0; i < PCI_BARS; i++) {
        const struct pci_bar *bar = &sriov->vf_bar[i];
        uint64_t size = bar->size * sriov->num_vfs;
        if (size == 0)
            continue;
        fuzz_check(!bar->io && bar->size >= PAGE_SIZE && bar->base % bar->size == 0);
        fuzz_check(!pci_overlaps_ram(bar->base, size));
        fuzz_check(!overlap(bar->base, size, 0xe0000000, MIB(4)));
        for (unsigned j = 0; j < i; j++)
            fuzz_check(!overlap(bar->base, size, sriov->vf_bar[j].base,
                                sriov->vf_bar[j].size * sriov->num_vfs));
        for (unsigned j = 0; j < PCI_BARS; j++)
            fuzz_check(sriov->pf->bar[j].io || sriov->pf->bar[j].base == 0 ||
                       !overlap(bar->base, size, sriov->pf->bar[j].base, sriov->pf->bar[j].size));
    }
}

static void use_sriov(struct model_function *model, struct pci_function *function, uint16_t vfs,
                      bool mirrored)
{
    struct sriov sriov;
    if (sriov_probe(function, &sriov) != STATUS_OK || sriov_enable(&sriov, vfs) != STATUS_OK)
        return;
    check_vfs(&sriov);
    model_mirror(mirrored ? model : NULL);
    size_t before = pci_function_count();
    if (sriov_verify(&sriov) == STATUS_OK) {
        fuzz_check(pci_function_count() == before + vfs);
        for (size_t i = before; i < pci_function_count(); i++)
            check_msix(pci_function_at(i));
        fuzz_check(sriov_disable(&sriov) == STATUS_OK);
    }
    model_mirror(NULL);
    fuzz_check(pci_function_count() == before);
    fuzz_check((model_get(model, function->cap_sriov + SRIOV_CONTROL, 2) & 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    unsigned flags = data[0];
    uint16_t vfs = (uint16_t)(1 + data[1] % 16);
    model_clear();
    model_frame(0, GIB(2), OWNER_NOBODY);
    struct model_function *port = model_bridge(RID(0, 0, 1, 0), 1, 2);
    model_pcie(port, 0x54, PCIE_TYPE_ROOT_PORT, false);
    if ((flags & NO_ARI) != 0) {
        model_put(port, 0x54 + PCIE_DEVICE_CAP2, 4, 0);
        model_put(port, PCI_SUBORDINATE_BUS, 1, 1);
    }
    model_window(port, false, 0xc0000000, 0xc00fffff);
    model_window(port, true, UINT64_C(0x800000000), UINT64_C(0x8000fffff));
    rid_t rid = (flags & ROOT_BUS) != 0 ? RID(0, 0, 2, 0) : RID(0, 1, 0, 0);
    struct model_function *model = model_raw(rid, data + 3, size - 3);
    if (model_get(model, 0, 2) == 0xffff || model_get(model, 0, 2) == 0)
        model_put(model, 0, 2, 0x8086);
    model_put(model, 0x0e, 1, (flags & AS_BRIDGE) != 0 ? 1 : 0);
    if ((flags & SKELETON) != 0) {
        link_capabilities(model);
        fill_in(model);
        limit_bars(model, 0x160 + SRIOV_VF_BAR0, data[2] >> 4);
        for (unsigned field = SRIOV_INITIAL_VFS; field < SRIOV_SYSTEM_PAGE; field++)
            model->writable[0x160 + field] = 0;
        model_writable(model, 0x160 + SRIOV_NUM_VFS, 2, 0xffff);
    }
    limit_bars(model, PCI_BAR0, data[2] & 15);
    struct config config = {.nic_count = 1, .nics = {{.rid = rid, .vfs = vfs}}};
    if (pci_enumerate(&mcfg, &config) != STATUS_OK)
        return 0;
    pci_buses_make_room(&config, &mcfg);
    rid = config.nics[0].rid;
    fuzz_check(model_stale() == 0);
    acs_enable_all();
    struct pci_function *function = pci_function_find(rid);
    fuzz_check(function != NULL);
    fuzz_check(function->is_bridge || pci_is_chipset_display(function->rid, function->class_code) ||
               (model_get(model, PCI_COMMAND, 2) & 4) == 0);
    const struct pci_function *culprit;
    for (size_t i = 0; pci_function_at(i) != NULL; i++) {
        fuzz_check(acs_reaches(function, pci_function_at(i), &culprit) == (culprit != NULL));
        fuzz_check(acs_reaches(pci_function_at(i), function, &culprit) == (culprit != NULL));
    }
    check_msix(function);
    if (!function->is_bridge)
        use_sriov(model, function, vfs, (flags & MIRROR) != 0);
    (void)!pci_function_reset(function);
    fuzz_check(function->is_bridge || pci_is_chipset_display(function->rid, function->class_code) ||
               (model_get(model, PCI_COMMAND, 2) & 4) == 0);
    fuzz_check(model_violations() == 0);
    return 0;
}
