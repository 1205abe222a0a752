# SPDX-License-Identifier: MIT
"""Who reaches what memory: DMA domains, guests' own tables (EPT, NPT) and owners of physical memory."""

from dataclasses import dataclass, field

from .hardware import Device, records
from .record import Answer, Record, integer, size


@dataclass(frozen=True)
class Span:
    """Addresses that one side uses, and where they lead. Bytes; rights as of page tables: r, w, x."""

    address: int
    physical: int
    size: int
    rights: str

    @property
    def end(self) -> int:
        return self.address + self.size

    @property
    def ram(self) -> bool:
        """Of what a guest's CPUs reach: registers are never executed. Without `map` the log has RAM alone."""
        return "x" in self.rights or self.rights == "-"


@dataclass(frozen=True)
class Owned:
    """Physical memory with one owner."""

    physical: int
    size: int
    owner: str

    @property
    def end(self) -> int:
        return self.physical + self.size


@dataclass
class Space:
    """An address space: a DMA domain with its number and functions, or a guest's, whose CPUs use it."""

    owner: str
    domain: str = ""
    spans: list[Span] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)

    @property
    def size(self) -> int:
        return sum(span.size for span in self.spans)


def _span(line: dict[str, str]) -> Span | None:
    numbers = [integer(line.get(key)) for key in ("address", "physical", "size")]
    if any(number is None or number < 0 for number in numbers) or not numbers[2]:
        return None
    return Span(*numbers, line.get("rights") or "-")


def _spaces(lines: list[dict[str, str]], key: str) -> dict[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for line in lines:
        span = _span(line)
        if span and line.get(key):
            mine = found.setdefault(line[key], [])
            if span not in mine:  # firmware's domain is said once for each function
                mine.append(span)
    return {name: sorted(mine, key=lambda span: span.address) for name, mine in found.items()}


def of_guests(record: Record) -> dict[str, list[Span]]:
    """Guests' memory as the log has it: from address 0 on, unless guest.memory says where the parts are."""
    found: dict[str, list[Span]] = {}
    for line in record.of("guest.created"):
        base, length = integer(line.get("base")), size(line.get("memory"))
        if base and length and line.get("name"):
            found[line["name"]] = [Span(0, base, length, "-")]
    parts: dict[str, list[Span]] = {}
    for line in record.of("guest.memory"):
        numbers = integer(line.get("at")), integer(line.get("base")), size(line.get("size"))
        if line.get("name") and None not in numbers and numbers[2]:
            span = Span(*numbers, "-")
            mine = parts.setdefault(line["name"], [])
            if span not in mine:
                mine.append(span)
    return {**found, **parts}


def domains(record: Record, answer: Answer | None, devices: list[Device]) -> list[Space]:
    """Each DMA domain. Without `map` those of the guests that have a function, as their memory says."""
    if answer:
        lines = records(answer, "domain")
        owners = {line.get("domain"): line.get("owner", "") for line in lines}
        spaces = [Space(owners[number], number, spans) for number, spans in _spaces(lines, "domain").items()]
        for space in spaces:
            space.devices = [device for device in devices if device.domain == space.domain]
        return spaces
    return [Space(name, "", spans, mine) for name, spans in of_guests(record).items()
            if (mine := [device for device in devices if device.owner == name])]


def processors(record: Record, answer: Answer | None) -> list[Space]:
    """What each guest's CPUs reach."""
    if answer and (lines := records(answer, "cpu")):
        return [Space(name, "", spans) for name, spans in _spaces(lines, "guest").items()]
    return [Space(name, "", spans) for name, spans in of_guests(record).items()]


def physical(record: Record, answer: Answer | None) -> list[Owned]:
    """Who owns what, by address, neighbours with one owner as one."""
    if answer:
        numbers = [(integer(line.get("physical")), integer(line.get("size")), line.get("owner", ""))
                   for line in records(answer, "memory")]
        listed = [Owned(*one) for one in numbers if one[0] is not None and one[1]]
    else:
        listed = [Owned(span.physical, span.size, name) for name, spans in of_guests(record).items() for span in spans]
    merged: list[Owned] = []
    for one in sorted(listed, key=lambda owned: owned.physical):
        if merged and merged[-1].owner == one.owner and merged[-1].end == one.physical:
            merged[-1] = Owned(merged[-1].physical, merged[-1].size + one.size, one.owner)
        else:
            merged.append(one)
    return merged


def owner_of(memory: list[Owned], address: int) -> str:
    """Whose memory is at this physical address, "" when that is not known."""
    return next((one.owner for one in memory if one.physical <= address < one.end), "")
