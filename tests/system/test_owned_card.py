# SPDX-License-Identifier: MIT
"""A card whose PF a guest has, and its VFs others: what becomes of them when that guest ends in one way or another. No
guest here drives anything; what matters is who is reset, blocked and started, and that the audit finds SR-IOV as it was."""

import pytest
from system.checks import ask, of, one, sound, stopped

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

VFS = ("01:10.0", "01:10.2")


def configuration(lost: str, owner: str = "image = hello.elf\nargs = ticks=60000\n") -> str:
    guests = "".join(f"[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = ticks=60000\ndevice = uplink.vf{vf}\n"
                     for vf, name in enumerate(("alpha", "beta")))
    return (f"[nic uplink]\ndevice = 8086:10c9\nvfs = 2\ndriver = guest owner\n{lost}"
            f"[guest owner]\nmemory = 4M\n{owner}device = uplink\naccept_flash = uplink\n{guests}")


def started(run, names=("owner", "alpha", "beta")) -> None:
    for name in names:
        run.wait_for("guest.started", timeout=60, name=name)
    run.wait_for("monitor.ready", timeout=60)


def audited(run) -> None:
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)


def finish(run) -> None:
    audited(run)
    sound(run)
    run.send("poweroff")
    run.wait(60)


def test_guests_end_before_their_card_is_reset(boot):
    run = boot(configuration("owner_lost = reset\n"), batch=False, limit=150, cpus=4)
    started(run)
    assert one(run, "nic.driver", driver="guest", guest="owner")["owner_lost"] == "reset"
    audited(run)
    last = run.events[-1]
    ask(run, "stop owner")
    run.wait_for("guest.stopped", timeout=30, after=last, name="owner")
    for name in ("alpha", "beta"):
        stopped(run, name, "pf-owner")
    resets = [line["rid"] for line in of(run, "pci.reset", status="ok")]
    assert sorted(resets[-3:-1]) == sorted(VFS) and resets[-1] == "01:00.0", resets
    audited(run)
    # In any order, one after the other.
    for name in ("alpha", "owner", "beta"):
        last = run.events[-1]
        ask(run, f"start {name}")
        run.wait_for("vcpu.entered", timeout=30, after=last)
    audited(run)
    # All of them again.
    last = run.events[-1]
    ask(run, "restart owner")
    for name in ("owner", "alpha", "beta"):
        run.wait_for("guest.started", timeout=30, after=last, name=name)
    assert [line["reason"] for line in of(run, "guest.stopped", name="beta")] == ["pf-owner", "pf-owner"]
    assert [line["reason"] for line in of(run, "guest.stopped", name="owner")] == ["monitor", "restart"]
    assert not of(run, "device.blocked")
    finish(run)


def test_guests_go_on_without_their_vfs(boot):
    """Without a word about it the VFs are quarantined."""
    run = boot(configuration(""), batch=False, limit=120, cpus=4)
    started(run)
    assert one(run, "nic.driver", driver="guest")["owner_lost"] == "quarantine"
    last = run.events[-1]
    ask(run, "stop owner")
    run.wait_for("guest.stopped", timeout=30, after=last, name="owner")
    assert sorted(line["rid"] for line in of(run, "device.blocked", pf="01:00.0", status="ok")) == sorted(VFS)
    assert [line["name"] for line in of(run, "guest.stopped")] == ["owner"]
    audited(run)
    last = run.events[-1]
    ask(run, "restart owner")
    run.wait_for("guest.started", timeout=30, after=last, name="owner")
    ask(run, "stop alpha")
    run.wait_for("guest.stopped", timeout=30, after=last, name="alpha")
    last = run.events[-1]
    ask(run, "start alpha")
    run.wait_for("device.refused", timeout=30, after=last, guest="alpha")
    finish(run)


def test_a_crash_is_an_end(boot):
    run = boot(configuration("owner_lost = reset\n", "image = hostile.elf\nargs = act=read address=0xa0000000\n"),
               batch=False, limit=90, cpus=4)
    run.wait_for("guest.stopped", timeout=60, name="owner")
    assert one(run, "guest.stopped", name="owner")["reason"] == "memory-access"
    for name in ("alpha", "beta"):
        run.wait_for("guest.started", timeout=60, name=name)
    finish(run)


def test_a_card_fetches_for_its_vfs(boot):
    """What an owner cannot be kept from: queues of VFs are registers of the PF, so it chooses the addresses of requests
    that carry a VF's id. They reach what the VF's guest gave its own device, and nothing more."""
    text = configuration("owner_lost = reset\n", "image = steer.elf\nargs = vf=0 address=0x12340000 limit=6\n")
    run = boot(text.replace("[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=60000\n",
                            "[guest alpha]\nimage = ping.elf\nmemory = 16M\nargs = ip=10.0.0.1 peer=10.0.0.2\n"
                            "fault_action = log\n"), batch=False, limit=90, cpus=4)
    run.wait_for("guest.stopped", timeout=60, name="owner")
    faults = of(run, "dma.fault")
    assert faults and {(line["rid"], line["guest"], line["address"]) for line in faults} == {
        ("01:10.0", "alpha", "0x12340000")}, [line.text for line in faults]
    finish(run)


def test_nobody_without_a_card(boot):
    """An owner that is refused, or never was: its VFs are nobody's, and the others run."""
    text = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\ndriver = guest owner\n"
            "[guest owner]\nimage = none.elf\ndevice = uplink\naccept_flash = uplink\nexpect = refused\n"
            "[guest alpha]\nimage = hello.elf\nmemory = 4M\ndevice = uplink.vf0\nexpect = refused\n"
            "[guest beta]\nimage = hello.elf\nmemory = 4M\nargs = ticks=100\n")
    run = boot.to_the_end(text, limit=60)
    assert "owner, which drives the card, was refused" in one(run, "device.refused", guest="alpha")["message"]
    stopped(run, "beta")
    assert one(run, "run.verdict")["result"] == "ok"
    run = boot.to_the_end(text.replace("guest owner\n", "guest nobody\n"), limit=60)
    errors = [line["message"] for line in of(run, "config.error")]
    assert errors[0].startswith("another guest drives 'uplink'"), errors
    assert errors[1].startswith("no usable guest has the name 'nobody'"), errors
    assert "is not there or does not have it" in one(run, "nic.refused")["message"]
    stopped(run, "beta")
