# SPDX-License-Identifier: MIT
"""Blocked DMA: which function tried what, and what `why` answered."""

from dataclasses import dataclass, field

from machine.logfmt import LogLine

from .hardware import Device
from .memory import Owned, owner_of
from .record import Answer, Record, integer


@dataclass
class Blocked:
    """Accesses of one function to one address."""

    rid: str
    address: int
    guest: str
    target: str                 # who owns physical memory of that number
    lines: list[LogLine] = field(default_factory=list)
    why: Answer | None = None

    @property
    def accesses(self) -> str:
        """"read and write", with their numbers where they are more than one."""
        counts: dict[str, int] = {}
        for line in self.lines:
            counts[line.get("access", "access")] = counts.get(line.get("access", "access"), 0) + 1
        return " and ".join(name if count == 1 else f"{name} ({count} times)" for name, count in counts.items())

    @property
    def kinds(self) -> str:
        """Without their numbers."""
        return ", ".join(dict.fromkeys(line.get("access", "access") for line in self.lines))

    @property
    def reasons(self) -> list[str]:
        return list(dict.fromkeys(line["reason"] for line in self.lines if line.get("reason")))

    @property
    def messages(self) -> list[str]:
        return list(dict.fromkeys(line["message"] for line in self.lines if line.get("message")))

    @property
    def verdict(self) -> str:
        """The sentence of `why` that says what stops it."""
        lines = self.why.lines if self.why else []
        return next((line.strip() for line in lines if line.lstrip().startswith(("blocked:", "BLOCKED"))), "")


def _numbers(command: str) -> tuple[str, int | None]:
    words = command.split()
    return (words[1], integer(words[2])) if len(words) == 3 and words[0] == "why" else ("", None)


def blocked(record: Record, memory: list[Owned], devices: list[Device]) -> list[Blocked]:
    """In the order in which they were first tried."""
    found: dict[tuple[str, int], Blocked] = {}
    for line in record.of("dma.fault"):
        address = integer(line.get("address"))
        if address is not None and line.get("rid"):
            one = found.setdefault((line["rid"], address), Blocked(
                line["rid"], address, line.get("guest", ""), owner_of(memory, address)))
            one.lines.append(line)
    names = {device.name: device.rid for device in devices if device.name}
    for answer in record.answers:
        rid, address = _numbers(answer.command)
        one = found.get((names.get(rid, rid), address))
        # The first one since the access: later the guest may have ended, and its function be nobody's.
        if one is not None and any(answer.lines) and (one.why is None or one.why.time < one.lines[0].time):
            one.why = answer
    return list(found.values())
