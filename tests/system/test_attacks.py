"""A device that reaches for everything there is: memory, registers, other devices, addresses of no width."""

import pytest
from system.attacks import (NIC, PLACES, ROGUE, each_fault_has_its_owner, nonsense, nonsense_is_refused, pair,
                            pair_is_undisturbed, policies, policies_are_carried_out, reached)
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(200)]

@pytest.fixture(scope="module")
def run(boot):
    memories = "@memory(left),@memory(right),@memory(hypervisor)"
    places = ",".join(f"{address:#x}" for address in PLACES.values())
    # The unit has one record: while the other two are at it, faults get lost. So this one begins later, by
    # some accesses to its own memory.
    first = "0,0,0,0,0"
    text = NIC.format(vfs=5) + pair()
    text += ROGUE.format(name="everywhere", vf=2, targets=f"{first},{memories},{places}", rounds=1, action="log", threshold=1,
                         expect="exit 0", faults=2 * (3 + len(PLACES)))
    text += policies(3)
    return boot.to_the_end(text, cpus=6, limit=180)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_within_reach(run, place):
    assert reached(run, "everywhere", PLACES[place]) == {"read", "write"}


def test_memory_is_not_within_reach(run):
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    for name in ("left", "right"):
        assert reached(run, "everywhere", bases[name]) == {"read", "write"}
    image = one(run, "boot.start").number("image")
    inside = {line["access"] for line in of(run, "dma.fault", guest="everywhere")
              if image <= line.number("address") < image + (2 << 20)}
    assert inside == {"read", "write"}


def test_the_places_are_what_they_are_said_to_be(run):
    assert one(run, "iommu.unit").number("base") == PLACES["the IOMMU"]
    assert of(run, "sriov.vf")[0].number("bar0") == PLACES["a VF's registers"]
    assert one(run, "pci.function", rid="01:00.0")["bar0"].startswith(f"{PLACES['the PF' + chr(39) + 's registers']:#x}+")


def test_an_address_beyond_the_width_is_told_apart(run):
    reasons = {line["reason"] for line in of(run, "dma.fault", guest="everywhere")
               if line.number("address") in (PLACES["49 bits"], PLACES["the sign bit"])}
    assert reasons == {"0x4"}


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
