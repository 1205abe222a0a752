# SPDX-License-Identifier: MIT
"""DMAR tables for machines whose firmware is to say something else than QEMU's (VT-d 8)."""

import struct


def body(*structures: bytes) -> bytes:
    """What follows the ACPI header (8.1): host address width, flags, the remapping structures."""
    return struct.pack("<BB10x", 38, 1) + b"".join(structures)


def drhd(base: int, length: int = 16) -> bytes:
    """A unit for everything on segment 0 (8.3)."""
    return struct.pack("<HHBBHQ", 0, length, 1, 0, 0, base)


def rmrr(base: int, limit: int, *path: tuple[int, int]) -> bytes:
    """Memory for the function that the path (device, function) leads to from bus 0 (8.4, 8.3.1)."""
    hops = b"".join(bytes(hop) for hop in path)
    scope = struct.pack("<BBHBB", 1, 6 + len(hops), 0, 0, 0) + hops if path else b""
    return struct.pack("<HHHHQQ", 1, 24 + len(scope), 0, 0, base, limit) + scope


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
