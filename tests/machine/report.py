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
                mine.append(Step(line["name"], head.group(1), head.group(2) == "ok"))
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


def drivers(events: list[LogLine]) -> dict[str, str]:
    """The driver behind each address."""
    lines = (re.fullmatch(r"\S+: ([\d.]+)/\d+, driver (\S+), carrier 1", line["text"])
             for line in events if line.event == "guest.output")
    return {line.group(1): line.group(2) for line in lines if line}


def network(address: str) -> str:
    return address.rpartition(".")[0]


def compare(events: list[LogLine]) -> list[list[str]]:
    """One column for each pair of cards that carried the same traffic: whole ones and virtual functions."""
    behind = drivers(events)
    taken = [step for step in steps(events) if step.name.startswith(("ping:", "iperf:"))]
    waits = [step for step in steps(events) if step.name == "wait"]
    pairs = dict.fromkeys((step.guest, step.name.split(":")[1]) for step in taken)
    rows = [["", "round trip, ms", "TCP, Mbit/s", "exits, ping", "exits, sender", "exits, receiver"]]
    for guest, target in pairs:
        near = next((driver for address, driver in behind.items()
                     if network(address) == network(target) and address != target), "?")
        mine = {step.name.split(":")[0]: step for step in taken if (step.guest, step.name.split(":")[1]) == (guest, target)}
        if set(mine) != {"ping", "iperf"} or target not in behind:
            continue
        kind = "virtual functions" if near.endswith("vf") else "whole cards"
        receiver = waits[len(rows) - 1].exits if len(waits) >= len(rows) else "-"
        rows.append([f"{kind} ({near} to {behind[target]})", mine["ping"].value(r"= [\d.]+/([\d.]+)/"),
                     mine["iperf"].value(r"([\d.]+) Mbits/sec.*receiver"), str(mine["ping"].exits),
                     str(mine["iperf"].exits), str(receiver)])
    return rows if len(rows) > 2 else []


def packets(events: list[LogLine]) -> list[list[str]]:
    """A column for each guest that drove its card by DPDK."""
    rows = [["", "packets", "best second", "dropped (its count)", "exits meanwhile"]]
    for step in steps(events):
        way = "T" if step.name.startswith("dpdk:tx") else "R"
        if step.name.startswith("dpdk:"):
            rows.append([f"{step.guest} ({step.name})", step.value(rf"{way}X-packets: (\d+)"),
                         step.value(rf"{way}x-pps: +(\d+)"), step.value(rf"{way}X-dropped: (\d+)"), str(step.exits)])
    return rows if len(rows) > 1 else []


def text(events: list[LogLine]) -> str:
    """The tables, "" when nothing was measured."""
    out = ""
    for columns in (compare(events), packets(events)):
        widths = [max(map(len, column)) for column in columns]
        for row in zip(*columns):
            cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
            out += "  ".join(cells).rstrip() + "\n"
    return out and f"\n{out}\n"
