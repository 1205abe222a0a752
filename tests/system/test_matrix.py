# SPDX-License-Identifier: MIT
"""The same job on different machines: a covering selection of what a machine can be."""

import dataclasses

import pytest
from system import attacks
from system.checks import again_when_qemu_died, of, one, some, sound, stopped, verdict

from conftest import ROOT
from machine import Nic, like

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

GUEST = """
[guest {name}]
image  = {image}
memory = 16M
device = {device}
args   = {args}
expect = exit 0
"""


def pairs(vfs: int, guests: int, nic: str = "uplink", count: int = 60) -> str:
    """So many guests with a VF each: pairs that talk, and one that only looks when their number is odd."""
    text = f"[nic {nic}]\ndevice = 8086:10c9\nvfs = {vfs}\n"
    for vf in range(guests):
        peer = vf ^ 1
        if peer < guests:
            image, arguments = "ping.elf", f"ip=10.0.0.{vf + 1} peer=10.0.0.{peer + 1} count={count} mode=msix limit=200"
        else:
            image, arguments = "hello.elf", "ticks=50"
        text += GUEST.format(name=f"{nic}{vf}", image=image, device=f"{nic}.vf{vf}", args=arguments)
    return text


@dataclasses.dataclass(frozen=True)
class Case:
    """A machine, the VFs made on it, and facts that its log must hold: event -> fields."""

    name: str
    vfs: int
    machine: dict
    facts: dict[str, dict[str, str]]


def case(name, vfs, facts=None, **machine):
    return pytest.param(Case(name, vfs, machine, facts or {}), id=name)


FLOOD = """
[guest {name}]
image  = flood.elf
memory = 16M
device = uplink.vf{vf}
args   = act={act}
fault_action = {action}
time_limit = 100
expect = exit 0
"""

ROOT_BUS, SWITCH = (Nic(placement="root-bus"),), (Nic(placement="switch"),)


@pytest.mark.parametrize("case", [
    case("39-bit-caching-mode-3-cpus", 2, {"iommu.enabled": {"levels": "3"}}, aw_bits=39, caching_mode=True, cpus=3,
         snoop_control=False),
    case("no-eim-root-bus-5-cpus", 4, {"iommu.enabled": {"eim": "no", "ir": "yes"}, "sriov.enabled": {"pf": "00:01.0"}},
         eim=False, nics=ROOT_BUS, cpus=5),
    case("39-bit-switch-8-cpus-7-vfs", 7, {"iommu.enabled": {"levels": "3"}, "sriov.enabled": {"pf": "03:00.0"}},
         aw_bits=39, nics=SWITCH, cpus=8, snoop_control=False),
    case("caching-mode-switch-7-cpus-no-eim", 6, {"iommu.enabled": {"levels": "4", "eim": "no"}}, caching_mode=True,
         eim=False, nics=SWITCH, cpus=7),
    case("usb-stick-2-cpus", 1, {"boot.start": {"loader": "efi"}}, boot="usb", cpus=2),
    case("bios-iso-multiboot2-4-cpus", 3, {"boot.start": {"loader": "multiboot2"}}, boot="iso"),
    case("39-bit-root-bus-6-cpus", 5, {"sriov.enabled": {"pf": "00:01.0"}}, aw_bits=39, nics=ROOT_BUS, cpus=6),
])
def test_machine(boot, case):
    cpus = case.machine.get("cpus", 4)
    run = boot.to_the_end(pairs(case.vfs, min(case.vfs, cpus - 1)), limit=240, **case.machine)
    assert one(run, "cpu.online")["count"] == str(cpus)
    assert one(run, "sriov.enabled")["vfs"] == str(case.vfs) == str(len(of(run, "sriov.vf")))
    unit = one(run, "iommu.unit")
    assert bool(unit.number("cap") >> 7 & 1) is case.machine.get("caching_mode", False)
    assert one(run, "iommu.enabled")["snoop"] == ("yes" if case.machine.get("snoop_control", True) else "no")
    assert one(run, "iommu.enabled")["levels"] == ("3" if case.machine.get("aw_bits") == 39 else "4")
    for event, fields in case.facts.items():
        line = one(run, event)
        assert {key: line.get(key) for key in fields} == fields, line.text
    for line in of(run, "guest.created"):
        stopped(run, line["name"])
    assert not of(run, "dma.fault") and not of(run, "irq.fault")
    verdict(run)


def test_memory_above_four_gigabytes(boot):
    """Guests lie above 4 GiB, their devices reach them there, and an attack from there is blocked too."""
    text = pairs(3, 2) + ("[guest rogue]\nimage = rogue.elf\nmemory = 32M\ndevice = uplink.vf2\nexpect = exit 0\n"
                          "expect_faults = 1\nargs = targets=@memory(uplink0),@memory(uplink1) rounds=2\n")
    run = boot.to_the_end(text, memory=6144, limit=200, trace=attacks.TRACE)
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    assert all(base >= 1 << 32 for base in bases.values()), bases
    rid = attacks.requester(one(run, "device.assigned", guest="rogue")["rid"])
    assert attacks.blocked(run) == {(rid, bases[name] + page, access) for name in ("uplink0", "uplink1")
                                    for page in (0, 0x1000) for access in ("read", "write")}
    assert attacks.recorded(run) == attacks.logged(run)
    verdict(run)


PAIR, GAP = 500, 20000  # echoes, microseconds between them: ten seconds or more everywhere; the attack begins within three
# Any two of width, caching mode and destination format meet in one of the first four; placements alternate.
UNITS = [
    pytest.param(dict(aw_bits=39, caching_mode=True, eim=True), id="39-bit-caching-mode-eim"),
    pytest.param(dict(aw_bits=39, eim=False, nics=SWITCH), id="39-bit-switch"),
    pytest.param(dict(aw_bits=48, caching_mode=True, eim=False, nics=ROOT_BUS), id="48-bit-caching-mode-root-bus"),
    pytest.param(dict(aw_bits=48, eim=True, snoop_control=False), id="48-bit-eim-no-snoop-control"),
    pytest.param(dict(aw_bits=39, caching_mode=True, intremap=False), id="39-bit-caching-mode-no-remapping"),
    # As a server: the card behind a root bus of its own, with memory that firmware keeps for it.
    pytest.param(dict(nics=(Nic(placement="second-root"),), tables=like.server_tables()), id="server"),
]


@pytest.mark.parametrize("unit", UNITS)
@again_when_qemu_died
def test_each_unit_withstands_the_attack(boot, unit):
    """One attacker on each kind of unit, everybody's memory above 4 GiB: each access is blocked, what the unit's one
    record could hold is logged and attributed; what was aimed at is, read from outside, as it was; two neighbours talk all the while."""
    victims = ("bait", "left", "right")
    places = {name: address for name, address in attacks.PLACES.items() if name not in ("the PF's registers", "a VF's registers")}
    # It begins with its own memory: there has to be time to read the others' before.
    targets = ",".join(["0"] * 16 + [f"@memory({name})" for name in (*victims, "hypervisor")] + [f"{address:#x}" for address in places.values()])
    text = "" if unit.get("intremap", True) else "[system]\nunsafe_interrupts = yes\n"
    text += attacks.NIC.format(vfs=3) + attacks.BAIT + attacks.pair(PAIR, gap=GAP)
    text += attacks.ROGUE.format(name="rogue", vf=2, targets=targets, rounds=1, action="log", threshold=1, expect="exit 0", faults=1)
    run = boot(text, memory=6144, cpus=5, batch=False, limit=150, trace=attacks.TRACE, **unit)

    run.wait_for("guest.event", name="bait", timeout=60)
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    assert all(base >= 1 << 32 for base in bases.values()), bases
    start = one(run, "boot.start")
    image, size = start.number("image"), int(start["size"].rstrip("K")) << 10
    intact, baited = attacks.outside(run, image, size), attacks.outside(run, bases["bait"], 4 << 20)
    assert not of(run, "dma.fault"), "the attack began before the memory was read"
    for name in ("rogue", "left", "right"):
        run.wait_for("guest.stopped", name=name, timeout=90)

    assert attacks.outside(run, bases["bait"], 4 << 20) == baited
    page, = {address - image for _, address, _ in attacks.blocked(run) if image <= address < image + size}
    assert attacks.outside(run, image + page, 0x1000) == intact[page:page + 0x1000]

    rid = attacks.requester(one(run, "device.assigned", guest="rogue")["rid"])
    attacked = {*(bases[name] for name in victims), image + page, *places.values()}
    assert attacks.blocked(run) == {(rid, address, access) for address in attacked for access in ("read", "write")}
    assert len(of(run, "dma.fault")) == stopped(run, "rogue").number("faults")
    attacks.each_fault_has_its_owner(run)
    assert attacks.recorded(run) == attacks.logged(run)
    attacks.pair_is_undisturbed(run, PAIR)
    assert one(run, "guest.event", name="left", value="0x2").index > of(run, "dma.fault")[0].index, "they did not talk meanwhile"
    assert not of(run, "irq.fault")

    last = run.events[-1]
    run.send("stop bait")
    assert run.wait_for("run.verdict", timeout=20, after=last)["result"] == "ok"
    run.send("audit")
    run.wait_for("audit.ok", timeout=20, after=of(run, "run.verdict")[-1])
    sound(run)
    run.send("poweroff")
    run.wait()


@pytest.mark.parametrize("unit", UNITS)
@again_when_qemu_died
def test_each_unit_withstands_the_rest(boot, unit):
    """The other attacks, all at once: what the fault policy ends, floods of faults and interrupts, forged interrupt
    messages, nonsense in mailbox and registers."""
    text = "" if unit.get("intremap", True) else "[system]\nunsafe_interrupts = yes\n"
    text += attacks.NIC.format(vfs=8) + attacks.pair(300) + attacks.WITNESS.format(ticks=500)
    text += attacks.policies(2) + attacks.nonsense(4, seed=3)
    text += FLOOD.format(name="spate", vf=6, act="faults target=@memory(bait) count=20000 calm=1 after=2000", action="log")
    text += FLOOD.format(name="storm", vf=7, act="interrupts count=20000 after=2000", action="log")
    text += attacks.BAIT
    run = boot(text, cpus=11, batch=False, limit=150, **unit)
    run.wait_for("guest.event", name="bait", timeout=60)
    bait = one(run, "guest.created", name="bait").number("base")
    baited = attacks.outside(run, bait, 4 << 20)
    for line in of(run, "guest.created"):
        if line["name"] != "bait":
            run.wait_for("guest.stopped", name=line["name"], timeout=90)
    assert attacks.outside(run, bait, 4 << 20) == baited
    last = run.events[-1]
    run.send("stop bait")
    assert run.wait_for("run.verdict", timeout=20, after=last)["result"] == "ok", [line.text for line in of(run, "run.unexpected")]

    attacks.policies_are_carried_out(run)
    attacks.nonsense_is_refused(run, 4)
    attacks.pair_is_undisturbed(run, 300)
    attacks.witness_is_undisturbed(run, 500)
    attacks.each_fault_has_its_owner(run)
    assert {line["guest"] for line in of(run, "dma.fault")} <= {"silenced", "ended", "spate", "registers"}
    assert stopped(run, "spate").number("faults") > 0
    stopped(run, "storm")
    assert not of(run, "irq.fault")
    sound(run)
    run.send("poweroff")
    run.wait()


def test_two_nics(boot):
    """Two cards, one below a switch: each is split by its own section, told apart by their order."""
    text = pairs(2, 2) + pairs(2, 2, nic="second")
    run = boot.to_the_end(text, nics=(Nic(), Nic(placement="switch")), cpus=5, limit=200)
    assert len({line["pf"] for line in of(run, "sriov.enabled")}) == 2
    assert len({line["rid"] for line in of(run, "device.assigned")}) == 4
    verdict(run)


def test_multiboot2_from_uefi(boot):
    """The disk's own menu entry for it, chosen by a file in the place of the menu's default."""
    menu = (ROOT / "boot/grub/disk.cfg").read_text()
    assert "set timeout=3" in menu and "set default=sriov.conf" in menu
    menu = menu.replace("set timeout=3", "set timeout=0").replace(
        "set default=sriov.conf", 'set default="Without the EFI application (multiboot2)>multiboot2: test.conf"')
    run = boot.to_the_end(pairs(2, 2), scenario=None, limit=150,
                          files={"/EFI/bulkhead/grub.cfg": menu.encode(), "/bulkhead/test.conf": pairs(2, 2).encode()})
    assert one(run, "boot.start")["loader"] == "multiboot2"
    verdict(run)


@pytest.mark.parametrize("accepted", [False, True], ids=["refused", "accepted"])
def test_without_interrupt_remapping(boot, accepted):
    """Devices are given away only if the configuration says that forged interrupts are acceptable."""
    text = ("[system]\nunsafe_interrupts = yes\n" if accepted else "") + pairs(2, 2) + \
        "[guest alone]\nimage = hello.elf\nmemory = 4M\nexpect = exit 0\n"
    if not accepted:
        text = text.replace("limit=200\nexpect = exit 0", "limit=200\nexpect = refused")
    run = boot.to_the_end(text, intremap=False, limit=150)
    assert one(run, "iommu.enabled")["ir"] == "no"
    assert some(run, "iommu.interrupts")["ir"] == "no"
    if accepted:
        assert len(of(run, "device.assigned")) == 2
    else:
        assert [line["guest"] for line in of(run, "device.refused")] == ["uplink0", "uplink1"]
        assert all("unsafe_interrupts = yes" in line["message"] for line in of(run, "device.refused"))
        assert not of(run, "device.assigned")
    stopped(run, "alone")
    verdict(run)
