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
/* L7, step 4: VF BARs are sized once the page size is set, and each is placed for all VFs. */
#include "tests/labs/checks/sriov_bench.h"

static enum status bring_up(uint16_t vfs)
{
    expect(sriov_probe(pf, &sriov) == STATUS_OK, "sriov_probe() refuses the card: %s", refusal());
    asking("place_bars(%u VFs)", vfs);
    return sriov_enable(&sriov, vfs);
}

void lab_check(void)
{
    struct model_sriov card = igb_capability();
    machine_with(&card);
    model_put(device, card.offset + SRIOV_SYSTEM_PAGE, 4, 0x10); /* firmware left 64 KiB */
    expect(bring_up(4) == STATUS_OK, "the VF BARs of the model's card were not placed: %s",
           refusal());
    uint32_t page = model_get(device, card.offset + SRIOV_SYSTEM_PAGE, 4);
    expect(page == 1, "System Page Size is %#x; bit 0 alone is 4 KiB (PCIe 9.3.3.13)", page);
    expect(sriov.vf_bar[0].size != 0, "the VF BARs were not sized: their sizes are still 0");
    expect(sriov.vf_bar[0].size == 0x4000,
           "VF BAR 0 was sized as %u KiB, and is 16 KiB with a system page of 4 KiB: firmware had "
           "left 64 KiB there, so size after the page size is set (PCIe 9.3.3.13)",
           (unsigned)(sriov.vf_bar[0].size >> 10));
    for (unsigned i = 0; i < 2; i++) {
        const unsigned bar = i * 3;
        uint64_t written =
            model_get(device, card.offset + SRIOV_VF_BAR0 + 4 * bar, 4) & ~UINT32_C(0xf);
        written |= (uint64_t)model_get(device, card.offset + SRIOV_VF_BAR0 + 4 * bar + 4, 4) << 32;
        expect(written >= UINT64_C(0x800000000) && written + 4 * 0x4000 <= UINT64_C(0x800100000),
               "VF BAR %u is at 0x%llx; it must be placed inside the port's window, and this one "
               "was left out",
               bar, (unsigned long long)written);
    }
    expect_lawful("after the BARs were placed");

    card = igb_capability();
    card.bar[0].base = 0xc01fc000; /* the window's last 16 KiB */
    machine_with(&card);
    expect(bring_up(8) == STATUS_OK, "BARs that firmware placed badly were not moved: %s",
           refusal());
    expect(sriov.vf_bar[0].base == UINT64_C(0x800000000),
           "8 VFs at %#llx: all but the first would lie behind the port's window; place for all "
           "VFs, not for one",
           (unsigned long long)sriov.vf_bar[0].base);

    card = igb_capability();
    card.bar[3].size = GIB(64);
    machine_with(&card);
    expect(bring_up(2) != STATUS_OK,
           "a VF BAR of 64 GiB fits nowhere here, and no error came of it: the status of each "
           "place_bar() counts, also that of the last");
    card = igb_capability();
    card.bar[0].size = GIB(64);
    machine_with(&card);
    expect(bring_up(2) != STATUS_OK,
           "VF BAR 0 of 64 GiB fits nowhere here, and the next one's success hides it");

    card = igb_capability();
    card.supported_pages = 0x553;
    machine_with(&card);
    expect(sriov_probe(pf, &sriov) == STATUS_OK, "sriov_probe() refuses the card: %s", refusal());
    model_writable(device, card.offset + SRIOV_SYSTEM_PAGE, 4, 0);
    model_put(device, card.offset + SRIOV_SYSTEM_PAGE, 4, 0x10);
    asking("place_bars() with a stubborn card");
    expect(sriov_enable(&sriov, 2) != STATUS_OK,
           "a PF that keeps System Page Size at 64 KiB was accepted: read back what was written");
    expect(
        host_log_count("sriov.refused", "system page") == 1,
        "a PF that keeps System Page Size at 64 KiB was refused, and a line sriov.refused should "
        "say so with the words \"system page\": sriov_refuse(); it says: %s",
        refusal());
}
