# SPDX-License-Identifier: MIT
"""What runs only at boot is gone once the guests start: overwritten, unmapped, free."""

import bisect
import re
import struct
import subprocess

import pytest
from system.attacks import outside
from system.checks import of, one

from machine import dmar, gdb
from machine.dmar import drhd, rmrr

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

TEXT = "[guest witness]\nimage = witness.elf\nmemory = 4M\nargs = ticks=200\nexpect = exit 0\n"
INT3 = 0xcc


def layout(image) -> dict[str, int]:
    said = subprocess.run(["nm", image], text=True, capture_output=True, check=True).stdout
    return {name: int(value, 16) for value, name in re.findall(r"^(\w+) \w (\w+)$", said, re.MULTILINE)}


@pytest.mark.parametrize("medium", ["disk", "iso"])
def test_it_is_overwritten_and_free(boot, medium):
    run = boot(TEXT, batch=False, limit=120, boot=medium)
    run.wait_for("monitor.ready", timeout=90)
    symbols = layout(boot.built / "bulkhead.elf")
    dropped = symbols["image_text_start"] - symbols["image_start"]
    assert one(run, "boot.dropped").number("bytes") == dropped
    image = one(run, "boot.start").number("image")
    # Free memory: a guest may have some of it, but not this one guest all.
    left = outside(run, image, dropped)
    assert left.count(INT3) > dropped // 2
    assert outside(run, image + dropped, 16) != bytes([INT3]) * 16
    assert not of(run, "audit.violation")
    run.send("poweroff")
    run.wait()


def test_who_calls_it_faults(boot):
    run = boot(TEXT, batch=False, limit=120, extra=gdb.ARGUMENTS)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        run.wait_for("run.verdict", timeout=90)
        debugger.stop()
        target = gdb.symbol(boot.built / "bulkhead.elf", "multiboot2_convert")
        debugger.jump(0, target)
        debugger.go()
        line = run.wait_for("cpu.exception", timeout=30, core=0)
    assert line["name"] == "#PF" and line.number("rip") == target == line.number("cr2"), line.text
    assert line["access"] == "fetch" and line["page"] == "not-present", line.text


def test_a_core_that_comes_late_stops_at_the_gate(boot):
    """As one that the boot core has given up would, long after the guests have started."""
    run = boot(TEXT + TEXT.replace("witness", "late", 1), batch=False, limit=120, cpus=3, extra=gdb.ARGUMENTS)
    gate = gdb.symbol(boot.built / "bulkhead.elf", "core_gate")
    with gdb.Debugger(run) as debugger:
        debugger.go()
        last = run.wait_for("run.verdict", timeout=90, result="ok")
        debugger.stop()
        debugger.jump(2, gate)
        debugger.go()
        for guest in ("late", "witness"):  # the core sleeps until it is to run its guest again
            run.send(f"start {guest}")
            run.wait_for("guest.started", timeout=30, after=last, name=guest)
        run.wait_for("guest.stopped", timeout=60, after=last, name="witness")
        debugger.stop()
        assert gate < debugger.place(2) < gate + 32
        debugger.go()
        assert not of(run, "cpu.exception")
        run.send("poweroff")
        run.wait()


def test_nothing_points_into_it(boot, tmp_path):
    """No variable that stays holds an address of what is gone, such as a text that is asked for late. The machine has
    something to refuse: a unit that is not there, regions that cannot be."""
    (tmp_path / "dmar").write_bytes(dmar.body(drhd(0xfed90000), rmrr(1 << 28, (1 << 28) - 1), rmrr(0, (1 << 64) - 1)))
    run = boot(TEXT, batch=False, limit=120, iommu=False,
               extra=("-acpitable", f"sig=DMAR,data={tmp_path / 'dmar'}"))
    run.wait_for("run.verdict", timeout=90)
    assert len(of(run, "iommu.refused")) == 4
    symbols = layout(boot.built / "bulkhead.elf")
    start, end = symbols["image_start"], symbols["image_text_start"]
    image = one(run, "boot.start").number("image")
    first = symbols["image_data_start"]
    data = outside(run, image + first - start, symbols["boot_stack_guard"] - first)
    places = sorted((address, name) for name, address in symbols.items())
    left = {}
    for n, (value,) in enumerate(struct.iter_unpack("<Q", data)):
        name = places[bisect.bisect(places, (first + 8 * n, "~")) - 1][1]
        if start < value < end and name != "frame_table":  # whose entries have room between their fields
            left[f"{name} at {first + 8 * n:#x}"] = f"{value:#x}"
    assert not left
    run.send("poweroff")
    run.wait()
