# SPDX-License-Identifier: MIT
"""L8: two guests and an attacker; whose memory is whose, for cores and for devices."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

IS, MEMORY, ADD = "hypervisor/assign/guest_memory.c", "hypervisor/setup/guest_memory.c", "hypervisor/assign/assignment_add.c"
ASSIGN, THIEF = "hypervisor/assign/assignment.c", "guest/programs/thief.c"
PIECES, DOMAIN, BARS, ATTACK = Host("l08_memory"), Host("l08_domain"), Host("l08_bars"), Host("l08_thief")
MIB = 1 << 20
COMMAND_LINE = 0xe0000  # of a guest, in its memory (hypervisor/abi/machine.h)
PLACE = 0x280000  # in what witness.elf watches


def victims(seed: int) -> tuple[str, str]:
    return ("alpha", "beta") if seed % 2 == 0 else ("beta", "alpha")


def secret(seed: int, name: str) -> str:
    return f"heron-{1000 + (seed * 37 + len(name)) % 9000}"


def config(seed: int) -> str:
    """The thief's memory is below the second victim's: each guest gets the highest that is free."""
    size = 16 + 8 * (seed % 4)
    return ("# Two guests, each with a function and a secret, and a thief whose functions try to access what follows its memory.\n\n"
            "[nic uplink]\ndevice = 8086:10c9\nvfs    = 4\n\n" +
            "".join(f"[guest {name}]\nimage  = witness.elf\nmemory = {16 + 8 * ((seed + i) % 3)}M\ndevice = uplink.vf{i}\n"
                    f"args   = ticks=6000 secret={secret(seed, name)}\nexpect = exit 0\n\n" for i, name in enumerate(victims(seed))) +
            f"[guest thief]\nimage  = thief.elf\nmemory = {size}M\ndevice = uplink.vf2\ndevice = uplink.vf3\n"
            f"args   = read={size * MIB + COMMAND_LINE:#x},@memory({victims(seed)[1]}) write={size * MIB + PLACE:#x}\n"
            "expect = exit 0\nexpect_faults = 3\n")


def faults(run) -> list:
    return [line for line in run.events if line.event == "dma.fault" and line.get("guest") == "thief"]


def outputs(run, name: str) -> list[str]:
    return [line["text"] for line in run.events if line.event == "guest.output" and line["name"] == name]


def nobody_is_robbed(run) -> str | None:
    for text in outputs(run, "thief"):
        if text.startswith("stole from"):
            return f"the thief's device read memory that is not the thief's, and the switch brought it: {text}"
    for name in victims(0):
        for text in outputs(run, name):
            if "memory changed" in text:
                return f"the thief's device wrote into {name}'s memory: {name} says \"{text}\""
    attempts = sum(text.startswith(("nothing came", "wrote to")) for text in outputs(run, "thief"))
    if attempts == 3 and len(faults(run)) < 3:
        return (f"the thief's device tried three times to access memory that is not the thief's, but only {len(faults(run))} dma.fault lines were "
                "logged: an access that was not blocked has succeeded, or it was never tried")
    return None


def created(run, name: str):
    return next(line for line in run.events if line.event == "guest.created" and line["name"] == name)


def neighbour(run) -> str:
    """Whose memory begins where the thief's ends."""
    thief = created(run, "thief")
    end = thief.number("base") + int(thief["memory"].removesuffix("M")) * MIB
    return next(name for name in victims(0) if created(run, name).number("base") == end)


LAB = Lab(
    name="L8", title="Two guests and an attacker", hours=6, config=config,
    steps=(
        Step(1, IS, "guest_memory_is", "(void)physical;\nreturn guest_memory_has(guest, address, size);",
             "Return whether the guest's memory from `address` on is the host's memory from `physical` on, for `size` bytes: all "
             "of it in one piece, which the guest sees at piece->at and which lies at piece->physical. The audit asks this about "
             "every page that a core (I2) or a device (I3) reaches: if the answer is wrongly true, any page passes as the "
             "guest's own RAM. docs/audit.md, I2 and I3.", (PIECES,)),
        Step(2, MEMORY, "take_pieces", "(void)guest;\n(void)affinity;\n(void)ranks;\nreturn STATUS_NO_MEMORY;",
             "Repeat until the guest has config->memory bytes: next_piece() finds a piece (0 bytes: STATUS_NO_MEMORY), "
             "frames_transfer() makes it the guest's (it was nobody's), and it is recorded after the others, with "
             "guest_address_of() as the address where the guest sees its first byte. memory_size is what the guest has so far. "
             "docs/memory.md.", (PIECES,)),
        Step(3, MEMORY, "map_pieces", "(void)guest;\nreturn STATUS_UNSUPPORTED;",
             "Make guest->memory (page_table_create(), TABLE_LEVELS, the back-end's format and largest page: "
             "vcpu_setup()->memory_format(); walkers snoop, so `flush` is false) and map each piece with read and write, and "
             "with execute too, unless code may not run from pages as large as those of data. Stop at the first error and return "
             "it. SDM 3C, 29.3.2.", (PIECES,)),
        Step(4, ADD, "create_domain", "(void)guest;\nreturn STATUS_UNSUPPORTED;",
             "Make the guest's DMA domain (iommu_domain_create(), for the guest's owner) and map each piece into it, read and "
             "write, at the address where the guest's cores see it. Stop at the first error and log it: guest.domain_failed "
             "guest= status= message=. VT-d 5.0, 3.6 and 9.8.", (DOMAIN,)),
        Step(5, ASSIGN, "map_bar", "(void)assignment;\n(void)number;\nreturn STATUS_UNSUPPORTED;",
             "Map the registers of one BAR: claim them for the guest (claim_registers()), give the pages of the MSI-X table to "
             "the hypervisor (table_pages(): an empty range in other BARs), and map what is before and what is behind those "
             "pages, uncached, at bar->guest_base. If that fails, unmap all of it, and if that succeeds, call "
             "unclaim_registers(): the frames are then as before. PCIe 6.0, 7.7.2; SDM 3A, 12.3.", (BARS,)),
        Step(6, THIEF, "steal", "(void)target;\n(void)stolen;\nreturn false;",
             "Send one frame from the first function to the second, in two parts: a header (write_header()), and SIZE bytes at "
             "the target, which the device fetches. Then look at what the second function receives, for at most LIMIT "
             "microseconds: your frame is the one of that size with that header. What follows the header is the loot. 82576, "
             "7.2.2.", (ATTACK,)),
        Step(7, THIEF, "overwrite", "(void)target;",
             "Make the first function store its ring position at the target (igbvf_head_write_back()), send a frame of your own "
             "so that it does so, wait LIMIT microseconds, and turn the write-back off again. 82576, 7.2.3.", (ATTACK,)),
    ),
    whole=(Machine("tcg", "lab", nobody_is_robbed),),
    units=("test_guest_memory", "test_device_bars"),
    questions=(
        Question("neighbour", "Whose memory begins where the thief's ends? (guest.created)", neighbour),
        Question("secret-at", "Where in the machine's memory does that guest's command line begin? (guest.created; it is at "
                              "0xe0000 in a guest's memory)", lambda run: f"{created(run, neighbour(run)).number('base') + COMMAND_LINE:#x}"),
        Question("first-fault", "At which address was the thief first blocked? (dma.fault)", lambda run: faults(run)[0]["address"]),
    ),
    mistakes=(
        Mistake("size-unasked", 1, (Edit(IS, "return physical - piece->physical == offset && size <= piece->size - offset;", "return physical - piece->physical == offset;"),),
                r"wanted false; the first piece is a page shorter"),
        Mistake("size-of-the-piece", 1, (Edit(IS, "size <= piece->size - offset;", "size <= piece->size;"),),
                r"wanted false; the piece ends after one page"),
        Mistake("physical-unasked", 1, (Edit(IS, "return physical - piece->physical == offset && size", "return size"),),
                r"wanted false; .*(another part of the piece|in none of the guest's pieces)"),
        Mistake("anywhere-in-the-piece", 1, (Edit(IS, "physical - piece->physical == offset &&", "physical - piece->physical < piece->size &&"),),
                r"another part of the piece: the device and the core would see different bytes"),
        Mistake("at-and-physical-swapped", 1, (Edit(IS, "uint64_t offset = address - piece->at;", "uint64_t offset = address - piece->physical;"),),
                r"guest_memory_is\(0, .*wanted true; it is the whole of the first piece"),
        Mistake("first-piece-alone", 1, (Edit(IS, "i < guest->piece_count; i++", "i < 1; i++"),),
                r"wanted true; it is the whole of the second piece"),
        Mistake("end-of-a-piece-is-its", 1, (Edit(IS, "if (offset < piece->size)", "if (offset <= piece->size)"),),
                r"wanted true; it is the whole of the second piece"),
        Mistake("sum-that-overflows", 1, (Edit(IS, "size <= piece->size - offset;", "address + size <= piece->at + piece->size;"),),
                r"wanted false; the size is nearly 2\^64"),
        Mistake("taken-from-nobody-by-nobody", 2, (Edit(MEMORY, "frames_transfer(base, size, OWNER_NOBODY, guest->owner);", "STATUS_OK;"),),
                r"belongs to nobody instead of alpha; the next guest would get it as well \(I1\)"),
        Mistake("owners-swapped", 2, (Edit(MEMORY, "frames_transfer(base, size, OWNER_NOBODY, guest->owner);", "frames_transfer(base, size, guest->owner, OWNER_NOBODY);"),),
                r"a small guest: \d+ MiB are refused, and \d+ are free: frames_transfer\(\) is told first who has them"),
        Mistake("hypervisor's-frames", 2, (Edit(MEMORY, "frames_transfer(base, size, OWNER_NOBODY, guest->owner);", "frames_transfer(base, size, OWNER_NOBODY, OWNER_HYPERVISOR);"),),
                r"belongs to the hypervisor instead of alpha"),
        Mistake("last-page-not-taken", 2, (Edit(MEMORY, "frames_transfer(base, size, OWNER_NOBODY, guest->owner);", "frames_transfer(base, size - PAGE_SIZE, OWNER_NOBODY, guest->owner);"),),
                r"its last page, 0x[0-9a-f]+, belongs to nobody"),
        Mistake("hole-forgotten", 2, (Edit(MEMORY, "(struct memory_piece){guest_address_of(guest->memory_size), base, size};", "(struct memory_piece){guest->memory_size, base, size};"),),
                r"the guest sees it at 0x80000000 instead of 0x100000000; guest_address_of\(\)"),
        Mistake("piece-swapped", 2, (Edit(MEMORY, "(struct memory_piece){guest_address_of(guest->memory_size), base, size};", "(struct memory_piece){base, guest_address_of(guest->memory_size), size};"),),
                r"`at` and `physical` are swapped"),
        Mistake("memory-size-standing-still", 2, (Edit(MEMORY, "        guest->memory_size += size;\n    }\n    return STATUS_OK;", "    }\n    return STATUS_OK;"),),
                r"frames table has \d+ MiB as alpha's, and memory_size says 0: it grows with each piece"),
        Mistake("base-swapped", 3, (Edit(MEMORY, "page_table_map(&guest->memory, guest->pieces[i].at, guest->pieces[i].physical,", "page_table_map(&guest->memory, guest->pieces[i].physical, guest->pieces[i].at,"),),
                r"alpha's 0 leads nowhere, and .* `at` and `physical` are swapped"),
        Mistake("hypervisor's-memory", 3, (Edit(MEMORY, "page_table_map(&guest->memory, guest->pieces[i].at, guest->pieces[i].physical,", "page_table_map(&guest->memory, guest->pieces[i].at, GIB(1),"),),
                r"alpha's 0 leads to 0x40000000, which belongs to the hypervisor, instead of .*\(I2\)"),
        Mistake("one-page-more", 3, (Edit(MEMORY, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);", "guest->pieces[i].size + PAGE_SIZE, PAGE_READ | PAGE_WRITE | execute);"),),
                r"where it has no memory, leads to 0x[0-9a-f]+, which belongs to beta \(I2\)"),
        Mistake("one-page-less", 3, (Edit(MEMORY, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);", "guest->pieces[i].size - PAGE_SIZE, PAGE_READ | PAGE_WRITE | execute);"),),
                r"leads nowhere; it is page \d+ of a piece of"),
        Mistake("read-only", 3, (Edit(MEMORY, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);", "guest->pieces[i].size, PAGE_READ | execute);"),),
                r"cannot be written; RAM can be both"),
        Mistake("never-executable", 3, (Edit(MEMORY, "PAGE_READ | PAGE_WRITE | execute);", "PAGE_READ | PAGE_WRITE | (execute & 0));"),),
                r"cannot be executed: no guest could run"),
        Mistake("always-executable", 3, (Edit(MEMORY, "    unsigned execute = max_execute_level < max_leaf_level ? 0 : PAGE_EXECUTE;", "    unsigned execute = PAGE_EXECUTE;"),),
                r"can be executed: where code may not run from pages as large as data has"),
        Mistake("small-pages-for-code-alone", 3, (Edit(MEMORY, "max_execute_level < max_leaf_level ? 0", "max_execute_level == 1 ? 0"),),
                r"can be executed: where code may not run from pages as large as data has"),
        Mistake("size-from-nowhere", 3, (Edit(MEMORY, "TABLE_LEVELS, max_leaf_level, false);", "TABLE_LEVELS, 2, false);"),),
                r"pages of level 2 at most, and memory_format\(\) says that data may have 3"),
        Mistake("every-entry-flushed", 3, (Edit(MEMORY, "TABLE_LEVELS, max_leaf_level, false);", "TABLE_LEVELS, max_leaf_level, true);"),),
                r"each entry is flushed from the caches; cores' walkers snoop"),
        Mistake("like-a-device", 3, (Edit(MEMORY, "PAGE_READ | PAGE_WRITE | execute);", "PAGE_READ | PAGE_WRITE | PAGE_DEVICE | execute);"),),
                r"is uncached: RAM is not a device's"),
        Mistake("code's-page-size", 3, (Edit(MEMORY, "page_table_create(&guest->memory, format, TABLE_LEVELS, max_leaf_level, false);", "page_table_create(&guest->memory, format, TABLE_LEVELS, max_execute_level, false);"),),
                r"in a page of 4 KiB; the largest page is data's"),
        Mistake("first-piece-mapped", 3, (Edit(MEMORY, "        status = page_table_map(&guest->memory, guest->pieces[i].at,", "        status = i > 0 ? STATUS_OK : page_table_map(&guest->memory, guest->pieces[i].at,"),),
                r"a piece of \d+ MiB"),
        Mistake("map-error-lost", 3, (Edit(MEMORY, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);\n    return status;", "guest->pieces[i].size, PAGE_READ | PAGE_WRITE | execute);\n    return STATUS_OK;"),),
                r"nothing is refused: alpha would start without its memory"),
        Mistake("domain-without-memory", 4, (Edit(ADD, "    for (unsigned i = 0; i < guest->piece_count && status == STATUS_OK; i++)\n        status = iommu_domain_map(", "    for (unsigned i = guest->piece_count; i < guest->piece_count && status == STATUS_OK; i++)\n        status = iommu_domain_map("),),
                r"alpha's device cannot read alpha's memory at 0 .*the domain lacks it"),
        Mistake("domain-base-swapped", 4, (Edit(ADD, "guest->pieces[i].at, guest->pieces[i].physical,", "guest->pieces[i].physical, guest->pieces[i].at,"),),
                r"cannot read alpha's memory at 0, and .* `at` and `physical` are swapped \(I3\)"),
        Mistake("domain-of-host-addresses", 4, (Edit(ADD, "guest->pieces[i].at, guest->pieces[i].physical,", "guest->pieces[i].at, guest->pieces[i].at + GIB(1),"),),
                r"reaches 0x40000000 at 0, which is the hypervisor's memory, instead of .*\(I3\)"),
        Mistake("domain-one-page-more", 4, (Edit(ADD, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE);", "guest->pieces[i].size + PAGE_SIZE, PAGE_READ | PAGE_WRITE);"),),
                r"alpha's device reads 0x[0-9a-f]+, one byte behind a piece: that is beta's memory, at 0x[0-9a-f]+ \(I3\)"),
        Mistake("domain-one-page-less", 4, (Edit(ADD, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE);", "guest->pieces[i].size - PAGE_SIZE, PAGE_READ | PAGE_WRITE);"),),
                r"cannot (read|write) alpha's memory at 0x[0-9a-f]+fff"),
        Mistake("domain-read-only", 4, (Edit(ADD, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE);", "guest->pieces[i].size, PAGE_READ);"),),
                r"cannot write alpha's memory at 0 .*lacks the right"),
        Mistake("domain-of-one-piece", 4, (Edit(ADD, "i < guest->piece_count && status == STATUS_OK; i++)\n        status = iommu_domain_map", "i < 1 && status == STATUS_OK; i++)\n        status = iommu_domain_map"),),
                r"cannot read alpha's memory at 0x100000000"),
        Mistake("hypervisor's-domain", 4, (Edit(ADD, "iommu_domain_create(&guest->domain, guest->owner);", "iommu_domain_create(&guest->domain, OWNER_HYPERVISOR);"),),
                r"alpha's domain belongs to owner 1 instead of alpha"),
        Mistake("domain-error-lost", 4, (Edit(ADD, "                  guest->name, status_name(status));\n    return status;", "                  guest->name, status_name(status));\n    return STATUS_OK;"),),
                r"create_domain\(\) says ok: alpha would start with devices that reach a part"),
        Mistake("no-window", 5, (Edit(ASSIGN, "    if (status == STATUS_OK && hole_start != 0)\n", "    if (status == STATUS_OK && hole_start != 0 && rights == 0)\n"),),
                r"BAR 0, page 0: alpha's 0xc0000000 leads nowhere; a driver's first access to it ends the guest"),
        Mistake("window-ends-at-the-table", 5, (Edit(ASSIGN, "    if (status == STATUS_OK && hole_end < bar->size)\n", "    if (status == STATUS_OK && hole_end < bar->size && rights == 0)\n"),),
                r"BAR 3, page 0x[0-9a-f]+: alpha's 0x[0-9a-f]+ leads nowhere"),
        Mistake("window-cached", 5, (Edit(ASSIGN, "    const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;\n    uint64_t hole_start, hole_end;\n    table_pages(assignment, number, &hole_start, &hole_end);\n    enum status status = claim", "    const unsigned rights = PAGE_READ | PAGE_WRITE;\n    uint64_t hole_start, hole_end;\n    table_pages(assignment, number, &hole_start, &hole_end);\n    enum status status = claim"),),
                r"memory type 6; registers are uncacheable"),
        Mistake("window-executable", 5, (Edit(ASSIGN, "    const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_DEVICE;\n    uint64_t hole_start, hole_end;\n    table_pages(assignment, number, &hole_start, &hole_end);\n    enum status status = claim", "    const unsigned rights = PAGE_READ | PAGE_WRITE | PAGE_EXECUTE | PAGE_DEVICE;\n    uint64_t hole_start, hole_end;\n    table_pages(assignment, number, &hole_start, &hole_end);\n    enum status status = claim"),),
                r"alpha can execute what its device answers"),
        Mistake("window-swapped", 5, (Edit(ASSIGN, "bar->guest_base, bar->host_base,\n                                hole_start, rights);", "bar->host_base, bar->guest_base,\n                                hole_start, rights);"),),
                r"BAR 0, page 0: alpha's 0xc0000000 leads nowhere"),
        Mistake("second-part-from-the-start", 5, (Edit(ASSIGN, "                                bar->host_base + hole_end, bar->size - hole_end, rights);", "                                bar->host_base, bar->size - hole_end, rights);"),),
                r"BAR 3, page 0x[0-9a-f]+: alpha's 0x[0-9a-f]+ leads to 0x[0-9a-f]+ instead of"),
        Mistake("window-one-page-more", 5, (Edit(ASSIGN, "bar->host_base + hole_end, bar->size - hole_end, rights);", "bar->host_base + hole_end, bar->size - hole_end + PAGE_SIZE, rights);"),),
                r"behind BAR 3 alpha reaches 0x[0-9a-f]+ .*the window is longer than the BAR"),
        Mistake("msix-table-mapped", 5, (Edit(ASSIGN, "    table_pages(assignment, number, &hole_start, &hole_end);\n    enum status status = claim_registers", "    hole_start = hole_end = bar->size;\n    enum status status = claim_registers"),),
                r"alpha reaches it at 0x[0-9a-f]+; the MSI-X table is there"),
        Mistake("msix-table-left-the-guest's", 5, (Edit(ASSIGN, "    if (hole_end > hole_start)\n        status = frames_transfer(bar->host_base + hole_start, hole_end - hole_start, owner,", "    if (hole_end > bar->size)\n        status = frames_transfer(bar->host_base + hole_start, hole_end - hole_start, owner,"),),
                r"in the frames table 0x[0-9a-f]+ belongs to alpha instead of the hypervisor"),
        Mistake("registers-unclaimed", 5, (Edit(ASSIGN, "    enum status status = claim_registers(bar->host_base, bar->size, owner);", "    enum status status = STATUS_OK;"),),
                r"the whole BAR is claimed for the guest first"),
        Mistake("claim-refused-and-ignored", 5, (Edit(ASSIGN, "    enum status status = claim_registers(bar->host_base, bar->size, owner);\n    if (status != STATUS_OK)\n        return status;", "    enum status status = claim_registers(bar->host_base, bar->size, owner);\n    status = STATUS_OK;"),),
                r"a BAR with a page that is the hypervisor's was given to alpha"),
        Mistake("failure-not-undone", 5, (Edit(ASSIGN, "    if (status != STATUS_OK &&\n        page_table_unmap(&assignment->guest->memory, bar->guest_base, bar->size) == STATUS_OK)\n        unclaim_registers(assignment, number);\n    return status;", "    return status;"),),
                r"a BAR could not be mapped, and 0x[0-9a-f]+ is left alpha's"),
        Mistake("unclaimed-while-mapped", 5, (Edit(ASSIGN, "    if (status != STATUS_OK &&\n        page_table_unmap(&assignment->guest->memory, bar->guest_base, bar->size) == STATUS_OK)\n", "    if (status != STATUS_OK)\n"),),
                r"alpha still reaches 0x[0-9a-f]+ of its first part at 0x[0-9a-f]+; no guest \(OWNER_MMIO\) has it \(I2\)"),
        Mistake("header-missing", 6, (Edit(THIEF, "{{(uint64_t)(uintptr_t)header, HEADER}, {target, SIZE}};\n    igbvf_send_parts(&sender, parts, 2);", "{{(uint64_t)(uintptr_t)header, HEADER}, {target, SIZE}};\n    igbvf_send_parts(&sender, parts + 1, 1);"),),
                r"the switch drops what does not carry its sender's address.*is the header the first part\?"),
        Mistake("parts-swapped", 6, (Edit(THIEF, "{{(uint64_t)(uintptr_t)header, HEADER}, {target, SIZE}};", "{{target, SIZE}, {(uint64_t)(uintptr_t)header, HEADER}};"),),
                r"is the header the first part\?"),
        Mistake("sent-by-the-second", 6, (Edit(THIEF, "igbvf_send_parts(&sender, parts, 2);", "igbvf_send_parts(&receiver, parts, 2);"),),
                r"and the second function sends it: the switch drops .*sender\.mac is the source"),
        Mistake("received-by-the-first", 6, (Edit(THIEF, "igbvf_receive(&receiver, frame, sizeof frame) !=", "igbvf_receive(&sender, frame, sizeof frame) !="),),
                r"the frame with the neighbour's memory lies at the second function, and the thief says that nothing came"),
        Mistake("any-frame", 6, (Edit(THIEF, "!= HEADER + SIZE ||\n            memcmp(frame, header, HEADER) != 0)", "!= HEADER + SIZE)"),),
                r"its own is told by the header"),
        Mistake("attempt-unasked", 6, (Edit(THIEF, "memcmp(frame, header, HEADER) != 0)", "memcmp(frame, header, HEADER - 2) != 0)"),),
                r"a frame of an earlier attempt may come late"),
        Mistake("first-frame-or-none", 6, (Edit(THIEF, "            memcmp(frame, header, HEADER) != 0)\n            continue;", "            memcmp(frame, header, HEADER) != 0)\n            break;"),),
                r"other frames arrive as well, some as long as the one it waits for"),
        Mistake("header-taken-for-loot", 6, (Edit(THIEF, "memcpy(stolen, frame + HEADER, SIZE);", "memcpy(stolen, frame, SIZE);"),),
                r"what follows the header is what was at the target"),
        Mistake("target-of-32-bits-of-nothing", 6, (Edit(THIEF, "HEADER}, {target, SIZE}};", "HEADER}, {(uint16_t)target, SIZE}};"),),
                r"part 1 of the frame is at 0, which is neither the target nor memory of the thief's own"),
        Mistake("waits-for-ever", 6, (Edit(THIEF, "    while (microseconds() < end) {", "    while (end != 0) {"),),
                r"LIMIT must end the wait"),
        Mistake("always-successful", 6, (Edit(THIEF, "        return true;\n    }\n    return false;", "        return true;\n    }\n    return stolen != 0;"),),
                r"nothing came from 0x20e0000\": the read was blocked"),
        Mistake("no-frame", 7, (Edit(THIEF, "    igbvf_send_from(&sender, (uint64_t)(uintptr_t)frame, sizeof frame);\n", ""),),
                r"no frame was sent: the device stores its ring position when a frame has left"),
        Mistake("armed-afterwards", 7, (Edit(THIEF, "    igbvf_head_write_back(&sender, target);\n    igbvf_send_from(&sender, (uint64_t)(uintptr_t)frame, sizeof frame);\n", "    igbvf_send_from(&sender, (uint64_t)(uintptr_t)frame, sizeof frame);\n    igbvf_head_write_back(&sender, target);\n"),),
                r"nothing was stored at 0x2280000: igbvf_head_write_back\(\) says where, before"),
        Mistake("left-armed", 7, (Edit(THIEF, "    sleep_microseconds(LIMIT);\n    igbvf_head_write_back_off(&sender);\n", "    sleep_microseconds(LIMIT);\n"),),
                r"head write-back is still on: every frame that is sent from now on writes"),
        Mistake("off-in-the-second", 7, (Edit(THIEF, "igbvf_head_write_back_off(&sender);", "igbvf_head_write_back_off(&receiver);"),),
                r"head write-back is turned off in the second function"),
        Mistake("off-at-once", 7, (Edit(THIEF, "    sleep_microseconds(LIMIT);\n    igbvf_head_write_back_off(&sender);\n", "    igbvf_head_write_back_off(&sender);\n"),),
                r"head write-back goes off at once"),
        Mistake("frame-from-the-target", 7, (Edit(THIEF, "igbvf_send_from(&sender, (uint64_t)(uintptr_t)frame, sizeof frame);", "igbvf_send_from(&sender, target, sizeof frame);"),),
                r"the switch drops what does not carry its sender's address"),
        Mistake("frame-too-short", 7, (Edit(THIEF, "#define FRAME  60u", "#define FRAME  16u"),),
                r"a frame of 16 bytes: the smallest is 60"),
    ),
)
