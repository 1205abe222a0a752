# SPDX-License-Identifier: MIT
"""Devices that do one thing as often as they can. Each costs its own guest; the neighbours, the log and the prompt
notice nothing."""

import collections
import re

import pytest
from system import attacks
from system.checks import again_when_qemu_died, ask, of, one, sound, stopped

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(400)]

FLOOD = """
[guest {name}]
image  = flood.elf
memory = 16M
device = uplink.vf{vf}
args   = act={act}
time_limit = 150
{more}
"""
LONG, SHORT = (20000, 2500), (3000, 1500)  # echoes and timer ticks of those beside
AFTER = 1000  # milliseconds: a flood begins when the others have begun


def beside(vfs, length) -> str:
    echoes, ticks = length
    return attacks.NIC.format(vfs=vfs) + attacks.pair(echoes) + attacks.WITNESS.format(ticks=ticks)


def event(run, name, value):
    return one(run, "guest.event", name=name, value=value)


def exits(run, name):
    """Of a flood while it did what it does."""
    values = [line.number("exits") for line in of(run, "guest.event", name=name)]
    return values[-1] - values[-2]


def finish(run, length):
    """To the end of all guests, with what must hold for everybody beside the flood."""
    echoes, ticks = length
    verdict = run.wait_for("run.verdict", timeout=120)
    assert verdict["result"] == "ok", [line.text for line in of(run, "run.unexpected")]
    attacks.pair_is_undisturbed(run, echoes)
    attacks.witness_is_undisturbed(run, ticks)
    run.wait_for("audit.ok", timeout=20)
    sound(run)
    run.send("poweroff")
    run.wait()


# 16 bytes each, which QEMU translates and blocks four at a time: a million accesses between the two of them.
FETCHES, CALM, PAUSE = 125_000, 30_000, 50
ACCESSES_PER_RECORD = 5  # status, record high, record low, the record freed, overflow cleared
FAULT_REGISTERS = {0x34} | set(range(0x220, 0x230))  # FSTS and QEMU's one record
LOGGED_ALONE = 64
FLOODS = {"flood": (2, "left"), "spate": (3, "hypervisor")}
LOGGED = f"fault_action = log\nexpect = exit 0\nexpect_faults = {LOGGED_ALONE + 1}"


@again_when_qemu_died
def test_a_million_faults(boot):
    """Two devices fetch from memory that is not theirs half a million times each, a third one is taken off the bus for
    it. What the unit's one record does not hold is lost or folded; what it holds costs five accesses to registers; the
    log has a line for each of the first ones, then for powers of two; the neighbours do not stand
    still, and have no exit."""
    text = beside(5, LONG) + FLOOD.format(name="silenced", vf=4, act=f"faults target=@memory(right) count={FETCHES} calm={CALM} pause={PAUSE} after={AFTER}",
                                    more="fault_threshold = 4\nexpect = exit 3\nexpect_faults = 4")
    for name, (vf, victim) in FLOODS.items():
        act = f"faults target=@memory({victim}) count={FETCHES} calm={CALM} pause={PAUSE} after={AFTER}"
        text += FLOOD.format(name=name, vf=vf, act=act, more=LOGGED)
    run = boot(text, cpus=7, limit=180, batch=False, trace=(*attacks.TRACE, "vtd_reg_read", "vtd_reg_write"))
    for name in ("left", "right", *FLOODS):
        run.wait_for("guest.event", name=name, value="0x1", timeout=60)
    for name in FLOODS:
        run.wait_for("guest.event", name=name, value="0x2", timeout=60)
    # That they go on, no more: QEMU has one lock for all devices and holds it while it blocks an access, and how much
    # of their rate that leaves, and who is through first, depends on what else this computer does. That it costs them no
    # exit is looked at exactly.
    going_on = attacks.goes_on(run)
    ask(run, "guests", r"^flood +(running|stop)", timeout=20)
    finish(run, LONG)

    assert going_on, "the neighbours stood still"
    # Its look at its bus master bit, and the third event itself: none of a million faults is an exit of anybody.
    assert all(exits(run, name) == 2 for name in FLOODS)

    blocked, records, accesses, own = collections.Counter(), 0, 0, attacks.pf(run)
    traces = run.directory / "trace.log"
    with traces.open(errors="replace") as lines:
        for line in lines:
            name, _, rest = line.partition(" ")
            if name == "vtd_dmar_fault":
                blocked[int(rest.split()[1], 16)] += 1
            records += name == "vtd_frr_new" and int(re.search(r"high (0x\w+)", rest)[1], 16) & 0xffff != own
            accesses += name in ("vtd_reg_read", "vtd_reg_write") and int(rest.split()[1], 16) in FAULT_REGISTERS
    traces.unlink()
    rids = {line["guest"]: attacks.requester(line["rid"]) for line in of(run, "device.assigned")}
    assert all(blocked[rids[name]] >= 4 * FETCHES for name in FLOODS), blocked
    assert 4 <= blocked[rids["silenced"]] < 4 * FETCHES / 2, "it was not taken off the bus"
    assert one(run, "dma.fault", guest="silenced", action="disable-device")

    faults = {line["name"]: line.number("faults") for line in of(run, "guest.stopped")}
    assert records == sum(faults.values())
    looks = 60 * int(run.events[-1].time + 1)  # every 20 ms without an event
    assert accesses <= ACCESSES_PER_RECORD * records + looks, (accesses, records)
    for name in FLOODS:
        logged = sum(n <= LOGGED_ALONE or n & (n - 1) == 0 for n in range(1, faults[name] + 1))
        assert len(of(run, "dma.fault", guest=name)) == logged
    lost = [line.index for line in of(run, "dma.fault") if line.get("lost") == "yes"]
    assert lost and lost[0] < of(run, "dma.fault")[-1].index, "the record never overflowed, or stayed so"


STORM = 200_000


@again_when_qemu_died
def test_a_storm_of_interrupts(boot):
    """Two devices raise their vector as quickly as their guests can ask, with no pause between two: the one to its end,
    the other until it is stopped at the prompt; the neighbours outlive both."""
    text = beside(4, LONG) + FLOOD.format(name="storm", vf=2, act=f"interrupts count={STORM} after={AFTER}", more="expect = exit 0")
    text += FLOOD.format(name="gale", vf=3, act=f"interrupts count=1000000000 after={AFTER}", more="expect = stopped")
    run = boot(text, cpus=6, limit=150, batch=False)
    for name in ("left", "right", "storm", "gale"):
        run.wait_for("guest.event", name=name, value="0x1" if name in ("left", "right") else "0x2", timeout=60)
    ask(run, "guests", r"^gale +running", timeout=20)
    run.wait_for("guest.event", name="storm", value="0x3", timeout=90)
    run.send("stop gale")
    run.wait_for("guest.stopped", name="gale", reason="monitor", timeout=30)
    finish(run, LONG)
    said = one(run, "guest.output", name="storm")["text"]
    assert int(re.match(rf"{STORM} interrupts asked for, (\d+) came", said).group(1)) >= STORM
    assert exits(run, "storm") == 2, "its line and its third event"
    assert not of(run, "irq.fault")


MESSAGES, FRAMES = 100_000, 20_000
BURST = 16  # messages at once, then one a millisecond
ANSWERED = "PFMailbox[2]: 0x3"  # a message, and the VF's own taken


@again_when_qemu_died
def test_a_flood_on_the_wire_and_in_the_mailbox(boot):
    """Frames with a neighbour's address, with a VLAN that was not asked for, and pause frames; then requests without
    end. The neighbours' traffic goes on, and the PF driver answers at its own rate.

    QEMU's card drops no forged frame and heeds no pause frame: of these the registers are looked at, no more."""
    text = beside(3, SHORT) + FLOOD.format(name="nagger", vf=2, act=f"wire frames={FRAMES} count={MESSAGES} after={AFTER}",
                                    more="expect = exit 0")
    run = boot(text, cpus=5, limit=150, batch=False, trace=("igb_set_pfmailbox", "igb_core_mdic_write"))
    run.wait_for("guest.event", name="nagger", value="0x2", timeout=90)
    registers = int(one(run, "pci.function", rid="01:00.0")["bar0"].split("+")[0], 16)

    def register(offset):
        return int.from_bytes(attacks.outside(run, registers + offset, 4), "little")

    assert register(0x3500) == 0x80000707, "DTXSWC: addresses and VLANs of three VFs are checked, loopback"
    assert register(0x2408) == 0xffff, "QDE: a full queue drops"
    assert register(0x5408) == 0x12015452, "RAL1: VF 0's address is still its own"
    assert register(0x0000) >> 27 & 3 == 0, "CTRL: pause frames are neither obeyed nor sent"
    assert register(0x0100) >> 23 & 1 == 0, "RCTL: MAC control frames are not passed on"
    finish(run, SHORT)

    began, ended = event(run, "nagger", "0x2").time, event(run, "nagger", "0x3").time
    assert any("still answers" in line["text"] for line in of(run, "guest.output", name="nagger"))
    assert 1 <= len(of(run, "igb.mailbox", vf="2")) <= 8
    answers = [line for line in attacks.traced(run, "igb_set_pfmailbox") if line.endswith(ANSWERED)]
    assert 1 < len(answers) <= BURST + 2 + 1000 * (ended - began) + 1, (len(answers), ended - began)
    advertised = [line for line in attacks.traced(run, "igb_core_mdic_write") if "PHY[4]" in line]
    assert [line.split()[-1] for line in advertised] == ["0x1e1"], "PAUSE is not offered to the link partner"
