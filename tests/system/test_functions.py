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


def pasted(run, *lines: str) -> None:
    """In one write, as from a clipboard: the monitor takes 64 bytes in a turn of the control loop."""
    run.console.send("\x15" + "".join(f"{line}\r" for line in lines))


def test_a_start_pasted_behind_a_move(boot):
    """Neither guest of a move starts before it is over; nothing is left of the attempt."""
    run = boot(NIC + guest("alpha", "device = uplink.vf0\n") + guest("gamma"), batch=False, limit=150)
    run.wait_for("monitor.ready", timeout=90)
    for name in ("alpha", "gamma"):
        run.wait_for("guest.started", timeout=60, name=name)
        ask(run, f"stop {name}")
        run.wait_for("guest.stopped", timeout=20, name=name)
    for turn in range(4):
        there, back = ("alpha", "gamma") if turn % 2 == 0 else ("gamma", "alpha")
        early = "gamma" if turn < 2 else "alpha"  # each of them in either part
        last = run.events[-1]
        pasted(run, f"move uplink.vf0 {there} {back}", f"start {early}")
        run.console.expect_exact(f"{early} takes part in a move; wait for device.moved", timeout=20)
        run.wait_for("device.moved", timeout=20, after=last, to=back)
        clean(run)
        for name in ("alpha", "gamma"):
            ask(run, f"start {name}")
            run.wait_for("guest.started", timeout=20, after=last, name=name)
        clean(run)
        for name in ("alpha", "gamma"):
            ask(run, f"stop {name}")
            run.wait_for("guest.stopped", timeout=20, after=last, name=name)
        clean(run)
    sound(run)
    run.stop()


@pytest.mark.parametrize("how", ["moved", "stopped"])
def test_a_card_that_loses_its_vf_in_a_reset(boot, how):
    """The card takes its VFs away under a running guest, so the reset finds nobody; when they are back, and a reset
    would pass, nobody gets the function all the same."""
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
    run.wait_for("device.reset_failed", timeout=30, after=last, guest="alpha", rid="01:10.0")
    if how == "moved":
        run.wait_for("device.move_failed", timeout=20, after=last)
    else:
        run.wait_for("guest.stopped", timeout=20, after=last, name="alpha")
        stopped(run, "alpha", reason="monitor")
    assert not of(run, "device.moved")
    clean(run)
    vf_enable(True)
    if how == "moved":
        assert "alpha has no device uplink.vf0" in ask(run, "move uplink.vf0 alpha beta")
        assert "hypervisor" in ask(run, "devices")
    else:
        assert "could not be moved: denied" in ask(run, "move uplink.vf0 alpha beta")
        assert "could not be started: denied" in ask(run, "start alpha")
        assert "could not be restarted: denied" in ask(run, "restart alpha")
    clean(run)
    assert not of(run, "device.moved") and len(of(run, "guest.started", name="alpha")) == 1
    assert one(run, "device.reset_failed")["status"] == "timeout"
    run.stop()
