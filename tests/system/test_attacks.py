"""A device that reaches for everything there is: memory, registers, other devices, addresses of no width."""

import pytest
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(200)]

ROGUE = """
[guest {name}]
image  = rogue.elf
memory = 16M
device = uplink.vf{vf}
args   = targets={targets} rounds={rounds} pause=60000
fault_action = {action}
fault_threshold = {threshold}
time_limit = 100
expect = {expect}
expect_faults = {faults}
"""

TALK = """
[guest {name}]
image  = ping.elf
memory = 16M
device = uplink.vf{vf}
args   = ip=10.0.0.{own} peer=10.0.0.{peer} count=400 mode=msix limit=150
expect = exit 0
"""

# Where a machine like this one has things (asserted below), beside the memory of guests and hypervisor.
PLACES = {
    "behind its own memory": 0x1000000,
    "the PF's registers": 0x80020000,
    "ECAM": 0xe0000000,
    "the IOMMU": 0xfed90000,
    "I/O APIC": 0xfec00000,
    "flash": 0xffc00000,
    "a VF's registers": 0xc000020000,
    "39 bits": 1 << 39,
    "last page of 48 bits": (1 << 48) - 0x1000,
    "49 bits": 1 << 48,
    "the sign bit": 1 << 63,
}


@pytest.fixture(scope="module")
def run(boot):
    memories = "@memory(left),@memory(right),@memory(hypervisor)"
    places = ",".join(f"{address:#x}" for address in PLACES.values())
    # The unit has one record: while the other two are at it, faults get lost. So this one begins later, by
    # some accesses to its own memory.
    first = "0,0,0,0,0"
    text = "[nic uplink]\ndevice = 8086:10c9\nvfs = 5\n"
    text += TALK.format(name="left", vf=0, own=1, peer=2) + TALK.format(name="right", vf=1, own=2, peer=1)
    text += ROGUE.format(name="everywhere", vf=2, targets=f"{first},{memories},{places}", rounds=1, action="log", threshold=1,
                         expect="exit 0", faults=2 * (3 + len(PLACES)))
    text += ROGUE.format(name="silenced", vf=3, targets="@memory(left)", rounds=9, action="disable-device", threshold=3,
                         expect="exit 0", faults=3)
    text += ROGUE.format(name="ended", vf=4, targets="@memory(hypervisor)", rounds=9, action="stop-guest", threshold=2,
                         expect="stopped", faults=2)
    return boot.to_the_end(text, cpus=6, limit=180)


def reached(run, address):
    return {line["access"] for line in of(run, "dma.fault", guest="everywhere") if line.number("address") == address}


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_within_reach(run, place):
    assert reached(run, PLACES[place]) == {"read", "write"}


def test_memory_is_not_within_reach(run):
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    for name in ("left", "right"):
        assert reached(run, bases[name]) == {"read", "write"}
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
    assert [line["action"] for line in of(run, "dma.fault", guest="silenced")][:3] == ["log", "log", "disable-device"]
    assert any("taken off the bus" in line["text"] for line in of(run, "guest.output", name="silenced"))
    stopped(run, "silenced")
    assert [line["action"] for line in of(run, "dma.fault", guest="ended")][:2] == ["log", "stop-guest"]
    assert stopped(run, "ended", reason="dma-faults").number("faults") >= 2


def test_every_fault_has_the_right_owner(run):
    owners = {line["rid"]: line["guest"] for line in of(run, "device.assigned")}
    faults = of(run, "dma.fault")
    assert faults and all(owners[line["rid"]] == line["guest"] for line in faults)


def test_the_others_notice_nothing(run):
    for name in ("left", "right"):
        stopped(run, name)
        said = [line["text"] for line in of(run, "guest.output", name=name)]
        assert "memory intact" in said and any("400 of 400 echoes answered" in text and " 0 wrong" in text for text in said)
    assert not of(run, "irq.fault")
    verdict(run)


NUISANCE = """
[guest {act}]
image  = nuisance.elf
memory = 16M
device = uplink.vf{vf}
args   = act={act} count={count} seed={seed}
fault_threshold = 4
time_limit = 100
expect = exit 0
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_vf_is_no_way_to_the_others(boot, seed):
    """Nonsense in the mailbox and in a VF's registers: refused or without effect, and the neighbours' traffic
    goes on."""
    text = "[nic uplink]\ndevice = 8086:10c9\nvfs = 4\n"
    text += TALK.format(name="left", vf=0, own=1, peer=2) + TALK.format(name="right", vf=1, own=2, peer=1)
    text += NUISANCE.format(act="messages", vf=2, count=2000, seed=seed)
    text += NUISANCE.format(act="registers", vf=3, count=3000, seed=seed)
    run = boot.to_the_end(text, cpus=5, limit=180)
    refusals = of(run, "igb.mailbox", vf="2")
    assert 1 <= len(refusals) <= 16 and all(line["action"] == "refused" for line in refusals), len(refusals)
    said = [line["text"] for line in of(run, "guest.output", name="messages")]
    assert "what must be refused was refused" in said and any("still answers" in text for text in said), said
    assert all(line["guest"] == "registers" for line in of(run, "dma.fault"))
    for name in ("left", "right", "messages", "registers"):
        stopped(run, name)
    verdict(run)
