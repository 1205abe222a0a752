# SPDX-License-Identifier: MIT
"""L7: a PF is switched into SR-IOV."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

IDS = "hypervisor/setup/pci_sriov_ids.c"
SRIOV = "hypervisor/setup/pci_sriov.c"


def vfs_of(seed: int) -> int:
    return 2 + seed % 6


def config(seed: int) -> str:
    return ("# One card and two guests on its first virtual functions.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {vfs_of(seed)}\n\n" +
            "\n".join(f"[guest {name}]\nimage  = ping.elf\nmemory = {16 + 16 * ((seed + i) % 2)}M\ndevice = uplink.vf{i}\n"
                      f"args   = ip=10.0.0.{1 + i} peer=10.0.0.{2 - i} count=50 mode=msix limit=60\nexpect = exit 0\n"
                      for i, name in enumerate(("alpha", "beta"))))


def ids_as_predicted(run) -> str | None:
    """VF ids of QEMU's 82576: First VF Offset 80h, VF Stride 2, PF 01:00.0."""
    wanted = [f"01:{(0x80 + 2 * i) >> 3:02x}.{(0x80 + 2 * i) & 7}" for i in range(8)]
    for line in run.events:
        if line.event == "sriov.vf" and line["rid"] != wanted[line.number("index")]:
            return (f"VF {line['index']} came up as {line['rid']}; First VF Offset 128 and VF Stride 2 put it at "
                    f"{wanted[line.number('index')]}")
    return None


def value(event: str, key: str, which: int = 0):
    def answer(run) -> str:
        lines = [line for line in run.events if line.event == event]
        return lines[which][key]
    return answer


LAB = Lab(
    name="L7", title="SR-IOV: one card becomes eight", hours=6, config=config,
    steps=(
        Step(1, IDS, "sriov_vf_rid", "return sriov->pf->rid;",
             "Return a VF's requester id: its PF's, plus First VF Offset, plus its index times VF Stride, in 16 bits of bus, "
             "device and function; the sum carries into the bus number. Bits 31:16 of a rid_t are the PCI segment and stay "
             "unchanged. PCIe 6.0, 9.2.1.2.", (Host("l07_vf_rid"),)),
        Step(2, IDS, "bus_problem", "return NULL;",
             "Return NULL, or say why a VF cannot be on that bus. The PF's own bus is always good. On any other bus, two things "
             "must hold. The bridge above the PF, if there is one, forwards the bus: it forwards those from its secondary to its "
             "subordinate bus number, both included (otherwise: \"not forwarded\"). And no bridge of the segment that does not "
             "lead to the PF (pci_is_behind()) has the bus in its range (otherwise: \"belongs to another bridge\"); a bridge "
             "whose secondary number is 0 is not configured and has no range. PCIe 6.0, 9.2.1.2 and 7.5.1.3.", (Host("l07_bus_problem"),)),
        Step(3, IDS, "id_problem", "return NULL;",
             "Return NULL, or say what is wrong with the id of VF `index`: the sum is above ffffh (\"past bus 255\"); another "
             "function has it (pci_function_find(): \"requester id of another function\"); it needs ARI, which the port above "
             "does not forward: without sriov->ari, on the PF's own bus, below a bridge that is not one from PCIe to PCI "
             "(PCIE_TYPE_TO_PCI_BRIDGE), only the PF's device number is reached (\"need ARI\"); or what bus_problem() returns. "
             "PCIe 6.0, 7.5.3.16, 9.2.1.2.", (Host("l07_id_problem"),)),
        Step(4, SRIOV, "place_bars", "return STATUS_UNSUPPORTED;",
             "Write System Page Size, 32 bits (4 KiB is bit 0), and read it back, since the size of a VF BAR depends on it. If "
             "it reads back as another value, call sriov_refuse() with STATUS_DEVICE and the words \"system page\". Then call "
             "pci_bars_size() from SRIOV_VF_BAR0 on into sriov->vf_bar, and place_bar() for each BAR that has a size, until one "
             "fails. PCIe 6.0, 9.3.3.13, 9.3.3.14.", (Host("l07_place_bars"),)),
        Step(5, SRIOV, "sriov_enable", "return STATUS_UNSUPPORTED;",
             "Refuse a PF that a guest owns or that already has VFs (STATUS_BUSY), and a count outside 1 to the lesser of "
             "TotalVFs and InitialVFs (STATUS_INVALID, and a line sriov.refused with the message \"%u VFs requested; 1 to %u are "
             "possible\"). Then call, in this order: vfs_off(), placement_release(), sriov_enable_ari(), set_count(), "
             "sriov_check_ids(), place_bars(). If one fails, call placement_release() and clear_count(). Otherwise the PF "
             "becomes the hypervisor's, num_vfs is stored here and in the PF, the PF's memory decoding is on, VF Enable and VF "
             "MSE are set in one write, pf->sriov_control keeps the register, and sriov->ready is 100 ms from now "
             "(deadline_in(), VF_READY_TIME). PCIe 6.0, 9.3.3.3 and 9.3.3.9.", (Host("l07_enable"),)),
    ),
    whole=(Machine("tcg", "lab", ids_as_predicted),),
    units=("test_sriov",),
    questions=(
        Question("last-vf", "What is the requester id of the last VF in your configuration? (sriov.vf)",
                 lambda run: [line for line in run.events if line.event == "sriov.vf"][-1]["rid"]),
        Question("bar0", "What is the address of VF 1's registers? (sriov.vf)", value("sriov.vf", "bar0", 1)),
    ),
    mistakes=(
        Mistake("stride-not-multiplied", 1, (Edit(IDS, "rid_t sriov_vf_rid(const struct sriov *sriov, uint16_t index)\n{\n    uint32_t id = (sriov->pf->rid & 0xffff) + sriov->first_offset + (uint32_t)sriov->stride * index;",
                "rid_t sriov_vf_rid(const struct sriov *sriov, uint16_t index)\n{\n    uint32_t id = (sriov->pf->rid & 0xffff) + sriov->first_offset + (index ? sriov->stride : 0u);"),),
                r"VF 2 of PF 01:00\.0 .*expected 01:10\.4, got 01:10\.2; two VFs have the same id"),
        Mistake("index-from-1", 1, (Edit(IDS, "(uint32_t)sriov->stride * index;\n    return (sriov", "(uint32_t)sriov->stride * (index + 1u);\n    return (sriov"),),
                r"VF 0 .*expected 01:10\.0, got 01:10\.2; one stride too many"),
        Mistake("pf-not-in-the-sum", 1, (Edit(IDS, "    uint32_t id = (sriov->pf->rid & 0xffff) + sriov->first_offset", "    uint32_t id = 0u + sriov->first_offset"),),
                r"expected 01:10\.0, got 00:10\.0; the two are relative to the PF"),
        Mistake("no-carry", 1, (Edit(IDS, "    return (sriov->pf->rid & 0xffff0000) | (id & 0xffff);", "    return (sriov->pf->rid & 0xffffff00) | (id & 0xff);"),),
                r"got 0\d:.*the sum carries"),
        Mistake("segment-lost", 1, (Edit(IDS, "    return (sriov->pf->rid & 0xffff0000) | (id & 0xffff);", "    return id & 0xffff;"),),
                r"bits 31:16 are the PCI segment"),
        Mistake("carry-into-the-segment", 1, (Edit(IDS, "    return (sriov->pf->rid & 0xffff0000) | (id & 0xffff);", "    return (sriov->pf->rid & 0xffff0000) + id;"),),
                r"the sum has 16 bits: it does not carry into the segment"),
        Mistake("subordinate-excluded", 2, (Edit(IDS, "bus > pf->bridge->subordinate_bus))", "bus >= pf->bridge->subordinate_bus))"),),
                r"bus 3 behind a port that forwards 1 to 3: refused, but the subordinate bus number is the last one"),
        Mistake("not-forwarded", 2, (Edit(IDS, "    if (pf->bridge != NULL &&\n        (bus < pf", "    if (pf->bridge == NULL &&\n        (bus < pf"),),
                r"bus 4 behind a port that forwards 1 to 3: accepted|purpose|reads or writes where nothing is|null pointer"),
        Mistake("other-bridges-ignored", 2, (Edit(IDS, "            bus <= other->subordinate_bus)\n", "            bus < other->secondary_bus)\n"),),
                r"bus 1 is behind a port: accepted, but that bus lies behind a bridge"),
        Mistake("own-bridges-counted", 2, (Edit(IDS, "            !pci_is_behind(pf, other) && other->secondary_bus != 0", "            other->secondary_bus != 0"),),
                r"refused, but .*(its port forwards that bus|a bridge above the PF)"),
        Mistake("other-segments-counted", 2, (Edit(IDS, "RID_SEGMENT(other->rid) == RID_SEGMENT(pf->rid) &&\n            !pci_is_behind", "\n            !pci_is_behind"),),
                r"bus 2, which a bridge of another segment has: refused, but each segment has 256 buses"),
        Mistake("unconfigured-bridge-counted", 2, (Edit(IDS, "other->secondary_bus != 0 && bus >=", "bus >="),),
                r"secondary bus number is 0: refused, but that bridge is not configured"),
        Mistake("other-bridges-only-on-the-root-bus", 2, (Edit(IDS, "    const struct pci_function *other;\n    for (size_t i = 0; (other = pci_function_at(i)) != NULL; i++)\n        if (other->is_bridge &&",
                "    const struct pci_function *other;\n    for (size_t i = 0; pf->bridge == NULL && (other = pci_function_at(i)) != NULL; i++)\n        if (other->is_bridge &&"),),
                r"a bridge beside the PF has it: accepted, but both rules hold for every PF"),
        Mistake("other-words", 2, (Edit(IDS, "the VF's bus number is not forwarded by the bridge above, whose range", "the bridge above does not forward the VF's bus number, and its range"),),
                r"bus 4 .*it should be refused with .not forwarded., since the port above .*it says: .*the bridge above does not forward"),
        Mistake("id-cut-to-16-bits", 3, (Edit(IDS, "    if (id > 0xffff)\n        return \"VF requester", "    if ((id & 0xffff) > 0xffff)\n        return \"VF requester"),),
                r"accepted, but the sum is above ffffh|should be refused with .past bus 255., since the sum is above ffffh"),
        Mistake("collision-unseen", 3, (Edit(IDS, "    if (pci_function_find(rid) != NULL)\n", "    if (rid == 0)\n"),),
                r"First VF Offset 0: accepted, but VF 0 would have the id of its own PF"),
        Mistake("ari-unasked", 3, (Edit(IDS, "    if (!sriov->ari && pf->bridge != NULL && pf", "    if (sriov->ari && pf->bridge != NULL && pf"),),
                r"refused, but (nothing is wrong|with ARI)"),
        Mistake("ari-on-other-buses", 3, (Edit(IDS, "        RID_BUS(rid) == RID_BUS(pf->rid) && RID_DEVICE", "        RID_DEVICE"),),
                r"another bus behind a port without ARI: refused, but ARI is about the bus of the PF"),
        Mistake("ari-below-pci", 3, (Edit(IDS, " && pf->bridge->pcie_type != PCIE_TYPE_TO_PCI_BRIDGE", ""),),
                r"device 10h behind a bridge from PCIe to PCI: refused, but a PCI bus has 32 devices"),
        Mistake("id-before-the-sum", 3, (Edit(IDS, "    if (id > 0xffff)\n        return \"VF requester ids run past bus 255\";\n    rid_t rid = sriov_vf_rid(sriov, index);\n    if (pci_function_find(rid) != NULL)\n        return \"a VF would have the requester id of another function\";\n",
                "    rid_t rid = sriov_vf_rid(sriov, index);\n    if (pci_function_find(rid) != NULL)\n        return \"a VF would have the requester id of another function\";\n    if (id > 0xffff)\n        return \"VF requester ids run past bus 255\";\n"),),
                r"it should be refused with .past bus 255., since .*it says: .*requester id of another function"),
        Mistake("page-size-unset", 4, (Edit(SRIOV, "    pci_config_write(pf->rid, pf->cap_sriov + SRIOV_SYSTEM_PAGE, 4, (uint32_t)PAGE_SIZE_4K);\n", ""),),
                r"were not placed: .*system page|System Page Size is"),
        Mistake("page-size-in-bytes", 4, (Edit(SRIOV, "SRIOV_SYSTEM_PAGE, 4, (uint32_t)PAGE_SIZE_4K);", "SRIOV_SYSTEM_PAGE, 4, 4096);"),),
                r"were not placed: .*system page|System Page Size is"),
        Mistake("page-size-not-read-back", 4, (Edit(SRIOV, "    if (page != PAGE_SIZE_4K)\n", "    if (page == 0)\n"),),
                r"keeps System Page Size at 64 KiB was accepted: read back"),
        Mistake("page-size-refused-in-silence", 4, (Edit(SRIOV, "        return sriov_refuse(pf, SRIOV_SYSTEM_PAGE, page, STATUS_DEVICE,\n                            \"the PF does not take a 4 KiB system page\");", "        return STATUS_DEVICE;"),),
                r"was refused, and a line sriov.refused should say so with the words .system page."),
        Mistake("sized-before-the-page-size", 4, (Edit(SRIOV, "    /* VF BARs are at least a system page (PCIe 9.3.3.13)", "    pci_bars_size(pf->rid, pf->cap_sriov + SRIOV_VF_BAR0, PCI_BARS, sriov->vf_bar);\n    /* VF BARs are at least a system page (PCIe 9.3.3.13)"),
                Edit(SRIOV, "system page\");\n    pci_bars_size(pf->rid, pf->cap_sriov + SRIOV_VF_BAR0, PCI_BARS, sriov->vf_bar);", "system page\");")),
                r"VF BAR 0 was sized as 64 KiB, and is 16 KiB with a system page of 4 KiB.*so size after"),
        Mistake("absent-bars-placed", 4, (Edit(SRIOV, "        if (sriov->vf_bar[i].size != 0)\n            status = place_bar", "        status = place_bar"),),
                r"were not placed: sriov.refused .*value=0 message=.VFs would share a page"),
        Mistake("first-bar-only", 4, (Edit(SRIOV, "i < PCI_BARS && status == STATUS_OK; i++)\n        if (sriov->vf_bar[i].size != 0)\n            status", "i < 1 && status == STATUS_OK; i++)\n        if (sriov->vf_bar[i].size != 0)\n            status"),),
                r"VF BAR 3 is at 0x0; .*this one was left out"),
        Mistake("placed-for-one", 4, (Edit(SRIOV, "            status = place_bar(sriov, i, vfs);", "            status = place_bar(sriov, i, 1);"),),
                r"all but the first would lie behind the port's window; place for all VFs"),
        Mistake("last-status-wins", 4, (Edit(SRIOV, "i < PCI_BARS && status == STATUS_OK; i++)\n        if (sriov->vf_bar", "i < PCI_BARS; i++)\n        if (sriov->vf_bar"),),
                r"the next one's success hides it"),
        Mistake("count-unchecked", 5, (Edit(SRIOV, "    if (vfs == 0 || vfs > most) {", "    if (vfs == 0) {"),),
                r"9 VFs were accepted of a PF with TotalVFs 8"),
        Mistake("count-refused-in-silence", 5, (Edit(SRIOV, "        log_event(\"sriov.refused\",\n                  \"pf=%s offset=%#x value=%u message=\\\"%u VFs requested; 1 to %u are possible\\\"\",\n                  rid_text(pf->rid).text, pf->cap_sriov + SRIOV_TOTAL_VFS, sriov->total_vfs, vfs,\n                  most);\n", ""),),
                r"9 VFs were refused, and nobody is told"),
        Mistake("owner-unset", 5, (Edit(SRIOV, "    pf->owner = OWNER_HYPERVISOR;\n    sriov->num_vfs", "    sriov->num_vfs"),),
                r"the PF is not the hypervisor's"),
        Mistake("place-kept", 5, (Edit(SRIOV, "    if (status != STATUS_OK) {\n        placement_release(pf);\n", "    if (status != STATUS_OK) {\n"),),
                r"the first one's place is still reserved"),
        Mistake("firmware-vfs-left", 5, (Edit(SRIOV, "    vfs_off(pf);\n    placement_release(pf);\n    sriov->ari", "    placement_release(pf);\n    sriov->ari"),),
                r"with VFs that firmware had left on: refused: .*the device does not take the number of VFs"),
        Mistake("control-read-too-early", 5, (Edit(SRIOV, "    pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 0,\n                 SRIOV_CONTROL_VF_ENABLE", "    pf->sriov_control = read_field(sriov, SRIOV_CONTROL);\n    pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 0,\n                 SRIOV_CONTROL_VF_ENABLE"),
                Edit(SRIOV, "    pf->num_vfs = vfs;\n    pf->sriov_control = read_field(sriov, SRIOV_CONTROL);\n", "    pf->num_vfs = vfs;\n")),
                r"pf->sriov_control is 0x10, the register 0x19"),
        Mistake("initial-vfs-ignored", 5, (Edit(SRIOV, "    uint16_t most = MIN(sriov->total_vfs, sriov->initial_vfs);", "    uint16_t most = sriov->total_vfs;"),),
                r"5 VFs of a PF with InitialVFs 4 were accepted"),
        Mistake("enable-before-the-bars", 5, (Edit(SRIOV, "    if (status == STATUS_OK)\n        status = place_bars(sriov, vfs);\n    if (status != STATUS_OK) {\n        placement_release(pf);",
                "    pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, 0, SRIOV_CONTROL_VF_ENABLE);\n    if (status == STATUS_OK)\n        status = place_bars(sriov, vfs);\n    if (status != STATUS_OK) {\n        placement_release(pf);"),),
                r"the device minds: NumVFs, page size or VF BAR written while VF Enable is set"),
        Mistake("no-100-ms", 5, (Edit(SRIOV, "    sriov->ready = deadline_in(VF_READY_TIME);\n", ""),),
                r"after sriov_verify\(\): the device minds: VF accessed within 100 ms|100 ms must pass"),
        Mistake("vf-memory-off", 5, (Edit(SRIOV, "                 SRIOV_CONTROL_VF_ENABLE | SRIOV_CONTROL_VF_MEMORY);\n    pf->num_vfs", "                 SRIOV_CONTROL_VF_ENABLE);\n    pf->num_vfs"),),
                r"VF Memory Space Enable is clear"),
        Mistake("count-left", 5, (Edit(SRIOV, "        placement_release(pf);\n        clear_count(sriov);\n        return status;", "        placement_release(pf);\n        return status;"),),
                r"NumVFs is 2 and should be 0 again"),
        Mistake("ari-after-the-count", 5, (Edit(SRIOV, "    sriov->ari = sriov_enable_ari(pf);\n    enum status status = set_count(sriov, vfs);\n    if (status == STATUS_OK)\n        status = sriov_check_ids(sriov, vfs);",
                "    pci_update16(pf->rid, pf->cap_sriov + SRIOV_CONTROL, SRIOV_CONTROL_ARI, 0);\n    enum status status = set_count(sriov, vfs);\n    sriov->ari = sriov_enable_ari(pf);\n    if (status == STATUS_OK)\n        status = sriov_check_ids(sriov, vfs);"),),
                r"First VF Offset was read as 0x100; with ARI it is"),
    ),
)
