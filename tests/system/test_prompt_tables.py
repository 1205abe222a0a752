# SPDX-License-Identifier: MIT
"""What the prompt shows of tables and counters, beside what lies in the machine's memory and what the log has."""

import re
import struct
from itertools import count

import pytest
from system.checks import ask, of, one
from system.test_monitor import records
from system.test_quarantine import Falsifier

from machine import gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

PING = """
[guest {name}]
image  = ping.elf
memory = 32M
device = uplink.vf{vf}
args   = ip=10.0.0.{own} peer=10.0.0.{other} count=1000000 mode=msix limit=3000
expect = stopped
"""
TEXT = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n" + PING.format(name="alpha", vf=0, own=1, other=2) \
    + PING.format(name="beta", vf=1, own=2, other=1) + """
[guest busy]
image  = fuzz.elf
memory = 4M
args   = what=config count=4000000000
expect = stopped

[guest refused]
image  = hello.elf
memory = 24G
expect = stopped
"""
ADDRESS = (1 << 52) - 1 & ~0xfff
SIZES = {"4K": 1 << 12, "2M": 1 << 21, "1G": 1 << 30}


class Memory:
    """The machine's, read from outside while it stands."""

    def __init__(self, falsifier: Falsifier) -> None:
        self.look = falsifier.look

    def leaves(self, root: int, levels: int, rights_of):
        """(address, physical, size, rights) of each, in rising order."""
        def below(table, level, start, rights):
            for index in range(512):
                entry = self.look(table + 8 * index)
                size = 1 << 12 + 9 * (level - 1)
                here = rights & rights_of(entry)
                if not here:
                    continue
                if level == 1 or level <= 3 and entry >> 7 & 1:
                    yield start + index * size, entry & ADDRESS & ~(size - 1), size, here
                else:
                    yield from below(entry & ADDRESS, level - 1, start + index * size, here)
        yield from below(root, levels, 0, {"r", "w", "x"})


def joined(leaves) -> list[tuple]:
    """Neighbours with the same rights as one."""
    found = []
    for address, physical, size, rights in leaves:
        if found and (found[-1][0] + found[-1][2], found[-1][1] + found[-1][2], found[-1][3]) == (address, physical, rights):
            found[-1] = (*found[-1][:2], found[-1][2] + size, rights)
        else:
            found.append((address, physical, size, rights))
    return found


def shown(records_of_a_kind: list[dict]) -> list[tuple]:
    return [(*(int(record[key], 16) for key in ("address", "physical", "size")), set(record["rights"])) for record in records_of_a_kind]


def npt_rights(entry: int) -> set[str]:
    """APM 2 15.25: a nested walk is a user's."""
    return ({"r"} | ({"w"} if entry & 2 else set()) | (set() if entry >> 63 else {"x"})) if entry & 5 == 5 else set()


def vtd_rights(entry: int) -> set[str]:
    return {name for bit, name in enumerate("rw") if entry >> bit & 1}


@pytest.fixture(scope="module")
def system(boot):
    run = boot(TEXT, batch=False, limit=260, extra=gdb.ARGUMENTS)
    falsifier = Falsifier(run)
    run.wait_for("monitor.ready", timeout=120)
    for name in ("alpha", "beta"):
        run.wait_for("guest.output", timeout=60, name=name)
    assert one(run, "guest.refused", guest="refused")
    return falsifier


def entries(answer: str) -> list[tuple[int, int, int]]:
    """(level, where, what) of a walk."""
    return [(int(level), int(where, 16), int(what, 16)) for level, where, what in
            re.findall(r"^  level (\d) \w+ +at (0x[0-9a-f]+) = (0x[0-9a-f]{16}) ", answer, re.MULTILINE)]


@pytest.mark.parametrize("line", ["walk uplink.vf0 {address:#x}", "walk cpu alpha {address:#x}"])
def test_a_walk_shows_what_lies_in_memory(system, line):
    """Each entry is the one there, leads to the next, and the last one to the guest's memory."""
    base = one(system.run, "guest.created", name="alpha").number("base")
    for address in (0, 0x1fffff, 0x345678, (32 << 20) - 1):
        answer = ask(system.run, line.format(address=address), f"^reaches {base + address:#x} ").replace("\r", "")
        steps = entries(answer)
        assert [level for level, _where, _what in steps] == list(range(4, 4 - len(steps), -1)) and len(steps) in (3, 4)
        for (level, where, what), after in zip(steps, [*steps[1:], None]):
            assert system.look(where) == what
            assert (where & 0xfff) // 8 == address >> 12 + 9 * (level - 1) & 511
            if after:
                assert what & ADDRESS == after[1] & ~0xfff
        page = re.search(r"^reaches 0x[0-9a-f]+ \((\w\w) page", answer, re.MULTILINE).group(1)
        assert SIZES[page] == 1 << 12 + 9 * (steps[-1][0] - 1) and f", {page} page\n" in answer
        assert steps[-1][2] & ADDRESS & ~(SIZES[page] - 1) == base + address & ~(SIZES[page] - 1)


def test_rights_in_words(system):
    """RAM is code and data, registers are neither cached nor code, and the MSI-X table's page is not there."""
    run = system.run
    ask(run, "walk cpu alpha 0", r"^reaches 0x[0-9a-f]+ \(2M page, read write execute\), owner alpha$")
    ask(run, "walk cpu alpha 0xc0000000", r"^reaches 0x[0-9a-f]+ \(4K page, read write uncached\), owner alpha$")
    ask(run, "walk uplink.vf0 0", r"^reaches 0x[0-9a-f]+ \(2M page, read write snooped\), owner alpha$")
    for address in (32 << 20, 0xc0004000, 0xfee00000):
        ask(run, f"walk cpu alpha {address:#x}", f"^an exit: nothing is mapped at {address:#x}$")
    ask(run, f"walk cpu alpha {1 << 48:#x}", "^an exit: 0x1000000000000 is beyond the 48 bits")
    ask(run, "walk cpu refused 0", "^refused has no tables$")
    ask(run, "walk cpu nobody 0", "^nobody: no such guest")
    ask(run, "walk cpu alpha 12q", "^12q: an address is 0x and")
    for line in ("walk cpu alpha", "walk cpu", "walk irq", "walk irq 1 2 3"):
        answer = ask(run, line)
        assert "usage: walk" in answer or "cpu: no such device" in answer, answer


def test_interrupt_entries(system):
    """All that are present, as they lie in memory: vectors of the owner's core, from its function only."""
    run = system.run
    irta = int(re.search(r"interrupt table (0x[0-9a-f]+)", ask(run, "iommu")).group(1), 16)
    owners, index = [], 0
    for index in count():
        low, high = (system.look((irta & ADDRESS) + 16 * index + half) for half in (0, 8))
        answer = ask(run, f"walk irq {index}").replace("\r", "")
        assert f"unit 0, entry {index} at {(irta & ADDRESS) + 16 * index:#x} = {high:#018x} {low:#018x}" in answer
        if not low & 1:
            assert answer.splitlines()[-1] == "blocked: the entry is not present"
            if index > 0:
                break
            continue
        rid = f"{high >> 8 & 0xff:02x}:{high >> 3 & 0x1f:02x}.{high & 7}"
        name = {"01:10.0": "uplink.vf0", "01:10.2": "uplink.vf1"}[rid]
        assert f"  present, fixed, edge, physical, source {rid} ({name}) verified\n" in answer
        owner = one(run, "device.assigned", rid=rid)["guest"]
        core = one(run, "guest.created", name=owner).number("cores")
        assert answer.splitlines()[-1] == f"reaches APIC id {low >> 32} with vector {low >> 16 & 0xff:#x}: {owner}" and low >> 32 == core
        owners.append(owner)
    assert set(owners) == {"alpha", "beta"}
    entries_in_all = 2 << (irta & 0xf)
    ask(run, f"walk irq {entries_in_all:#x}", f"has no entry {entries_in_all}$")
    ask(run, f"walk irq {1 << 32:#x}", f"has no entry {1 << 32}$")


def test_map_is_what_the_tables_have(system):
    """Every leaf of alpha's domain and of its nested tables, followed from the registers down by other code."""
    run, memory = system.run, Memory(system)
    found = records(ask(run, "map"))
    root = int(re.search(r"root table (0x[0-9a-f]+)", ask(run, "iommu")).group(1), 16)
    context = (system.look(root + 16) & ADDRESS) + 0x80 * 16  # 01:10.0
    low, high = system.look(context), system.look(context + 8)
    domain = [record for record in found["domain"] if record["owner"] == "alpha"]
    assert {int(record["domain"]) for record in domain} == {high >> 8 & 0xffff} and {record["levels"] for record in domain} == {"4"}
    assert high & 7 == 2 and shown(domain) == joined(memory.leaves(low & ADDRESS, 4, vtd_rights))
    [device] = [record for record in found["device"] if record["rid"] == "01:10.0"]
    assert (device["domain"], device["master"], device["owner"]) == (domain[0]["domain"], "on", "alpha")

    nested = int(re.search(r"^NPT of alpha, 4 levels from (0x[0-9a-f]+)", ask(run, "walk cpu alpha 0").replace("\r", ""), re.MULTILINE).group(1), 16)
    assert shown([record for record in found["cpu"] if record["guest"] == "alpha"]) == joined(memory.leaves(nested, 4, npt_rights))
    assert not [record for record in found["cpu"] if record["guest"] == "refused"]


def rates(answer: str, kind: str) -> dict[str, tuple[int, float]]:
    return {guest: (int(total), float(rate)) for guest, total, rate in
            re.findall(rf"^(\w+) +{kind} +(\d+) +(\d+\.\d)$", answer.replace("\r", ""), re.MULTILINE)}


def test_rates(system):
    """Of a guest that does nothing but leave guest mode, and of those that do not while they send and receive."""
    run = system.run
    before = rates(ask(run, "exits"), "all")
    for _turn in range(100):  # it may have had no time meanwhile
        after = rates(ask(run, "exits"), "all")
        if after["busy"][0] > before["busy"][0]:
            break
    assert after["busy"][1] > 0
    for name in ("alpha", "beta"):
        assert after[name] == (before[name][0], 0.0)
    assert "refused" not in after


def test_top(system):
    """A table a second until a key, which it takes; the prompt is there again, and other commands meanwhile wait for none."""
    run = system.run
    run.console.send("\x15top\r")
    row = r"{} +running +(\d+) +(\d+\.\d) +0 +{}\r?\n"
    tables = []
    while len(tables) < 3 or (tables[-1][0] == tables[0][0] and len(tables) < 30):
        run.console.expect(r"guest +state +exits +a second +faults +cores\r?\n", timeout=30)
        run.console.expect(row.format("alpha", 1), timeout=30)
        run.console.expect(row.format("busy", 3), timeout=30)
        tables.append((int(run.console.match.group(1)), float(run.console.match.group(2))))
        run.console.expect(r"refused +refused +0 +0\.0 +0 *\r?\n", timeout=30)
    assert tables[0][0] < tables[-1][0] and max(rate for _total, rate in tables[1:]) > 0
    last = len(of(run, "audit.ok"))
    run.send("q")
    ask(run, "audit", "audit.ok")
    assert len(of(run, "audit.ok")) == last + 1
    assert "no such command" not in ask(run, "cpus")


def test_a_violation_is_counted_where_it_belongs(system):
    """Last: alpha's device reaches memory of beta's."""
    run = system.run
    place = entries(ask(run, "walk uplink.vf0 0x200000"))[-1][1]
    beta = one(run, "guest.created", name="beta").number("base")
    system.change(place, lambda value: value & 0xfff | beta)
    ask(run, "why uplink.vf0 0x200000", rf"^reaches {beta:#x} .*, owner beta$")
    answer = ask(run, "audit -v", "the audit found violations").replace("\r", "")
    rows = dict(re.findall(r"^(I\d|W\^X) +\S.*\S +\d+ [a-z ]+? +(ok|VIOLATED: \d+)$", answer, re.MULTILINE))
    assert rows == {**{f"I{number}": "ok" for number in range(1, 8)}, "W^X": "ok", "I3": "VIOLATED: 1"}, answer
    assert [line["invariant"] for line in of(run, "audit.violation")] == ["I3"]
    run.wait_for("guest.stopped", timeout=60, name="alpha", reason="quarantine")
