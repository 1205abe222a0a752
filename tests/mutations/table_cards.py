# SPDX-License-Identifier: MIT
"""Mutations of what differs between cards and machines: the PF driver against the model of two kinds of card, devices that
are known by their ids, IOMMUs that need something else, and what firmware's tables say; see table.py."""

from .kinds import Edit, Mutation, Unit, failed

START = "drivers/igb/setup/igb_start.c"
LINK = "drivers/igb/setup/igb_link.c"
KINDS = "drivers/igb/setup/igb_kinds.c"
FILTER = "drivers/igb/igb_filter.c"
VF = "drivers/igb/igb_vf.c"
IOMMU = "hypervisor/setup/iommu_init.c"
RESERVED = "hypervisor/setup/iommu_reserved.c"
QUIRKS = "hypervisor/setup/iommu_quirks.c"
DIRECTORY = "hypervisor/acpi/directory.c"
AMD = "hypervisor/setup/amd_iommu.c"


def kinds(test: str) -> tuple[Unit]:
    return (Unit("test_igb_kinds", failed(test)),)


CARD_MUTATIONS = (
    # --- the switch of either kind ---
    Mutation("mac-forged-on-any-card", "a VF cannot send from another's MAC address",
             (Edit(START, "control |= IGB_DTXSWC_MAC_SPOOF(vf) | IGB_DTXSWC_VLAN_SPOOF(vf);", "control |= IGB_DTXSWC_VLAN_SPOOF(vf);"),),
             kinds("forged_addresses_go_nowhere")),
    Mutation("vlan-forged-on-any-card", "a VF cannot send into a VLAN that it is not in",
             (Edit(START, "control |= IGB_DTXSWC_MAC_SPOOF(vf) | IGB_DTXSWC_VLAN_SPOOF(vf);", "control |= IGB_DTXSWC_MAC_SPOOF(vf);"),),
             kinds("a_vlan_is_for_its_members")),
    Mutation("last-vf-forges", "that holds for every VF, the last one too",
             (Edit(START, "for (unsigned vf = 0; vf < device->vfs; vf++)\n        control |=", "for (unsigned vf = 0; vf + 1 < device->vfs; vf++)\n        control |="),),
             kinds("forged_addresses_go_nowhere")),
    Mutation("switch-without-loopback", "what one VF sends another stays in the card",
             (Edit(START, "uint64_t control = IGB_DTXSWC_LOOPBACK, drop = 0;", "uint64_t control = 0, drop = 0;"),),
             kinds("vfs_reach_each_other_and_nobody_else_listens")),
    Mutation("i350-protected-by-the-82576s-register", "the I350's switch is told by its own register",
             (Edit(KINDS, "    .switch_control = IGB_TXSWC,\n", "    .switch_control = IGB_DTXSWC,\n"),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("default-pool", "a frame for nobody goes to no VF",
             (Edit(START, "                  IGB_VT_CTL_NO_DEFAULT_POOL | IGB_VT_CTL_REPLICATION);", "                  IGB_VT_CTL_REPLICATION);"),),
             kinds("vfs_reach_each_other_and_nobody_else_listens")),
    Mutation("no-replication", "a broadcast reaches every VF",
             (Edit(START, "                  IGB_VT_CTL_NO_DEFAULT_POOL | IGB_VT_CTL_REPLICATION);", "                  IGB_VT_CTL_NO_DEFAULT_POOL);"),),
             kinds("vfs_reach_each_other_and_nobody_else_listens")),
    Mutation("vlan-filter-off", "the VLAN filter is on before frames come in",
             (Edit(START, "IGB_RCTL_ENABLE | IGB_RCTL_LONG | IGB_RCTL_BROADCAST | IGB_RCTL_VLAN_FILTER |", "IGB_RCTL_ENABLE | IGB_RCTL_LONG | IGB_RCTL_BROADCAST |"),),
             (Unit("test_igb", failed("the_switch_is_set_up_for_isolation")),)),
    Mutation("vlan-members-kept", "a VF that has left a VLAN gets nothing of it",
             (Edit(FILTER, "pools = member ? pools | own : pools & ~own;", "pools |= own;"),),
             kinds("a_vlan_is_for_its_members")),
    Mutation("vlan-write-lost", "an I350 that loses writes to its VLAN table gets them often enough",
             (Edit(KINDS, ".vlan_writes = 10", ".vlan_writes = 9"),),
             kinds("a_vlan_is_for_its_members")),
    Mutation("group-promiscuous", "a VF gets only the groups that it has asked for",
             (Edit(FILTER, "#include \"drivers/igb/igb_port.h\"\n", "#include \"drivers/igb/igb_port.h\"\n#undef IGB_VMOLR_UNTAGGED\n#define IGB_VMOLR_UNTAGGED (BIT(24) | BIT(28))\n"),),
             kinds("long_frames_and_groups_are_asked_for")),
    Mutation("firmwares-addresses-kept", "addresses that firmware's driver left lead to no VF",
             (Edit(START, "for (unsigned i = 1; i < facts->receive_addresses; i++) {", "for (unsigned i = 1; i < 16; i++) {"),),
             kinds("vfs_reach_each_other_and_nobody_else_listens")),
    Mutation("strip-bits-of-the-82576", "no reserved bit of an I350 is written",
             (Edit(KINDS, ", .has_dvmolr = true}", "}"),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("replication-register-of-the-82576", "no register that an I350 lacks is written",
             (Edit(KINDS, "    .receive_addresses = 32,\n", "    .receive_addresses = 32,\n    .has_rplolr = true,\n"),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("neighbours-vectors-cleared", "resetting a VF of an I350 leaves its neighbour's interrupts alone",
             (Edit(VF, "UINT64_C(0xffff) << (16 * (vf % 2u))", "UINT64_C(0xffffffff)"),),
             kinds("a_neighbour_keeps_its_vectors")),
    Mutation("queues-of-the-82576", "an I350 has one queue a pool, and only eight",
             (Edit(KINDS, ".kind = {.queues = 8,", ".kind = {.queues = 16,"),),
             kinds("every_card_comes_up_lawfully")),

    # --- the PHY and the link ---
    Mutation("phy-without-semaphore", "the PHY is shared with the card's firmware by its semaphores",
             (Edit(LINK, "    if (!own_phy(device, true))\n", "    if (device == NULL)\n"),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("phy-never-given-back", "and is given back",
             (Edit(LINK, "    (void)own_phy(device, false);\n", ""),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("firmwares-phy-taken", "the PHY is not taken from firmware",
             (Edit(LINK, "busy = own ? bit | bit << 16 : 0;", "busy = own ? bit : 0;"),),
             kinds("firmware_keeps_the_phy")),
    Mutation("left-semaphore-respected", "what a driver of firmware's left taken is taken over",
             (Edit(LINK, "            busy &= ~bit;\n", "            busy &= ~0u;\n"),),
             kinds("what_a_driver_left_is_taken_over")),
    Mutation("link-stays-disconnected", "the link of an I350 comes up although firmware's driver took it down",
             (Edit(LINK, "        igb_update(device, IGB_PHPM, IGB_PHPM_LINK_OFF, 0);\n", ""),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("laser-off", "the laser of a fibre port is on",
             (Edit(LINK, "    igb_update(device, IGB_CTRL_EXT, IGB_CTRL_EXT_SDP3, 0);\n", ""),),
             kinds("every_card_comes_up_lawfully")),
    Mutation("backplane-negotiates", "1000BASE-KX is not negotiated",
             (Edit(LINK, "(kx ? IGB_PCS_LCTL_FORCED : negotiate)", "(kx && sgmii ? IGB_PCS_LCTL_FORCED : negotiate)"),),
             kinds("every_card_comes_up_lawfully")),

    # --- devices by their ids ---
    Mutation("ports-vouched-for-unasked", "only functions whose maker says so keep to themselves without ACS",
             (Edit("hypervisor/setup/pci_known.c", "            function->device <= known[i].last)", "            function->device <= (known[i].last | 0xff))"),),
             (Unit("test_acs", failed("makers_vouch_for_some")),)),
    Mutation("makers-word-not-needed", "functions of a device that may talk to each other go to one guest",
             (Edit("hypervisor/pci/acs.c", "return !pci_physical(from)->no_peer_to_peer && !redirects(", "return pci_physical(from)->no_peer_to_peer && !redirects("),),
             (Unit("test_acs", failed("siblings_need_acs_of_their_own")),)),

    # --- units ---
    Mutation("translation-before-contexts", "firmware's devices have their context entries when translation comes on",
             (Edit(RESERVED, "        connect(function);\n", "        if (vtd_unit_of(function) != NULL && vtd_unit_of(function)->translating)\n            connect(function);\n"),),
             (Unit("test_vtd_translate", failed("translation_comes_after_their_context_entries")),)),
    Mutation("mastering-before-translation", "bus mastering comes back behind a unit that translates, only",
             (Edit(RESERVED, "        if (!vtd_unit_of(function)->translating) {", "        if (vtd_unit_of(function) == NULL) {"),),
             (Unit("test_vtd_translate", failed("a_unit_that_stays_off_gives_nothing_back")),)),
    Mutation("left-unit-touched", "a unit that is to be left is not touched",
             (Edit(IOMMU, "    return unit->answers && !vtd_unit_is_left(unit);", "    return unit->answers;"),),
             (Unit("test_iommu_quirks", failed("the_user_may_leave_the_graphics_unit")),)),
    Mutation("left-unit-of-others", "a unit with more than graphics behind it translates whatever the user says",
             (Edit(QUIRKS, "        if (function->class_code >> 16 != CLASS_DISPLAY)\n            return false;\n", "        if (function->class_code >> 16 != CLASS_DISPLAY)\n            continue;\n"),),
             (Unit("test_iommu_quirks", failed("the_user_may_leave_the_graphics_unit")),)),
    Mutation("lost-interrupts-remapped", "chipsets that lose remapped interrupts do not remap",
             (Edit(QUIRKS, "        no_remapping = message;\n", "        no_remapping = NULL;\n"),),
             (Unit("test_iommu_quirks", failed("chipsets_that_lose_remapped_interrupts")),)),
    Mutation("write-buffer-not-flushed", "units that do not say so get their write buffer flushed",
             (Edit(QUIRKS, "        vtd.unit[i].capability |= VTD_CAP_RWBF;\n", "        vtd.unit[i].capability |= 0;\n"),),
             (Unit("test_iommu_quirks", failed("graphics_that_fail_when_translated")),)),

    # --- tables ---
    Mutation("checksum-unsaid", "a wrong checksum is said",
             (Edit(DIRECTORY, "    if (sum != 0)\n", "    if (sum != 0 && memory == NULL)\n"),),
             (Unit("test_acpi", failed("test_bad_tables_are_left_out")),)),
    Mutation("tables-crowded-out", "dozens of tables of one name do not crowd the others out",
             (Edit(DIRECTORY, "    if (is_listed(memory, directory, physical)) {", "    if (is_listed(memory, directory, physical) && physical == 0) {"),),
             (Unit("test_acpi", failed("test_seventy_ssdts_before_the_dmar")),)),
    Mutation("amd-unit-left-on", "an AMD-Vi unit that firmware left on does not go on using memory",
             (Edit(AMD, "    bool quiet = !on || switch_off(registers, control);", "    bool quiet = !on || control != 0 || switch_off(registers, control);"),),
             (Unit("test_amd_iommu", failed("what_firmware_left_on_goes_off")),)),
    Mutation("amd-logs-go-on", "its logs have ended before translation does",
             (Edit(AMD, "    mmio_write64(registers + CONTROL, control & ~CONTROL_QUEUES);\n", ""),),
             (Unit("test_amd_iommu", failed("what_firmware_left_on_goes_off")),)),
)
