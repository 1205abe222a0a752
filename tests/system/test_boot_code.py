# SPDX-License-Identifier: MIT
"""What runs only at boot, and what the machine has no use of, is gone once the guests start: overwritten, unmapped, free."""

import bisect
import re
import struct
import subprocess

import pytest
from system.attacks import outside, pair
from system.checks import of, one

from machine import dmar, gdb
from machine.dmar import drhd, rmrr

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

TEXT = "[guest witness]\nimage = witness.elf\nmemory = 4M\nargs = ticks=200\nexpect = exit 0\n"
NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
INT3 = 0xcc
PAGE = 4096


def layout(image) -> dict[str, int]:
    said = subprocess.run(["nm", image], text=True, capture_output=True, check=True).stdout
    return {name: int(value, 16) for value, name in re.findall(r"^(\w+) \w (\w+)$", said, re.MULTILINE)}


def parts(symbols: dict[str, int], group: str) -> list[tuple[int, int]]:
    """First address and bytes of what the linker made of a group of hypervisor/layers.txt."""
    found = [(symbols[f"{group}_{part}_start"], symbols[f"{group}_{part}_end"]) for part in ("text", "rodata", "data")]
    return [(start, (end - start + PAGE - 1) // PAGE * PAGE) for start, end in found]


def size(symbols: dict[str, int], group: str) -> int:
    return sum(count for _, count in parts(symbols, group))


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


@pytest.mark.parametrize("card", ["no card", "card"])
def test_what_the_machine_does_not_use_goes(boot, card):
    """The other back-end, and the drivers of cards that are not there; the others are still there and at work."""
    run = boot(TEXT if card == "no card" else NIC + pair(count=20), batch=False, limit=120)
    run.wait_for("run.verdict", timeout=90, result="ok")
    symbols = layout(boot.built / "bulkhead.elf")
    used = {one(run, "cpu.backend")["name"]} | ({"igb"} if card == "card" else set())
    unused = {"vmx", "svm", "igb", "nvme"} - used
    assert {line["name"]: line.number("bytes") for line in of(run, "boot.unused")} == \
        {group: size(symbols, group) for group in unused}
    image = one(run, "boot.start").number("image")
    for group in (*unused, *used):
        for start, count in parts(symbols, group)[:2]:
            shown = outside(run, image + start - symbols["image_start"], 64)
            assert (shown == bytes([INT3]) * 64) == (group in unused), (group, hex(start))
    assert not of(run, "audit.violation")
    run.send("poweroff")
    run.wait()


@pytest.mark.parametrize("name", ["multiboot2_convert", "vmx_exited", "igb_mailbox_service", "nvme_execute"])
def test_who_calls_it_faults(boot, name):
    run = boot(TEXT, batch=False, limit=120, extra=gdb.ARGUMENTS)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        run.wait_for("run.verdict", timeout=90)
        debugger.stop()
        target = gdb.symbol(boot.built / "bulkhead.elf", name)
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


def test_a_core_that_never_leaves_boot_code_is_given_up(boot):
    """It is held in an endless loop on its way to the idle loop: what runs only at boot may not go under it, and the rest
    does not wait for ever."""
    run = boot(TEXT, batch=False, limit=120, cpus=3, extra=gdb.ARGUMENTS)
    image = boot.built / "bulkhead.elf"
    symbols = layout(image)
    on_the_way = gdb.symbol(image, "core_state_load")
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(image, "smp_core_main"))  # the boot core has been there
        debugger.go_to(on_the_way)
        core = next(core for core in (1, 2) if debugger.place(core) == on_the_way)
        loop = gdb.symbol(image, "multiboot2_convert")  # which has done its work, or never will
        debugger.write(one(run, "boot.start").number("image") + loop - symbols["image_start"], b"\xeb\xfe")
        debugger.jump(core, loop)
        debugger.go()
        run.wait_for("run.verdict", timeout=90, result="ok")
    line = one(run, "cpu.refused", apic=core)
    assert "did not get to its idle loop" in line["message"], line.text
    online = one(run, "cpu.online")
    assert (online["count"], online["listed"]) == ("2", "3")
    assert not of(run, "cpu.exception") and not of(run, "audit.violation")
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
    start = symbols["image_start"]
    gone = [(start, symbols["image_text_start"] - start)]
    for line in of(run, "boot.unused"):
        gone += parts(symbols, line["name"])
    assert len(gone) == 10
    image = one(run, "boot.start").number("image")
    first = symbols["image_data_start"]
    data = outside(run, image + first - start, symbols["boot_stack_guard"] - first)
    places = sorted((address, name) for name, address in symbols.items())
    left = {}
    for n, (value,) in enumerate(struct.iter_unpack("<Q", data)):
        name = places[bisect.bisect(places, (first + 8 * n, "~")) - 1][1]
        if any(0 <= value - first_gone < count for first_gone, count in gone) and value != start and name != "frame_table":  # whose entries have room between their fields
            left[f"{name} at {first + 8 * n:#x}"] = f"{value:#x}"
    assert not left
    run.send("poweroff")
    run.wait()
