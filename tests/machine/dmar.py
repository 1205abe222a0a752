# SPDX-License-Identifier: MIT
"""DMAR tables for machines whose firmware is to say something else than QEMU's (VT-d 8)."""

import struct

UNIT = 0xfed90000  # where QEMU's remapping unit has its registers
REMAPPING, OPT_OUT = 1, 2  # flags (8.1)

def body(*structures: bytes, flags: int = 1) -> bytes:
    """What follows the ACPI header (8.1): host address width, flags, the remapping structures."""
    return struct.pack("<BB10x", 38, flags) + b"".join(structures)


def scope(kind: int, *path: tuple[int, int], bus: int = 0, identifier: int = 0) -> bytes:
    """One entry of a device scope (8.3.1). kind: 1 a function, 2 what is below a bridge, 3 an IO-APIC, 4 an HPET."""
    hops = b"".join(bytes(hop) for hop in path)
    return struct.pack("<BBHBB", kind, 6 + len(hops), 0, identifier, bus) + hops


IO_APIC = scope(3, (0x1e, 0), bus=0xff)  # by which QEMU's IO-APIC is known to its unit


def drhd(base: int, length: int | None = None, scopes: bytes = b"") -> bytes:
    """A unit for everything on segment 0 (8.3)."""
    return struct.pack("<HHBBHQ", 0, 16 + len(scopes) if length is None else length, 1, 0, 0, base) + scopes


def rmrr(base: int, limit: int, *path: tuple[int, int], bus: int = 0) -> bytes:
    """Memory for the function that the path (device, function) leads to from that bus (8.4)."""
    reaches = scope(1, *path, bus=bus) if path else b""
    return struct.pack("<HHHHQQ", 1, 24 + len(reaches), 0, 0, base, limit) + reaches


def replaced(table: bytes, *structures: bytes) -> bytes:
    """A table with the same header and length; a structure of unknown type fills what is left."""
    content = body(*structures)
    rest = len(table) - 36 - len(content)
    if rest < 4:
        raise ValueError("the machine's own table is shorter")
    result = bytearray(table[:36] + content + struct.pack("<HH", 0x7fff, rest) + bytes(rest - 4))
    result[9] = 0
    result[9] = -sum(result) & 0xff
    return bytes(result)
