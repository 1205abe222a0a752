# SPDX-License-Identifier: MIT
"""A function's life where it is hard: commands that overlap, and hardware that does not come through a reset."""

import struct

import pytest
from system.checks import ask, of, one, sound, stopped

from machine import gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
HALT = "image = hostile.elf\nmemory = 4M\nargs = act=halt\nexpect = stopped\n"
# The PF's SR-IOV control register, in the configuration space that the firmware of QEMU's q35 places there.
VF_ENABLE = 0xe0000000 + (1 << 20) + 0x160 + 8


def guest(name: str, device: str = "") -> str:
    return f"[guest {name}]\n{device}{HALT}"


def clean(run) -> None:
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    assert not of(run, "audit.violation")


def pasted(run, phase: int, *lines: str) -> None:
    """In one write, as from a clipboard: the monitor takes 64 bytes in a turn of the control loop. The UART brings them
    in portions, and `phase` moves these against the lines."""
    run.console.send("\x15" * (1 + phase) + "".join(f"{line}\r" for line in lines))


def test_a_start_pasted_behind_a_move(boot):
    """Neither guest of a move starts before it is over; nothing is left of the attempt. How much of a paste arrives
    in one turn is the serial line's affair, so it is pasted until one was refused,
    and that one was is not asserted (tests/unit/test_life.c does)."""
    run = boot(NIC + guest("a", "device = uplink.vf0\n") + guest("g"), batch=False, limit=200)
    run.wait_for("monitor.ready", timeout=90)
    for name in ("a", "g"):
        run.wait_for("guest.started", timeout=60, name=name)
        ask(run, f"stop {name}")
        run.wait_for("guest.stopped", timeout=20, name=name)
    refused: set[str] = set()
    for turn in range(30):
        there, back = ("a", "g") if turn % 2 == 0 else ("g", "a")
        early = "g" if turn % 4 < 2 else "a"  # each of them in either part
        last = run.events[-1]
        pasted(run, turn, f"move uplink.vf0 {there} {back}", f"start {early}")
        run.wait_for("device.moved", timeout=20, after=last, to=back)
        clean(run)
        for name in ("a", "g"):
            ask(run, f"start {name}")
            run.wait_for("guest.started", timeout=20, after=last, name=name)
        clean(run)
        for name in ("a", "g"):
            ask(run, f"stop {name}")
            run.wait_for("guest.stopped", timeout=20, after=last, name=name)
        clean(run)
        text = (run.directory / "serial.log").read_text(errors="replace")
        refused = {name for name in ("a", "g") if f"{name} takes part in a move; wait for device.moved" in text}
        if refused and turn >= 3:
            break
    print(f"\nrefused during a move: {', '.join(sorted(refused)) or 'nobody, the paste came in pieces'}")
    sound(run)
    run.stop()


@pytest.mark.parametrize("how", ["moved", "stopped"])
def test_a_card_that_loses_its_vf_in_a_reset(boot, how):
    """The card takes its VFs away under a running guest: the audit sees it at the next change and takes the card out of
    service. When they are back, and a reset would pass, nobody gets the function all the same."""
    run = boot(NIC.replace("vfs = 2", "vfs = 1") + guest("alpha", "device = uplink.vf0\n") + guest("beta"),
               batch=False, limit=150, extra=gdb.ARGUMENTS)
    debugger = gdb.Debugger(run)
    debugger.go()

    def vf_enable(on: bool) -> None:
        debugger.stop()
        control = struct.unpack("<H", debugger.read(VF_ENABLE, 2))[0]
        assert (control & 1) != on
        debugger.write(VF_ENABLE, struct.pack("<H", control ^ 1))
        debugger.go()

    run.wait_for("monitor.ready", timeout=90)
    for name in ("alpha", "beta"):
        run.wait_for("guest.started", timeout=60, name=name)
    clean(run)
    vf_enable(False)
    last = run.events[-1]
    ask(run, "move uplink.vf0 alpha beta" if how == "moved" else "stop alpha")
    run.wait_for("audit.violation", timeout=30, after=last, invariant="I4", subject="01:00.0")
    run.wait_for("device.quarantined", timeout=20, after=last, rid="01:00.0")
    if how == "moved":
        run.wait_for("device.move_failed", timeout=20, after=last)
    else:
        run.wait_for("guest.stopped", timeout=20, after=last, name="alpha")
        stopped(run, "alpha", reason="monitor")
    # As the audit or the reset comes first.
    assert any(of(run, event, guest="alpha", rid="01:10.0") for event in ("device.blocked", "device.reset_failed"))
    vf_enable(True)
    assert ("alpha has no device uplink.vf0" if how == "moved" else "could not be moved: denied") in ask(
        run, "move uplink.vf0 alpha beta")
    if how == "stopped":
        last = run.events[-1]
        assert "could not be started: denied" in ask(run, "start alpha")
        run.wait_for("guest.stopped", timeout=20, after=last, name="alpha", reason="not-started")
        assert "could not be restarted: denied" in ask(run, "restart alpha")
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    assert not of(run, "device.moved") and len(of(run, "guest.started", name="alpha")) == 1
    run.stop()
