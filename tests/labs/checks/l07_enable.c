/* SPDX-License-Identifier: MIT */
// SOURCES: hypervisor/setup/pci_sriov.c hypervisor/setup/pci_sriov_ids.c
// SOURCES: hypervisor/setup/pci_roots.c
// SOURCES: hypervisor/setup/pci_enumerate.c hypervisor/pci/functions.c
// SOURCES: hypervisor/setup/pci_functions.c hypervisor/setup/pci_capabilities.c
// SOURCES: hypervisor/setup/pci_bars.c hypervisor/setup/pci_ram.c
// SOURCES: hypervisor/setup/pci_placement.c hypervisor/setup/pci_bridge_window.c
// SOURCES: hypervisor/pci/acs.c hypervisor/setup/pci_acs.c hypervisor/base/format.c
// SOURCES: hypervisor/base/status.c tests/unit/model/pci_model.c
// SOURCES: tests/unit/model/pci_routing.c
// SOURCES: hypervisor/setup/pci_known.c
/* L7, step 5: the order of PCIe 9.3.3. */
#include "hypervisor/setup/pci_placement.h"
#include "tests/labs/checks/sriov_bench.h"

static struct model_sriov card;

static uint32_t field(unsigned offset)
{
    return model_get(device, card.offset + offset, 2);
}

static void fresh(void)
{
    machine_with(&card);
    expect(sriov_probe(pf, &sriov) == STATUS_OK, "sriov_probe() refuses the card: %s", refusal());
}

static enum status enable(uint16_t vfs)
{
    asking("sriov_enable(%u VFs)", vfs);
    return sriov_enable(&sriov, vfs);
}

static void nothing_left(const char *after)
{
    expect((field(SRIOV_CONTROL) & SRIOV_CONTROL_VF_ENABLE) == 0, "%s: VF Enable is set", after);
    expect(field(SRIOV_NUM_VFS) == 0, "%s: NumVFs is %u and should be 0 again", after,
           field(SRIOV_NUM_VFS));
}

void lab_check(void)
{
    card = igb_capability();
    const uint16_t vfs = (uint16_t)seeded("vfs", 3, 8, 7);
    fresh();
    expect(enable(0) == STATUS_INVALID, "0 VFs were accepted: 1 is the least");
    expect(enable(9) == STATUS_INVALID, "9 VFs were accepted of a PF with TotalVFs 8");
    expect(enable(0x108) == STATUS_INVALID, "264 VFs were accepted: NumVFs has 16 bits");
    expect(host_log_count("sriov.refused", "9 VFs requested; 1 to 8 are possible") == 1,
           "9 VFs were refused, and nobody is told: sriov.refused with the message \"9 VFs "
           "requested; 1 to 8 are possible\" is missing");
    nothing_left("after counts that are refused");
    pf->owner = OWNER_NOBODY; /* sriov_probe() has taken it, and a disabled PF is given back */
    uint64_t before = clock_microseconds();
    expect(enable(vfs) == STATUS_OK, "%u of 8 VFs were refused: %s", vfs, refusal());
    expect_lawful("after sriov_enable()");
    expect(field(SRIOV_NUM_VFS) == vfs, "NumVFs is %u, %u were asked for", field(SRIOV_NUM_VFS),
           vfs);
    uint32_t control = field(SRIOV_CONTROL);
    expect((control & SRIOV_CONTROL_VF_ENABLE) != 0, "VF Enable is clear: there are no VFs");
    expect((control & SRIOV_CONTROL_VF_MEMORY) != 0,
           "VF Memory Space Enable is clear: the VFs' BARs do not decode");
    expect((control & SRIOV_CONTROL_ARI) != 0,
           "ARI Capable Hierarchy is clear, though port and card know ARI");
    expect((model_get(device, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) != 0,
           "the PF's own Memory Space Enable is clear: its driver reaches no register");
    expect(sriov.num_vfs == vfs && pf->num_vfs == vfs,
           "num_vfs is %u here and %u in the PF: later code counts on both", sriov.num_vfs,
           pf->num_vfs);
    expect(pf->sriov_control == control,
           "pf->sriov_control is %#x, the register %#x: the audit compares the two",
           pf->sriov_control, control);
    expect(pf->owner == OWNER_HYPERVISOR,
           "the PF is not the hypervisor's: pf->owner; a guest could be given it, with all VFs");
    expect(sriov_verify(&sriov) == STATUS_OK, "the VFs do not come up: %s", refusal());
    expect(clock_microseconds() - before >= 100000,
           "the first VF was accessed after %u us; 100 ms must pass after VF Enable (PCIe "
           "9.3.3.3.1): sriov->ready",
           (unsigned)(clock_microseconds() - before));
    expect_lawful("after sriov_verify()");
    expect(enable(vfs) == STATUS_BUSY, "sriov_enable() twice was accepted: the VFs are in use");

    card = igb_capability();
    card.first_offset_without_ari = 0x100;
    fresh();
    expect(enable(2) == STATUS_OK, "refused: %s", refusal());
    expect(sriov.first_offset == card.first_offset,
           "First VF Offset was read as %#x; with ARI it is %#x: set ARI before NumVFs, and read "
           "after both (9.3.3.9)",
           sriov.first_offset, card.first_offset);

    card = igb_capability();
    card.initial = 4;
    fresh();
    expect(enable(5) == STATUS_INVALID, "5 VFs of a PF with InitialVFs 4 were accepted");
    card = igb_capability();
    card.stride = 0;
    fresh();
    expect(enable(2) != STATUS_OK,
           "stride 0 with two VFs was accepted: sriov_check_ids() was not asked, or not heard");
    nothing_left("after a stride that is refused");
    card = igb_capability();
    card.bar[0].size = GIB(64);
    fresh();
    expect(enable(2) != STATUS_OK,
           "a VF BAR that fits nowhere was accepted: place_bars() was not asked, or not heard");
    nothing_left("after a BAR that fits nowhere");
    card = igb_capability();
    card.bar[3].size = GIB(64);
    fresh();
    const struct pci_function other = {.rid = RID(0, 1, 0, 1), .bridge = pf->bridge};
    expect(enable(2) != STATUS_OK, "a second VF BAR that fits nowhere was accepted");
    expect(sriov.vf_bar[0].base == 0 || placement_acceptable(&other, &sriov.vf_bar[0], 0x8000),
           "after a second BAR that fits nowhere the first one's place is still reserved, and "
           "another PF may not have it: placement_release()");
    card = igb_capability();
    fresh();
    model_put(device, card.offset + SRIOV_CONTROL, 2,
              SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY);
    expect(
        enable(2) == STATUS_OK,
        "with VFs that firmware had left on: refused: %s; NumVFs may not change under VF Enable: "
        "vfs_off() comes first (PCIe 9.3.3.7)",
        refusal());
    expect_lawful("with VFs that firmware had left on");
    pf->owner = OWNER_GUEST(0);
    sriov.num_vfs = 0;
    expect(enable(2) == STATUS_BUSY, "a PF that a guest owns was switched into SR-IOV");
}
