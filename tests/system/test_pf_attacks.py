# SPDX-License-Identifier: MIT
"""A guest that owns a PF and tries everything that is not its to do, beside the guests that have the card's VFs: they
run on, the card's own registers stay as they were set at boot, and its end is what the configuration says."""

import pytest
from system.attacks import (TRACE, WITNESS, blocked_at, each_fault_has_its_owner, outside, pair, pair_is_undisturbed,
                            witness_is_undisturbed)
from system.checks import ask, of, one, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\ndriver = guest owner\nowner_lost = {lost}\n"
OWNER = """
[guest owner]
image  = owner.elf
memory = 4M
device = uplink
accept_flash = uplink
args   = seconds={seconds} seed={seed} targets={targets} {more}
fault_action = log
fault_threshold = 1
time_limit = 200
expect = {expect}
expect_faults = {faults}
"""
PLACES = {"ECAM": 0xe0000000, "the IOMMU": 0xfed90000, "a VF's registers": 0xc000000000, "39 bits": 1 << 39}
MEMORIES = ("left", "right", "hypervisor")
ECAM = 0xe0100000  # of 01:00.0
SRIOV, SRIOV_SIZE = 0x160, 0x40  # QEMU's igb
BARS, BARS_SIZE = 0x10, 0x18
VFS = ("01:10.0", "01:10.2")


def owner(seconds=60, seed=1, targets=(), more="", expect="exit 0", lost="reset") -> str:
    return (NIC.format(lost=lost)
            + OWNER.format(seconds=seconds, seed=seed, targets=",".join(targets) or "0", more=more, expect=expect,
                           faults=2 if targets else 0))


COUNT = 500


def neighbours(count=COUNT) -> str:
    """They talk while the owner attacks, some seconds. The PF may start after them."""
    return pair(count, gap=10000).replace(" mode=msix", " patience=60 mode=msix")


def said(run) -> list[str]:
    return [line["text"] for line in of(run, "guest.output", name="owner")]


def real(run) -> bytes:
    """What of the card decides about its VFs and where they are, read from outside."""
    return outside(run, ECAM + SRIOV, SRIOV_SIZE) + outside(run, ECAM + BARS, BARS_SIZE)


@pytest.fixture(scope="module")
def run(boot):
    """Runs until everybody has ended; the card's registers at the start and at the end of the attacks are in `seen`."""
    targets = [f"@memory({name})" for name in MEMORIES] + [f"{address:#x}" for address in PLACES.values()]
    run = boot(owner(targets=targets) + neighbours() + WITNESS.format(ticks=1500), cpus=5, limit=200, trace=TRACE,
               batch=False)
    run.wait_for("guest.output", timeout=60, name="owner", text="the card is driven")
    run.seen = [real(run)]
    while not [text for text in said(run) if text.startswith("all was tried")]:
        run.wait_for("guest.output", timeout=120, after=run.events[-1], name="owner")
    run.seen.append(real(run))
    run.wait_for("run.verdict", timeout=150)
    run.send("poweroff")
    run.wait(60)
    return run


def test_what_may_not_change_did_not(run):
    assert "all was tried: 0 wrong" in said(run), said(run)
    stopped(run, "owner")


def test_the_card_is_as_it_was_set_at_boot(run):
    """Read from outside, behind everybody's back, while the owner says that it has other values."""
    before, after = run.seen
    assert before == after
    control, vfs = (int.from_bytes(after[offset:offset + 2], "little") for offset in (0x08, 0x10))
    assert control & 0x9 == 0x9 and vfs == 2


def test_the_neighbours_notice_nothing(run):
    pair_is_undisturbed(run, COUNT)
    witness_is_undisturbed(run, 1500)
    assert not of(run, "irq.fault") and not of(run, "device.blocked")


@pytest.mark.parametrize("place", PLACES)
def test_its_card_reaches_nothing(run, place):
    assert blocked_at(run, "owner", PLACES[place]) == {"read", "write"}


def test_its_card_reaches_no_memory(run):
    bases = {line["name"]: line.number("base") for line in of(run, "guest.created")}
    for name in ("left", "right"):
        assert blocked_at(run, "owner", bases[name]) == {"read", "write"}
    each_fault_has_its_owner(run)


def test_the_verdict(run):
    sound(run)
    assert one(run, "run.verdict")["result"] == "ok", [line.text for line in of(run, "run.unexpected")]


@pytest.mark.parametrize("seed", [2, 3])
def test_other_orders(boot, seed):
    run = boot.to_the_end(owner(seed=seed, seconds=30) + neighbours(), cpus=4, limit=150)
    assert "all was tried: 0 wrong" in said(run), said(run)
    pair_is_undisturbed(run, COUNT)
    assert not of(run, "dma.fault")
    verdict(run)


def test_its_crash_resets_the_vfs(boot):
    """After the attacks it touches what is nobody's; whoever has a VF ends with it, and everything starts again."""
    text = owner(more="end=crash", expect="stopped") + neighbours(1000000)
    run = boot(text, cpus=4, limit=200, batch=False)
    run.wait_for("guest.stopped", timeout=120, name="owner")
    assert one(run, "guest.stopped", name="owner")["reason"] == "memory-access"
    for name in ("left", "right"):
        run.wait_for("guest.stopped", timeout=60, name=name)
        stopped(run, name, "pf-owner")
    resets = [line["rid"] for line in of(run, "pci.reset", status="ok")]
    assert sorted(resets[-3:-1]) == sorted(VFS) and resets[-1] == "01:00.0", resets
    for name in ("owner", "left"):
        last = run.events[-1]
        ask(run, f"start {name}")
        run.wait_for("guest.started", timeout=60, after=last, name=name)
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    sound(run)
    run.send("poweroff")
    run.wait(60)


def test_its_crash_takes_the_vfs_away(boot):
    text = owner(more="end=crash", expect="stopped", lost="quarantine") + neighbours(1000000)
    run = boot(text, cpus=4, limit=200, batch=False)
    run.wait_for("guest.stopped", timeout=120, name="owner")
    for rid in VFS:
        run.wait_for("device.blocked", timeout=30, rid=rid, status="ok")
    assert [line["name"] for line in of(run, "guest.stopped")] == ["owner"]
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    sound(run)
    run.send("poweroff")
    run.wait(60)
