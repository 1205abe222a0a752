# SPDX-License-Identifier: MIT
"""Registers in the wrong place: firmware that puts one function's over another's, and a device that moves its own."""

import struct
import time

import pytest
from system.checks import of, one, some, sound, stopped, verdict

from machine import Nic, gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

ECAM = 0xe0000000
PF, WHOLE = 0x0100, 0x0200  # 01:00.0 and 02:00.0, behind the ports 00:02.0 and 00:03.0
BAR0, MEMORY_WINDOW, COMMAND = 0x10, 0x20, 4
NICS = (Nic("igb"), Nic("e1000e"))
GUEST = "[guest {}]\nimage = hello.elf\nmemory = 4M\n{}\n"
TEXT = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n[nic whole]\ndevice = 8086:10d3\n"
        + GUEST.format("greedy", "device = whole\naccept_flash = whole\nexpect = refused")
        + GUEST.format("victim", "device = uplink.vf0\nexpect = refused")
        + GUEST.format("alone", "args = status=4\nexpect = exit 4"))


def word(debugger, rid: int, offset: int, value: int | None = None) -> int:
    """A register of configuration space, from outside."""
    address = ECAM + (rid << 12) + offset
    if value is not None:
        debugger.write(address, struct.pack("<I", value))
    return struct.unpack("<I", debugger.read(address, 4))[0]


def ports(debugger) -> dict[int, int]:
    """The root ports on bus 0 by the bus behind them."""
    return {word(debugger, device << 3, 0x18) >> 8 & 0xff: device << 3 for device in range(1, 32)
            if word(debugger, device << 3, 8) >> 16 == 0x0604}


def misled(boot, poke, text: str = TEXT):
    """A machine whose firmware seems to have done what `poke` does, just before the hypervisor starts."""
    run = boot(text, nics=NICS, extra=gdb.ARGUMENTS, limit=90)
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(boot.built / "bulkhead.elf", "hypervisor_main"))
        poke(debugger)
        debugger.go()
        run.wait()
    return run


def refused_all(run) -> None:
    for guest in ("greedy", "victim"):
        assert not of(run, "device.assigned", guest=guest)
        some(run, "guest.refused", guest=guest)
    stopped(run, "alone", status=4)
    verdict(run)


def test_one_functions_registers_over_anothers(boot):
    """A card for a guest answers where the PF does. Neither is given away, and the line names both."""
    def poke(debugger):
        port = ports(debugger)
        window = word(debugger, port[1], MEMORY_WINDOW)
        word(debugger, port[2], MEMORY_WINDOW, window)
        base = word(debugger, PF, BAR0) & ~0xf
        assert word(debugger, WHOLE, BAR0, base) & ~0xf == base
        for rid in (PF, WHOLE):
            word(debugger, rid, COMMAND, 2)
    run = misled(boot, poke)
    lines = [line for line in of(run, "pci.refused", rid="01:00.0", bar="0") if line.text.find("other=02:00.0") > 0]
    assert len(lines) == 1 and lines[0]["base"] == lines[0]["other_base"] and lines[0]["other_bar"] == "0"
    assert "pci.refused" in one(run, "nic.refused", nic="uplink")["message"]
    assert "pci.refused" in one(run, "device.refused", guest="greedy", device="02:00.0")["message"]
    refused_all(run)


def test_registers_that_no_bridge_forwards(boot):
    """The card's registers lie outside of its port's window; the other card is as good as ever."""
    def poke(debugger):
        word(debugger, WHOLE, BAR0, 0xf0000000)
    run = misled(boot, poke, TEXT.replace("device = uplink.vf0\nexpect = refused", "device = uplink.vf0"))
    line = one(run, "pci.refused", rid="02:00.0", base="0xf0000000")
    assert "outside of what the bridge above" in line["message"]
    assert "pci.refused" in one(run, "device.refused", guest="greedy", device="02:00.0")["message"]
    one(run, "device.assigned", guest="victim")
    stopped(run, "victim")
    stopped(run, "alone", status=4)
    verdict(run)


def test_a_device_that_moves_its_registers(boot):
    """Past the hypervisor, over the PF's, as by a back door of its own: the audit finds it, its guest is stopped and
    not started again, and the others go on."""
    text = TEXT.replace("device = uplink.vf0\nexpect = refused", "device = uplink.vf0\nargs = ticks=1000000")
    text = text.replace("accept_flash = whole\nexpect = refused", "accept_flash = whole\nargs = ticks=1000000")
    run = boot(text, nics=NICS, extra=gdb.ARGUMENTS, limit=90, batch=False)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        run.wait_for("guest.started", timeout=60, name="greedy")
        run.wait_for("guest.started", timeout=60, name="victim")
        run.wait_for("guest.stopped", timeout=60, name="alone")
        time.sleep(1)
        debugger.stop()
        sound_so_far = not of(run, "audit.violation")
        mine, base = word(debugger, WHOLE, BAR0), word(debugger, PF, BAR0) & ~0xf
        assert sound_so_far and mine & ~0xf != base
        word(debugger, WHOLE, BAR0, base)
        debugger.go()
        run.send("audit")
        found = run.wait_for("audit.violation", timeout=30, subject="02:00.0")
        assert found["invariant"] == "I2" and (found["where"], found["value"]) == (f"{mine & ~0xf:#x}", f"{base:#x}")
        assert run.wait_for("guest.quarantined", timeout=30, name="greedy")
        run.wait_for("guest.stopped", timeout=30, name="greedy")
        debugger.stop()
        assert word(debugger, WHOLE, BAR0) == mine, "its reset brings it back"
        debugger.go()
        last = run.events[-1]
        run.send("audit")
        run.wait_for("audit.ok", timeout=30, after=last)
        assert not of(run, "guest.stopped", name="victim") and not of(run, "guest.quarantined", name="victim")
        run.send("poweroff")
        run.wait(30)
