# SPDX-License-Identifier: MIT
"""What the audit finds is taken out of service, and nothing else: tables and registers are falsified from outside, under
guests that run."""

import re
import struct

import pytest
from system.checks import ask, of, one, some

from machine import gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

TEXT = "[nic uplink]\ndevice = 8086:10c9\nvfs = 3\n" + "".join(
    f"[guest {name}]\nimage = hostile.elf\nmemory = 8M\ndevice = uplink.vf{vf}\nargs = act=halt\nexpect = stopped\n"
    for vf, name in enumerate(("alpha", "beta")))
NAMES = ("alpha", "beta")
ECAM = 0xe0000000


class Falsifier:
    """The machine, standing while its memory is changed."""

    def __init__(self, run) -> None:
        self.run, self.debugger = run, gdb.Debugger(run)
        self.debugger.go()

    def change(self, address: int, new) -> int:
        """Replaces a quadword by what `new` makes of it; the new one."""
        self.debugger.stop()
        value = new(struct.unpack("<Q", self.debugger.read(address, 8))[0])
        self.debugger.write(address, struct.pack("<Q", value))
        self.debugger.go()
        return value

    def look(self, address: int) -> int:
        return self.change(address, lambda value: value)


@pytest.fixture
def system(boot):
    run = boot(TEXT, batch=False, limit=240, extra=gdb.ARGUMENTS)
    falsifier = Falsifier(run)
    run.wait_for("monitor.ready", timeout=120)
    ask(run, "audit")
    assert not of(run, "audit.violation")
    assert {line["name"] for line in of(run, "guest.started")} == set(NAMES)
    yield falsifier
    run.stop()


def states(run) -> dict[str, str]:
    return dict(re.findall(r"^(alpha|beta) +(\w+)", ask(run, "guests"), re.MULTILINE))


def entry(answer: str, level: int) -> int:
    """Where the entry of this level lies."""
    return int(re.search(rf"level {level} \w+ +at (0x[0-9a-f]+) =", answer).group(1), 16)


def context_entry(run, falsifier: Falsifier, rid: int) -> int:
    """Where a requester id's context entry lies, by the live root table."""
    root = int(re.search(r"root table (0x[0-9a-f]+)", ask(run, "walk 01:10.0 0x0")).group(1), 16)
    return (falsifier.look(root + (rid >> 8) * 16) & ~0xfff) + (rid & 0xff) * 16


def test_a_guest_whose_device_reaches_anothers_memory(system):
    run = system.run
    place = entry(ask(run, "walk 01:10.0 0x200000"), 2)
    beta = one(run, "guest.created", name="beta").number("base")
    system.change(place, lambda value: value & 0xfff | beta)
    last = run.events[-1]
    ask(run, "audit", "the audit found violations")
    line = run.wait_for("audit.violation", after=last, invariant="I3", subject="alpha")
    assert line.number("value") == beta
    run.wait_for("guest.quarantined", after=last, name="alpha")
    run.wait_for("guest.stopped", timeout=60, after=last, name="alpha", reason="quarantine")
    assert states(run) == {"alpha": "stopped", "beta": "running"}
    # The device can reach nothing, and the guest is not given another chance.
    ask(run, "walk 01:10.0 0x200000", "^blocked: the requester has no context entry$")
    ask(run, "start alpha", "denied")
    ask(run, "restart alpha", "denied")
    assert states(run)["alpha"] == "stopped" and len(of(run, "guest.quarantined")) == 1
    # The other's life goes on; the verdict remembers.
    last = run.events[-1]
    ask(run, "restart beta")
    run.wait_for("guest.started", timeout=60, after=last, name="beta")
    ask(run, "stop beta")
    assert run.wait_for("run.verdict", timeout=60)["result"] == "failed"


def test_a_requester_that_nobody_answers_for(system):
    run = system.run
    owned, stranger = (context_entry(run, system, rid) for rid in (0x0180, 0x0184))
    for half in (8, 0):
        value = system.look(owned + half)
        system.change(stranger + half, lambda _, value=value: value)
    ask(run, "walk 01:10.4 0x200000", "^reaches ")
    last = run.events[-1]
    ask(run, "audit", "the audit found violations")
    run.wait_for("audit.violation", after=last, invariant="I4", subject="01:10.4")
    assert run.wait_for("device.quarantined", after=last, rid="01:10.4")["status"] == "ok"
    assert (system.look(stranger), system.look(stranger + 8)) == (0, 0)
    assert states(run) == dict.fromkeys(NAMES, "running")
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", after=last)


def test_a_port_whose_access_control_is_off(system):
    """It stands above every guest's device: requests could turn around there, so all of them stop."""
    run = system.run
    port = one(run, "acs.enabled", rid="00:01.0")
    place, offset = ECAM + (1 << 15), 0x100
    while system.look(place + offset) & 0xffff != 0xd:  # ACS among the extended capabilities
        offset = system.look(place + offset) >> 20 & 0xfff
        assert offset
    assert system.look(place + offset) >> 48 == port.number("control")
    system.change(place + offset, lambda value: value & ~(0xffff << 48))
    ask(run, "audit", "the audit found violations")
    for name in NAMES:
        some(run, "audit.violation", invariant="I4", subject=name)  # again once its neighbour has ended
        run.wait_for("guest.stopped", timeout=60, name=name, reason="quarantine")
