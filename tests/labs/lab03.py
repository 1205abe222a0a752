# SPDX-License-Identifier: MIT
"""L3: a guest's memory, by extended page tables."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

EPT = "hypervisor/memory/format_ept.c"
TABLE = "hypervisor/memory/page_table.c"


def config(seed: int) -> str:
    return ("# Two guests without devices.\n\n" +
            "\n".join(f"[guest {name}]\nimage  = hello.elf\nmemory = {4 + 2 * ((seed + i) % 5)}M\nargs   = ticks=5\nexpect = exit 0\n"
                      for i, name in enumerate(("alpha", "beta"))))


def both_end(run) -> str | None:
    for line in run.events:
        if line.event == "guest.stopped" and line.get("reason") not in (None, "exit"):
            return f"guest {line['name']} was stopped: {line.text.split('] ', 1)[-1]}"
    return None


def tables_of(run, name: str) -> str:
    return next(line["memory_largest"] for line in run.events if line.event == "guest.tables" and line["name"] == name)


LAB = Lab(
    name="L3", title="EPT: a guest's memory", hours=6, config=config,
    steps=(
        Step(1, EPT, "ept_leaf", "return physical;",
             "Return the entry that maps a page of level 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB): its address in bits 51:12; read, "
             "write and execute according to the rights; memory type write-back or, for PAGE_DEVICE, uncacheable; and the bit "
             "that distinguishes a page from a table at levels that can have both. SDM 3C, 29.3.2, tables 29-3, 29-5 and 29-7.", (Host("l03_leaf"),)),
        Step(2, EPT, "ept_table", "return physical;",
             "Return the entry that points at a lower table and takes no right away. SDM 3C, 29.3.2, tables 29-2, 29-4 and 29-6.",
             (Host("l03_table"),)),
        Step(3, EPT, "ept_rights", "return 0;",
             "Return the rights (PAGE_*) that an entry gives and, for a page, its memory type (ept_type()); return 0 exactly "
             "when the processor treats the entry as not present. SDM 3C, 29.3.2.", (Host("l03_rights"),)),
        Step(4, TABLE, "leaf_level", "return 1;",
             "Return the level of the largest page that may begin at `input`: not above max_leaf_level; not above the level "
             "where the existing tables on the way end (page_table_walk() says how far down they go); both addresses aligned to "
             "the page; and the page no larger than `size`. SDM 3C, 29.3.2.", (Host("l03_level"),)),
        Step(5, TABLE, "descend", "*status = STATUS_UNSUPPORTED;\nreturn NULL;",
             "Go from the root down to the table whose entries are of `level`. Where an entry is not present, make a new table "
             "and link it (new_table(), link_table()); if none is left, the status is STATUS_NO_MEMORY. If a page is in the way, "
             "it is STATUS_BUSY. SDM 3C, 29.3.2.", (Host("l03_map"),)),
        Step(6, TABLE, "page_table_map", "return STATUS_UNSUPPORTED;",
             "Everything must be aligned to 4 KiB, lie inside the table's width (range_valid()) and 52 bits of physical address, "
             "and include PAGE_READ; otherwise STATUS_INVALID. If any part is mapped already (next_below()), return STATUS_BUSY "
             "and change nothing. Then map page after page: level, table (descend()), entry (write_entry()). SDM 3C, 29.3.2 and "
             "29.3.3.1.", (Host("l03_map"),)),
    ),
    whole=(Machine("bochs", "lab", both_end),),
    units=("test_page_table", "test_page_formats", "test_page_table_random"),
    questions=(
        Question("alpha-largest", "What is the largest page in alpha's tables? (guest.tables)", lambda run: tables_of(run, "alpha")),
        Question("beta-bytes", "How many bytes do beta's tables take? (guest.tables)",
                 lambda run: next(line["memory_bytes"] for line in run.events if line.event == "guest.tables" and line["name"] == "beta")),
    ),
    mistakes=(
        Mistake("execute-forgotten", 1, (Edit(EPT, "((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level > 1", "(level > 1"),),
                r"bit 2 \(execute\) is 0; without it a fetch is an EPT violation"),
        Mistake("large-bit-forgotten", 1, (Edit(EPT, " | (level > 1 ? PAGE_ENTRY_LARGE : 0);", ";"),),
                r"a 2 MiB page, rwx: bit 7 is 0; it tells a page from a table"),
        Mistake("large-bit-everywhere", 1, (Edit(EPT, "(level > 1 ? PAGE_ENTRY_LARGE : 0);", "PAGE_ENTRY_LARGE;"),),
                r"a 4 KiB page, rwx: bit 7 is 1"),
        Mistake("type-left-out", 1, (Edit(EPT, "    return physical | type << EPT_MEMORY_TYPE | ((rights & PAGE_READ)", "    (void)type;\n    return physical | ((rights & PAGE_READ)"),),
                r"memory type 0 in bits 5:3; write-back is 6"),
        Mistake("devices-cached", 1, (Edit(EPT, "(rights & PAGE_DEVICE) != 0 ? EPT_UNCACHEABLE : EPT_WRITE_BACK", "EPT_WRITE_BACK"),),
                r"a device's: memory type 6"),
        Mistake("always-writable", 1, (Edit(EPT, "((rights & PAGE_WRITE) != 0 ? EPT_WRITE : 0) |\n           ((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level", "EPT_WRITE |\n           ((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level"),),
                r"a 4 KiB page, r: bit 1 \(write\) is 1"),
        Mistake("always-readable", 1, (Edit(EPT, "((rights & PAGE_READ) != 0 ? EPT_READ : 0) |\n           ((rights & PAGE_WRITE) != 0 ? EPT_WRITE : 0) |\n           ((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level", "EPT_READ |\n           ((rights & PAGE_WRITE) != 0 ? EPT_WRITE : 0) |\n           ((rights & PAGE_EXECUTE) != 0 ? EPT_EXECUTE : 0) | (level"),),
                r"a 4 KiB page, x: bit 0 \(read\) is 1"),
        Mistake("type-not-shifted", 1, (Edit(EPT, "physical | type << EPT_MEMORY_TYPE |", "physical | type |"),),
                r"memory type 0 in bits 5:3; write-back is 6"),
        Mistake("pat-ignored", 1, (Edit(EPT, "physical | type << EPT_MEMORY_TYPE |", "physical | BIT(6) | type << EPT_MEMORY_TYPE |"),),
                r"bit 6 \(ignore PAT\) is set: the guest's own PAT would count for nothing"),
        Mistake("large-at-level-2-alone", 1, (Edit(EPT, "(level > 1 ? PAGE_ENTRY_LARGE : 0);", "(level == 2 ? PAGE_ENTRY_LARGE : 0);"),),
                r"a 1 GiB page, rwx: bit 7 is 0; it tells a page from a table"),
        Mistake("table-without-execute", 2, (Edit(EPT, "    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE;", "    return physical | EPT_READ | EPT_WRITE;"),),
                r"bits 2:0 are 3: rights are those of all entries on the way together"),
        Mistake("table-like-a-page", 2, (Edit(EPT, "    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE;", "    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_WRITE_BACK << EPT_MEMORY_TYPE;"),),
                r"EPT misconfiguration in the entry .*: bits 7:3 of a level-4 entry are reserved"),
        Mistake("table-with-the-large-bit", 2, (Edit(EPT, "    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE;", "    return physical | EPT_READ | EPT_WRITE | EPT_EXECUTE | PAGE_ENTRY_LARGE;"),),
                r"bit 7 is set: at level 2 and 3 that is a page"),
        Mistake("present-by-read-alone", 3, (Edit(EPT, "    if ((entry & (EPT_READ | EPT_WRITE | EPT_EXECUTE)) == 0)\n", "    if ((entry & EPT_READ) == 0)\n"),),
                r"execute alone is present: the three bits decide together"),
        Mistake("type-of-tables", 3, (Edit(EPT, "(page_entry_is_leaf(entry, level) ? ept_type(entry) : 0u);", "ept_type(entry);"),),
                r"an entry that points at a table has no memory type"),
        Mistake("type-unread", 3, (Edit(EPT, "(page_entry_is_leaf(entry, level) ? ept_type(entry) : 0u);", "0u;"),),
                r"memory type 0 is uncacheable"),
        Mistake("type-of-small-pages-alone", 3, (Edit(EPT, "(page_entry_is_leaf(entry, level) ? ept_type", "(level == 1 ? ept_type"),),
                r"of level 2: 0x3 instead of 0xb; bit 7 makes it a page of 2 MiB"),
        Mistake("type-of-large-pages-alone", 3, (Edit(EPT, "(page_entry_is_leaf(entry, level) ? ept_type", "(level > 1 && (entry & PAGE_ENTRY_LARGE) != 0 ? ept_type"),),
                r"of level 1: 0x3 instead of 0xb; memory type 0 is uncacheable"),
        Mistake("size-not-asked", 4, (Edit(TABLE, " || size < level_size(level)))\n        level--;", "))\n        level--;"),),
                r"out of bounds .*, in page_table_map\(0x[0-9a-f]+, 0x[0-9a-f]+, 0x200000\)"),
        Mistake("physical-unaligned", 4, (Edit(TABLE, "!IS_ALIGNED(input | physical, level_size(level))", "!IS_ALIGNED(input, level_size(level))"),),
                r"the physical address must be aligned as well|address bits below the page's size"),
        Mistake("input-unaligned", 4, (Edit(TABLE, "!IS_ALIGNED(input | physical, level_size(level))", "!IS_ALIGNED(physical, level_size(level))"),),
                r"a page begins at a multiple of its size|guest's address must be aligned|EPT misconfiguration"),
        Mistake("most-ignored", 4, (Edit(TABLE, "    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);", "    unsigned level = MIN(walk.step[walk.steps - 1].level, 3u);"),),
                r"this machine has no pages of 1 GiB"),
        Mistake("tables-replaced", 4, (Edit(TABLE, "    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);", "    unsigned level = table->max_leaf_level;"),),
                r"over tables that are there: they would be lost|was refused where 4 KiB had been"),
        Mistake("small-pages-only", 4, (Edit(TABLE, "    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);", "    unsigned level = 1;"),),
                r"the first page is 4 KiB instead of 1 GiB"),
        Mistake("below-the-free-entry", 4, (Edit(TABLE, "    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);", "    unsigned level = MIN(MAX(walk.step[walk.steps - 1].level, 2u) - 1, table->max_leaf_level);"),),
                r"2 MiB and 1 GiB beside 4 KiB are pages of 4 KiB and 2 MiB: a walk ends at an entry that is free"),
        Mistake("steps-taken-for-levels", 4, (Edit(TABLE, "    unsigned level = MIN(walk.step[walk.steps - 1].level, table->max_leaf_level);", "    unsigned level = MIN(walk.steps, table->max_leaf_level);"),),
                r"the first page is 4 KiB instead of 1 GiB"),
        Mistake("always-a-new-table", 5, (Edit(TABLE, "        if (format->rights(*slot, at) == 0) {\n            lower = new_table(table);", "        if (at != 0) {\n            lower = new_table(table);"),),
                r"nothing is mapped there|tables that are there are used|leads to"),
        Mistake("one-level-too-far", 5, (Edit(TABLE, "    for (unsigned at = table->levels; at > level; at--) {", "    for (unsigned at = table->levels; at >= level && at > 1; at--) {"),),
                r"leads to|nothing is mapped|instead of|smaller pages|misconfiguration"),
        Mistake("no-memory-unsaid", 5, (Edit(TABLE, "            *status = STATUS_NO_MEMORY;\n", "            *status = STATUS_OK;\n"),),
                r"there is memory for one table and three are needed"),
        Mistake("null-linked", 5, (Edit(TABLE, "            if (lower != NULL)\n                link_table(table, slot, lower);", "            link_table(table, slot, lower);"),),
                r"the level-\d entry 0x\w+ at 0 points outside the hypervisor's tables"),
        Mistake("linked-without-a-flush", 5, (Edit(TABLE, "                link_table(table, slot, lower);\n        } else {", "                *slot = format->table(physical_address(lower));\n        } else {"),),
                r"the level-4 entry is in the cache alone, .*link_table\(\) writes and flushes"),
        Mistake("not-linked", 5, (Edit(TABLE, "            if (lower != NULL)\n                link_table(table, slot, lower);", ""),),
                r"the first page, 0x\w+: nothing is mapped there"),
        Mistake("written-without-a-flush", 6, (Edit(TABLE, "            write_entry(table, &page[index], table->format->leaf(physical, rights, level));\n            input", "            page[index] = table->format->leaf(physical, rights, level);\n            input"),),
                r"the level-1 entry is in the cache alone, .*write_entry\(\) writes and flushes"),
        Mistake("type-lost", 6, (Edit(TABLE, "            write_entry(table, &page[index], table->format->leaf(physical, rights, level));\n            input", "            write_entry(table, &page[index], table->format->leaf(physical, rights & ACCESS, level));\n            input"),),
                r"4 KiB of a device \(PAGE_DEVICE\): memory type 6 instead of 0"),
        Mistake("first-page-asked-alone", 6, (Edit(TABLE, "next_below(table, &mapped, input + size, &walk))\n        return STATUS_BUSY;", "next_below(table, &mapped, input + 1, &walk))\n        return STATUS_BUSY;"),),
                r"a range whose first page is free was accepted, and a later one is mapped already"),
        Mistake("anything-behind-is-busy", 6, (Edit(TABLE, "next_below(table, &mapped, input + size, &walk))\n        return STATUS_BUSY;", "page_table_next(table, &mapped, &walk))\n        return STATUS_BUSY;"),),
                r"4 KiB at 0 were refused where only memory behind them is mapped"),
        Mistake("end-beyond-52-bits", 6, (Edit(TABLE, "physical > BIT(52) || size > BIT(52) - physical ||", "physical >= BIT(52) ||"),),
                r"a range that ends beyond 52 bits of physical address was accepted"),
        Mistake("end-that-wraps", 6, (Edit(TABLE, "physical > BIT(52) || size > BIT(52) - physical ||", "physical + size > BIT(52) ||"),),
                r"a physical address of 64 bits was accepted"),
        Mistake("empty-range-refused", 6, (Edit(TABLE, "(rights & PAGE_READ) == 0)\n        return STATUS_INVALID;\n    struct page_walk walk;\n    uint64_t mapped", "(rights & PAGE_READ) == 0 || size == 0)\n        return STATUS_INVALID;\n    struct page_walk walk;\n    uint64_t mapped"),),
                r"an empty range was refused"),
        Mistake("one-level-for-all", 6, (Edit(TABLE, "    while (size != 0) {\n        unsigned level = leaf_level(table, input, physical, size);\n", "    unsigned level = leaf_level(table, input, physical, size);\n    while (size != 0) {\n"),),
                r"1 GiB in the middle was mapped in smaller pages"),
        Mistake("one-page-more", 6, (Edit(TABLE, "        } while (index < ENTRIES && size >= step && table->format->rights(page[index], level) == 0);\n    }\n    return STATUS_OK;\n}\n\n/* Replaces",
                "        } while (index < ENTRIES && size >= step && table->format->rights(page[index], level) == 0);\n    }\n    uint64_t *more = descend(table, input, 1, &(enum status){STATUS_OK});\n    if (more != NULL)\n        write_entry(table, &more[level_index(input, 1)], table->format->leaf(physical, rights, 1));\n    return STATUS_OK;\n}\n\n/* Replaces"),),
                r"the page behind the range: .* one page too many"),
        Mistake("physical-stands-still", 6, (Edit(TABLE, "            physical += step;\n            size -= step;\n            index++;", "            size -= step;\n            index++;"),),
                r"leads to 0x[0-9a-f]+ instead of"),
        Mistake("write-without-read", 6, (Edit(TABLE, " || size > BIT(52) - physical || (rights & PAGE_READ) == 0)", " || size > BIT(52) - physical)"),),
                r"write without read was accepted: that is an EPT misconfiguration"),
        Mistake("mapped-twice", 6, (Edit(TABLE, "    if (size != 0 && next_below(table, &mapped, input + size, &walk))\n        return STATUS_BUSY;\n", "    (void)mapped;\n    (void)walk;\n"),),
                r"mapped already was mapped again"),
        Mistake("53-bits", 6, (Edit(TABLE, "        physical > BIT(52) || size > BIT(52) - physical || (rights", "        (rights"),),
                r"a physical address of 53 bits was accepted"),
    ),
)
