# SPDX-License-Identifier: MIT
"""L6: a function's message is an interrupt only with an entry for it, and a guest's message never reaches the device."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

ENTRY = "hypervisor/iommu/vtd_interrupt.c"
MSIX = "hypervisor/vdev/virtual_msix.c"
ENTRIES = Host("l06_entry")
MESSAGES = Host("l06_message")


def config(seed: int) -> str:
    vfs = 2 + seed % 6
    return ("# Two guests whose packets are announced by MSI-X, and one that ends while they talk: the audit runs then.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {vfs}\n\n" +
            "".join(f"[guest {name}]\nimage  = ping.elf\nmemory = {16 + 16 * ((seed + i) % 2)}M\ndevice = uplink.vf{(seed + i) % vfs}\n"
                    f"args   = ip=10.0.0.{1 + i} peer=10.0.0.{2 - i} count=100 gap=40000 mode=msix limit=100\nexpect = exit 0\n\n"
                    for i, name in enumerate(("alpha", "beta"))) +
            "[guest gamma]\nimage  = hello.elf\nmemory = 8M\nargs   = ticks=1500\nexpect = exit 0\n")


def entries_seen(run) -> int:
    return max((line.number("interrupts") for line in run.events if line.event == "audit.ok"), default=0)


def interrupts_arrive(run) -> str | None:
    """The guests look for packets when their timer ticks as well, so echoes alone show nothing."""
    for line in run.events:
        if line.event == "irq.fault":
            return f"a message of {line['rid']} that selects entry {line['index']} was blocked, reason {line['reason']} (VT-d 7.1)"
        if line.event == "irq.refused":
            return f"{line['guest']} got no interrupt for vector {line['vector']} of {line['rid']}: {line['message']}"
    if run.outcome().ok and entries_seen(run) < 2 and not any(line.event == "lab.todo" for line in run.events):
        return (f"{entries_seen(run)} interrupt remapping entries were present while alpha and beta exchanged packets; each has a vector. "
                "Without interrupts, echoes still arrive, because the guests also look for packets at every tick of their timers")
    return None


def rid_of(name: str):
    return lambda run: next(line["rid"] for line in run.events if line.event == "device.assigned" and line["guest"] == name)


LAB = Lab(
    name="L6", title="Interrupts: remapping and MSI-X", hours=6, config=config,
    steps=(
        Step(1, ENTRY, "entry_low", "return 0;",
             "Return the lower half of an entry: present, the vector, fixed delivery of an edge to one APIC by physical id, "
             "faults reported. With unit->eim the destination has 32 bits, otherwise 8, and they are not in the same place. VT-d "
             "5.0, 9.10.", (ENTRIES,)),
        Step(2, ENTRY, "entry_high", "return 0;",
             "Return the upper half: which function may use the entry, and that the unit compares all 16 bits of its id. A rid_t "
             "has the PCI segment in bits 31:16. VT-d 5.0, 9.10.", (ENTRIES,)),
        Step(3, ENTRY, "iommu_interrupt_allocate", "return STATUS_UNSUPPORTED;",
             "Refuse with STATUS_UNSUPPORTED: VT-d off, no unit for the function, a unit that does not remap, is not usable, or "
             "cannot name the APIC (destination_fits()). Refuse a vector below 16 with STATUS_INVALID. An entry is free when it "
             "is not present. Search all from VTD_INTERRUPT_FIRST to VTD_INTERRUPT_ENTRIES - 1, starting at unit->interrupt_hint "
             "and wrapping round; the hint is then set behind the entry found. If none is free: STATUS_FULL. The unit may look "
             "at the entry between any two writes. Publish the entry, invalidate it (the result is what invalidate_entry() "
             "returns), and only then return the message in *msi: remappable format, no subhandle. VT-d 5.0, 5.1.2.2, 6.5.2.7 "
             "and 9.10.", (ENTRIES,)),
        Step(4, ENTRY, "clear_entry", "(void)unit;\n(void)index;",
             "Remove an entry from the table: all of it becomes 0, and the unit must never see a present entry with one half "
             "cleared (memory_fence()). Publish it. VT-d 5.0, 9.10.", (ENTRIES,)),
        Step(5, ENTRY, "iommu_interrupt_free", "return STATUS_UNSUPPORTED;",
             "Return STATUS_UNSUPPORTED without a unit that remaps, and STATUS_DENIED unless the entry is the function's own "
             "(entry_is_of()). Otherwise clear the entry and make the unit forget it; return the unit's status. VT-d 5.0, "
             "6.5.2.7.", (ENTRIES,)),
        Step(6, MSIX, "owns_core", "return false;",
             "Return whether one of the guest's cores has this APIC id. A core that has not been made yet is NULL. SDM 3A, "
             "11.4.6.",
             (MESSAGES,)),
        Step(7, MSIX, "message_for", "return STATUS_UNSUPPORTED;",
             "Make the message that the device gets in place of the one that the guest wrote. Refuse (refuse_message(), "
             "STATUS_DENIED, not_own) a message that is not a write to feexxxxxh, has a vector below 16 or a delivery mode other "
             "than fixed and lowest priority, or names a core that is not the guest's. If interrupts are not remapped: "
             "MESSAGE_ADDRESS() of that core and the vector alone, and an APIC id of at most 8 bits. Otherwise a vector that has "
             "an entry gives it back first, and then gets a new one. vector->allocated and vector->index always say what the "
             "vector has (nothing once it was given back, whether or not that succeeded). Whatever fails is refused with the "
             "status it failed with. SDM 3A, 11.11; VT-d 5.0, 5.1.2.", (MESSAGES,)),
        Step(8, MSIX, "vector_update", "(void)assignment;\n(void)number;",
             "Bring the device's table entry in line with the guest's. Mask it first; if the guest has it masked or MSI-X off, "
             "or gets no message, that is all. Otherwise write address and data, and the mask bit last. entry_write() writes one "
             "dword. PCIe 6.0, 6.1.4.2 and 7.7.2.", (MESSAGES,)),
    ),
    whole=(Machine("tcg", "lab", interrupts_arrive),),
    units=("test_vtd_interrupts", "test_virtual_msix"),
    questions=(
        Question("source", "What is the requester id in the SID of beta's entry? (device.assigned)", rid_of("beta")),
        Question("entries", "How many entries are present while the guests exchange packets? (the highest number in audit.ok)", lambda run: str(entries_seen(run))),
    ),
    mistakes=(
        Mistake("xapic-shift", 1, (Edit(ENTRY, "unit->eim ? (uint64_t)apic_id << 32 : (uint64_t)apic_id << 40;", "(uint64_t)apic_id << 40; (void)unit;"),),
                r"is in bits 47:40, its place in xAPIC format; with EIME it is all of bits 63:32"),
        Mistake("x2apic-shift", 1, (Edit(ENTRY, "unit->eim ? (uint64_t)apic_id << 32 : (uint64_t)apic_id << 40;", "(uint64_t)apic_id << 32; (void)unit;"),),
                r"bits 39:32, which are reserved without EIME; in xAPIC format it is bits 47:40"),
        Mistake("shifts-swapped", 1, (Edit(ENTRY, "unit->eim ? (uint64_t)apic_id << 32 : (uint64_t)apic_id << 40;", "unit->eim ? (uint64_t)apic_id << 40 : (uint64_t)apic_id << 32;"),),
                r"with EIME it is all of bits 63:32"),
        Mistake("vector-in-the-low-byte", 1, (Edit(ENTRY, "(uint64_t)vector << 16 | VTD_IRTE_P;", "(uint64_t)vector << 8 | VTD_IRTE_P;"),),
                r"the vector in bits 23:16 is 0 instead of 0x41"),
        Mistake("p-left-out", 1, (Edit(ENTRY, "(uint64_t)vector << 16 | VTD_IRTE_P;", "(uint64_t)vector << 16;"),),
                r"P \(bit 0\) is clear, so the unit sees no entry"),
        Mistake("logical-destination", 1, (Edit(ENTRY, "(uint64_t)vector << 16 | VTD_IRTE_P;", "(uint64_t)vector << 16 | BIT(2) | VTD_IRTE_P;"),),
                r"fixed delivery of an edge to one APIC by physical id is P and 0 in bits 15:1"),
        Mistake("svt-left-out", 2, (Edit(ENTRY, "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;", "    return (uint16_t)rid;"),),
                r"SVT \(bits 19:18 of the upper half\) is 0 instead of 1: the function's own interrupts work"),
        Mistake("svt-is-a-bus", 2, (Edit(ENTRY, "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;", "    return UINT64_C(2) << 18 | (uint16_t)rid;"),),
                r"SVT .* is 2 instead of 1"),
        Mistake("sq-ignores-the-function", 2, (Edit(ENTRY, "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;", "    return VTD_IRTE_HIGH_VERIFY | UINT64_C(3) << 16 | (uint16_t)rid;"),),
                r"SQ .* is 3: function bits are left out"),
        Mistake("segment-in-the-entry", 2, (Edit(ENTRY, "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;", "    return VTD_IRTE_HIGH_VERIFY | rid;"),),
                r"the PCI segment \(bits 31:16 of a rid_t\) is in SQ, SVT and above"),
        Mistake("sid-of-another-function", 2, (Edit(ENTRY, "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)rid;", "    return VTD_IRTE_HIGH_VERIFY | (uint16_t)(rid & ~7u);"),),
                r"SID is 01:10\.0 instead of 01:10\.1, the function that was given the entry"),
        Mistake("vector-unchecked", 3, (Edit(ENTRY, "    if (vector < 16)\n        return STATUS_INVALID;\n", ""),),
                r"vector 0 was accepted: APICs take no message with a vector below 16"),
        Mistake("vectors-below-32", 3, (Edit(ENTRY, "    if (vector < 16)\n", "    if (vector < 32)\n"),),
                r"vector 16 was refused: 16 is the first"),
        Mistake("destination-unchecked", 3, (Edit(ENTRY, "!unit->usable || !destination_fits(unit, apic_id))", "!unit->usable)"),),
                r"APIC id 100h was accepted on a unit without EIM"),
        Mistake("unusable-unit", 3, (Edit(ENTRY, "!unit->remapping || !unit->usable || !dest", "!unit->remapping || !dest"),),
                r"an entry was made in a unit that is not usable"),
        Mistake("p-before-the-rest", 3, (Edit(ENTRY, "    entry->high = entry_high(function->rid);\n    memory_fence();\n    entry->low = entry_low(unit, apic_id, vector);\n",
                                              "    entry->low = entry_low(unit, apic_id, vector);\n    memory_fence();\n    entry->high = entry_high(function->rid);\n"),),
                r"iommu_interrupt_allocate\(\): between two writes the entry is present and not whole .*P comes last"),
        Mistake("entry-not-published", 3, (Edit(ENTRY, "    vtd_publish(unit, entry, sizeof *entry);\n    enum status status =", "    enum status status ="),),
                r"does not snoop caches.*(is blocked, reason 0x22|never flushed)"),
        Mistake("entry-not-invalidated", 3, (Edit(ENTRY, "    enum status status = invalidate_entry(unit, index);\n    if", "    enum status status = STATUS_OK;\n    if"),),
                r"caching mode.*(entry cache until it is invalidated|changed and not invalidated)"),
        Mistake("failure-forgotten", 3, (Edit(ENTRY, "    if (status != STATUS_OK)\n        return status;\n    *msi", "    (void)status;\n    *msi"),),
                r"a unit does not answer and nobody heard: whether it sees the entry"),
        Mistake("index-as-address-bits", 3, (Edit(ENTRY, "VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(index),", "VTD_MSI_REMAPPABLE | index << 2,"),),
                r"has handle .*: handle 14:0 is in bits 19:5 and handle 15 in bit 2"),
        Mistake("shv-set", 3, (Edit(ENTRY, "VTD_MSI_REMAPPABLE | VTD_MSI_HANDLE(index),", "VTD_MSI_REMAPPABLE | 8 | VTD_MSI_HANDLE(index),"),),
                r"SHV \(bit 3\) is set, so bits 15:0 of the data are added"),
        Mistake("compatibility-format", 3, (Edit(ENTRY, "VTD_MSI_ADDRESS | VTD_MSI_REMAPPABLE | VTD", "VTD_MSI_ADDRESS | VTD"),),
                r"bit 4 \(interrupt format\) is clear, so it is in compatibility format"),
        Mistake("vector-in-the-data", 3, (Edit(ENTRY, "        .index = (uint16_t)index,\n", "        .index = (uint16_t)index,\n        .data = vector,\n"),),
                r"the message's data is 0x41 instead of 0: the vector is in the entry"),
        Mistake("entry-0", 3, (Edit(ENTRY, "    uint32_t index = unit->interrupt_hint;\n    uint32_t tried = VTD_INTERRUPT_FIRST;", "    uint32_t index = 0;\n    uint32_t tried = VTD_INTERRUPT_FIRST;"),),
                r"entry 0 was given out"),
        Mistake("free-not-asked", 3, (Edit(ENTRY, "    while (tried < VTD_INTERRUPT_ENTRIES && (unit->interrupts[index].low & VTD_IRTE_P) != 0) {", "    while (tried < VTD_INTERRUPT_FIRST) {"),),
                r"entry 1 was given out twice: an entry is free when P is clear|the table is full and an entry was given out"),
        Mistake("always-from-the-first", 3, (Edit(ENTRY, "    uint32_t index = unit->interrupt_hint;\n", "    uint32_t index = VTD_INTERRUPT_FIRST;\n"),),
                r"the search begins behind the entry that was found last"),
        Mistake("hint-on-the-one-found", 3, (Edit(ENTRY, "    unit->interrupt_hint = index + 1 < VTD_INTERRUPT_ENTRIES ? index + 1 : VTD_INTERRUPT_FIRST;\n", "    unit->interrupt_hint = index;\n"),),
                r"the search begins behind the entry that was found last"),
        Mistake("hint-behind-the-last", 3, (Edit(ENTRY, "    unit->interrupt_hint = index + 1 < VTD_INTERRUPT_ENTRIES ? index + 1 : VTD_INTERRUPT_FIRST;\n", "    unit->interrupt_hint = index + 1;\n"),),
                r"iommu_interrupt_allocate\) goes past the end of the data"),
        Mistake("no-way-round", 3, (Edit(ENTRY, "        index = index + 1 < VTD_INTERRUPT_ENTRIES ? index + 1 : VTD_INTERRUPT_FIRST;\n        tried++;", "        index++;\n        tried = index;"),),
                r"was not found: the search goes on at entry 1"),
        Mistake("upper-half-first", 4, (Edit(ENTRY, "    entry->low = 0;\n    memory_fence();\n    entry->high = 0;", "    entry->high = 0;\n    memory_fence();\n    entry->low = 0;"),),
                r"iommu_interrupt_free\(\): between two writes the entry is present and not whole .*P goes first"),
        Mistake("upper-half-left", 4, (Edit(ENTRY, "    memory_fence();\n    entry->high = 0;\n", "    memory_fence();\n"),),
                r"the rest of entry \d+ is left"),
        Mistake("clearing-not-published", 4, (Edit(ENTRY, "    entry->high = 0;\n    vtd_publish(unit, entry, sizeof *entry);\n", "    entry->high = 0;\n    (void)unit;\n"),),
                r"freed, on a unit that does not snoop caches"),
        Mistake("another-function's", 5, (Edit(ENTRY, "    if (!entry_is_of(unit, index, function->rid))\n        return STATUS_DENIED;\n", ""),),
                r"a function freed an entry of another one"),
        Mistake("nothing-back-from-an-unusable-unit", 5, (Edit(ENTRY, "    if (unit == NULL || !unit->remapping)\n        return STATUS_UNSUPPORTED;\n    if (!entry", "    if (unit == NULL || !unit->remapping || !unit->usable)\n        return STATUS_UNSUPPORTED;\n    if (!entry"),),
                r"has still an entry of one, which could not be given back"),
        Mistake("freed-and-not-invalidated", 5, (Edit(ENTRY, "    clear_entry(unit, index);\n    return invalidate_entry(unit, index);", "    clear_entry(unit, index);\n    return STATUS_OK;"),),
                r"the message is still delivered; what is cleared in memory stays in the interrupt entry cache"),
        Mistake("invalidated-and-then-cleared", 5, (Edit(ENTRY, "    clear_entry(unit, index);\n    return invalidate_entry(unit, index);", "    enum status status = invalidate_entry(unit, index);\n    clear_entry(unit, index);\n    return status;"),),
                r"told to forget the entry while it was still present"),
        Mistake("number-of-the-core", 6, (Edit(MSIX, "guest->vcpus[cpu]->apic_id == apic_id)", "cpu == apic_id)"),),
                r"stays masked in the device \(irq\.refused .*not name a vector on one of the guest's own cores"),
        Mistake("first-core-alone", 6, (Edit(MSIX, "cpu < guest->cpu_count; cpu++)\n        if (guest->vcpus[cpu] != NULL", "cpu < 2; cpu++)\n        if (guest->vcpus[cpu] != NULL"),),
                r"APIC id whose bits 31:8 are in bits 63:40 of the address: the vector stays masked"),
        Mistake("core-not-made", 6, (Edit(MSIX, "guest->vcpus[cpu] != NULL && guest->vcpus[cpu]->apic_id", "guest->vcpus[cpu]->apic_id"),),
                r"null pointer|reads or writes where nothing is"),
        Mistake("eight-bits-of-the-id", 6, (Edit(MSIX, "guest->vcpus[cpu]->apic_id == apic_id)", "(uint8_t)guest->vcpus[cpu]->apic_id == (uint8_t)apic_id)"),),
                r"was accepted: bits 63:40 of the address are bits 31:8|was accepted: that is only the low byte"),
        Mistake("core-unasked", 7, (Edit(MSIX, "(delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST) ||\n        !owns_core(assignment->guest, destination))", "(delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST))"),),
                r"was accepted: APIC id 0 is the control core"),
        Mistake("nmi-allowed", 7, (Edit(MSIX, "        (delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST) ||\n", "        delivery > 7 ||\n"),),
                r"was accepted: delivery mode 2 is an SMI"),
        Mistake("lowest-priority-refused", 7, (Edit(MSIX, "(delivery != DELIVERY_FIXED && delivery != DELIVERY_LOWEST) ||", "delivery != DELIVERY_FIXED ||"),),
                r"lowest priority .* stays masked"),
        Mistake("exception-vectors", 7, (Edit(MSIX, "!= 0xfee || number < FIRST_VECTOR ||", "!= 0xfee ||"),),
                r"without remapping: vector fh was accepted: vectors below 16"),
        Mistake("any-address", 7, (Edit(MSIX, "    if (MESSAGE_BASE(vector->address) != 0xfee || number", "    if (number"),),
                r"was accepted: the address is memory"),
        Mistake("guest's-address-passed-on", 7, (Edit(MSIX, "        *msi = (struct iommu_msi){MESSAGE_ADDRESS(destination), 0, number, 0};", "        *msi = (struct iommu_msi){(uint32_t)vector->address, 0, number, 0};"),),
                r"redirection hint and logical destination \(bits 3:2\) could name other cores"),
        Mistake("guest's-data-passed-on", 7, (Edit(MSIX, "{MESSAGE_ADDRESS(destination), 0, number, 0};", "{MESSAGE_ADDRESS(destination), 0, vector->data, 0};"),),
                r"the data is 0xc031 instead of the vector alone"),
        Mistake("remapping-unasked", 7, (Edit(MSIX, "    if (!iommu_remaps_interrupts()) {", "    if (iommu_remaps_interrupts()) {"),),
                r"the guest's own message has reached the device instead of the one of iommu_interrupt_allocate"),
        Mistake("old-entry-kept", 7, (Edit(MSIX, "    if (vector->allocated) {\n        enum status", "    if (vector->allocated && number == 0) {\n        enum status"),),
                r"(4 vectors have 5|rewritten 100 times has \d+) remapping entries"),
        Mistake("allocated-kept", 7, (Edit(MSIX, "        vector->allocated = false;\n        if (status", "        if (status"),),
                r"must not be freed again: the vector stays masked"),
        Mistake("new-entry-before-the-old-one-goes", 7, (Edit(MSIX, """    if (vector->allocated) {
        enum status status = iommu_interrupt_free(assignment->function, vector->index);
        vector->allocated = false;
        if (status != STATUS_OK)
            return refuse_message(assignment, vector, status,
                                  "its old remapping entry stays in use");
    }
    enum status status = iommu_interrupt_allocate(assignment->function, destination, number, msi);
""", """    enum status status = iommu_interrupt_allocate(assignment->function, destination, number, msi);
    if (status == STATUS_OK && vector->allocated)
        status = iommu_interrupt_free(assignment->function, vector->index);
"""),),
                r"programmed again when the table is full: .*the vector stays masked"),
        Mistake("failure-of-giving-back-unheard", 7, (Edit(MSIX, """        if (status != STATUS_OK)
            return refuse_message(assignment, vector, status,
                                  "its old remapping entry stays in use");
""", "        (void)status;\n"),),
                r"iommu_interrupt_free\(\) failed with denied, and the vector is (unmasked|masked)"),
        Mistake("every-failure-is-a-denial", 7, (Edit(MSIX, "    if (status != STATUS_OK)\n        return refuse_message(assignment, vector, status,\n                              \"no int", "    if (status != STATUS_OK)\n        return refuse_message(assignment, vector, STATUS_DENIED,\n                              \"no int"),),
                r"failed with unsupported, and irq.refused tells another status: .*denied"),
        Mistake("index-not-noted", 7, (Edit(MSIX, "    vector->allocated = true;\n    vector->index = msi->index;\n", "    vector->allocated = true;\n"),),
                r"stays masked in the device \(irq\.refused .*its old remapping entry stays in use"),
        Mistake("written-while-unmasked", 8, (Edit(MSIX, "    entry_write(assignment, number, ENTRY_CONTROL, ENTRY_CONTROL_MASKED);\n    if (vector->masked || !assignment->msix_enabled)\n        return;\n",
                                                   "    if (vector->masked || !assignment->msix_enabled) {\n        entry_write(assignment, number, ENTRY_CONTROL, ENTRY_CONTROL_MASKED);\n        return;\n    }\n"),),
                r"an entry of the device's table was written while it was unmasked|failed and the vector is unmasked"),
        Mistake("upper-address-left", 8, (Edit(MSIX, "    entry_write(assignment, number, ENTRY_ADDRESS_HIGH, msi.address_high);\n", ""),),
                r"the message's address is 0x55fee\w+: interrupts are writes to fee00000h"),
        Mistake("unmasked-too-early", 8, (Edit(MSIX, "    entry_write(assignment, number, ENTRY_ADDRESS_LOW, msi.address_low);", "    entry_write(assignment, number, ENTRY_CONTROL, 0);\n    entry_write(assignment, number, ENTRY_ADDRESS_LOW, msi.address_low);"),),
                r"written while it was unmasked: the device may send half of it"),
        Mistake("guest's-message-in-the-device", 8, (Edit(MSIX, "    entry_write(assignment, number, ENTRY_ADDRESS_LOW, msi.address_low);", "    entry_write(assignment, number, ENTRY_ADDRESS_LOW, (uint32_t)vector->address);"),),
                r"the guest's own message has reached the device"),
        Mistake("mask-not-looked-at", 8, (Edit(MSIX, "    if (vector->masked || !assignment->msix_enabled)\n", "    if (!assignment->msix_enabled)\n"),),
                r"the guest has masked the vector and the device may still send it"),
        Mistake("enable-not-looked-at", 8, (Edit(MSIX, "    if (vector->masked || !assignment->msix_enabled)\n", "    if (vector->masked)\n"),),
                r"the guest has MSI-X off, and the vector is unmasked"),
        Mistake("refusal-overlooked", 8, (Edit(MSIX, "    struct iommu_msi msi;\n    if (message_for(assignment, vector, &msi) != STATUS_OK)\n        return;\n", "    struct iommu_msi msi = {0};\n    (void)!message_for(assignment, vector, &msi);\n"),),
                r"failed and the vector is unmasked|was accepted"),
    ),
)
