# SPDX-License-Identifier: MIT
"""Which unit a function is behind: the hypervisor's lookup against one of our own, on real machines' tables.

The tables come without the machines, so these are made up: every device that a table names, bridges and buses behind
bridges, neighbours that no table names, some hops of a path missing, other segments. The answer is worked out from the
roots downwards, each bridge handing its unit on, out of what iasl reads; the hypervisor looks from the function
upwards, in the bytes."""

import shutil
import subprocess
from random import Random

import pytest

from conftest import ROOT, make
from unit.test_corpus_oracle import CORPUS, DRHD, oracle

INCLUDE_ALL = 1
ENDPOINT, BRIDGE = 1, 2


class Machine:
    """Functions by (segment, bus, device, function); a bridge's value is its secondary bus, another's None."""

    def __init__(self, random: Random, used: set[int]):
        self.random = random
        self.functions: dict[tuple, int | None] = {}
        self.free = [bus for bus in range(255, 0, -1) if bus not in used]

    def add(self, rid: tuple, bridge: bool) -> bool:
        if rid in self.functions or (bridge and not self.free):
            return False
        self.functions[rid] = self.free.pop() if bridge else None
        return True

    def add_path(self, segment: int, bus: int, hops: list[tuple], bridge: bool) -> None:
        for at, hop in enumerate(hops):
            last = at == len(hops) - 1
            if self.random.random() < 0.03:
                return  # a device that is switched off
            self.add((segment, bus, *hop), bridge if last else True)
            if last or self.functions[(segment, bus, *hop)] is None:
                return
            bus = self.functions[(segment, bus, *hop)]

    def add_strangers(self, segment: int) -> None:
        buses = {bus for (seg, bus, *_) in self.functions if seg == segment}
        buses |= {bus for rid, bus in self.functions.items() if bus is not None and rid[0] == segment}
        for bus in sorted(buses | {0}):
            for _ in range(8):
                rid = (segment, bus, self.random.randrange(32), self.random.randrange(8))
                if self.add(rid, self.random.random() < 0.4) and self.functions[rid] is not None:
                    self.add((segment, self.functions[rid], self.random.randrange(32), 0), False)

    def text(self) -> str:
        """Bridges first, those nearer to a root before those behind them."""
        lines, done, left = [], set(), dict(self.functions)
        secondaries = {(rid[0], bus) for rid, bus in self.functions.items() if bus is not None}
        while left:
            ready = [rid for rid in left if rid[:2] not in secondaries or rid[:2] in done]
            for rid in ready:
                bus = left.pop(rid)
                lines.append("{:04x}:{:02x}:{:02x}.{:x}".format(*rid) + (f" {bus:x}" if bus is not None else ""))
                if bus is not None:
                    done.add((rid[0], bus))
        return "".join(line + "\n" for line in lines)


def units_of(found: list[dict]) -> list[dict]:
    units: list[dict] = []
    for one in found:
        if one["what"] == "structure":
            units.append({"unit": one, "scopes": []})
        elif one["what"] == "scope":
            hops = [tuple(int(part, 16) for part in hop.split(".")) for hop in one["path"].split("/")]
            units[-1]["scopes"].append((one["type"], one["bus"], hops))
    return units


def build(found: list[dict], random: Random) -> Machine:
    structures = units_of(found)
    machine = Machine(random, {bus for one in structures for _, bus, _ in one["scopes"]})
    for one in structures:
        for kind, bus, hops in one["scopes"]:
            if kind in (ENDPOINT, BRIDGE):
                machine.add_path(one["unit"]["segment"], bus, hops, kind == BRIDGE)
    for segment in {one["unit"]["segment"] for one in structures} | {1}:
        machine.add_strangers(segment)
    return machine


def answers(found: list[dict], machine: Machine) -> dict[tuple, int | None]:
    named: dict[tuple, int] = {}   # by a scope, itself
    handed: dict[tuple, int] = {}  # bridges whose scope stands for what is behind
    rest: dict[int, int] = {}      # by segment
    for one in units_of(found):
        unit = one["unit"]
        if unit["type"] != DRHD:
            continue
        if unit["flags"] & INCLUDE_ALL:
            rest.setdefault(unit["segment"], unit["offset"])
        for kind, bus, hops in one["scopes"]:
            if kind not in (ENDPOINT, BRIDGE):
                continue
            for hop in hops[:-1]:
                bus = machine.functions.get((unit["segment"], bus, *hop)) if bus is not None else None
            rid = (unit["segment"], bus, *hops[-1])
            named.setdefault(rid, unit["offset"])
            if kind == BRIDGE:
                handed.setdefault(rid, unit["offset"])
    result: dict[tuple, int | None] = {}

    def descend(segment: int, bus: int, inherited: int | None) -> None:
        for rid, secondary in machine.functions.items():
            if rid[:2] != (segment, bus):
                continue
            result[rid] = named.get(rid, inherited if inherited is not None else rest.get(segment))
            if secondary is not None:
                descend(segment, secondary, handed.get(rid, inherited))

    behind = {(rid[0], bus) for rid, bus in machine.functions.items() if bus is not None}
    for segment, bus in {rid[:2] for rid in machine.functions} - behind:
        descend(segment, bus, None)
    return result


def test_functions_find_the_same_unit(tmp_path, capsys):
    if not any(CORPUS.glob("*.dmar")):
        pytest.skip(f"no DMAR tables at {CORPUS}; set BULKHEAD_DMAR_CORPUS to a folder of *.dmar files")
    if shutil.which("iasl") is None:
        pytest.skip("iasl is not installed (package acpica-tools)")
    built = make("build/units")
    assert built.returncode == 0, built.stdout + built.stderr
    names = sorted(path.stem for path in CORPUS.glob("*.dmar"))
    for name in names:
        shutil.copyfile(CORPUS / f"{name}.dmar", tmp_path / f"{name}.dmar")
    tables, trouble, _ = oracle(tmp_path, names)
    random = Random(7)
    compared = behind = 0
    for name, found in tables.items():
        if name in trouble:
            continue
        machine = build(found, random)
        expected = answers(found, machine)
        done = subprocess.run([ROOT / "build/units", CORPUS / f"{name}.dmar"], input=machine.text(), text=True,
                              capture_output=True, timeout=60, check=True)
        lines = dict(line.split() for line in done.stdout.splitlines())
        assert len(lines) == len(machine.functions) == len(expected)
        for rid, offset in expected.items():
            said = lines["{:04x}:{:02x}:{:02x}.{:x}".format(*rid)]
            assert said == ("none" if offset is None else f"{offset:x}"), f"{name}: {rid} in\n{machine.text()}"
            compared += 1
            behind += offset is not None
    assert compared > 5000 and compared > behind > 1000
    with capsys.disabled():
        print(f"\n{compared} functions of {len(tables) - len(trouble)} machines: the same unit each time; "
              f"{compared - behind} of them behind none")
