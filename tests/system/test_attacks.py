# SPDX-License-Identifier: MIT
"""A device that reaches for everything there is: memory, registers, other devices, addresses of no width."""

import re

import pytest
from system.attacks import (NIC, PLACES, ROGUE, TRACE, blocked, blocked_at, each_fault_has_its_owner, logged, nonsense,
                            nonsense_is_refused, pair, pair_is_undisturbed, policies, policies_are_carried_out, recorded,
                            requester, traced)
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(200)]

@pytest.fixture(scope="module")
def run(boot):
    memories = "@memory(left),@memory(right),@memory(hypervisor)"
    places = ",".join(f"{address:#x}" for address in PLACES.values())
    # The unit has one record: while the other two are at it, and whenever this computer is busy, faults get lost. This
    # one begins later, by some accesses to its own memory; what was blocked is read from QEMU's trace, which loses none.
    first = "0,0,0,0,0"
    text = NIC.format(vfs=5) + pair()
    text += ROGUE.format(name="everywhere", vf=2, targets=f"{first},{memories},{places}", rounds=1, action="log", threshold=1,
                         expect="exit 0", faults=1)
    text += policies(3)
    return boot.to_the_end(text, cpus=6, limit=180, trace=TRACE)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_within_reach(run, place):
    assert blocked_at(run, "everywhere", PLACES[place]) == {"read", "write"}


def test_memory_is_not_within_reach(run):
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    for name in ("left", "right"):
        assert blocked_at(run, "everywhere", bases[name]) == {"read", "write"}
    image = one(run, "boot.start").number("image")
    rid = requester(one(run, "device.assigned", guest="everywhere")["rid"])
    inside = {access for requester_id, page, access in blocked(run) if requester_id == rid and image <= page < image + (2 << 20)}
    assert inside == {"read", "write"}


def test_the_places_are_what_they_are_said_to_be(run):
    assert one(run, "iommu.unit").number("base") == PLACES["the IOMMU"]
    assert of(run, "sriov.vf")[0].number("bar0") == PLACES["a VF's registers"]
    assert one(run, "pci.function", rid="01:00.0")["bar0"].startswith(f"{PLACES['the PF' + chr(39) + 's registers']:#x}+")


def test_an_address_beyond_the_width_is_told_apart(run):
    beyond = (PLACES["49 bits"], PLACES["the sign bit"])
    reasons = {int(re.search(r" fault (\w+)", line).group(1), 16) for line in traced(run, "vtd_dmar_fault")
               if int(re.search(r" addr (\w+)", line).group(1), 16) & ~0xfff in beyond}
    assert reasons == {4}
    assert {line["reason"] for line in of(run, "dma.fault") if line.number("address") in beyond} <= {"0x4"}


def test_the_log_has_what_the_unit_recorded(run):
    """Nothing hidden, nothing invented, in the unit's order."""
    assert recorded(run) and recorded(run) == logged(run)


def test_each_policy_is_carried_out(run):
    assert {line["action"] for line in of(run, "dma.fault", guest="everywhere")} == {"log"}
    stopped(run, "everywhere")
    policies_are_carried_out(run)


def test_every_fault_has_the_right_owner(run):
    each_fault_has_its_owner(run)


def test_the_others_notice_nothing(run):
    pair_is_undisturbed(run)
    assert not of(run, "irq.fault")
    verdict(run)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_vf_is_no_way_to_the_others(boot, seed):
    """Nonsense in the mailbox and in a VF's registers: refused or without effect, and the neighbours' traffic
    goes on."""
    text = NIC.format(vfs=4) + pair()
    text += nonsense(2, seed)
    run = boot.to_the_end(text, cpus=5, limit=180)
    nonsense_is_refused(run, 2)
    assert all(line["guest"] == "registers" for line in of(run, "dma.fault"))
    for name in ("left", "right"):
        stopped(run, name)
    verdict(run)
