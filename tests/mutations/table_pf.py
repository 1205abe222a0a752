# SPDX-License-Identifier: MIT
"""Mutations of PFs that nobody drives or a guest does; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

CONFIG = "hypervisor/config/config_owners.c"
LIFECYCLE = "hypervisor/guest/lifecycle.c"
LOST = "hypervisor/guest/pf_lost.c"
PFS = "hypervisor/setup/pfs.c"
RESET = "hypervisor/pci/reset.c"
SRIOV = "hypervisor/pci/sriov.c"
VIEW = "hypervisor/assign/view.c"
VIEW_PF = "hypervisor/setup/view_pf.c"
VIEW_VENDOR = "hypervisor/setup/view_vendor.c"
VIRTUAL_CONFIG = "hypervisor/vdev/virtual_config.c"

PF_MUTATIONS = (
    # --- who has the card ---
    Mutation("card-of-another", "only the guest that drives a card has it whole, and no VF of it",
             (Edit(CONFIG, "nic->driver != DRIVER_GUEST || owner == device->whole", "nic->driver != DRIVER_GUEST || owner || device->whole"),),
             (Unit("test_config_owners", failed("test_others_want_the_card")),)),
    Mutation("owner-without-card", "a guest that drives a card has it",
             (Edit(CONFIG, "        else if (!has_whole(&config->guests[owner], i))\n", "        else if (!has_whole(&config->guests[owner], i) && i >= CONFIG_MAX_NICS)\n"),),
             (Unit("test_config_owners", failed("test_owners_that_cannot_be")),)),
    Mutation("owned-card-not-reset", "nothing of the card's last owner reaches the guest that drives it",
             (Edit(PFS, "config->driver == DRIVER_GUEST ? clean(function) : STATUS_OK", "config->owner == CONFIG_NO_GUEST ? clean(function) : STATUS_OK"),),
             (Unit("test_nics", failed("a_pf_that_a_guest_drives")),)),
    Mutation("undriven-registers-free", "the registers of a PF that nobody drives are the hypervisor's",
             (Edit(PFS, "config->driver != DRIVER_GUEST && !own_registers(function)", "config->driver == DRIVER_OURS && !own_registers(function)"),),
             (Unit("test_nics", failed("a_pf_that_nobody_drives")),)),
    Mutation("owned-card-moved", "a card whose VFs others have stays with the guest that drives it",
             (Edit("hypervisor/guest/move.c", "    if (function->num_vfs != 0)\n", "    if (function->num_vfs > UINT8_MAX)\n"),),
             (Unit("test_pf_owner", failed("the_card_stays_with_it")),)),

    # --- what it sees ---
    Mutation("view-all-writable", "of what was written down a guest changes only what it may",
             (Edit(VIRTUAL_CONFIG, "(prepared->value & ~prepared->writable) | (value & prepared->writable)", "value"),),
             (Unit("test_virtual_sriov", failed("the_card_never_hears_of_it")), Unit("test_view_vendor", failed("they_take_no_writes")))),
    Mutation("view-kept", "the next run of a guest finds the virtual capability as it was at first",
             (Edit(VIEW, "        view->registers[i].value = view->registers[i].reset;\n", "        view->registers[i].value |= view->registers[i].reset;\n"),),
             (Unit("test_virtual_sriov", failed("vfs_come_and_go")),)),
    Mutation("vfs-beyond-the-last", "a guest sees no more VFs than there are, whatever NumVFs it writes",
             (Edit(VIEW, "rid - view->vf_first < view->vf_count &&\n", "view->vf_count != 0 &&\n"),),
             (Unit("test_virtual_sriov", failed("vfs_come_and_go")),)),
    Mutation("vfs-before-enable", "VFs appear when VF Enable is set",
             (Edit(VIEW, "(sriov[SRIOV_CONTROL / 4].value & SRIOV_CONTROL_VF_ENABLE) != 0", "view->count != 0"),),
             (Unit("test_virtual_sriov", failed("vfs_come_and_go")),)),
    Mutation("vf-window-unclaimed", "where the VFs' registers seem to lie is nobody else's",
             (Edit(VIEW_PF, "    guest->bar_windows[0].vfs_end = end;\n", ""),),
             (Unit("test_virtual_sriov", failed("the_window_is_empty")),)),
    Mutation("virtio-window-shown", "no capability leads from configuration space to BARs",
             (Edit(VIEW_VENDOR, "pci_read8(function->rid, offset + VIRTIO_TYPE) == VIRTIO_TYPE_CONFIG", "offset == 0"),),
             (Unit("test_view_vendor", failed("the_window_is_not_there")),)),
    Mutation("virtio-past-the-iommu", "no guest gets a virtio device that may go past the IOMMU",
             (Edit("hypervisor/setup/virtio.c", "features != UINT32_MAX && (features & ACCESS_PLATFORM) != 0", "features != 0"),),
             (Unit("test_virtio", failed("the_feature_decides")),)),
    Mutation("vendor-length-believed", "a capability's length says no more than there is",
             (Edit(VIEW_VENDOR, "length <= VENDOR_LENGTH || size > PCI_LEGACY_SIZE - cursor", "length == 0"),),
             (Unit("test_view_vendor", failed("what_cannot_be_shown")),)),

    # --- its end ---
    Mutation("owner-ends-alone", "the guests of a card end with the guest that drives it (owner_lost = reset)",
             (Edit(LOST, "        if (is_ending(manager) && pf->ends_with_manager)\n", "        if (is_ending(manager) && manager == guest)\n"),),
             (Unit("test_pf_owner", failed("their_guests_end_with_it")),)),
    Mutation("quarantine-forgotten", "its VFs are blocked when it ends (owner_lost = quarantine)",
             (Edit(LOST, "(is_ending(manager) && !pf->ends_with_manager)", "manager->state == GUEST_EMPTY"),),
             (Unit("test_pf_owner", failed("their_vfs_are_blocked")),)),
    Mutation("lost-owner-trusted", "VFs are blocked when the guest that drives their card is lost",
             (Edit(LOST, "(manager->state == GUEST_LOST ||", "(manager->state == GUEST_EMPTY ||"),),
             (Unit("test_pf_owner", failed("a_lost_owner_is_no_owner")),)),
    Mutation("started-while-card-resets", "no guest starts on a VF whose card is being reset",
             (Edit(LIFECYCLE, " || pf_ending_manager(guest) != NULL)\n", ")\n"),),
             (Unit("test_pf_owner", failed("nobody_starts_meanwhile")),)),
    Mutation("card-reset-under-vfs", "a card is not reset while a guest has one of its VFs",
             (Edit(RESET, "        if (!pci_vfs_connected(function))\n", "        if (function->num_vfs != 0)\n"),),
             (Unit("test_pf_owner", failed("a_vf_that_is_not_given_back")),)),
    Mutation("vfs-not-enabled-again", "a reset of the card leaves SR-IOV as it was set at boot",
             (Edit(RESET, "        pci_sriov_restore(function);\n", ""),),
             (Unit("test_pf_owner", failed("their_guests_end_with_it")),)),
    Mutation("vf-acs-lost", "VFs that a reset of the card has made again have their ACS bits",
             (Edit(SRIOV, "        acs_enable(vf);\n", ""),),
             (Unit("test_pf_owner", failed("their_guests_end_with_it")),)),
    Mutation("sriov-believed", "a card that does not take SR-IOV back after its reset is not used again",
             (Edit(RESET, "        return pci_sriov_holds(function)\n", "        return function->num_vfs != 0\n"),),
             (Unit("test_pf_owner", failed("a_card_that_does_not_enable_them_again")),)),
    Mutation("audit-blind-to-sriov", "the audit sees that a card makes other VFs than it was told to at boot",
             (Edit("hypervisor/audit/audit_pf.c", "audit_settled(pf) && !pci_sriov_holds(pf)", "audit_settled(pf) && pf->cap_sriov == 0"),),
             (Unit("test_audit_pf", failed("what_makes_vfs_is_changed")),)),
)
