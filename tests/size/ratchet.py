# SPDX-License-Identifier: MIT
"""What lint holds the hypervisor to. Nothing may grow beyond tests/size/ratchet.txt; `make size-accept` writes it anew."""

from dataclasses import dataclass
from pathlib import Path

from size.measure import LARGEST_GROUP, Measure

PATH = Path(__file__).with_name("ratchet.txt")
RESIDENT_AIM, REACHABLE_AIM = 10_000, 6_000
# What is accepted is rounded up, as compilers differ by a few lines that they find to be of no use. A figure that falls
# further below the ratchet than SLACK has to be accepted.
ROUNDING, SLACK = 25, 400
HEAD = f"""\
# Written by `make size-accept`; lint holds the hypervisor to it. Each line may only shrink or go.
# Aims: {RESIDENT_AIM:,} lines resident, {REACHABLE_AIM:,} reachable, no group of more than {LARGEST_GROUP} files, no arrow
# and no include upwards.
"""


@dataclass
class Ratchet:
    resident: int
    reachable: int
    groups: list[frozenset[str]]  # larger than they should be
    arrows: set[tuple[str, str]]
    includes: set[tuple[str, str]]

    def text(self) -> str:
        groups = sorted(" ".join(sorted(group)) for group in self.groups)
        return HEAD + f"resident {self.resident}\nreachable {self.reachable}\n" \
            + "".join(f"group {group}\n" for group in groups) \
            + "".join(f"arrow {file} {used}\n" for file, used in sorted(self.arrows)) \
            + "".join(f"include {file} {used}\n" for file, used in sorted(self.includes))

    @classmethod
    def parse(cls, text: str) -> "Ratchet":
        found = cls(0, 0, [], set(), set())
        for line in text.splitlines():
            kind, *words = line.split() or ["#"]
            if kind in ("resident", "reachable"):
                setattr(found, kind, int(words[0]))
            elif kind == "group":
                found.groups.append(frozenset(words))
            elif kind in ("arrow", "include"):
                (found.arrows if kind == "arrow" else found.includes).add((words[0], words[1]))
            elif not kind.startswith("#"):
                raise ValueError(line)
        return found


def of(measure: Measure) -> Ratchet:
    return Ratchet(measure.code(measure.resident), measure.lines(measure.reachable),
                   [frozenset(group) for group in measure.groups if len(group) > LARGEST_GROUP], set(measure.arrows),
                   set(measure.layers.includes_upwards(measure.root, sorted(measure.files))))


def accepted(measure: Measure) -> Ratchet:
    now = of(measure)
    now.resident, now.reachable = (count + ROUNDING - count % ROUNDING for count in (now.resident, now.reachable))
    return now


def broken(now: Ratchet, held: Ratchet) -> list[str]:
    """What grew."""
    wrong = [f"{kind}: {new} lines, {old} at most" for kind, new, old in (
        ("resident", now.resident, held.resident), ("reachable", now.reachable, held.reachable)) if new > old]
    wrong += [f"a group of {len(group)} files that all lead to each other: {' '.join(sorted(group))}"
              for group in now.groups if not any(group <= known for known in held.groups)]
    wrong += [f"an arrow upwards: {file} -> {used}" for file, used in sorted(now.arrows - held.arrows)]
    return wrong + [f"an include upwards: {file} -> {used}" for file, used in sorted(now.includes - held.includes)]


def loose(now: Ratchet, held: Ratchet) -> list[str]:
    """What shrank, so that `make size-accept` is due."""
    wrong = [f"{kind}: {new} lines, held to {old}" for kind, new, old in (
        ("resident", now.resident, held.resident), ("reachable", now.reachable, held.reachable)) if new < old - SLACK]
    wrong += [f"a group is gone or smaller: {' '.join(sorted(known))}" for known in held.groups if known not in now.groups]
    wrong += [f"an arrow is gone: {file} -> {used}" for file, used in sorted(held.arrows - now.arrows)]
    return wrong + [f"an include is gone: {file} -> {used}" for file, used in sorted(held.includes - now.includes)]
