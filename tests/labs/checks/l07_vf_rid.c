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
/* L7, step 1: the requester id of a VF. */
#include "tests/labs/checks/sriov_bench.h"

static const char *name(rid_t rid)
{
    static char texts[4][24];
    static unsigned next;
    char *text = texts[next++ % ARRAY_SIZE(texts)];
    strcpy(text, rid_text(rid).text);
    return text;
}

static void ask(rid_t of, uint16_t offset, uint16_t stride, uint16_t index)
{
    struct pci_function function = {.rid = of};
    struct sriov one = {.pf = &function, .first_offset = offset, .stride = stride, .num_vfs = 8};
    asking("sriov_vf_rid(VF %u)", index);
    rid_t got = sriov_vf_rid(&one, index);
    uint32_t sum = (of & 0xffff) + offset + (uint32_t)stride * index;
    rid_t wanted = (of & 0xffff0000) | (sum & 0xffff);
    if (got == wanted)
        return;
    const char *why =
        "First VF Offset + index * VF Stride are added to the PF's own id (PCIe 9.2.1.2)";
    if (sum > 0xffff && got == (of & 0xffff0000) + sum)
        why = "the sum has 16 bits: it does not carry into the segment above them";
    else if ((got >> 16) != (wanted >> 16))
        why = "bits 31:16 are the PCI segment, and a VF is in its PF's";
    else if (got == ((of & 0xffff0000) | ((sum - (of & 0xffff)) & 0xffff)))
        why = "the two are relative to the PF: its own id is not in the sum";
    else if (index != 0 && got == sriov_vf_rid(&one, (uint16_t)(index - 1)))
        why = "two VFs have the same id: the stride is not multiplied by the index";
    else if (got == ((of & 0xffff0000) | ((sum + stride) & 0xffff)))
        why = "one stride too many: VF 0 is at First VF Offset itself";
    else if (index != 0 && got == ((of & 0xffff0000) | ((sum - stride) & 0xffff)))
        why = "one stride too few: indices begin at 0, and VF 1 is one stride behind VF 0";
    else if ((got & 0xff) == (wanted & 0xff))
        why = "the sum carries from device and function into the bus number";
    is_wrong("VF %u of PF %s with First VF Offset %#x and VF Stride %u: expected %s, got %s; %s",
             index, name(of), offset, stride, name(wanted), name(got), why);
}

void lab_check(void)
{
    struct model_sriov card = igb_capability();
    for (uint16_t i = 0; i < 8; i++)
        ask(RID(0, 1, 0, 0), card.first_offset, card.stride, i);
    ask(RID(0, 3, 0, 1), 0x180, 4, 0); /* another function of the card */
    ask(RID(0, 1, 0, 0), 0xfe, 1, 1);  /* 01:1f.7, and the next is on another bus */
    ask(RID(0, 1, 0, 0), 0xfe, 1, 2);
    ask(RID(0, 1, 0, 0), (uint16_t)(0x100 + card.first_offset), card.stride, 3);
    ask(RID(2, 0x40, 0, 0), card.first_offset, card.stride, 5);
    ask(RID(0, 1, 0, 4), 4, 4, 3);       /* bits that both have */
    ask(RID(1, 0xff, 0, 0), 0xff, 1, 1); /* past bus 255, which id_problem() refuses */
}
