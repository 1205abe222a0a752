# SPDX-License-Identifier: MIT
"""L12, optional: the same domains by the tables of scalable mode."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

SCALABLE = "hypervisor/iommu/vtd_scalable.c"
PASID = Host("l12_pasid")


def config(seed: int) -> str:
    return ("# A guest on a VF, and a guest whose VF accesses memory that is not the guest's. It needs a unit with scalable mode:\n"
            "# make run SCENARIO=lab RUN_FLAGS=--scalable\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {2 + seed % 6}\n\n"
            f"[guest alpha]\nimage  = hello.elf\nmemory = {8 + 8 * (seed % 3)}M\ndevice = uplink.vf0\nargs   = ticks=20\nexpect = exit 0\n\n"
            f"[guest rogue]\nimage  = rogue.elf\nmemory = {16 + 16 * (seed % 2)}M\ndevice = uplink.vf1\n"
            "args   = targets=@memory(alpha) rounds=2\nexpect = exit 0\nexpect_faults = 2\n")


def faults(run) -> list:
    return [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "rogue"]


def rogue_is_blocked(run) -> str | None:
    for line in faults(run):
        if line.number("reason") not in (5, 6):
            return (f"rogue's request for alpha's memory was blocked for reason {line['reason']}, before the unit looked at rogue's tables: "
                    f"{line['message']}")
    if not faults(run) and any(line.event == "guest.started" and line["name"] == "rogue" for line in run.events):
        return "rogue's VF tried to access alpha's memory four times, but no dma.fault was logged"
    return None


LAB = Lab(
    name="L12", title="Scalable mode (optional)", hours=5, config=config,
    steps=(
        Step(1, SCALABLE, "vtd_format_problem", "return NULL;",
             "Return NULL, or a sentence that says why a unit cannot have scalable mode's tables. It needs ECAP.SMTS, and "
             "ECAP.QI, since scalable mode is invalidated through the queue only: without one of them nothing may be written to "
             "the unit (`answers` false; \"it has no scalable mode ...\"). It also needs ECAP.SSTS (\"its scalable mode has no "
             "second-stage translation ...\"). If ECAP.SMPWC is 0, the unit does not snoop these tables: then ECAP.C, which the "
             "rest of the code uses to decide that (vtd_coherent()), is not true. VT-d 5.0, 11.4.3 and 11.4.5.", (Host("l12_problem"),)),
        Step(2, SCALABLE, "vtd_context_at", "return NULL;",
             "Return the context entry of a requester id. The root entry of its bus has two halves, each with P and a table of "
             "128 entries of 32 bytes: the lower half is for devices 0 to 15, the upper for 16 to 31. If the half is not present "
             "and `create` is set, make a table (pages_allocate()), publish it (vtd_publish()), then write the half and publish "
             "it. Return NULL if there is no table. VT-d 5.0, 9.2 and 9.4.", (Host("l12_context"),)),
        Step(3, SCALABLE, "write_pasid_entry", "(void)pages;\n(void)domain;",
             "Write the entry of RID_PASID in the PASID table: P, the domain's table, AW (levels - 2), PGTT for second-stage "
             "translation, and the domain id in the second word. The other words are 0. Then write the directory's entry: P and "
             "the table. VT-d 5.0, 9.5 and 9.6.", (PASID,)),
        Step(4, SCALABLE, "vtd_context_for", "return (struct vtd_context_entry){0};",
             "Return the context entry that leads to a domain. A domain has two pages (struct pasid_pages), which are kept by "
             "its id (pasids_of[]) and made when they are first needed; return all 0 if there is no memory. While no function is "
             "connected (domain->functions), write the PASID entry, since another domain may have used the id before. Then a "
             "fence and, if some unit does not snoop (vtd.flush), cache_flush_range(). The entry: P and the directory; RID_PASID "
             "in the upper half; PDTS, DTE, PASIDE and PRE 0. VT-d 5.0, 9.4.", (PASID,)),
        Step(5, SCALABLE, "pasid_request", "(void)request;\nreturn vtd_all_translations();",
             "Return the request that follows a context-cache request. It invalidates the PASID cache: of the domain that the "
             "request names, or all of it if the request is for all or under id 0. Granularity is in bits 5:4, with other values "
             "than in the request; the domain id is in bits 31:16. VT-d 5.0, 6.5.2.1 and 6.5.2.2.", (Host("l12_caches"),)),
        Step(6, SCALABLE, "report_pasid", "(void)report;",
             "Fill in pasid_low, pasid_high, domain, levels, table and live from what is in memory, for the context entry that "
             "is in the report: its RID_PASID, the directory entry (if it is one of the 2^(7 + PDTS)), the PASID entry. Do not "
             "follow anything that is not present (table_at()). `live` has a table (page_format_vtd, leaves up to level 3) only "
             "if PGTT is second stage. VT-d 5.0, 9.4 to 9.6.",
             (Host("l12_report"),)),
    ),
    whole=(Machine("tcg", "lab", rogue_is_blocked, scalable=True),),
    units=("test_vtd_scalable",),
    questions=(
        Question("rogue-rid", "What is the requester id of the function whose requests were blocked? (dma.fault)", lambda run: faults(run)[0]["rid"]),
        Question("blocked-at", "Which address was blocked first? (dma.fault)", lambda run: faults(run)[0]["address"]),
        Question("leaves", "How many pages did the first audit find in the tables? (audit.ok)",
                 lambda run: next(line["leaves"] for line in run.events if line.event == "audit.ok")),
    ),
    mistakes=(
        Mistake("smts-not-asked", 1, (Edit(SCALABLE, "unit->answers && (unit->extended & VTD_ECAP_SMTS) != 0 &&", "unit->answers &&"),),
                r"a unit without ECAP\.SMTS was accepted|without ECAP\.SMTS was given a root table"),
        Mistake("queue-not-asked", 1, (Edit(SCALABLE, "(unit->extended & VTD_ECAP_SMTS) != 0 &&\n                    (unit->extended & VTD_ECAP_QI) != 0;", "(unit->extended & VTD_ECAP_SMTS) != 0;"),),
                r"a unit without ECAP\.QI was accepted: scalable mode is invalidated through the queue only"),
        Mistake("written-all-the-same", 1, (Edit(SCALABLE, "    if (!unit->answers)\n        return", "    bool able = unit->answers;\n    unit->answers = true;\n    if (!able)\n        return"),),
                r"without ECAP\.\w+ was given a root table or a queue of a format that it does not know"),
        Mistake("ssts-not-asked", 1, (Edit(SCALABLE, "    if ((unit->extended & VTD_ECAP_SSTS) == 0)\n", "    if (unit->extended == 0)\n"),),
                r"a unit without ECAP\.SSTS was accepted"),
        Mistake("coherence-of-legacy-mode", 1, (Edit(SCALABLE, "        unit->extended &= ~VTD_ECAP_C;\n", "        unit->extended &= ~VTD_ECAP_SMPWC;\n"),),
                r"ECAP\.SMPWC is 0: .*nobody flushes them, since .*was kept"),
        Mistake("ssts-leaves-all-open", 1, (Edit(SCALABLE, "    if ((unit->extended & VTD_ECAP_SSTS) == 0)\n", "    if ((unit->extended & VTD_ECAP_SSTS) == 0 && !(unit->answers = false))\n"),),
                r"without ECAP\.SSTS was left as it is: what firmware let through stays open"),
        Mistake("unsnooped-is-refused", 1, (Edit(SCALABLE, "        unit->extended &= ~VTD_ECAP_C;\n", "        return \"its tables are not snooped\";\n"),),
                r"ECAP\.C 1 and ECAP\.SMPWC 0 was refused; its tables only have to be flushed: its tables are not snooped"),
        Mistake("smpwc-makes-all-coherent", 1, (Edit(SCALABLE, "        unit->extended &= ~VTD_ECAP_C;\n", "        unit->extended &= ~VTD_ECAP_C;\n    else\n        unit->extended |= VTD_ECAP_C;\n"),),
                r"ECAP\.C is 0: .*bit C is only ever taken off"),
        Mistake("coherence-toggled", 1, (Edit(SCALABLE, "        unit->extended &= ~VTD_ECAP_C;\n", "        unit->extended ^= VTD_ECAP_C;\n"),),
                r"ECAP\.SMPWC is 0: .*since ECAP\.C, which is legacy mode's, was set"),
        Mistake("one-table-for-a-bus", 2, (Edit(SCALABLE, "    uint64_t *half = (rid & 0x80) != 0 ? &root->high : &root->low;", "    uint64_t *half = &root->low;"),),
                r"device 1[0-9a-f]h has an entry, and only the table of devices 00h to 0fh was made|lower half"),
        Mistake("halves-swapped", 2, (Edit(SCALABLE, "    uint64_t *half = (rid & 0x80) != 0 ? &root->high : &root->low;", "    uint64_t *half = (rid & 0x80) != 0 ? &root->low : &root->high;"),),
                r"changed the upper half of bus .*: that is for devices 10h to 1fh"),
        Mistake("half-by-function", 2, (Edit(SCALABLE, "    uint64_t *half = (rid & 0x80) != 0 ? &root->high : &root->low;", "    uint64_t *half = (rid & 0x1) != 0 ? &root->high : &root->low;"),),
                r"changed the upper half of bus"),
        Mistake("index-of-legacy-mode", 2, (Edit(SCALABLE, "&table[rid % VTD_SCALABLE_FUNCTIONS].first;\n}\n\n/* Nothing", "&table[rid & 0xff].first;\n}\n\n/* Nothing"),),
                r"is at offset 0x1[0-9a-f]+ of its table, not at"),
        Mistake("entries-of-16-bytes", 2, (Edit(SCALABLE, "NULL : &table[rid % VTD_SCALABLE_FUNCTIONS].first;\n}\n\n/* Nothing", "NULL : &(&table->first)[rid % VTD_SCALABLE_FUNCTIONS];\n}\n\n/* Nothing"),),
                r"128 entries of 32 bytes"),
        Mistake("half-without-p", 2, (Edit(SCALABLE, "        *half = physical_address(created) | VTD_ROOT_P;", "        *half = physical_address(created);"),),
                r"half of bus [0-9a-f]+'s root entry, 0x[0-9a-f]+, is not present"),
        Mistake("always-created", 2, (Edit(SCALABLE, "created = create ? pages_allocate(1) : NULL;", "created = pages_allocate(1);\n        (void)create;"),),
                r"a table was made, or an entry found, where nothing is and `create` is false"),
        Mistake("table-not-published", 2, (Edit(SCALABLE, "        vtd_publish(unit, created, PAGE_SIZE);\n", ""),),
                r"table made on a unit that does not snoop caches .*never flushed"),
        Mistake("half-not-published", 2, (Edit(SCALABLE, "        vtd_publish(unit, root, sizeof *root);\n", ""),),
                r"a unit that does not snoop caches sees 0: vtd_publish\(\) follows the write"),
        Mistake("half-published-before", 2, (Edit(SCALABLE, "        *half = physical_address(created) | VTD_ROOT_P;\n        vtd_publish(unit, root, sizeof *root);\n", "        vtd_publish(unit, root, sizeof *root);\n        *half = physical_address(created) | VTD_ROOT_P;\n"),),
                r"a unit that does not snoop caches sees 0: vtd_publish\(\) follows the write"),
        Mistake("segment-in-the-bus", 2, (Edit(SCALABLE, "    struct vtd_root_entry *root = &unit->root[RID_BUS(rid)];\n    uint64_t *half", "    struct vtd_root_entry *root = &unit->root[rid >> 8];\n    uint64_t *half"),),
                r"goes past the end of the data, in vtd_context_at\(0001:|bits 31:16 of a rid_t are the segment"),
        Mistake("entry-without-p", 3, (Edit(SCALABLE, " | VTD_PASID_P,\n                                      .high = domain->id};", ",\n                                      .high = domain->id};"),),
                r"PASID entry 0, 0x[0-9a-f]+, is not present: reason 59h"),
        Mistake("first-stage", 3, (Edit(SCALABLE, "(uint64_t)VTD_PASID_SECOND_STAGE << 6", "UINT64_C(1) << 6"),),
                r"PGTT of PASID entry 0 is 1: 2 is second stage"),
        Mistake("pass-through", 3, (Edit(SCALABLE, "(uint64_t)VTD_PASID_SECOND_STAGE << 6", "UINT64_C(4) << 6"),),
                r"PGTT of PASID entry 0 is 4: .*untranslated"),
        Mistake("aw-in-the-wrong-place", 3, (Edit(SCALABLE, "VTD_PASID_AW(domain->table.levels) |", "VTD_CONTEXT_AW(domain->table.levels) |"),),
                r"AW of PASID entry 0 says 2 levels, the table has 4: bits 4:2"),
        Mistake("did-forgotten", 3, (Edit(SCALABLE, ",\n                                      .high = domain->id};", "};"),),
                r"the second word of PASID entry 0 is 0: the domain id"),
        Mistake("did-where-legacy-mode-has-it", 3, (Edit(SCALABLE, ".high = domain->id};", ".high = VTD_CONTEXT_DID(domain->id)};"),),
                r"the second word of PASID entry 0 is 0x[0-9a-f]+00: the domain id"),
        Mistake("directory-entry-without-p", 3, (Edit(SCALABLE, "        physical_address(pages->table) | VTD_PASID_P;", "        physical_address(pages->table);"),),
                r"entry 0 of the PASID directory, 0x[0-9a-f]+, is not present: reason 51h"),
        Mistake("directory-leads-to-the-pages", 3, (Edit(SCALABLE, "        physical_address(pages->table) | VTD_PASID_P;", "        physical_address(domain->table.root) | VTD_PASID_P;"),),
                r"PASID entry 0|PASID table"),
        Mistake("faults-not-reported", 3, (Edit(SCALABLE, "        physical_address(pages->table) | VTD_PASID_P;", "        physical_address(pages->table) | VTD_PASID_P | VTD_PASID_FPD;"),),
                r"FPD is set in entry 0 of the PASID directory.*is not reported"),
        Mistake("always-rewritten", 4, (Edit(SCALABLE, "    if (domain->functions == 0)\n        write_pasid_entry", "    if (domain->id != 0)\n        write_pasid_entry"),),
                r"written while a function is connected"),
        Mistake("written-once", 4, (Edit(SCALABLE, "        pages = pasids_of[domain->id] = pages_allocate(2);\n    if (pages == NULL)\n        return (struct vtd_context_entry){0};\n    if (domain->functions == 0)\n        write_pasid_entry(pages, domain);\n",
                                                  "        pages = pasids_of[domain->id] = pages_allocate(2);\n    if (pages == NULL)\n        return (struct vtd_context_entry){0};\n    if (pages->directory[0] == 0)\n        write_pasid_entry(pages, domain);\n"),),
                r"an id that was somebody else's before has to be written anew"),
        Mistake("pages-for-each-function", 4, (Edit(SCALABLE, "    if (pages == NULL)\n        pages = pasids_of[domain->id] = pages_allocate(2);", "    pages = pasids_of[domain->id] = pages_allocate(2);"),),
                r"the second function of a domain got another PASID directory"),
        Mistake("no-memory-unsaid", 4, (Edit(SCALABLE, "    if (pages == NULL)\n        return (struct vtd_context_entry){0};\n    if (domain", "    if (domain"),),
                r"in vtd_context_for\(domain 1\)"),
        Mistake("pasids-of-the-device", 4, (Edit(SCALABLE, ".low = physical_address(pages->directory) | VTD_CONTEXT_P,", ".low = physical_address(pages->directory) | VTD_CONTEXT_PASIDE | VTD_CONTEXT_P,"),),
                r"with DTE or PASIDE the device brings translations or PASIDs of its own"),
        Mistake("leads-to-the-table", 4, (Edit(SCALABLE, ".low = physical_address(pages->directory) | VTD_CONTEXT_P,", ".low = physical_address(pages->table) | VTD_CONTEXT_P,"),),
                r"entry 0 of the PASID directory"),
        Mistake("domain-id-as-rid-pasid", 4, (Edit(SCALABLE, ".high = RID_PASID};", ".high = VTD_CONTEXT_DID(domain->id)};"),),
                r"RID_PASID is 0x[0-9a-f]+: requests without a PASID"),
        Mistake("not-flushed", 4, (Edit(SCALABLE, "    if (vtd.flush)\n        cache_flush_range(pages, sizeof *pages);\n", ""),),
                r"does not snoop these tables: the unit minds: .*never flushed|does not snoop these tables: a write .* is blocked"),
        Mistake("type-of-the-context-cache", 5, (Edit(SCALABLE, "{VTD_DESCRIPTOR_PASID_CACHE | reach, 0}", "{VTD_DESCRIPTOR_CONTEXT | reach, 0}"),),
                r"is followed by a descriptor of type 1: the PASID cache is type 7"),
        Mistake("granularity-as-it-was", 5, (Edit(SCALABLE, "    return (struct vtd_descriptor){VTD_DESCRIPTOR_PASID_CACHE | reach, 0};", "    (void)reach;\n    return (struct vtd_descriptor){(request.low & ~UINT64_C(0xf)) | VTD_DESCRIPTOR_PASID_CACHE, 0};"),),
                r"of granularity 3; 0 is expected"),
        Mistake("always-all", 5, (Edit(SCALABLE, "5, 4) == 3 && domain != 0;", "5, 4) == 3 && domain == 0;"),),
                r"of granularity 3; 0 is expected"),
        Mistake("id-0-is-a-domain", 5, (Edit(SCALABLE, "5, 4) == 3 && domain != 0;", "5, 4) == 3;"),),
                r"under id 0, which a unit with caching mode needs is followed by .* granularity 0; 3 is expected"),
        Mistake("global-is-1", 5, (Edit(SCALABLE, "all = 3 << 4;", "all = VTD_DESCRIPTOR_GLOBAL;"),),
                r"a context request for all is followed by a PASID-cache request of granularity 1; 3 is expected"),
        Mistake("domain-forgotten", 5, (Edit(SCALABLE, "? VTD_DESCRIPTOR_DID(domain)", "? VTD_DESCRIPTOR_DID(0)"),),
                r"is followed by a PASID-cache request for domain 0"),
        Mistake("type-unread", 6, (Edit(SCALABLE, "    if ((report->pasid_low & VTD_PASID_P) == 0 ||\n        VTD_PASID_PGTT(report->pasid_low) != VTD_PASID_SECOND_STAGE)\n        return;", "    if ((report->pasid_low & VTD_PASID_P) == 0)\n        return;"),),
                r"PGTT 0: the report has a table to walk; only type 2"),
        Mistake("p-unread", 6, (Edit(SCALABLE, "    if ((report->pasid_low & VTD_PASID_P) == 0 ||\n        VTD_PASID_PGTT(report->pasid_low) != VTD_PASID_SECOND_STAGE)\n        return;", "    if (VTD_PASID_PGTT(report->pasid_low) != VTD_PASID_SECOND_STAGE)\n        return;"),),
                r"the PASID entry is not present \(reason 59h\)"),
        Mistake("always-entry-0", 6, (Edit(SCALABLE, "    uint32_t pasid = VTD_CONTEXT_RID_PASID(report->context_high);", "    uint32_t pasid = 0;"),),
                r"RID_PASID \d+: the second-stage table is at"),
        Mistake("size-of-the-directory-unread", 6, (Edit(SCALABLE, "UINT32_C(128) << VTD_CONTEXT_PDTS(report->context_low))", "UINT32_C(512))"),),
                r"RID_PASID 8198 with PDTS 0: the report has a table to walk|RID_PASID 8198 with PDTS 1"),
        Mistake("pdts-unread", 6, (Edit(SCALABLE, "UINT32_C(128) << VTD_CONTEXT_PDTS(report->context_low))", "UINT32_C(128))"),),
                r"RID_PASID 8198 with PDTS 1: the second-stage table is at"),
        Mistake("one-directory-entry-too-many", 6, (Edit(SCALABLE, "pasid / VTD_PASID_TABLE_ENTRIES >= UINT32_C(128)", "pasid / VTD_PASID_TABLE_ENTRIES > UINT32_C(128)"),),
                r"RID_PASID 8198 with PDTS 0: the report has a table to walk"),
        Mistake("walked-in-no-format", 6, (Edit(SCALABLE, "{.format = &page_format_vtd,\n                                       .root", "{.root"),),
                r"`live` is not of the format page_format_vtd"),
        Mistake("large-pages-taken-for-tables", 6, (Edit(SCALABLE, ".max_leaf_level = 3};", ".max_leaf_level = 1};"),),
                r"with leaves of up to 1 GiB .*would take a large page for a table"),
        Mistake("domain-of-legacy-mode", 6, (Edit(SCALABLE, "    report->domain = VTD_PASID_DID(report->pasid_high);", "    report->domain = VTD_CONTEXT_ID(report->context_high);"),),
                r"domain 1, and the report has 0"),
        Mistake("levels-of-legacy-mode", 6, (Edit(SCALABLE, "    report->levels = VTD_PASID_LEVELS(report->pasid_low);", "    report->levels = (unsigned)FIELD(report->context_high, 2, 0) + 2;"),),
                r"4 levels, and the report has 2"),
        Mistake("one-index-for-both", 6, (Edit(SCALABLE, "    report->pasid_low = table[pasid % VTD_PASID_TABLE_ENTRIES].low;\n    report->pasid_high = table[pasid % VTD_PASID_TABLE_ENTRIES].high;", "    report->pasid_low = table[pasid / VTD_PASID_TABLE_ENTRIES].low;\n    report->pasid_high = table[pasid / VTD_PASID_TABLE_ENTRIES].high;"),),
                r"RID_PASID \d+: the second-stage table is at"),
    ),
)
