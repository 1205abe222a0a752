# SPDX-License-Identifier: MIT
"""Sections, symbols and relocations of an ELF64 object, as far as the graph needs them."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

SHT_SYMTAB, SHT_RELA = 2, 4
SHF_ALLOC, SHF_EXECUTE = 2, 4
STT_SECTION, STT_FILE = 3, 4
SHN_UNDEF, SHN_LORESERVE = 0, 0xff00
R_PC32, R_PLT32 = 2, 4
PC_RELATIVE = {R_PC32, R_PLT32}


@dataclass(frozen=True)
class Symbol:
    name: str
    kind: int  # STT_*
    is_global: bool
    section: int | None  # None: another object's, or absolute
    undefined: bool
    value: int


@dataclass(frozen=True)
class Relocation:
    offset: int
    kind: int  # R_X86_64_*
    symbol: Symbol
    addend: int


@dataclass
class Section:
    name: str
    flags: int
    size: int
    relocations: list[Relocation] = field(default_factory=list)

    @property
    def allocated(self) -> bool:
        return bool(self.flags & SHF_ALLOC)

    @property
    def executable(self) -> bool:
        return bool(self.flags & SHF_EXECUTE)


def text_at(table: bytes, offset: int) -> str:
    return table[offset:table.index(b"\0", offset)].decode()


@dataclass
class Elf:
    sections: list[Section]
    symbols: list[Symbol]

    @classmethod
    def read(cls, path: Path) -> "Elf":
        data = path.read_bytes()
        if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != 62:
            raise ValueError(f"{path}: not an x86-64 ELF file")
        start, = struct.unpack_from("<Q", data, 40)
        entry_size, count, names_index = struct.unpack_from("<HHH", data, 58)
        headers = [struct.unpack_from("<IIQQQQIIQQ", data, start + i * entry_size) for i in range(count)]

        def content(header) -> bytes:
            return data[header[4]:header[4] + header[5]]

        names = content(headers[names_index])
        sections = [Section(text_at(names, header[0]), header[2], header[5]) for header in headers]
        symbols: list[Symbol] = []
        for header in headers:
            if header[1] != SHT_SYMTAB:
                continue
            strings = content(headers[header[6]])
            for name, info, _, index, value, _ in struct.iter_unpack("<IBBHQQ", content(header)):
                kind, placed = info & 15, SHN_UNDEF < index < SHN_LORESERVE
                shown = sections[index].name if kind == STT_SECTION else text_at(strings, name)
                symbols.append(Symbol(shown, kind, info >> 4 != 0, index if placed else None, index == SHN_UNDEF, value))
        for header in headers:
            if header[1] == SHT_RELA:
                sections[header[7]].relocations += [
                    Relocation(offset, info & 0xffffffff, symbols[info >> 32], addend)
                    for offset, info, addend in struct.iter_unpack("<QQq", content(header))]
        return cls(sections, symbols)
