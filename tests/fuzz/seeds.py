#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a few well-formed inputs for a fuzz target: seeds.py TARGET FOLDER.

A target without seeds here starts from nothing, which is fine for formats made of plain text."""

import struct
import sys
from pathlib import Path


def table(signature, body):
    head = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), 1, 0, b"TESTER", b"FUZZSEED", 1,
                       b"BLKH", 1)
    whole = bytearray(head + body)
    whole[9] = -sum(whole) & 0xFF
    return bytes(whole)


def scope(kind, bus, *path, number=0):
    return struct.pack("<BBHBB", kind, 6 + len(path), 0, number, bus) + bytes(path)


def structure(kind, body):
    return struct.pack("<HH", kind, 4 + len(body)) + body


def drhd(flags, base, *scopes, segment=0):
    return structure(0, struct.pack("<BBHQ", flags, 0, segment, base) + b"".join(scopes))


def rmrr(base, limit, *scopes):
    return structure(1, struct.pack("<HHQQ", 0, 0, base, limit) + b"".join(scopes))


def dmar(*structures, width=39, flags=1):
    return table(b"DMAR", bytes([width - 1, flags]) + bytes(10) + b"".join(structures))


def dmar_seeds():
    graphics, rest = scope(1, 0, 2, 0), scope(3, 0xF0, 31, 0, number=2)
    yield "client", dmar(drhd(0, 0xFED90000, graphics), drhd(1, 0xFED91000, rest),
                         rmrr(0x7B800000, 0x7FFFFFFF, graphics))
    yield "emulator", dmar(drhd(0, 0xFED90000, scope(3, 0xFF, 0, 0),
                                *(scope(2 if n % 2 else 1, 0, n, 0) for n in range(6))))
    yield "server", dmar(
        *(drhd(0, 0xD0000000 + n * 0x1000000, segment=n) for n in range(7)),
        drhd(1, 0xFBFFC000, scope(2, 0x80, 28, 4, 0, 1), scope(4, 0, 15, 0)),
        *(structure(3, struct.pack("<IQI", 0, 0xD0000000 + n * 0x1000000, n)) for n in range(2)),
        structure(2, struct.pack("<BBH", 1, 0, 0)), width=46, flags=3)
    yield "namespace", dmar(
        drhd(0, 0xFED90000, scope(5, 0, 21, 0, number=1)),
        structure(4, bytes([0, 0, 0, 1]) + b"\\_SB.PCI0.I2C0\0"),
        structure(5, struct.pack("<BBH", 1, 0, 0) + scope(1, 0, 5, 0)),
        structure(6, struct.pack("<HH", 0, 0) + scope(1, 0, 11, 0)), structure(9, b"later"))
    yield "no-unit", dmar(drhd(1, 0), rmrr(0, 0))


def actions_seeds():
    def register(space, bits, address):
        return struct.pack("<BBBBQ", space, bits, 0, 0, address)

    yield "watchdog", table(b"WDAT", struct.pack("<I8xIIIII", 32, 600, 1023, 4, 0x81, 3) + b"".join(
        struct.pack("<BBH", action, operation, 0) + register(1, 16, 0x668) + struct.pack("<II", value, 0x800)
        for action, operation, value in ((8, 0, 0), (11, 0x82, 0x800), (10, 0, 0x800))))
    yield "store", table(b"ERST", struct.pack("<III", 48, 0, 15) + b"".join(
        struct.pack("<BBH", action, operation, 0) + register(0, 64, 0xC0000008) + struct.pack("<QQ", 1, 0xff)
        for action, operation in enumerate((3, 2, 0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))))


def acpi_seeds():
    base = 0x1000
    madt = table(b"APIC", struct.pack("<II", 0xFEE00000, 1) + bytes([0, 8, 0, 0, 1, 0, 0, 0]) +
                 struct.pack("<BBHIII", 9, 16, 0, 256, 1, 0) +
                 struct.pack("<BBBBII", 1, 12, 8, 0, 0xFEC00000, 0) +
                 struct.pack("<BBHQ", 5, 12, 0, 0xFEE00000))
    srat = table(b"SRAT", struct.pack("<IQ", 1, 0) +
                 struct.pack("<BBBBI8x", 0, 16, 0, 0, 1) + struct.pack("<BB2xIII8x", 2, 24, 1, 256, 1) +
                 b"".join(struct.pack("<BBI2xQQ4xI8x", 1, 40, node, node << 30, 1 << 30, flags)
                          for node, flags in ((0, 1), (1, 1), (2, 9))))
    ivrs = table(b"IVRS", bytes(12) + b"".join(
        struct.pack("<BBHHHQHH", kind, 0, size, 2, 0x40, 0xFED80000, 0, 0) + bytes(size - 20)
        for kind, size in ((0x10, 24), (0x11, 40), (0x20, 32), (0x40, 40))))
    mcfg = table(b"MCFG", bytes(8) + struct.pack("<QHBBI", 0xE0000000, 0, 0, 255, 0))
    spcr = bytearray(table(b"SPCR", struct.pack("<I", 0x12) + struct.pack("<BBBBQ", 0, 32, 0, 3, 0xFE030000) +
                           bytes(6) + bytes([7, 0, 1, 0, 3, 0]) + b"\xff" * 4 + bytes(8) +
                           struct.pack("<IIHH", 48000000, 115200, 2, 88)))
    spcr[8:10] = 4, (spcr[9] - 3) & 0xFF
    dbg2 = table(b"DBG2", struct.pack("<II", 44, 2) + b"".join(
        struct.pack("<BHBHHHHHHHHH", 0, 38, 1, 0, 0, 0, 0, kind, subtype, 0, 22, 34) +
        struct.pack("<BBBBQI", 1, 8, 0, 1, 0x2F8, 8) for kind, subtype in ((0x8003, 0x8086), (0x8000, 0))))
    dsdt = table(b"DSDT", b"\x08_S5_\x12\x08\x04\x0a\x05\x0a\x05\x00\x00")

    def fadt(dsdt_address):
        body = bytearray(244 - 36)
        struct.pack_into("<I", body, 40 - 36, dsdt_address)
        struct.pack_into("<I", body, 64 - 36, 0x604)
        struct.pack_into("<I", body, 112 - 36, 1 << 10)
        struct.pack_into("<BBBBQB", body, 116 - 36, 1, 8, 0, 0, 0xCF9, 6)
        return table(b"FACP", bytes(body))

    for name, root, width in (("xsdt", b"XSDT", "Q"), ("rsdt", b"RSDT", "I")):
        parts, at = [], base + 36
        addresses = []
        for part in (dsdt, madt, mcfg, srat, bytes(spcr), dbg2):
            addresses.append(at)
            parts.append(part)
            at += len(part)
        parts.append(fadt(addresses[0]))
        addresses.append(at)
        at += len(parts[-1])
        parts.append(table(root, struct.pack("<6" + width, *addresses[1:])))
        rsdp = b"RSD PTR \0TESTER" + struct.pack("<BIIQI", 2 if width == "Q" else 0, at, 36, at, 0)
        yield name, rsdp + b"".join(parts)
    yield from (("madt", madt), ("mcfg", mcfg), ("srat", srat), ("ivrs", ivrs), ("spcr", bytes(spcr)), ("dbg2", dbg2),
                ("dsdt", dsdt), ("fadt", fadt(base)))


def note(name, kind, value):
    return struct.pack("<III4s", 4, len(value), kind, name) + value


def image_seeds():
    for name, header, program in (("elf32", "<16sHHIIIIIHHHHHH", "<IIIIIIII"),
                                  ("elf64", "<16sHHIQQQIHHHHHH", "<IIQQQQQQ")):
        wide = name == "elf64"
        start, size = struct.calcsize(header), struct.calcsize(program)
        text = start + 3 * size
        notes = note(b"GNU", 1, bytes(4)) + note(b"Xen", 18, struct.pack("<I", 0x100010))

        def entry(kind, offset, address, in_file, in_memory):
            parts = (offset, address, address, in_file, in_memory)
            return struct.pack(program, kind, 5, *parts, 4) if wide else \
                struct.pack(program, kind, *parts, 5, 4)

        ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
        yield name, struct.pack(header, ident, 2, 62 if wide else 3, 1, 0x100000, start, 0, 0, start,
                                size, 3, 0, 0, 0) + \
            entry(1, text, 0x100000, 64, 64) + entry(1, text, 0x200000, 16, 4096) + \
            entry(4, text + 64, 0, len(notes), 0) + bytes(64) + notes


def start_seeds():
    for name, image in image_seeds():
        yield name, bytes(4) + image


def usb_seeds():
    def configuration(*parts):
        body = b"".join(parts)
        return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), 2, 1, 0, 0xA0, 50) + body

    def keyboard(interface, endpoint, packet=8):
        return (bytes([9, 4, interface, 0, 1, 3, 1, 1, 0]) + bytes([9, 0x21, 0x11, 1, 0, 1, 0x22, 63, 0]) +
                struct.pack("<BBBBHB", 7, 5, 0x80 | endpoint, 3, packet, 10))

    yield "keyboard", configuration(keyboard(0, 1))
    yield "receiver", configuration(bytes([9, 4, 0, 0, 1, 3, 1, 2, 0]), keyboard(1, 2), keyboard(2, 3, 64),
                                    bytes([6, 48, 1, 0, 64, 0]))


def preflight_seeds():
    yield "smbios", b"\0" + b"\0\x0a\0\0\1\2\0\0\3\0Maker\0One\0Today\0\0" + b"\1\x08\1\0\1\2\0\0A\0B\0\0" + b"\x7f\4\2\0\0\0"
    resource = b"\x8a" + struct.pack("<HBBBQQQQQ", 43, 0, 0, 0, 0, 0x80000000, 0xbfffffff, 0, 0x40000000)
    buses = b"\x8a" + struct.pack("<HBBBQQQQQ", 43, 2, 0, 0, 0, 0, 0xff, 0, 0x100)
    yield "root", b"\1" + resource + buses + b"\x79\0"
    yield "end", b"\2" + b"cpu.smi count=1\npreflight.end lines=1 lost=0 bytes=16 digest=0x1f stable=0x2e\n"
    block = struct.pack("<BBHHHQ8x", 0x10, 0, 24, 0x10, 0x40, 0xfeb80000)
    for number, body in ((4, bytes(12) + block + block), (5, bytes(32) + bytes(12)), (6, bytes(44)), (7, bytes(12))):
        yield f"table{number}", bytes([number]) + table(b"ANYS", body)


def root_seeds():
    """Two lists of address space descriptors (ACPI 6.4.3.5.1): memory, prefetchable memory, buses."""
    def window(kind, flags, first, size):
        return struct.pack("<BHBBBQQQQQ", 0x8a, 0x2b, kind, 0, flags, 64, first, first + size - 1, 0, size)

    one = window(0, 0, 0x80000000, 0x1000000) + window(0, 6, 1 << 38, 1 << 30) + window(2, 0, 0, 16) + b"\x79"
    two = window(0, 0, 0x90000000, 0x1000000) + window(0, 6, 1 << 39, 1 << 30) + window(2, 0, 128, 16) + b"\x79"
    yield "two_roots", one + two


def medium_seeds():
    digest = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    yield "list", b"\0" + b"".join(digest + b"  " + name + b"\n" for name in (b"ping.elf", b"sriov.conf", b"batch"))
    head = b"\2\1\6\0" + bytes(16) + b"\300\250\62\1" + bytes(4) + b"\x52\x54\0\x12\x34\x56" + bytes(74)
    options = b"\x63\x82\x53\x63\x35\1\5\x36\4\300\250\62\1\x43\5pxe/b\xff"
    yield "dhcp", b"\1" + head + b"lab/bulkhead.efi".ljust(128, b"\0") + options


def editor_seeds():
    yield "typed", b"walk 01:10.0 0x200000\rmove uplink.vf0 alpha beta\r"
    yield "edited", b"gests\x1b[D\x1b[D\x1b[D\x1b[Du\x01\x05\x1b[3~\x1b[H\x1bOF\x17\x0b\x15\x1b[A\x1b[A\x1b[B\r"
    yield "completed", b"stop al\t\tp\t\rmore walk cpu be\t0\r"
    yield "answered", b"\x1b[43;1R\x0c\x1b[?1;2c\x1b[200~help\x1b[201~\n"


SEEDS = {"fuzz_acpi": acpi_seeds, "fuzz_actions": actions_seeds, "fuzz_dmar": dmar_seeds, "fuzz_editor": editor_seeds,
         "fuzz_image": image_seeds, "fuzz_medium": medium_seeds, "fuzz_preflight": preflight_seeds,
         "fuzz_roots": root_seeds, "fuzz_start": start_seeds, "fuzz_usb": usb_seeds}


def main():
    if len(sys.argv) != 3 or not sys.argv[1].startswith("fuzz_"):
        sys.exit("usage: seeds.py fuzz_TARGET FOLDER")
    target, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.get(target, lambda: ())():
        (folder / name).write_bytes(data)


try:
    main()
except OSError as problem:
    sys.exit(f"seeds: error: {problem}")
