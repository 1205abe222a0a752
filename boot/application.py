#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What objcopy cannot do to the EFI application (Microsoft PE/COFF, rev. 11).

  application.py nx FILE.efi                           says that it may run with memory protection, after a look
                                                       whether that is so
  application.py seal IN.efi OUT.efi HYPERVISOR LIST   puts the digests of these two files into it (boot/efi/verify.c)
"""

import hashlib
import struct
import sys
from pathlib import Path

NX_COMPATIBLE = 0x100
EXECUTE, WRITE = 0x20000000, 0x80000000
MAGIC, VERSION, SEALED = b"BLKDIGST", 1, 1
DIGESTS = struct.Struct("<8sII32s32s")


class ApplicationError(RuntimeError):
    """The file is not what this program is for."""


class Application:
    """A PE32+ file."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        if len(data) < 0x40 or data[:2] != b"MZ":
            raise ApplicationError("it is not a PE file")
        self.header = struct.unpack_from("<I", data, 0x3C)[0] + 4
        magic, = struct.unpack_from("<H", data, self.header + 20)
        if data[self.header - 4:self.header] != b"PE\0\0" or magic != 0x20B:
            raise ApplicationError("it is not a PE32+ file")
        count, size = struct.unpack_from("<2xH12xH", data, self.header)
        self.sections = {}
        for number in range(count):
            name, room, address, length, offset, flags = struct.unpack_from(
                "<8sIIII12xI", data, self.header + 20 + size + 40 * number)
            self.sections[name.rstrip(b"\0").decode()] = (room, address, length, offset, flags)

    def allow_nx(self) -> None:
        """Sets IMAGE_DLLCHARACTERISTICS_NX_COMPAT."""
        alignment, = struct.unpack_from("<I", self.data, self.header + 20 + 32)
        if alignment % 4096:
            raise ApplicationError(f"its sections are aligned at {alignment} bytes")
        for name, (_room, address, _length, _offset, flags) in self.sections.items():
            if flags & EXECUTE and flags & WRITE:
                raise ApplicationError(f"section {name} is writable and executable")
            if address % 4096:
                raise ApplicationError(f"section {name} begins at {address:#x}, in the middle of a page")
        at = self.header + 20 + 70
        struct.pack_into("<H", self.data, at, struct.unpack_from("<H", self.data, at)[0] | NX_COMPATIBLE)
        struct.pack_into("<I", self.data, self.header + 20 + 64, 0)  # the checksum, which firmware does not look at

    def seal(self, hypervisor: bytes, listed: bytes) -> None:
        """Writes both digests into the section that is there for them."""
        _room, _address, length, offset, _flags = self.sections.get(".digests", (0, 0, 0, 0, 0))
        if length < DIGESTS.size or offset + length > len(self.data):
            raise ApplicationError("it has no section .digests")
        magic, version, sealed, _hypervisor, _list = DIGESTS.unpack_from(self.data, offset)
        if (magic, version, sealed) != (MAGIC, VERSION, 0):
            raise ApplicationError(f"its section .digests is {magic!r}, version {version}, sealed {sealed}")
        DIGESTS.pack_into(self.data, offset, MAGIC, VERSION, SEALED, hashlib.sha256(hypervisor).digest(),
                          hashlib.sha256(listed).digest())


def main(words: list[str]) -> int:
    try:
        if len(words) == 2 and words[0] == "nx":
            application = Application(Path(words[1]).read_bytes())
            application.allow_nx()
            Path(words[1]).write_bytes(application.data)
        elif len(words) == 5 and words[0] == "seal":
            application = Application(Path(words[1]).read_bytes())
            application.seal(Path(words[3]).read_bytes(), Path(words[4]).read_bytes())
            Path(words[2]).write_bytes(application.data)
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except (ApplicationError, OSError, struct.error) as error:
        print(f"application: error: {words[1]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
