# SPDX-License-Identifier: MIT
"""The machine: VT-d units, PCI functions, and whose they are. From `map`, and where that was not asked from the log."""

import re
from dataclasses import dataclass, field

from .record import Answer, Record, integer

_PAIR = re.compile(r"\s([a-z]+)=(\S*)")
_RECORD = re.compile(r"map\.(unit|device|domain|cpu|memory)((?:\s[a-z]+=\S*)+)\s*")
CLASSES = {"0101": "IDE controller", "0104": "RAID controller", "0106": "SATA controller", "0107": "SAS controller",
           "0108": "NVMe controller", "0200": "Ethernet", "0207": "InfiniBand", "0280": "network", "0300": "graphics",
           "0302": "graphics", "0403": "audio", "0500": "memory", "0580": "memory", "0600": "host bridge",
           "0601": "ISA bridge", "0604": "PCI bridge", "0700": "serial port", "0780": "communication", "0806": "IOMMU",
           "0880": "system device", "0c03": "USB controller", "0c05": "SMBus", "1180": "signal processing"}


@dataclass
class Device:
    rid: str
    name: str = ""
    id: str = ""
    code: str = ""     # its class
    kind: str = "function"
    parent: str = ""
    port: str = ""
    unit: str = ""
    domain: str = ""
    owner: str = ""
    master: str = ""
    below: list["Device"] = field(default_factory=list)

    @property
    def what(self) -> str:
        words = {"vf": "virtual function", "pf": "physical function", "bridge": ""}.get(self.kind, "")
        known = CLASSES.get(self.code[:4], f"device of class {self.code}" if self.code else "")
        known = known if self.kind != "bridge" or known == "" else "root port" if not self.parent else known
        return ", ".join(word for word in (known, words) if word)


@dataclass(frozen=True)
class Unit:
    number: str
    base: str
    usable: bool


def records(answer: Answer | None, kind: str) -> list[dict[str, str]]:
    """The records of one kind. A line that is torn or mixed with another is none."""
    found = (_RECORD.fullmatch(line) for line in (answer.lines if answer else []))
    return [dict(_PAIR.findall(one.group(2))) for one in found if one and one.group(1) == kind]


def best_map(record: Record) -> Answer | None:
    """The answer to `map` with most functions in a domain; of those with as many the latest. What guests that have ended
    had is in none of the later ones."""
    answers = [answer for answer in record.answers
               if answer.command == "map" and any(records(answer, kind) for kind in ("device", "cpu", "memory"))]
    return max(answers, key=lambda one: (sum(line.get("domain", "-") != "-" and line.get("kind") != "bridge"
                                             for line in records(one, "device")), one.place), default=None)


def _plain(text: str | None) -> str:
    return "" if text in (None, "-") else text


def _from_map(answer: Answer) -> list[Device]:
    return [
        Device(line["rid"], _plain(line.get("name")), _plain(line.get("id")), _plain(line.get("class")),
               line.get("kind", "function"), _plain(line.get("parent")), _plain(line.get("port")),
               _plain(line.get("unit")), _plain(line.get("domain")), _plain(line.get("owner")),
               _plain(line.get("master"))) for line in records(answer, "device") if line.get("rid")
    ]


def _buses(text: str | None) -> range:
    found = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{2})", text or "")
    return range(int(found.group(1), 16), int(found.group(2), 16) + 1) if found else range(0)


def _bus(rid: str) -> tuple[str, int]:
    """Segment and bus."""
    found = re.fullmatch(r"(?:([0-9a-f]{4}):)?([0-9a-f]{2}):[0-9a-f]{2}\.[0-7]", rid)
    return (found.group(1) or "0000", int(found.group(2), 16)) if found else ("", -1)


def _from_log(record: Record) -> list[Device]:
    """Where no `map` was asked: what enumeration and assignment logged."""
    found: dict[str, Device] = {}
    behind: list[tuple[str, str, range]] = []
    for line in record.of("pci.function"):
        rid = line.get("rid", "")
        bridge = line.get("class", "").startswith("0604")
        found[rid] = Device(rid, id=line.get("id", ""), code=line.get("class", ""),
                            kind="bridge" if bridge else "pf" if line.get("sriov") == "yes" else "function")
        if bridge:
            behind.append((rid, _bus(rid)[0], _buses(line.get("buses"))))
    for line in record.of("pci.buses"):  # bus numbers that were changed
        behind = [(rid, segment, _buses(line.get("buses")) if rid == line.get("bridge") else buses)
                  for rid, segment, buses in behind]
    pf = ""
    for line in record.of("sriov.enabled", "sriov.vf"):
        if line.event == "sriov.enabled":
            pf = line.get("pf", "")
            if pf in found:
                found[pf].owner = "hypervisor"
        elif line.get("rid"):
            above = found.get(pf, Device(pf))
            found[line["rid"]] = Device(line["rid"], id=line.get("id", ""), code=above.code, kind="vf", parent=pf)
    for line in record.of("device.assigned", "device.moved"):
        if line.get("rid") in found:
            found[line["rid"]].owner = line.get("guest", line.get("to", ""))
    for device in found.values():
        segment, bus = _bus(device.rid)
        above = [(len(buses), rid) for rid, part, buses in behind
                 if part == segment and bus in buses and rid != device.rid]
        device.parent = device.parent or (min(above)[1] if above else "")
    return list(found.values())


def _of_nics(record: Record, devices: list[Device]) -> None:
    """Names, where the records have none."""
    for line in record.of("nic.dma_test", "nic.driver"):
        for device in devices:
            if not device.name and line.get("nic") and device.rid in (line.get("rid"), line.get("pf")):
                device.name = line["nic"]


def _in_a_circle(device: Device, by_rid: dict[str, Device]) -> bool:
    """As no machine has it, but a log that was tampered with."""
    seen: set[str] = set()
    above: Device | None = device
    while above is not None and above.rid not in seen:
        seen.add(above.rid)
        above = by_rid.get(above.parent)
    return above is not None


def devices(record: Record, answer: Answer | None) -> list[Device]:
    """All functions, each with those below it."""
    listed = _from_map(answer) if answer else _from_log(record)
    by_rid = {device.rid: device for device in listed}
    _of_nics(record, list(by_rid.values()))
    for device in by_rid.values():
        if device.parent in by_rid and not _in_a_circle(device, by_rid):
            by_rid[device.parent].below.append(device)
    return list(by_rid.values())


def top(listed: list[Device]) -> list[Device]:
    """Those that are below no other."""
    below = {id(one) for device in listed for one in device.below}
    return [device for device in listed if id(device) not in below]


def units(record: Record, answer: Answer | None) -> list[Unit]:
    if answer:
        return [Unit(line.get("unit", ""), line.get("base", ""), line.get("usable") == "yes")
                for line in records(answer, "unit")]
    return [Unit(str(number), line.get("base", ""), bool(record.of("iommu.enabled")))
            for number, line in enumerate(record.of("iommu.unit")) if integer(line.get("base")) is not None]
