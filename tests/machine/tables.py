# SPDX-License-Identifier: MIT
"""Other ACPI tables than the emulator's own. An EFI program in front of the loader (tests/efi/firmware.c) puts them in
place; a MachineSpec names them (`tables`)."""

import re
import struct
from pathlib import Path

from . import paths

HEADER = 36
_RECORD = "<cB2x4sII"
_KEY = re.compile(r"(?P<add>\+?)(?P<signature>[A-Z0-9]{4})(?P<number>\d*)(?:@(?P<offset>\d+))?(?P<keep>!?)")


def table(signature: str, body: bytes, revision: int = 1) -> bytes:
    """A table with its header (ACPI 6.5, 5.2.6). The checksum is right."""
    header = struct.pack("<4sIBB6s8sI4sI", signature.encode(), HEADER + len(body), revision, 0, b"BULKHD", b"MADETABL", 1,
                         b"TEST", 1)
    whole = bytearray(header + body)
    whole[9] = -sum(whole) & 0xff
    return bytes(whole)


WDAT_QUERY_RUNNING, WDAT_QUERY_STOPPED, WDAT_STOP = 8, 10, 11
READ_VALUE, WRITE_VALUE, PRESERVE = 0, 2, 0x80  # instructions
TCO_CONTROL, TCO_HALT = 0x668, 0x800  # TCO1_CNT of QEMU's ICH9, where OVMF puts it


def wdat_entry(action: int, instruction: int, value: int, space: int = 1, address: int = TCO_CONTROL, width: int = 16,
               mask: int = TCO_HALT) -> bytes:
    """What to do for an action of a watchdog's (Microsoft's Hardware Watchdog Timers specification 1.01). space: 0
    memory, 1 ports."""
    return struct.pack("<BBHBBBBQII", action, instruction, 0, space, width, 0, 0, address, value, mask)


def wdat(*entries: bytes, count: int | None = None) -> bytes:
    """A watchdog that is switched on: 600 ms a count, 4 to 1023 counts."""
    return table("WDAT", struct.pack("<I8xIIIII", 32, 600, 0x3ff, 4, 0x81, len(entries) if count is None else count) +
                 b"".join(entries))


def stoppable_wdat() -> bytes:
    """QEMU's own."""
    return wdat(wdat_entry(WDAT_QUERY_RUNNING, READ_VALUE, 0), wdat_entry(WDAT_STOP, WRITE_VALUE | PRESERVE, TCO_HALT),
                wdat_entry(WDAT_QUERY_STOPPED, READ_VALUE, TCO_HALT))


def record(key: str, content: bytes) -> bytes:
    """One entry of a MachineSpec's `tables` as firmware.c reads it. The key:

    "DMAR"     in place of all tables of that signature; with b"" there is none any more
    "+SSDT12"  one more table; what follows the signature only tells keys apart
    "DMAR@37"  these bytes at that offset of the table that is there
    "...!"     with the checksum that it has, right or wrong
    """
    match = _KEY.fullmatch(key)
    if not match:
        raise ValueError(f"tables[{key!r}]: a signature of four capitals is required, with + before or @OFFSET behind it")
    kind = b"P" if match["offset"] else b"A" if match["add"] else b"R"
    if kind != b"P" and content and len(content) < HEADER:
        raise ValueError(f"tables[{key!r}]: {len(content)} bytes are less than a table's header")
    return struct.pack(_RECORD, kind, bool(match["keep"]), match["signature"].encode(), int(match["offset"] or 0),
                       len(content)) + content + bytes(-len(content) % 8)


def files(tables: dict[str, bytes], build: Path) -> dict[str, bytes | Path]:
    """What goes onto the boot medium that was made in `build`. In the EFI application's place is what changes the
    tables."""
    return {"/firmware/tables.bin": b"".join(record(key, content) for key, content in tables.items()),
            "/EFI/bulkhead/bulkhead.efi": paths.REPOSITORY / "build/tests/firmware.efi",
            "/EFI/bulkhead/loader.efi": build / "bulkhead.efi"}
