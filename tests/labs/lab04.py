# SPDX-License-Identifier: MIT
"""L4: a unit takes its root table, translates, and tells what it blocked."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

UNIT, ENABLE, FAULT = "hypervisor/iommu/vtd_unit.c", "hypervisor/setup/iommu_enable.c", "hypervisor/iommu/vtd_fault.c"
COMMAND, ENABLED, FAULTS = Host("l04_command"), Host("l04_enable"), Host("l04_faults")


def config(seed: int) -> str:
    return ("# One guest whose VF accesses memory that the guest was not given: the unit blocks and records this.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {2 + seed % 5}\n\n"
            f"[guest rogue]\nimage  = rogue.elf\nmemory = {16 + 16 * (seed % 2)}M\ndevice = uplink.vf{seed % 2}\n"
            f"args   = targets={0x40000000 + 0x100000 * (seed % 64):#x} rounds=3\nexpect = exit 0\nexpect_faults = 6\n")


def rogues(run) -> list:
    return [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]


def all_are_recorded(run) -> str | None:
    if not any(line.event == "iommu.enabled" for line in run.events):
        return None
    if any(line.event == "guest.started" and line["name"] == "rogue" for line in run.events) and len(rogues(run)) < 6:
        return (f"rogue's VF was blocked six times, but only {len(rogues(run))} dma.fault lines were logged: a record that is not freed, "
                "or not looked at, takes the place of the next fault")
    return None


def of_event(run, event: str, key: str) -> str:
    return next(line for line in run.events if line.event == event)[key]


LAB = Lab(
    name="L4", title="VT-d: turn units on, fault records", hours=6, config=config,
    steps=(
        Step(1, UNIT, "vtd_command", "(void)unit;\n(void)set;\n(void)clear;",
             "Write one command to GCMD: the bits that GSTS says are on, without the one-shot bits (VTD_GLOBAL_KEEP), without "
             "`clear`, with `set`. GCMD itself cannot be read. VT-d 5.0, 11.4.4.1 and 11.4.4.2.", (COMMAND,)),
        Step(2, UNIT, "vtd_switch", "return STATUS_UNSUPPORTED;",
             "Switch one of TE, QIE, IRE, CFI on or off. If it already has that state, there is nothing to do. Otherwise give "
             "the command, and wait until the status follows (WAIT_UNTIL(), status_is()), at most VTD_WAIT; after that, "
             "STATUS_TIMEOUT. VT-d 5.0, 11.4.4.1.", (COMMAND,)),
        Step(3, ENABLE, "latch", "return STATUS_UNSUPPORTED;",
             "Give a one-shot command, SRTP or SIRTP, and wait for the bit at the same position in GSTS. The unit clears that "
             "bit when it receives the command and sets it when the command is done. Give the command even if the bit is still "
             "set from before. VT-d 5.0, 11.4.4.1 (SRTP) and 11.4.4.2 (RTPS).", (ENABLED,)),
        Step(4, ENABLE, "set_root_table", "return STATUS_UNSUPPORTED;",
             "Make the unit use unit->root. A unit that firmware left translating keeps translating, and one iommu.takeover is "
             "logged (\"... it stays on\"). Only if the table had another format (RTADDR.TTM is not 0) must TE be off first, and "
             "iommu.takeover must say so. Drain the write buffer (vtd_write_buffer_flush()), write the table's physical address "
             "to RTADDR, make the unit take it (latch()), and invalidate all contexts and all translations in one list "
             "(vtd_invalidate(), which reports its own failures). If the unit does not follow in another step, call gives_up() "
             "with what it does not do (\"it does not take a root table\"). VT-d 5.0, 6.6, 6.8 and 11.4.5.",
             (ENABLED,)),
        Step(5, ENABLE, "vtd_unit_enable", "return STATUS_UNSUPPORTED;",
             "The order is: root table, TE (gives_up() with \"translation cannot be turned on\"), unit->translating, protected "
             "memory off, interrupts (allowed if the DMAR table's flags say so), fault event. A unit that cannot remap "
             "interrupts (STATUS_UNSUPPORTED) is kept. A unit that fails to set this up is refused (gives_up(), \"interrupt "
             "remapping cannot be set up: a device could forge interrupts\"), but it translates, so it gets its fault event and "
             "the result is STATUS_OK. VT-d 5.0, 11.4.4.1 and 11.4.14.", (ENABLED,)),
        Step(6, FAULT, "vtd_fault_free", "(void)unit;\n(void)index;",
             "Free a fault record: clear its F bit, which is in the last 32 bits of its 128, by writing 1. vtd_fault_record() "
             "returns the record's offset. VT-d 5.0, 11.4.7.6.", (FAULTS,)),
        Step(7, ENABLE, "clear_faults", "(void)unit;",
             "Before the unit is used, mask the fault event (FECTL), free each record whose F is set, of all those that CAP.NFR "
             "announces, then clear the overflow in FSTS. VT-d 5.0, 7.3.1 and 11.4.7.", (FAULTS,)),
        Step(8, FAULT, "decode", "(void)unit;\n(void)low;\n(void)high;\nreturn (struct iommu_fault){.rid = 0};",
             "Return a struct iommu_fault made from the two halves of a record: requester id (with the unit's segment); address "
             "or, for reasons 20h to 2Fh, the index of the interrupt; read or write; reason; and whether the pass began with an "
             "overflow (vtd.pass.status). Other fields of the upper half may contain garbage. VT-d 5.0, 11.4.7.6 and the annex "
             "of fault reasons.", (FAULTS,)),
        Step(9, FAULT, "next_of_unit", "(void)unit;\n(void)fault;\nreturn false;",
             "Find the next fault of one unit in this pass. When vtd.pass.looked_at is 0, read FSTS into vtd.pass.status; if "
             "neither PPF nor PFO is set, there is nothing to do. Look at each record once, from the oldest on (FRI), with "
             "looked_at as the count. If F is set, read all of the record, then free it, store it in *fault (decode()) and "
             "return true. After the last record clear an overflow, and nothing else in FSTS, and return false. VT-d 5.0, 7.3.1 "
             "and 11.4.7.1.", (FAULTS,)),
    ),
    whole=(Machine("tcg", "lab", all_are_recorded),),
    units=("test_vtd_units", "test_vtd_faults"),
    questions=(
        Question("unit-base", "What is the address of the unit's registers? (iommu.unit)", lambda run: of_event(run, "iommu.unit", "base")),
        Question("levels", "How many levels do its tables have? (iommu.enabled)", lambda run: of_event(run, "iommu.enabled", "levels")),
        Question("first-fault", "At which address was rogue first blocked? (dma.fault)", lambda run: rogues(run)[0]["address"]),
    ),
    mistakes=(
        Mistake("others-switched-off", 1, (Edit(UNIT, "    vtd_write32(unit, VTD_GCMD, (kept & ~clear) | set);", "    (void)kept;\n    (void)clear;\n    vtd_write32(unit, VTD_GCMD, set);"),),
                r"SRTP while QIE is on.*is not one command .*it asks for SRTP, QIE off"),
        Mistake("two-bits-at-once", 1, (Edit(UNIT, "    vtd_write32(unit, VTD_GCMD, (kept & ~clear) | set);", "    vtd_write32(unit, VTD_GCMD, (kept & ~clear) | set | VTD_GLOBAL_TE);"),),
                r"is not one command .*it asks for TE on, QIE on"),
        Mistake("one-shot-bits-kept", 1, (Edit(UNIT, "vtd_read32(unit, VTD_GSTS) & VTD_GLOBAL_KEEP;", "vtd_read32(unit, VTD_GSTS);"),),
                r"a root table is set.*it asks for TE on, SRTP;.*without its one-shot"),
        Mistake("clear-ignored", 1, (Edit(UNIT, "(kept & ~clear) | set);", "kept | set | (clear & 0));"),),
                r"TE off while QIE stays on: the unit minds: .*it asks for nothing"),
        Mistake("status-written", 1, (Edit(UNIT, "    vtd_write32(unit, VTD_GCMD, (kept", "    vtd_write32(unit, VTD_GSTS, (kept"),),
                r"GSTS was written, which is read-only"),
        Mistake("command-read", 1, (Edit(UNIT, "    uint32_t kept = vtd_read32(unit, VTD_GSTS)", "    uint32_t kept = vtd_read32(unit, VTD_GCMD)"),),
                r"GCMD was read, which is write-only"),
        Mistake("no-wait", 2, (Edit(UNIT, "    return WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT) ? STATUS_OK : STATUS_TIMEOUT;", "    return STATUS_OK;"),),
                r"vtd_switch\(\), QIE on: it came back before the unit had followed"),
        Mistake("waits-for-on-only", 2, (Edit(UNIT, "    return WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT) ?", "    return WAIT_UNTIL(status_is(unit, bit, true), VTD_WAIT) ?"),),
                r"vtd_switch\(\), QIE off: it came back before"),
        Mistake("timeout-forgotten", 2, (Edit(UNIT, "    return WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT) ? STATUS_OK : STATUS_TIMEOUT;", "    (void)WAIT_UNTIL(status_is(unit, bit, on), VTD_WAIT);\n    return STATUS_OK;"),),
                r"the unit never followed, and the status is ok; STATUS_TIMEOUT is expected"),
        Mistake("said-again", 2, (Edit(UNIT, "    if (status_is(unit, bit, on))\n        return STATUS_OK;\n    vtd_command(unit, on", "    vtd_command(unit, on"),),
                r"which it is already: the unit minds: .*it asks for nothing"),
        Mistake("on-and-off-swapped", 2, (Edit(UNIT, "on ? bit : 0, on ? 0 : bit);", "on ? 0 : bit, on ? bit : 0);"),),
                r"vtd_switch\(\), QIE on: the unit minds: .*it asks for nothing"),
        Mistake("table-not-waited-for", 3, (Edit(ENABLE, "    vtd_command(unit, bit, 0);\n    return WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) != 0, VTD_WAIT) ? STATUS_OK\n                                                                         : STATUS_TIMEOUT;", "    vtd_command(unit, bit, 0);\n    return STATUS_OK;"),),
                r"the unit minds: GCMD 0x\w+ while 0x40000000 is not done: GSTS tells when it is"),
        Mistake("waits-for-the-bit-to-go", 3, (Edit(ENABLE, "    return WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) != 0, VTD_WAIT) ?", "    return WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) == 0, VTD_WAIT) ?"),),
                r"the unit minds: GCMD 0x\w+ while 0x40000000 is not done: GSTS tells when it is"),
        Mistake("only-if-it-is-off", 3, (Edit(ENABLE, "    vtd_command(unit, bit, 0);\n    return WAIT_UNTIL(", "    return vtd_switch(unit, bit, true) == STATUS_OK && WAIT_UNTIL("),),
                r"left translating: the unit works with the root table at 0x[0-9a-f]+, ours is at"),
        Mistake("latch-timeout-forgotten", 3, (Edit(ENABLE, "    return WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) != 0, VTD_WAIT) ? STATUS_OK\n                                                                         : STATUS_TIMEOUT;", "    (void)WAIT_UNTIL((vtd_read32(unit, VTD_GSTS) & bit) != 0, VTD_WAIT);\n    return STATUS_OK;"),),
                r"never follows SRTP"),
        Mistake("address-after-srtp", 4, (Edit(ENABLE, "    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root) | vtd_format.table_mode);\n    if (latch(unit, VTD_GLOBAL_SRTP) != STATUS_OK)\n        return gives_up(unit, STATUS_TIMEOUT, \"it does not take a root table\");\n", "    if (latch(unit, VTD_GLOBAL_SRTP) != STATUS_OK)\n        return gives_up(unit, STATUS_TIMEOUT, \"it does not take a root table\");\n    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root) | vtd_format.table_mode);\n"),),
                r"the unit works with the root table at 0, ours is at .*at the moment of SRTP"),
        Mistake("never-latched", 4, (Edit(ENABLE, "    if (latch(unit, VTD_GLOBAL_SRTP) != STATUS_OK)", "    if (vtd_read32(unit, VTD_GSTS) == 1)"),),
                r"TE before a root table was set"),
        Mistake("nothing-invalidated", 4, (Edit(ENABLE, "    return vtd_invalidate(unit, everything, ARRAY_SIZE(everything));", "    (void)everything;\n    return STATUS_OK;"),),
                r"TE with both caches not invalidated since the root table was set"),
        Mistake("contexts-alone", 4, (Edit(ENABLE, "    return vtd_invalidate(unit, everything, ARRAY_SIZE(everything));", "    return vtd_invalidate(unit, everything, 1);"),),
                r"TE with the IOTLB not invalidated since the root table was set"),
        Mistake("translations-alone", 4, (Edit(ENABLE, "    return vtd_invalidate(unit, everything, ARRAY_SIZE(everything));", "    return vtd_invalidate(unit, everything + 1, 1);"),),
                r"TE with the context cache not invalidated since the root table was set"),
        Mistake("write-buffer-forgotten", 4, (Edit(ENABLE, "    if (vtd_write_buffer_flush(unit) != STATUS_OK)\n        return gives_up(unit, STATUS_TIMEOUT, \"it does not drain its write buffer\");\n", ""),),
                r"CAP\.RWBF is 1\): the unit minds: GCMD .* sets a table that may still be in the write buffer"),
        Mistake("another-table", 4, (Edit(ENABLE, "    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root) | vtd_format.table_mode);", "    unit->root = pages_allocate(1);\n    vtd_write64(unit, VTD_RTADDR, physical_address(unit->root) | vtd_format.table_mode);"),),
                r"which firmware uses, has no context entry; context entries come before TE"),
        Mistake("always-off-first", 4, (Edit(ENABLE, "    if (translating && (vtd_read64(unit, VTD_RTADDR) & VTD_RTADDR_TTM) != vtd_format.table_mode) {", "    if (translating) {"),),
                r"translation was turned off, and every request passed untranslated"),
        Mistake("format-changed-under-way", 4, (Edit(ENABLE, "    if (translating && (vtd_read64(unit, VTD_RTADDR) & VTD_RTADDR_TTM) != vtd_format.table_mode) {", "    if (translating && (vtd_read64(unit, VTD_RTADDR) & 1) != 0) {"),),
                r"TTM, the format of the table, was changed while TE was on"),
        Mistake("invalidation-unheard", 4, (Edit(ENABLE, "    return vtd_invalidate(unit, everything, ARRAY_SIZE(everything));", "    (void)!vtd_invalidate(unit, everything, ARRAY_SIZE(everything));\n    return STATUS_OK;"),),
                r"does not carry out invalidations(: the unit minds: TE with .* not invalidated| is turned on all the same)"),
        Mistake("stays-on-said-in-any-case", 4, (Edit(ENABLE, "firmware left it translating in another mode; translation \"", "firmware left it translating; it stays on; translation \""),),
                r"left in scalable mode: translation was off for a moment, and iommu.takeover should say that once, and not"),
        Mistake("refused-by-nobody", 4, (Edit(ENABLE, "        return gives_up(unit, STATUS_TIMEOUT, \"it does not take a root table\");", "        return STATUS_TIMEOUT;"),),
                r"never follows SRTP is used all the same"),
        Mistake("te-first", 5, (Edit(ENABLE, "    enum status status = set_root_table(unit);\n    if (status != STATUS_OK)\n        return status;\n    if (vtd_switch(unit, VTD_GLOBAL_TE, true) != STATUS_OK)\n        return gives_up(unit, STATUS_TIMEOUT, \"translation cannot be turned on\");\n", "    if (vtd_switch(unit, VTD_GLOBAL_TE, true) != STATUS_OK)\n        return gives_up(unit, STATUS_TIMEOUT, \"translation cannot be turned on\");\n    enum status status = set_root_table(unit);\n    if (status != STATUS_OK)\n        return status;\n"),),
                r"TE before a root table was set"),
        Mistake("contexts-wiped", 5, (Edit(ENABLE, "    enum status status = set_root_table(unit);\n    if (status", "    for (unsigned i = 0; i < VTD_TABLE_ENTRIES; i++)\n        unit->root[i].low = 0;\n    enum status status = set_root_table(unit);\n    if (status"),),
                r"which firmware uses, has no context entry; context entries come before TE"),
        Mistake("not-translating", 5, (Edit(ENABLE, "    unit->translating = true;\n", ""),),
                r"`translating` of the unit is still false"),
        Mistake("protected-memory-first", 5, (Edit(ENABLE, "    enum status status = set_root_table(unit);\n    if (status != STATUS_OK)\n        return status;\n    if (vtd_switch(", "    disable_protected_memory(unit);\n    enum status status = set_root_table(unit);\n    if (status != STATUS_OK)\n        return status;\n    if (vtd_switch("),),
                r"protected memory regions turned off before translation is on"),
        Mistake("protected-memory-left", 5, (Edit(ENABLE, "    disable_protected_memory(unit);\n    status =", "    status ="),),
                r"the protected memory regions are still on|defined but not used"),
        Mistake("unsupported-is-failure", 5, (Edit(ENABLE, "    if (status != STATUS_OK && status != STATUS_UNSUPPORTED)\n        gives_up", "    if (status != STATUS_OK)\n        gives_up"),),
                r"cannot remap interrupts.*is not turned on|was refused or left half set up"),
        Mistake("dmar-flags-unasked", 5, (Edit(ENABLE, "enable_interrupts(unit, (dmar->flags & DMAR_FLAG_INTR_REMAP) != 0);", "enable_interrupts(unit, dmar != NULL);"),),
                r"interrupts are remapped on a machine whose DMAR table has INTR_REMAP"),
        Mistake("translating-too-late", 5, (Edit(ENABLE, "    unit->translating = true;\n    disable_protected_memory(unit);", "    disable_protected_memory(unit);"),
                Edit(ENABLE, "    enable_fault_event(unit);\n    return STATUS_OK;\n}", "    unit->translating = unit->usable;\n    enable_fault_event(unit);\n    return STATUS_OK;\n}")),
                r"cannot set up interrupt remapping translates all the same, and `translating` says that it does not"),
        Mistake("left-without-a-fault-event", 5, (Edit(ENABLE, "        gives_up(unit, status,\n                 \"interrupt remapping cannot", "        return gives_up(unit, status,\n                 \"interrupt remapping cannot"),),
                r"cannot set up interrupt remapping translates all the same, and its fault event is still masked"),
        Mistake("interrupts-failed-unnoticed", 5, (Edit(ENABLE, "    if (status != STATUS_OK && status != STATUS_UNSUPPORTED)\n        gives_up", "    if (unit == NULL)\n        gives_up"),),
                r"never follows IRE is used all the same"),
        Mistake("fault-event-masked", 5, (Edit(ENABLE, "                 \"devices stay blocked\");\n    enable_fault_event(unit);\n", "                 \"devices stay blocked\");\n    (void)enable_fault_event;\n"),),
                r"the fault event is still masked"),
        Mistake("zero-written", 6, (Edit(FAULT, "vtd_fault_record(unit, index) + 12, 0x80000000u);", "vtd_fault_record(unit, index) + 12, 0);"),),
                r"F of record 1 is still 1; .*cleared by writing 1"),
        Mistake("wrong-quarter", 6, (Edit(FAULT, "vtd_fault_record(unit, index) + 12, 0x80000000u);", "vtd_fault_record(unit, index) + 8, 0x80000000u);"),),
                r"F of record 1 is still 1; .*at offset 12"),
        Mistake("first-record-freed", 6, (Edit(FAULT, "    vtd_write32(unit, vtd_fault_record(unit, index) + 12", "    (void)index;\n    vtd_write32(unit, vtd_fault_record(unit, 0) + 12"),),
                r"F of record 1 is still 1"),
        Mistake("event-not-masked", 7, (Edit(ENABLE, "    vtd_write32(unit, VTD_FECTL, VTD_FECTL_IM);\n    for", "    for"),),
                r"clear_faults\(\): the fault event is not masked"),
        Mistake("last-record-forgotten", 7, (Edit(ENABLE, "    for (unsigned i = 0; i < VTD_CAP_FAULT_COUNT(unit->capability); i++)\n        if", "    for (unsigned i = 0; i + 1 < VTD_CAP_FAULT_COUNT(unit->capability); i++)\n        if"),),
                r"record 2 of 3 is still there"),
        Mistake("overflow-before-the-records", 7, (Edit(ENABLE, "    vtd_write32(unit, VTD_FECTL, VTD_FECTL_IM);\n    for", "    vtd_write32(unit, VTD_FECTL, VTD_FECTL_IM);\n    vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);\n    for"),),
                r"clear_faults\(\): FSTS.PFO was cleared while all records were in use"),
        Mistake("overflow-left", 7, (Edit(ENABLE, "            vtd_fault_free(unit, i);\n    vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);\n", "            vtd_fault_free(unit, i);\n"),),
                r"clear_faults\(\): the overflow \(FSTS\.PFO\) is still set"),
        Mistake("segment-forgotten", 8, (Edit(FAULT, "        .rid = (rid_t)unit->segment << 16 | VTD_FRCD_HIGH_SID(high),", "        .rid = VTD_FRCD_HIGH_SID(high),"),),
                r"reported for segment 0"),
        Mistake("read-and-write-swapped", 8, (Edit(FAULT, "        .write = (high & VTD_FRCD_HIGH_READ) == 0,", "        .write = (high & VTD_FRCD_HIGH_READ) != 0,"),),
                r"a write is reported as a read: T \(bit 126\) is 1 for a read"),
        Mistake("address-of-an-interrupt", 8, (Edit(FAULT, "        .address = interrupt ? VTD_FRCD_LOW_INDEX(low) : low & VTD_FRCD_LOW_ADDRESS,", "        .address = low & VTD_FRCD_LOW_ADDRESS,"),),
                r"the index is bits 63:48"),
        Mistake("reserved-bits-reported", 8, (Edit(FAULT, " : low & VTD_FRCD_LOW_ADDRESS,", " : low,"),),
                r"FI is bits 63:12"),
        Mistake("all-are-interrupts", 8, (Edit(FAULT, "    bool interrupt = reason >= 0x20 && reason < 0x30;\n    /*", "    bool interrupt = reason >= 5;\n    /*"),),
                r"address is .* is reported|reported as one of an interrupt"),
        Mistake("first-interrupt-reason-left-out", 8, (Edit(FAULT, "    bool interrupt = reason >= 0x20 && reason < 0x30;\n    /*", "    bool interrupt = reason > 0x20 && reason < 0x30;\n    /*"),),
                r"reason 0x20 is one of an interrupt request"),
        Mistake("scalable-mode-reasons-are-interrupts", 8, (Edit(FAULT, "    bool interrupt = reason >= 0x20 && reason < 0x30;\n    /*", "    bool interrupt = reason >= 0x20;\n    /*"),),
                r"address is .* is reported|reported as one of an interrupt, reason 0x30"),
        Mistake("overflow-not-told", 8, (Edit(FAULT, "        .overflow = (vtd.pass.status & VTD_FSTS_PFO) != 0,\n", ""),),
                r"nobody is told that some are lost"),
        Mistake("not-freed", 9, (Edit(FAULT, "        vtd_fault_free(unit, index);\n        *fault", "        *fault"),),
                r"F is not cleared, so the record stays in use"),
        Mistake("freed-before-it-is-read", 9, (Edit(FAULT, "        uint64_t low = vtd_read64(unit, vtd_fault_record(unit, index));\n        vtd_fault_free(unit, index);\n", "        vtd_fault_free(unit, index);\n        uint64_t low = vtd_read64(unit, vtd_fault_record(unit, index));\n"),),
                r"what stood in its record after F was cleared.*read all of it first, then free it"),
        Mistake("stops-at-a-free-record", 9, (Edit(FAULT, "            continue;\n        uint64_t low", "            break;\n        uint64_t low"),),
                r"of which the second is free: what comes behind it is not reported"),
        Mistake("overflow-alone-overlooked", 9, (Edit(FAULT, "    if ((vtd.pass.status & (VTD_FSTS_PPF | VTD_FSTS_PFO)) == 0)", "    if ((vtd.pass.status & VTD_FSTS_PPF) == 0)"),),
                r"FSTS.PFO is set and no record is in use"),
        Mistake("status-written-back", 9, (Edit(FAULT, "        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);\n    return false;", "        vtd_write32(unit, VTD_FSTS, vtd.pass.status);\n    return false;"),),
                r"FSTS.ICE was cleared, an error of the invalidation queue that nobody has seen"),
        Mistake("from-the-first", 9, (Edit(FAULT, "(VTD_FSTS_FRI(vtd.pass.status) + vtd.pass.looked_at++) % count;", "vtd.pass.looked_at++;"),),
                r"the records are a ring, and FSTS\.FRI says where the oldest is"),
        Mistake("ring-without-end", 9, (Edit(FAULT, "(VTD_FSTS_FRI(vtd.pass.status) + vtd.pass.looked_at++) % count;", "VTD_FSTS_FRI(vtd.pass.status) + vtd.pass.looked_at++;"),),
                r"the unit minds: 64-bit read of register|faults were reported"),
        Mistake("overflow-not-cleared", 9, (Edit(FAULT, "    if (vtd.pass.status & VTD_FSTS_PFO)\n        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);\n    return false;", "    return false;"),),
                r"FSTS\.PFO is still set, and while it is, the unit records nothing more"),
        Mistake("overflow-cleared-first", 9, (Edit(FAULT, "        vtd.pass.status = vtd_read32(unit, VTD_FSTS);\n", "        vtd.pass.status = vtd_read32(unit, VTD_FSTS);\n    if (vtd.pass.looked_at == 0)\n        vtd_write32(unit, VTD_FSTS, VTD_FSTS_PFO);\n"),),
                r"FSTS\.PFO is cleared while records are still in use"),
        Mistake("one-a-pass", 9, (Edit(FAULT, "        *fault = decode(unit, low, high);\n        return true;", "        *fault = decode(unit, low, high);\n        vtd.pass.looked_at = count;\n        return true;"),),
                r"1 of 3 faults were reported"),
        Mistake("as-long-as-there-are-any", 9, (Edit(FAULT, "        *fault = decode(unit, low, high);\n        return true;", "        *fault = decode(unit, low, high);\n        vtd.pass.looked_at = 0;\n        return true;"),),
                r"holds the core for ever"),
    ),
)
