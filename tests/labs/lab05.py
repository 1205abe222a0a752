# SPDX-License-Identifier: MIT
"""L5: a function reaches its domain and nothing else, and caches forget what is gone."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

DOMAIN = "hypervisor/iommu/vtd_domain.c"
CONNECT = Host("l05_connect")
REFUSALS = Host("l05_refusals")


def config(seed: int) -> str:
    return ("# A guest on a VF, and a guest whose VF accesses memory that is not the guest's.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {2 + seed % 6}\n\n"
            f"[guest alpha]\nimage  = hello.elf\nmemory = {8 + 8 * (seed % 3)}M\ndevice = uplink.vf0\nargs   = ticks=20\nexpect = exit 0\n\n"
            f"[guest rogue]\nimage  = rogue.elf\nmemory = {16 + 16 * (seed % 2)}M\ndevice = uplink.vf1\n"
            "args   = targets=@memory(alpha) rounds=2\nexpect = exit 0\nexpect_faults = 2\n")


def rogue_is_blocked(run) -> str | None:
    faults = [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]
    if not faults and any(line.event == "guest.started" and line["name"] == "rogue" for line in run.events):
        return "rogue's VF tried to access alpha's memory four times, but no dma.fault was logged"
    return None


def domains(run) -> list:
    return [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]


LAB = Lab(
    name="L5", title="VT-d: map, connect, invalidate", hours=7, config=config,
    steps=(
        Step(1, DOMAIN, "vtd_context_at", "return NULL;",
             "Return the context entry of a requester id. The root table has an entry for each bus, which points at a context "
             "table of 256 entries, one for each device and function. If the root entry is not present and `create` is set, make "
             "a table (pages_allocate()), publish it (vtd_publish()), and only then write and publish the root entry. Return "
             "NULL if there is no table. VT-d 5.0, 3.4.2, 9.1 and 9.3.", (CONNECT,)),
        Step(2, DOMAIN, "clear_entry", "(void)unit;\n(void)entry;",
             "Remove a context entry: clear P first, and everything else only when the unit no longer looks at it "
             "(memory_fence()); FPD stays as it is. Publish the entry. VT-d 5.0, 9.3.", (CONNECT,)),
        Step(3, DOMAIN, "invalidate_function", "return STATUS_UNSUPPORTED;",
             "Invalidate with one list for the unit: first the context entry of the function (vtd_context_of()), under the id by "
             "which the cache knows it, then all translations of the domain (vtd_translations_of()). vtd_invalidate() puts one "
             "wait at the end of a list. VT-d 5.0, 6.5.2.", (CONNECT,)),
        Step(4, DOMAIN, "vtd_context_for", "return (struct vtd_context_entry){0};",
             "Return the entry that leads to a domain: in the lower half, P and the physical address of the domain's table; in "
             "the upper half, AW, which says how many levels the table has, and the domain id. The translation type is 0. VT-d "
             "5.0, 9.3.", (CONNECT,)),
        Step(5, DOMAIN, "iommu_connect", "return STATUS_UNSUPPORTED;",
             "Return STATUS_UNSUPPORTED if VT-d is off or the domain was never made. Refuse through refuse_function(): no unit "
             "for the function (STATUS_NOT_FOUND), a unit that is not usable (STATUS_UNSUPPORTED, in the words of "
             "unit->refusal), a requester id that is not the function's own (STATUS_DENIED, \"shares its requester id\"). Return "
             "STATUS_BUSY for a function that is connected already, STATUS_FULL without a free record, and STATUS_NO_MEMORY "
             "without a context entry (vtd_context_at()) or if nothing leads to the domain (vtd_context_for() is all 0). Write "
             "the entry's upper half before the lower half with P (and without FPD, which the previous owner may have left), "
             "publish it, invalidate the function (in caching mode, what was remembered of a blocked function is filed under id "
             "0), and record the connection. If the unit does not answer, clear the entry again; the record stays. VT-d 5.0, "
             "6.1, 6.2.2 and 9.3.",
             (CONNECT, REFUSALS)),
        Step(6, DOMAIN, "iommu_disconnect", "return STATUS_UNSUPPORTED;",
             "Return STATUS_NOT_FOUND if the function is not in that domain. Clear its entry, invalidate, and remove its record "
             "only if the invalidation succeeded. VT-d 5.0, 6.5.", (CONNECT, REFUSALS)),
        Step(7, DOMAIN, "invalidate_domain", "return STATUS_UNSUPPORTED;",
             "In each unit that has a function of the domain, invalidate `size` bytes at `address` as 2^order pages if the unit "
             "can do that (CAP.PSI, order not above CAP.MAMV, a size that is a power of two, an address aligned to it); "
             "otherwise invalidate the whole domain. The result must not lose the failure of any unit. VT-d 5.0, 6.5.2.3 and "
             "11.4.2.", (Host("l05_invalidate"),)),
    ),
    whole=(Machine("tcg", "lab", rogue_is_blocked),),
    units=("test_vtd_domains", "test_vtd_queue"),
    questions=(
        Question("rogue-rid", "What is the requester id of the function whose requests were blocked? (dma.fault)", lambda run: domains(run)[0]["rid"]),
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
        Mistake("table-not-published", 1, (Edit(DOMAIN, "        vtd_publish(unit, created, PAGE_SIZE);\n", ""),),
                r"does not snoop caches \(ECAP\.C is 0\): the unit minds: the unit reads 0x\w+, which was never flushed"),
        Mistake("root-entry-not-published", 1, (Edit(DOMAIN, "        vtd_publish(unit, root, sizeof *root);\n", ""),),
                r"does not snoop caches \(ECAP\.C is 0\): a write at 0x201234 is blocked, reason 0x1"),
        Mistake("root-entry-before-its-table", 1, (Edit(DOMAIN, "        vtd_publish(unit, created, PAGE_SIZE);\n        root->low = physical_address(created) | VTD_ROOT_P;\n        vtd_publish(unit, root, sizeof *root);", "        root->low = physical_address(created) | VTD_ROOT_P;\n        vtd_publish(unit, root, sizeof *root);\n        vtd_publish(unit, created, PAGE_SIZE);"),),
                r"the root entry of bus \w+ is present, and its context table was not flushed before it"),
        Mistake("p-in-the-address", 1, (Edit(DOMAIN, "virtual_address(root->low & VTD_ROOT_ADDRESS);\n    return table", "virtual_address(root->low);\n    return table"),),
                r"misaligned address"),
        Mistake("a-table-for-each-function", 1, (Edit(DOMAIN, "    if ((root->low & VTD_ROOT_P) == 0) {\n        struct", "    if ((root->low & VTD_ROOT_P) == 0 || create) {\n        struct"),),
                r"after the device beside it was connected \(their bus has one context table\): .* is blocked, reason 0x2"),
        Mistake("p-left", 2, (Edit(DOMAIN, "    entry->low &= VTD_CONTEXT_FPD;\n    memory_fence();\n    entry->high = 0;", "    entry->high = 0;"),),
                r"the unit minds: .*garbage|still present after iommu_disconnect"),
        Mistake("fpd-cleared", 2, (Edit(DOMAIN, "    entry->low &= VTD_CONTEXT_FPD;\n    memory_fence();", "    entry->low = 0;\n    memory_fence();"),),
                r"FPD \(bit 1\) is gone after iommu_disconnect"),
        Mistake("upper-half-left", 2, (Edit(DOMAIN, "    memory_fence();\n    entry->high = 0;\n", "    memory_fence();\n"),),
                r"the rest of the context entry is left"),
        Mistake("entry-not-published", 2, (Edit(DOMAIN, "    entry->high = 0;\n    vtd_publish(unit, entry, sizeof *entry);\n", "    entry->high = 0;\n    (void)unit;\n"),),
                r"does not snoop caches.*(stale entry|gets through)|the unit minds"),
        Mistake("upper-half-first", 2, (Edit(DOMAIN, "    entry->low &= VTD_CONTEXT_FPD;\n    memory_fence();\n    entry->high = 0;\n    vtd_publish(unit, entry, sizeof *entry);", "    entry->high = 0;\n    memory_fence();\n    entry->low &= VTD_CONTEXT_FPD;\n    vtd_publish(unit, entry, sizeof *entry);"),),
                r"the unit minds: present context entry is garbage"),
        Mistake("nothing-invalidated", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list, 0);"),),
                r"a stale entry of a cache is served|changed and not invalidated"),
        Mistake("context-alone", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list, 1);"),),
                r"the IOTLB was invalidated 0 times for one domain"),
        Mistake("translations-alone", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    return vtd_invalidate(unit, list + 1, 1);"),),
                r"a stale entry of a cache is served|changed and not invalidated|0 context entries"),
        Mistake("two-lists", 3, (Edit(DOMAIN, "    return vtd_invalidate(unit, list, ARRAY_SIZE(list));", "    enum status first = vtd_invalidate(unit, list, 1);\n    return first != STATUS_OK ? first : vtd_invalidate(unit, list + 1, 1);"),),
                r"2 waits; both requests go into one list"),
        Mistake("iotlb-first", 3, (Edit(DOMAIN, "    const struct vtd_descriptor list[] = {vtd_context_of(context_domain, rid),\n                                          vtd_translations_of(domain)};", "    const struct vtd_descriptor list[] = {vtd_translations_of(domain),\n                                          vtd_context_of(context_domain, rid)};"),),
                r"the IOTLB is told before the context cache"),
        Mistake("ids-mixed-up", 3, (Edit(DOMAIN, "    const struct vtd_descriptor list[] = {vtd_context_of(context_domain, rid),\n                                          vtd_translations_of(domain)};", "    const struct vtd_descriptor list[] = {vtd_context_of(domain, rid),\n                                          vtd_translations_of(context_domain)};"),),
                r"caching mode .*remembers under domain id 0 that the function was blocked: a write at 0x201234 is blocked"),
        Mistake("everything-forgotten", 3, (Edit(DOMAIN, "    const struct vtd_descriptor list[] = {vtd_context_of(context_domain, rid),\n                                          vtd_translations_of(domain)};", "    (void)rid;\n    (void)context_domain;\n    (void)domain;\n    const struct vtd_descriptor list[] = {vtd_all_contexts(),\n                                          vtd_all_translations()};"),),
                r"0 context entries of one function were invalidated and 1 times all; 1 and 0 are expected"),
        Mistake("aw-for-three-levels", 4, (Edit(DOMAIN, "VTD_CONTEXT_AW(domain->table.levels)", "VTD_CONTEXT_AW(3)"),),
                r"AW says 3 levels, the table has 4"),
        Mistake("aw-is-levels", 4, (Edit(DOMAIN, "VTD_CONTEXT_AW(domain->table.levels)", "(uint64_t)domain->table.levels"),),
                r"AW says 6 levels, the table has 4|garbage"),
        Mistake("domain-id-0", 4, (Edit(DOMAIN, " |\n                                              VTD_CONTEXT_DID(domain->id)};", "};"),),
                r"domain id 0 instead of"),
        Mistake("virtual-address", 4, (Edit(DOMAIN, "{.low = physical_address(domain->table.root) | VTD_CONTEXT_P,", "{.low = physical_address(&domain->table) | VTD_CONTEXT_P,"),),
                r"it points at 0x[0-9a-f]+, and the domain's table is at|bits 3:1 are"),
        Mistake("not-on-record", 5, (Edit(DOMAIN, "    *slot = (struct vtd_connection){function->rid, unit, domain};\n    domain->functions++;\n", "    domain->functions++;\n"),),
                r"iommu_disconnect\(\) refuses|not on record"),
        Mistake("twice", 5, (Edit(DOMAIN, "    if (connection_of(function->rid) != NULL)\n        return STATUS_BUSY;\n", ""),),
                r"a function was connected twice"),
        Mistake("p-before-the-upper-half", 5, (Edit(DOMAIN, "    entry->high = whole.high;\n    memory_fence();\n    entry->low = whole.low;\n", "    entry->low = whole.low;\n    memory_fence();\n    entry->high = whole.high;\n"),),
                r"the unit minds: present context entry is garbage"),
        Mistake("fpd-of-the-owner-before", 5, (Edit(DOMAIN, "    entry->low = whole.low;", "    entry->low = (entry->low & VTD_CONTEXT_FPD) | whole.low;"),),
                r"bits 3:1 are 0x2; .*faults are to be reported"),
        Mistake("caching-mode-forgotten", 5, (Edit(DOMAIN, "caching ? 0 : domain->id, domain->id);", "domain->id, domain->id);\n    (void)caching;"),),
                r"caching mode .*remembers under domain id 0 that the function was blocked: a write at 0x201234 is blocked"),
        Mistake("connected-and-not-published", 5, (Edit(DOMAIN, "    vtd_publish(unit, entry, sizeof *entry);\n    /* What a unit with caching", "    /* What a unit with caching"),),
                r"does not snoop caches \(ECAP\.C is 0\): a write at 0x201234 is blocked, reason 0x2"),
        Mistake("connected-and-not-invalidated", 5, (Edit(DOMAIN, "    enum status status =\n        invalidate_function(unit, function->rid, caching ? 0 : domain->id, domain->id);", "    enum status status = STATUS_OK;\n    (void)caching;"),),
                r"iommu_connect\(\): 0 context entries of one function were invalidated"),
        Mistake("record-only-of-success", 5, (Edit(DOMAIN, "    *slot = (struct vtd_connection){function->rid, unit, domain};\n    domain->functions++;\n    if (status != STATUS_OK) {", "    if (status == STATUS_OK) {\n    *slot = (struct vtd_connection){function->rid, unit, domain};\n    domain->functions++;\n    }\n    if (status != STATUS_OK) {"),),
                r"iommu_connect\(\) on a unit that does not answer: the connection is not on record"),
        Mistake("entry-left-after-a-failure", 5, (Edit(DOMAIN, "        clear_entry(unit, entry);\n    }\n    return status;", "    }\n    return status;"),),
                r"iommu_connect\(\) on a unit that does not answer: the entry is left present"),
        Mistake("silence-taken-for-ok", 5, (Edit(DOMAIN, "        clear_entry(unit, entry);\n    }\n    return status;", "        clear_entry(unit, entry);\n    }\n    return STATUS_OK;"),),
                r"iommu_connect\(\) on a unit that does not answer: STATUS_OK was returned"),
        Mistake("unusable-unit", 5, (Edit(DOMAIN, "    if (!unit->usable)\n        return refuse_function(function, unit->refusal, STATUS_UNSUPPORTED);\n    if (!has", "    if (!has"),),
                r'''a unit that is not usable .*: the status is \"ok\", STATUS_UNSUPPORTED is expected'''),
        Mistake("no-unit-not-asked", 5, (Edit(DOMAIN, "    if (unit == NULL)\n        return refuse_function(function,\n                               \"no VT-d unit covers this function (it is missing from the DMAR \"\n                               \"table); it stays unused\",\n                               STATUS_NOT_FOUND);\n", ""),),
                r"null pointer of type 'struct vtd_unit', in iommu_connect\(\): a function that no unit covers"),
        Mistake("no-unit-is-unsupported", 5, (Edit(DOMAIN, "it stays unused\",\n                               STATUS_NOT_FOUND);", "it stays unused\",\n                               STATUS_UNSUPPORTED);"),),
                r'''a function that no unit covers .*: the status is \"unsupported\", STATUS_NOT_FOUND is expected'''),
        Mistake("refused-without-a-word", 5, (Edit(DOMAIN, "        return refuse_function(function,\n                               \"no VT-d unit covers this function (it is missing from the DMAR \"\n                               \"table); it stays unused\",\n                               STATUS_NOT_FOUND);", "        return STATUS_NOT_FOUND;"),),
                r"no iommu\.refused names the function; refuse_function\(\) logs it"),
        Mistake("shared-id-accepted", 5, (Edit(DOMAIN, "    if (!has_own_requester_id(function))\n", "    if (!has_own_requester_id(function) && false)\n"),),
                r'''a function behind a bridge to conventional PCI: the status is \"ok\", STATUS_DENIED is expected'''),
        Mistake("vt-d-off-not-asked", 5, (Edit(DOMAIN, "    if (!vtd.enabled || domain->id == 0)\n        return STATUS_UNSUPPORTED;\n    struct vtd_unit *unit", "    if (domain->id == 0)\n        return STATUS_UNSUPPORTED;\n    struct vtd_unit *unit"),),
                r'''VT-d is off \(vtd\.enabled\): the status is \"ok\", STATUS_UNSUPPORTED is expected'''),
        Mistake("no-free-record", 5, (Edit(DOMAIN, "    if (slot == NULL)\n        return STATUS_FULL;\n", ""),),
                r"null pointer of type 'struct vtd_connection', in iommu_connect\(\): no record is free"),
        Mistake("first-record-for-all", 5, (Edit(DOMAIN, "ARRAY_SIZE(vtd.connections) && slot == NULL; i++)\n        if (vtd.connections[i].domain == NULL)\n            slot", "1 && slot == NULL; i++)\n            slot"),),
                r"the record of the second connection took the place of the first's"),
        Mistake("functions-not-counted", 5, (Edit(DOMAIN, "    domain->functions++;\n", ""),),
                r"the connection is not on record \(vtd\.connections, domain->functions\)"),
        Mistake("no-memory-is-not-found", 5, (Edit(DOMAIN, "whole.low == 0)\n        return STATUS_NO_MEMORY;", "whole.low == 0)\n        return STATUS_NOT_FOUND;"),),
                r"no page is left for a context table: STATUS_NO_MEMORY is expected"),
        Mistake("entry-left-at-the-end", 6, (Edit(DOMAIN, "    clear_entry(connection->unit, entry);\n    enum status status =", "    enum status status ="),),
                r"still present after iommu_disconnect"),
        Mistake("another-domain's", 6, (Edit(DOMAIN, "    if (connection == NULL || connection->domain != domain)\n        return STATUS_NOT_FOUND;\n    volatile", "    if (connection == NULL)\n        return STATUS_NOT_FOUND;\n    volatile"),),
                r"taken out of a domain that it is not in"),
        Mistake("record-left", 6, (Edit(DOMAIN, "    connection->domain = NULL;\n    domain->functions--;\n", "    domain->functions--;\n"),),
                r"the connection is still on record|iommu_disconnect\(\) refuses|iommu_connect\(\) refuses"),
        Mistake("forgotten-under-id-0", 6, (Edit(DOMAIN, "    clear_entry(connection->unit, entry);\n    enum status status =\n        invalidate_function(connection->unit, function->rid, domain->id, domain->id);", "    clear_entry(connection->unit, entry);\n    enum status status =\n        invalidate_function(connection->unit, function->rid, 0, 0);"),),
                r"disconnected, on a coherent unit: .*a stale entry of a cache is served"),
        Mistake("disconnected-and-not-invalidated", 6, (Edit(DOMAIN, "    clear_entry(connection->unit, entry);\n    enum status status =\n        invalidate_function(connection->unit, function->rid, domain->id, domain->id);", "    clear_entry(connection->unit, entry);\n    enum status status = STATUS_OK;"),),
                r"disconnected, on a coherent unit: .*a stale entry of a cache is served"),
        Mistake("caches-first", 6, (Edit(DOMAIN, "    clear_entry(connection->unit, entry);\n    enum status status =\n        invalidate_function(connection->unit, function->rid, domain->id, domain->id);", "    enum status status =\n        invalidate_function(connection->unit, function->rid, domain->id, domain->id);\n    clear_entry(connection->unit, entry);"),),
                r"iommu_disconnect\(\): the context cache was told while the entry in memory was still present"),
        Mistake("record-gone-after-a-failure", 6, (Edit(DOMAIN, "    if (status != STATUS_OK)\n        return status; /* still on record, see iommu_connect() */\n    connection->domain = NULL;\n    domain->functions--;\n    return STATUS_OK;", "    connection->domain = NULL;\n    domain->functions--;\n    return status;"),),
                r"iommu_disconnect\(\) on a unit that does not answer: the connection is not on record"),
        Mistake("failure-is-ok", 6, (Edit(DOMAIN, "        return status; /* still on record, see iommu_connect() */", "        return STATUS_OK;"),),
                r"iommu_disconnect\(\) on a unit that does not answer: STATUS_OK was returned"),
        Mistake("unmapped-and-not-invalidated", 7, (Edit(DOMAIN, "        enum status status = vtd_invalidate(unit, &request, 1);\n        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        (void)request;\n    }\n    return result;"),),
                r"after four pages were unmapped: .*a stale entry of the IOTLB is served"),
        Mistake("one-page-of-four", 7, (Edit(DOMAIN, "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {\n            request = vtd_translations_at(domain->id, address, order);", "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {\n            request = vtd_translations_at(domain->id, address, 0);"),),
                r"a stale entry of the IOTLB is served"),
        Mistake("alignment-forgotten", 7, (Edit(DOMAIN, "            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {", "            (PAGE_SIZE << order) == size) {"),),
                r"not aligned to four pages were unmapped: .*stale|after four pages that are not aligned"),
        Mistake("psi-not-asked", 7, (Edit(DOMAIN, "        if ((unit->capability & VTD_CAP_PSI) != 0 && order", "        if (order"),),
                r"without page-selective invalidation"),
        Mistake("mamv-not-asked", 7, (Edit(DOMAIN, " && order <= VTD_CAP_MAMV(unit->capability) &&\n", " &&\n"),),
                r"one page a request|the unit minds: descriptor"),
        Mistake("every-unit", 7, (Edit(DOMAIN, "        if (!connected)\n            continue;\n        struct vtd_descriptor", "        (void)connected;\n        struct vtd_descriptor"),),
                r"the unit without any function of the domain was asked as well"),
        Mistake("failure-forgotten", 7, (Edit(DOMAIN, "        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        (void)status;\n    }\n    return result;"),),
                r"a unit does not answer and nobody heard"),
        Mistake("last-status-wins", 7, (Edit(DOMAIN, "        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        result = status;\n    }\n    return result;"),),
                r"unit 0 of two does not answer and STATUS_OK was returned"),
        Mistake("stops-at-a-failure", 7, (Edit(DOMAIN, "        if (status != STATUS_OK)\n            result = status;\n    }\n    return result;", "        if (status != STATUS_OK)\n            return status;\n    }\n    return result;"),),
                r"unit 0 of two does not answer, and the other one was not asked"),
        Mistake("rounded-down", 7, (Edit(DOMAIN, "        while ((PAGE_SIZE << order) < size && order < 32)\n            order++;", "        while ((PAGE_SIZE << (order + 1)) <= size && order < 32)\n            order++;"),
                                    Edit(DOMAIN, "order <= VTD_CAP_MAMV(unit->capability) &&\n            (PAGE_SIZE << order) == size && IS_ALIGNED(address, size)) {", "order <= VTD_CAP_MAMV(unit->capability) &&\n            IS_ALIGNED(address, size)) {")),
                r"after three pages were unmapped, the first of which is aligned: .*stale entry of the IOTLB"),
        Mistake("pages-for-order", 7, (Edit(DOMAIN, "request = vtd_translations_at(domain->id, address, order);", "request = vtd_translations_at(domain->id, address, (unsigned)(size / PAGE_SIZE));"),),
                r"after four pages were unmapped: the unit minds: descriptor \w+ \w+ is not valid"),
        Mistake("bits-for-order", 7, (Edit(DOMAIN, "            request = vtd_translations_at(domain->id, address, order);", "            request = vtd_translations_at(domain->id, address, order + 12);"),),
                r"after four pages were unmapped: the unit minds: descriptor \w+ \w+ is not valid"),
        Mistake("always-the-domain", 7, (Edit(DOMAIN, "            request = vtd_translations_at(domain->id, address, order);", "            ;"),),
                r"four aligned pages: 0 requests for pages and 1 for the domain"),
        Mistake("mamv-excluded", 7, (Edit(DOMAIN, "order <= VTD_CAP_MAMV(unit->capability)", "order < VTD_CAP_MAMV(unit->capability)"),),
                r"takes 2\^2 pages a request \(CAP\.MAMV is 2\): 0 requests for pages instead of 1"),
    ),
)
