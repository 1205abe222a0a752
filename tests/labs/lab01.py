# SPDX-License-Identifier: MIT
"""L1: firmware says which IOMMU unit a device is behind."""

from .kinds import Edit, Host, Lab, Machine, Mistake, Question, Step

DMAR = "hypervisor/acpi/dmar.c"
SCOPES = "hypervisor/setup/iommu_scopes.c"
NEXT = "bool dmar_next(const struct dmar *dmar, uint32_t *cursor, struct dmar_structure *structure)\n{\n"


def config(seed: int) -> str:
    return ("# One card whose functions have to find their IOMMU unit.\n\n"
            f"[nic uplink]\ndevice = 8086:10c9\nvfs    = {2 + seed % 6}\n\n"
            "[guest alpha]\nimage  = hello.elf\nmemory = 16M\ndevice = uplink.vf0\nargs   = ticks=5\nexpect = exit 0\n")


def unit_found(run) -> str | None:
    if not any(line.event == "iommu.enabled" for line in run.events):
        return "no IOMMU unit was found: the DMAR of this machine has one DRHD, with INCLUDE_PCI_ALL"
    return None


LAB = Lab(
    name="L1", title="ACPI: which unit is a device behind?", hours=5, config=config,
    steps=(
        Step(1, DMAR, "dmar_next", "return false;",
             "Read the structure at *cursor (never before DMAR_FIRST) into *structure and move the cursor past it. Return false "
             "at the end, and if the header does not fit, or if the length is below the type's fixed part or above what is left. "
             "`layouts` says which fields a type has, and where (0: none); the rest of *structure is 0. Only bits 3:0 of the "
             "size field are the size. Scopes begin after the fixed part, or at the end for a type without. VT-d 5.0, 8.2 to 8.9.", (Host("l01_dmar_next"),)),
        Step(2, DMAR, "dmar_scope_next", "return false;",
             "Read the device scope at *cursor (an offset inside the structure, never before scope_offset) into *scope and move "
             "the cursor past it. Return false at the structure's end, and for an impossible length (scope_length_possible()). "
             "scope->offset is the scope's offset in the table; a hop of the path is two bytes. VT-d 5.0, 8.3.1.", (Host("l01_scope_next"),)),
        Step(3, DMAR, "dmar_scope_rid", "return STATUS_INVALID;",
             "Follow the path from the start bus. Each hop is a device and a function on the bus reached so far. All hops but "
             "the last are bridges, whose secondary bus (secondary_bus()) is the bus of the next hop. Device numbers go up to 31 "
             "and functions up to 7 (otherwise STATUS_INVALID, as for a path without hops). If secondary_bus() does not return a "
             "bus, which is 0 to 255, the bridge is not there: STATUS_NOT_FOUND. VT-d 5.0, 8.3.1.",
             (Host("l01_scope_rid"),)),
        Step(4, SCOPES, "scope_names", "return false;",
             "Return whether one of the structure's scopes names this function. Only scopes of type 1 (endpoint) and 2 (bridge) "
             "are PCI functions. When `ancestor` is set (the function is a bridge above the one that is looked for), only a "
             "bridge's scope counts, since it covers what is behind it. The start bus has the number that firmware gave it: "
             "pci_bus_now() returns its number now (negative: gone). pci_secondary_bus() follows bridges. VT-d 5.0, 8.3.1.", (Host("l01_units"),)),
        Step(5, SCOPES, "find_by_scope", "return false;",
             "Find the first DRHD of the function's segment that has a scope for the function. VT-d 5.0, 8.3.", (Host("l01_units"),)),
        Step(6, SCOPES, "find_include_all", "return false;",
             "Find the DRHD of that segment with INCLUDE_PCI_ALL: the unit of all functions that no scope names. VT-d 5.0, 8.3.",
             (Host("l01_units"),)),
    ),
    whole=(Machine("tcg", "lab", unit_found),),
    units=("test_dmar", "test_vtd_units"),
    questions=(
        Question("unit-base", "What is the address of the unit's registers? (iommu.unit)",
                 lambda run: next(line["base"] for line in run.events if line.event == "iommu.unit")),
        Question("dmar-length", "How long is this machine's DMAR, in bytes? (acpi.table)",
                 lambda run: next(line["length"] for line in run.events if line.event == "acpi.table" and line["name"] == "DMAR")),
    ),
    mistakes=(
        Mistake("length-not-checked", 1, (Edit(DMAR, "    if (length < layout->smallest || length > dmar->length - offset)\n        return false;\n    *structure", "    *structure"),),
                r"length 0 was accepted: the walk would never end"),
        Mistake("shorter-than-its-type", 1, (Edit(DMAR, "    if (length < layout->smallest || length > dmar->length - offset)\n        return false;\n    *structure",
                                                  "    if (length < HEADER_SIZE || length > dmar->length - offset)\n        return false;\n    *structure"),),
                r"a DRHD of 15 bytes was accepted"),
        Mistake("past-the-table", 1, (Edit(DMAR, "length > dmar->length - offset)\n        return false;\n    *structure", "length > 0xffff)\n        return false;\n    *structure"),),
                r"200 bytes was accepted, and the table ends before"),
        Mistake("header-not-checked", 1, (Edit(DMAR, " || dmar->length - offset < HEADER_SIZE)\n        return false;\n    const uint8_t *bytes = dmar->bytes", ")\n        return false;\n    const uint8_t *bytes = dmar->bytes"),),
                r"two bytes are left and a structure was read|goes past the end of the data"),
        Mistake("cursor-not-moved", 1, (Edit(DMAR, "    *cursor = offset + length;\n    return true;\n}\n\nbool dmar_scope_next", "    (void)length;\n    return true;\n}\n\nbool dmar_scope_next"),),
                r"the cursor stays at 0: the next call would give the same"),
        Mistake("cursor-by-the-fixed-part", 1, (Edit(DMAR, "    *cursor = offset + length;\n    return true;\n}\n\nbool dmar_scope_next", "    *cursor = offset + layout->smallest;\n    return true;\n}\n\nbool dmar_scope_next"),),
                r"it goes on by the structure's own length"),
        Mistake("size-not-shifted", 1, (Edit(DMAR, "PAGE_SIZE << (bytes[layout->size] & 15)", "bytes[layout->size]"),),
                r"DRHD at offset 0x30: size is 0x12, expected 0x4000; 4 KiB shifted left"),
        Mistake("fields-of-every-type", 1, (Edit(DMAR, ".limit = layout->limit != 0 ? read64(bytes + layout->limit) : 0,", ".limit = read64(bytes + 16),"),),
                r"limit is .*read a field only where the layout has it|goes past the end of the data"),
        Mistake("size-with-reserved-bits", 1, (Edit(DMAR, "PAGE_SIZE << (bytes[layout->size] & 15)", "PAGE_SIZE << bytes[layout->size]"),),
                r"size is 0x40000000, expected 0x4000; 4 KiB shifted left by the low four bits"),
        Mistake("length-of-one-byte", 1, (Edit(DMAR, "    uint32_t length = read16(bytes + 2);", "    uint32_t length = bytes[2];"),),
                r"its length is 0x48, expected 0x148; 16 bits at offset 2"),
        Mistake("type-of-one-byte", 1, (Edit(DMAR, "    uint16_t type = read16(bytes);", "    uint16_t type = bytes[0];"),),
                r"type 3 instead of 259 \(unknown\): the type is the first 16 bits"),
        Mistake("base-of-32-bits", 1, (Edit(DMAR, "layout->base != 0 ? read64", "layout->base != 0 ? read32"),),
                r"base is 0xfed90000, expected 0x2fed90000; 64 bits at offset 8"),
        Mistake("fields-of-the-one-before", 1, (Edit(DMAR, "    *structure = (struct dmar_structure){\n        .offset = offset,",
                                                     "    uint64_t before = structure->base;\n    *structure = (struct dmar_structure){\n        .offset = offset,"),
                                                Edit(DMAR, "    if (layout->object_name != 0) {\n", "    if (layout->base == 0)\n        structure->base = before;\n    if (layout->object_name != 0) {\n")),
                r"base is 0xfbffc000, expected 0; nothing is known of an unknown type"),
        Mistake("name-with-the-fixed-part", 1, (Edit(DMAR, "structure->name_size = length - layout->object_name", "structure->name_size = length"),),
                r"ANDD: the name has 16 bytes; it is what is left behind offset 8"),
        Mistake("scopes-of-types-without", 1, (Edit(DMAR, ".scope_offset = layout->scopes ? layout->smallest : length", ".scope_offset = layout->smallest"),),
                r"ANDD at offset 0x\w+: scope_offset is 0x8, expected 0x10; it has no scopes"),
        Mistake("scope-not-moved", 2, (Edit(DMAR, "    *cursor = offset + bytes[1];\n", ""),),
                r"the cursor stays at 0: the same scope would come again"),
        Mistake("scopes-of-the-next-structure", 2, (Edit(DMAR, "    if (offset >= structure->length)\n        return false;\n    const uint8_t *bytes = structure->bytes + offset;\n    if (!scope_length_possible(bytes, structure->length - offset))",
                                                         "    const uint8_t *bytes = structure->bytes + offset;\n    if (!scope_length_possible(bytes, 1000))"),),
                r"a third scope was given, and the structure ends before it"),
        Mistake("hops-in-bytes", 2, (Edit(DMAR, "(uint8_t)((bytes[1] - SCOPE_PATH) / 2)", "(uint8_t)(bytes[1] - SCOPE_PATH)"),),
                r"2 hops instead of 1: \(length - 6\) / 2"),
        Mistake("scope-length-unchecked", 2, (Edit(DMAR, "    if (!scope_length_possible(bytes, structure->length - offset))\n        return false;\n", ""),),
                r"a scope of length 0 was accepted"),
        Mistake("offset-in-the-structure", 2, (Edit(DMAR, "        .offset = structure->offset + offset,", "        .offset = offset,"),),
                r"the first scope is said to be at 0x10 of the table; it is at 0x40"),
        Mistake("scope-flags-left-out", 2, (Edit(DMAR, "        .flags = bytes[2],\n        .enumeration_id", "        .enumeration_id"),),
                r"flags 0 instead of 0x5a: the byte at offset 2"),
        Mistake("left-of-the-whole-structure", 2, (Edit(DMAR, "structure->length - offset))\n        return false;\n    *scope", "structure->length))\n        return false;\n    *scope"),),
                r"a scope of 40 bytes was accepted, and of its structure's 44 bytes only 28 are left"),
        Mistake("cursor-past-the-end", 2, (Edit(DMAR, "    if (offset >= structure->length)\n        return false;\n    const uint8_t *bytes = structure->bytes + offset;\n    if (!", "    const uint8_t *bytes = structure->bytes + offset;\n    if (!"),),
                r"with the cursor far behind the structure's end"),
        Mistake("half-a-hop", 2, (Edit(DMAR, "    if (!scope_length_possible(bytes, structure->length - offset))\n        return false;\n    *scope",
                                       "    if (bytes[1] < SCOPE_SMALLEST || bytes[1] > structure->length - offset)\n        return false;\n    *scope"),),
                r"a scope of 9 bytes was accepted: half a hop"),
        Mistake("cut-to-8-bits-unsaid", 2, (Edit(DMAR, "(uint8_t)((bytes[1] - SCOPE_PATH) / 2)", "(bytes[1] - SCOPE_PATH) / 2"),),
                r"as part of the hypervisor it does not build: hypervisor/acpi/dmar\.c:\d+:\d+: error: conversion .*Werror=conversion"),
        Mistake("first-hop-only", 3, (Edit(DMAR, "        if (hop + 1u == scope->path_length)\n            return STATUS_OK;\n", "        return STATUS_OK;\n"),),
                r"00:1c\.4, the first of them, was given: only the last one"),
        Mistake("bus-of-the-start-for-all", 3, (Edit(DMAR, "        bus = secondary_bus(segment, *rid, context);\n", "        if (secondary_bus(segment, *rid, context) < 0)\n            return STATUS_NOT_FOUND;\n"),),
                r"the second hop was looked for on bus 00, .*each hop's bus is the secondary bus"),
        Mistake("last-hop-a-bridge", 3, (Edit(DMAR, "        if (hop + 1u == scope->path_length)\n            return STATUS_OK;\n        bus = secondary_bus(segment, *rid, context);\n        if (bus < 0 || bus > 255)\n            return STATUS_NOT_FOUND;\n    }\n    return STATUS_INVALID;",
                                              "        bus = secondary_bus(segment, *rid, context);\n        if (hop + 1u == scope->path_length)\n            return STATUS_OK;\n        if (bus < 0 || bus > 255)\n            return STATUS_NOT_FOUND;\n    }\n    return STATUS_INVALID;"),),
                r"asked of the last hop: it is the device itself"),
        Mistake("bridge-not-there", 3, (Edit(DMAR, "        if (bus < 0 || bus > 255)\n            return STATUS_NOT_FOUND;\n    }", "    }"),),
                r"00:03\.0 is not a bridge, and the path over it was followed|left shift of negative value"),
        Mistake("device-32", 3, (Edit(DMAR, "        if (device > 31 || function > 7)\n            return STATUS_INVALID;\n", ""),),
                r"devices are 0 to 31, and device 32 was accepted"),
        Mistake("bus-256", 3, (Edit(DMAR, "        if (bus < 0 || bus > 255)\n            return STATUS_NOT_FOUND;", "        if (bus < 0)\n            return STATUS_NOT_FOUND;"),),
                r"secondary_bus\(\) gives 256, and buses end at 255, and the path was followed"),
        Mistake("bus-256-is-invalid", 3, (Edit(DMAR, "        if (bus < 0 || bus > 255)\n            return STATUS_NOT_FOUND;",
                                               "        if (bus > 255)\n            return STATUS_INVALID;\n        if (bus < 0)\n            return STATUS_NOT_FOUND;"),),
                r"secondary_bus\(\) gives 256, and buses end at 255: the status is \"invalid\", expected STATUS_NOT_FOUND"),
        Mistake("function-8", 3, (Edit(DMAR, "if (device > 31 || function > 7)", "if (device > 31)"),),
                r"functions are 0 to 7, and function 8 was accepted"),
        Mistake("path-without-hops", 3, (Edit(DMAR, "    int bus = scope->start_bus;\n", "    int bus = scope->start_bus;\n    if (scope->path_length == 0)\n        return STATUS_OK;\n"),),
                r"the path has no hops, and it was accepted"),
        Mistake("bridge-of-segment-0", 3, (Edit(DMAR, "secondary_bus(segment, *rid, context)", "secondary_bus(0, *rid, context)"),),
                r"secondary_bus\(\) was asked in segment 0 instead of 3"),
        Mistake("io-apic-taken-for-a-function", 4, (Edit(SCOPES, "        if (scope.type != SCOPE_BRIDGE && (ancestor || scope.type != SCOPE_ENDPOINT))\n            continue;\n", "        if (ancestor && scope.type != SCOPE_BRIDGE)\n            continue;\n"),),
                r"00:1f\.0: unit 3 chosen instead of unit 0; that scope is the I/O APIC's"),
        Mistake("endpoints-stand-for-what-is-behind", 4, (Edit(SCOPES, "(ancestor || scope.type != SCOPE_ENDPOINT))", "scope.type != SCOPE_ENDPOINT)"),),
                r"06:00\.0: unit 3 chosen instead of unit 0; .*an endpoint's"),
        Mistake("first-scope-only", 4, (Edit(SCOPES, "            scope_rid == (uint16_t)rid)\n            return true;\n    }\n    return false;", "            scope_rid == (uint16_t)rid)\n            return true;\n        break;\n    }\n    return false;"),),
                r"00:02\.0: unit 0 chosen instead of unit 1"),
        Mistake("bus-of-long-ago", 4, (Edit(SCOPES, "        int bus = pci_bus_now(structure->segment, scope.start_bus);\n        if (bus < 0)\n            continue;\n        scope.start_bus = (uint8_t)bus;\n", ""),),
                r"08:00\.0: unit 0 chosen instead of unit 1; firmware listed it on bus 9, which is bus 8 by now"),
        Mistake("bus-that-is-gone", 4, (Edit(SCOPES, "        if (bus < 0)\n            continue;\n        scope.start_bus", "        scope.start_bus"),),
                r"ff:00\.0: unit 1 chosen instead of unit 0; firmware's bus 0b is gone"),
        Mistake("bus-of-segment-0", 4, (Edit(SCOPES, "pci_bus_now(structure->segment, scope", "pci_bus_now(0, scope"),),
                r"0001:09:00\.0: no unit chosen instead of unit 4; .*bus 9 was moved in segment 0 only"),
        Mistake("segment-in-the-comparison", 4, (Edit(SCOPES, "scope_rid == (uint16_t)rid)", "scope_rid == rid)"),),
                r"0001:00:02\.0: no unit chosen instead of unit 4; unit 4 is that of its segment"),
        Mistake("bridges-of-segment-0", 4, (Edit(SCOPES, "dmar_scope_rid(&scope, structure->segment, pci", "dmar_scope_rid(&scope, 0, pci"),),
                r"0001:03:00\.0: no unit chosen instead of unit 4; .*its bridge is in the structure's segment"),
        Mistake("gives-up-at-a-broken-path", 4, (Edit(SCOPES, "            scope_rid == (uint16_t)rid)\n            return true;\n    }\n",
                                                      "            scope_rid == (uint16_t)rid)\n            return true;\n        if (dmar_scope_rid(&scope, structure->segment, pci_secondary_bus, NULL, &scope_rid) != STATUS_OK)\n            return false;\n    }\n"),),
                r"00:15\.0: unit 0 chosen instead of unit 3; .*after one whose path leads nowhere"),
        Mistake("status-not-read", 4, (Edit(SCOPES, "        if (dmar_scope_rid(&scope, structure->segment, pci_secondary_bus, NULL, &scope_rid) ==\n                STATUS_OK &&\n            scope_rid",
                                            "        if (dmar_scope_rid(&scope, structure->segment, pci_secondary_bus, NULL, &scope_rid) !=\n                STATUS_INVALID &&\n            scope_rid"),),
                r"00:04\.0: unit 3 chosen instead of unit 0; the path 4\.0/0\.0 begins at it, and it is not a bridge"),
        Mistake("a-bridge-only-for-what-is-behind", 4, (Edit(SCOPES, "(scope.type != SCOPE_BRIDGE && (ancestor || scope.type != SCOPE_ENDPOINT))", "(scope.type != (ancestor ? SCOPE_BRIDGE : SCOPE_ENDPOINT))"),),
                r"00:1c\.4: unit 0 chosen instead of unit 2; unit 2 has a scope that is this very bridge"),
        Mistake("region-taken-for-a-unit", 5, (Edit(SCOPES, "structure->type == DMAR_DRHD && structure->segment == RID_SEGMENT(rid) &&\n            scope_names", "structure->segment == RID_SEGMENT(rid) &&\n            scope_names"),),
                r"00:1d\.0: no unit chosen instead of unit 0; only an RMRR has a scope that is this function"),
        Mistake("first-unit-only", 5, (Edit(SCOPES, "            scope_names(dmar, structure, rid, ancestor))\n            return true;\n    return false;\n}\n\nstatic bool find_include", "            true)\n            return scope_names(dmar, structure, rid, ancestor);\n    return false;\n}\n\nstatic bool find_include"),),
                r"00:02\.0: unit 0 chosen instead of unit 1; unit 1 has a scope that is this very function"),
        Mistake("segments-mixed", 5, (Edit(SCOPES, "structure->type == DMAR_DRHD && structure->segment == RID_SEGMENT(rid) &&\n            scope_names", "structure->type == DMAR_DRHD &&\n            scope_names"),),
                r"0001:00:02\.0: unit 1 chosen instead of unit 4; unit 4 is that of its segment"),
        Mistake("no-scope-looked-at", 5, (Edit(SCOPES, "            scope_names(dmar, structure, rid, ancestor))\n            return true;\n    return false;\n}\n\nstatic bool find_include_all", "            rid == 0xffffffff)\n            return true;\n    return false;\n}\n\nstatic bool find_include_all"),),
                r"unit 0 chosen instead of unit 1; unit 1 has a scope that is this very function"),
        Mistake("include-all-first", 5, (Edit(SCOPES, "            scope_names(dmar, structure, rid, ancestor))\n            return true;\n    return false;\n}\n\nstatic bool find_include_all", "            ((structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0 || scope_names(dmar, structure, rid, ancestor)))\n            return true;\n    return false;\n}\n\nstatic bool find_include_all"),),
                r"unit 0 chosen instead of unit 1; .*unit 0 is for what is left over"),
        Mistake("any-unit-for-the-rest", 6, (Edit(SCOPES, "structure->segment == segment &&\n            (structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0)", "structure->segment == segment)"),),
                r"chosen instead of"),
        Mistake("flags-of-an-atsr", 6, (Edit(SCOPES, "structure->type == DMAR_DRHD && structure->segment == segment &&\n            (structure", "structure->segment == segment &&\n            (structure"),),
                r"00:03\.0: no unit chosen instead of unit 0; .*an ATSR has flags of its own"),
        Mistake("flags-compared", 6, (Edit(SCOPES, "(structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0)", "structure->flags == DRHD_FLAG_INCLUDE_PCI_ALL)"),),
                r"00:03\.0: no unit chosen instead of unit 0; .*other bits may be set as well"),
        Mistake("any-flag", 6, (Edit(SCOPES, "(structure->flags & DRHD_FLAG_INCLUDE_PCI_ALL) != 0)", "structure->flags != 0)"),),
                r"0001:00:03\.0: unit 4 chosen instead of no unit; .*INCLUDE_PCI_ALL is bit 0"),
        Mistake("the-rest-of-every-segment", 6, (Edit(SCOPES, "structure->type == DMAR_DRHD && structure->segment == segment &&\n            (structure", "structure->type == DMAR_DRHD &&\n            (structure"),),
                r"0001:00:03\.0: unit 0 chosen instead of no unit"),
    ),
)
