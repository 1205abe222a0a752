# SPDX-License-Identifier: MIT
"""L5: a function reaches its domain and nothing else, and caches forget what is gone."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

DOMAIN = "hypervisor/iommu/vtd_domain.c"
CONNECT = Host("l05_connect")


def config(seed: int) -> str:
    return ("# A guest on a VF, and one whose VF reaches for memory that is not its own.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {2 + seed % 6}\n\n"
            f"[guest alpha]\nimage  = hello.elf\nmemory = {8 + 8 * (seed % 3)}M\ndevice = uplink.vf0\nargs   = ticks=20\nexpect = exit 0\n\n"
            f"[guest rogue]\nimage  = rogue.elf\nmemory = {16 + 16 * (seed % 2)}M\ndevice = uplink.vf1\n"
            "args   = targets=@memory(alpha) rounds=2\nexpect = exit 0\nexpect_faults = 2\n")


def rogue_is_blocked(run) -> str | None:
    faults = [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]
    if not faults and any(line.event == "guest.started" and line["name"] == "rogue" for line in run.events):
        return "rogue's VF reached for alpha's memory four times, and no dma.fault was logged"
    return None


def domains(run) -> list:
    return [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]


LAB = Lab(
    name="L5", title="VT-d: map, connect, invalidate", hours=7, config=config,
    steps=(
        Step(1, DOMAIN, "context_entry", "return NULL;",
             "The context entry of a requester id: the root table has an entry for each bus, which points at a context table of 256 "
             "entries, one for each device and function. If the root entry is not present and `create` is set, make a table "
             "(pages_allocate()), publish it (vtd_publish()), and only then the root entry. NULL when there is none. VT-d 5.0, 3.4.2, "
             "9.1 and 9.3.", (CONNECT,)),
        Step(2, DOMAIN, "clear_entry", "(void)unit;\n(void)entry;",
             "Take a context entry out: P goes first, everything else only when the unit no longer looks at it (memory_fence()), FPD "
             "stays as it is. Publish it. VT-d 5.0, 9.3.", (CONNECT,)),
        Step(3, DOMAIN, "invalidate_function", "return STATUS_UNSUPPORTED;",
             "One list for the unit: the context entry of the function (vtd_context_of()), under the id that the cache has it, and "
             "then all translations of the domain (vtd_translations_of()). vtd_invalidate() puts one wait behind a list. VT-d 5.0, "
             "6.5.2.", (CONNECT,)),
        Step(4, DOMAIN, "iommu_connect", "return STATUS_UNSUPPORTED;",
             "Refuse: VT-d off or a domain that was never made (STATUS_UNSUPPORTED), no unit for the function (refuse_function(), "
             "STATUS_NOT_FOUND), a unit that is not usable, a requester id that is not its own (\"shares its requester id\"), a function that is connected already "
             "(STATUS_BUSY), no free record (STATUS_FULL), no context entry (STATUS_NO_MEMORY). Write the entry's upper half (AW, "
             "domain id) before the lower half with P, publish, invalidate the function (with caching mode, what was remembered of a "
             "blocked function is filed under id 0), and put the connection on record. If the unit does not answer, clear the entry "
             "again; the record stays. VT-d 5.0, 6.1, 6.2.2 and 9.3.", (CONNECT,)),
        Step(5, DOMAIN, "iommu_disconnect", "return STATUS_UNSUPPORTED;",
             "STATUS_NOT_FOUND when the function is not in that domain. Clear its entry, invalidate, and only when that has ended "
             "well take it off the record. VT-d 5.0, 6.5.", (CONNECT,)),
        Step(6, DOMAIN, "invalidate_domain", "return STATUS_UNSUPPORTED;",
             "In each unit that has a function of the domain: invalidate `size` bytes at `address` as 2^order pages where the unit "
             "can (CAP.PSI, order not above CAP.MAMV, a size that is a power of two, an address aligned to it), else all of the "
             "domain. A unit that fails is not forgotten. VT-d 5.0, 6.5.2.3 and 11.4.2.", (Host("l05_invalidate"),)),
    ),
    whole=(Machine("tcg", "lab", rogue_is_blocked),),
    units=("test_vtd_domains", "test_vtd_queue"),
    questions=(
        Question("rogue-rid", "Which requester id has the function whose requests were blocked? (dma.fault)", lambda run: domains(run)[0]["rid"]),
        Question("blocked-at", "Which address was blocked first? (dma.fault)", lambda run: domains(run)[0]["address"]),
    ),
    mistakes=(
        Mistake("bus-as-index-of-the-context", 1, (Edit(DOMAIN, "    return table == NULL ? NULL : &table[rid & 0xff];", "    return table == NULL ? NULL : &table[rid >> 8 & 0xff];"),),
                r"the context entry of index 0x[0-9a-f]+ is present instead of .*: 5 bits of device, 3 of function"),
        Mistake("device-alone", 1, (Edit(DOMAIN, "    return table == NULL ? NULL : &table[rid & 0xff];", "    return table == NULL ? NULL : &table[rid >> 3 & 0x1f];"),),
                r"the context entry of index 0x[0-9a-f]+ is present instead of"),
        Mistake("root-entry-of-bus-0", 1, (Edit(DOMAIN, "    struct vtd_root_entry *root = &unit->root[RID_BUS(rid)];\n    if ((root->low", "    struct vtd_root_entry *root = &unit->root[0];\n    if ((root->low"),),
                r"the root entry of bus [0-9a-f]+ is not present"),
        Mistake("root-entry-without-p", 1, (Edit(DOMAIN, "        root->low = physical_address(created) | VTD_ROOT_P;", "        root->low = physical_address(created);"),),
                r"the root entry of bus [0-9a-f]+ is not present|is blocked, reason 0x1"),
        Mistake("always-created", 1, (Edit(DOMAIN, "        struct vtd_context_entry *created = create ? pages_allocate(1) : NULL;", "        (void)create;\n        struct vtd_context_entry *created = pages_allocate(1);"),),
                r"a context table was made where none was asked for"),
        Mistake("p-left", 2, (Edit(DOMAIN, "    entry->low &= VTD_CONTEXT_FPD;\n    memory_fence();\n    entry->high = 0;", "    entry->high = 0;"),),
                r"the unit minds: .*garbage|still present after iommu_disconnect"),
        Mistake("fpd-cleared", 2, (Edit(DOMAIN, "    entry->low &= VTD_CONTEXT_FPD;\n    memory_fence();", "    entry->low = 0;\n    memory_fence();"),),
                r"FPD \(bit 1\) is gone after iommu_disconnect"),
        Mistake("upper-half-left", 2, (Edit(DOMAIN, "    memory_fence();\n    entry->high = 0;\n", "    memory_fence();\n"),),
                r"the rest of the context entry is left"),
        Mistake("entry-not-published", 2, (Edit(DOMAIN, "    entry->high = 0;\n    vtd_publish(unit, entry, sizeof *entry);\n", "    entry->high = 0;\n    (void)unit;\n"),),
                r"does not snoop caches.*(stale entry|gets through)|the unit minds"),
        Mistake("nothing-invalidated", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list, 0);"),),
                r"a stale entry of a cache is served|changed and not invalidated"),
        Mistake("context-alone", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list, 1);"),),
                r"the IOTLB was invalidated 0 times for one domain"),
        Mistake("translations-alone", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list + 1, 1);"),),
                r"a stale entry of a cache is served|changed and not invalidated|0 context entries"),
        Mistake("two-lists", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    enum status first = vtd_invalidate(unit, list, 1);\n    return first != STATUS_OK ? first : vtd_invalidate(unit, list + 1, 1);"),),
                r"2 waits; both requests go into one list"),
        Mistake("aw-for-three-levels", 4, (Edit(DOMAIN, "VTD_CONTEXT_AW(domain->table.levels)", "VTD_CONTEXT_AW(3)"),),
                r"AW says 3 levels, the table has 4"),
        Mistake("aw-is-levels", 4, (Edit(DOMAIN, "VTD_CONTEXT_AW(domain->table.levels)", "(uint64_t)domain->table.levels"),),
                r"AW says 6 levels, the table has 4|garbage"),
        Mistake("domain-id-0", 4, (Edit(DOMAIN, " | VTD_CONTEXT_DID(domain->id);\n    memory_fence();", ";\n    memory_fence();"),),
                r"domain id 0 instead of"),
        Mistake("virtual-address", 4, (Edit(DOMAIN, "    entry->low = physical_address(domain->table.root) | VTD_CONTEXT_P;", "    entry->low = physical_address(&domain->table) | VTD_CONTEXT_P;"),),
                r"it points at 0x[0-9a-f]+, and the domain's table is at|bits 3:1 are"),
        Mistake("not-on-record", 4, (Edit(DOMAIN, "    *slot = (struct vtd_connection){function->rid, unit, domain};\n    domain->functions++;\n", "    domain->functions++;\n"),),
                r"iommu_disconnect\(\) refuses|not on record"),
        Mistake("twice", 4, (Edit(DOMAIN, "    if (connection_of(function->rid) != NULL)\n        return STATUS_BUSY;\n", ""),),
                r"a function was connected twice"),
        Mistake("entry-left-at-the-end", 5, (Edit(DOMAIN, "    clear_entry(connection->unit, entry);\n    enum status status =", "    enum status status ="),),
                r"still present after iommu_disconnect"),
        Mistake("another-domain's", 5, (Edit(DOMAIN, "    if (connection == NULL || connection->domain != domain)\n        return STATUS_NOT_FOUND;\n    volatile", "    if (connection == NULL)\n        return STATUS_NOT_FOUND;\n    volatile"),),
                r"taken out of a domain that it is not in"),
        Mistake("record-left", 5, (Edit(DOMAIN, "    connection->domain = NULL;\n    domain->functions--;\n", "    domain->functions--;\n"),),
                r"the connection is still on record|iommu_disconnect\(\) refuses|iommu_connect\(\) refuses"),
        Mistake("unmapped-and-not-invalidated", 6, (Edit(DOMAIN, "        enum status status = vtd_invalidate(unit, &request, 1);\n        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        (void)request;\n    }\n    return result;"),),
                r"after four pages were unmapped: .*a stale entry of the IOTLB is served"),
        Mistake("one-page-of-four", 6, (Edit(DOMAIN, "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {\n            request = vtd_translations_at(domain->id, address, order);", "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {\n            request = vtd_translations_at(domain->id, address, 0);"),),
                r"a stale entry of the IOTLB is served"),
        Mistake("alignment-forgotten", 6, (Edit(DOMAIN, "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {", "            (PAGE_SIZE << order) == size) {"),),
                r"not aligned to four pages were unmapped: .*stale|after four pages that are not aligned"),
        Mistake("psi-not-asked", 6, (Edit(DOMAIN, "        if ((unit->capability & VTD_CAP_PSI) != 0 && order", "        if (order"),),
                r"without page-selective invalidation"),
        Mistake("mamv-not-asked", 6, (Edit(DOMAIN, " && order <= VTD_CAP_MAMV(unit->capability) &&\n", " &&\n"),),
                r"one page a request|the unit minds: descriptor"),
        Mistake("every-unit", 6, (Edit(DOMAIN, "        if (!connected)\n            continue;\n        struct vtd_descriptor", "        (void)connected;\n        struct vtd_descriptor"),),
                r"the unit without any function of the domain was asked as well"),
        Mistake("failure-forgotten", 6, (Edit(DOMAIN, "        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        (void)status;\n    }\n    return result;"),),
                r"a unit does not answer and nobody heard"),
    ),
)
