# SPDX-License-Identifier: MIT
"""What Linux guests measured in a run, side by side: read from the log, by the steps that linux/init takes."""

import re
from dataclasses import dataclass, field

from .logfmt import LogLine


@dataclass
class Step:
    """One step of one guest: what it was, what it said, and the exits between its two events."""

    guest: str
    name: str
    ok: bool
    lines: list[str] = field(default_factory=list)
    exits: int = 0
    seconds: float = 0.0
    end: float = 0.0

    def value(self, pattern: str) -> str:
        found = re.search(pattern, "\n".join(self.lines))
        return found.group(1) if found else "-"


def steps(events: list[LogLine]) -> list[Step]:
    """All steps of all guests. Exits for the serial line, which Linux looks at while it does other things, are left
    out, and so is the second event itself."""
    found: dict[str, list[Step]] = {}
    marks: dict[tuple[str, int], LogLine] = {}
    for line in events:
        if line.event == "guest.event":
            marks[line["name"], int(line["value"], 16)] = line
        elif line.event == "guest.output":
            mine = found.setdefault(line["name"], [])
            head = re.fullmatch(r"([a-z-]+(?::\S*)?): (ok|FAILED)", line["text"])
            if head:
                mine.append(Step(line["name"], head.group(1), head.group(2) == "ok", end=line.time))
            elif line["text"].startswith("  ") and mine:
                mine[-1].lines.append(line["text"].strip())
    for guest, mine in found.items():
        for number, step in enumerate(mine, 1):
            first, last = marks.get((guest, 2 * number - 1)), marks.get((guest, 2 * number))
            if first and last and "serial" in first.fields:
                exits = last.number("exits") - first.number("exits") - 1
                step.exits = exits - (last.number("serial") - first.number("serial"))
                step.seconds = last.time - first.time
    return [step for mine in found.values() for step in mine]


@dataclass(frozen=True)
class Card:
    """What is behind an address: whose it is and the driver that it has."""

    guest: str
    driver: str

    @property
    def virtual(self) -> bool:
        return self.driver.endswith("vf")


def cards(events: list[LogLine]) -> dict[str, Card]:
    """The card behind each address."""
    lines = ((line, re.fullmatch(r"\S+: ([\d.]+)/\d+, driver (\S+), carrier 1", line["text"]))
             for line in events if line.event == "guest.output")
    return {found.group(1): Card(line["name"], found.group(2)) for line, found in lines if found}


def network(address: str) -> str:
    return address.rpartition(".")[0]


def owners(events: list[LogLine]) -> set[str]:
    """The guests that drive a PF whose VFs others have."""
    return {line["name"] for line in events
            if line.event == "guest.output" and re.fullmatch(r"[\da-f:.]+: \d+ VFs", line["text"])}


def kind(near: Card, far: Card, guest_pf: bool) -> str:
    if near.virtual and far.virtual:
        words = "virtual functions"
    elif near.virtual or far.virtual:
        words = "virtual and physical function"
    else:
        words = "whole cards"
    owner = ", a guest's PF" if guest_pf else ""
    return f"{words}{owner} ({near.driver} to {far.driver})"


def compare(events: list[LogLine]) -> list[list[str]]:
    """One column for each pair of cards that carried the same traffic: whole ones and virtual functions."""
    behind = cards(events)
    measured = sorted(steps(events), key=lambda step: step.end)
    driving = owners(events)
    with_guest_pf = {network(address) for address, card in behind.items() if card.guest in driving and not card.virtual}
    taken = [step for step in measured if step.name.startswith(("ping:", "iperf:"))]
    waits = {guest: iter([step for step in measured if step.guest == guest and step.name == "wait"])
             for guest in {step.guest for step in measured}}
    pairs = dict.fromkeys((step.guest, step.name.split(":")[1]) for step in taken)
    rows = [["", "round trip, ms", "TCP, Mbit/s", "exits, ping", "exits, sender", "exits, receiver"]]
    for guest, target in pairs:
        near = next((card for address, card in behind.items()
                     if network(address) == network(target) and card.guest == guest), None)
        mine = {step.name.split(":")[0]: step for step in taken if (step.guest, step.name.split(":")[1]) == (guest, target)}
        if set(mine) != {"ping", "iperf"} or target not in behind or near is None:
            continue
        receiver = next(waits.get(behind[target].guest, iter(())), None)
        rows.append([kind(near, behind[target], network(target) in with_guest_pf),
                     mine["ping"].value(r"= [\d.]+/([\d.]+)/"),
                     mine["iperf"].value(r"([\d.]+) Mbits/sec.*receiver"), str(mine["ping"].exits),
                     str(mine["iperf"].exits), str(receiver.exits) if receiver else "-"])
    return rows if len(rows) > 2 else []


def packets(events: list[LogLine]) -> list[list[str]]:
    """A column for each guest that drove its card by DPDK one way."""
    rows = [["", "packets", "best second", "dropped (its count)", "exits meanwhile"]]
    for step in steps(events):
        way = "T" if step.name.startswith("dpdk:tx") else "R"
        if step.name.startswith("dpdk:"):
            rows.append([f"{step.guest} ({step.name})", step.value(rf"{way}X-packets: (\d+)"),
                         step.value(rf"{way}x-pps: +(\d+)"), step.value(rf"{way}X-dropped: (\d+)"), str(step.exits)])
    return rows if len(rows) > 1 else []


def rounds(events: list[LogLine]) -> list[list[str]]:
    """A column for each step in which frames went round: by whom, between what, and how many each way."""
    rows = [["", "sent", "received", "best second", "exits meanwhile"]]
    driving = owners(events)
    for step in steps(events):
        if step.name.startswith(("dpdk-echo:", "dpdk-round:")):
            function = "PF" if step.guest in driving else "VF"
            rows.append([f"{step.guest}, {function} ({step.name})", step.value(r"TX-packets: (\d+)"),
                         step.value(r"RX-packets: (\d+)"), step.value(r"Rx-pps: +(\d+)"), str(step.exits)])
    return rows if len(rows) > 1 else []


def text(events: list[LogLine]) -> str:
    """The tables, "" when nothing was measured."""
    out = ""
    for columns in (compare(events), packets(events), rounds(events)):
        widths = [max(map(len, column)) for column in columns]
        for row in zip(*columns):
            cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
            out += "  ".join(cells).rstrip() + "\n"
    return out and f"\n{out}\n"
