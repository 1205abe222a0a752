# SPDX-License-Identifier: MIT
"""From the firmware to the hypervisor: nothing that firmware left running masters the bus in between."""

import struct
import subprocess
import time
from pathlib import Path

import pytest
from bench.native import SAME_CLOCK, one_by_one
from system.checks import one, sound

from machine import gdb

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.tcg, pytest.mark.timeout(120)]

ECAM = 0xe0000000
EDU = 0x1e  # QEMU's teaching device, which no firmware has a driver for
COMMAND = ECAM + (EDU << 15) + 4
MEMORY, MASTER = 2, 4
TEXT = "[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=5\n"


def command(debugger) -> int:
    return struct.unpack("<H", debugger.read(COMMAND, 2))[0]


def test_the_loader_silences_what_firmware_left_running(boot):
    """A device that masters the bus while the loader starts is silent at the hypervisor's first instruction."""
    run = boot(TEXT, extra=gdb.ARGUMENTS + ("-device", f"edu,addr={EDU:#x}"), batch=False, limit=90)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        run.console.expect_exact("BdsDxe: starting", timeout=60)  # not every GRUB greets
        debugger.stop()
        debugger.write(COMMAND, struct.pack("<H", MEMORY | MASTER))
        assert command(debugger) & MASTER
        debugger.go_to(gdb.symbol(boot.built / "bulkhead.elf", "hypervisor_main"))
        assert command(debugger) & (MASTER | MEMORY) == MEMORY
        debugger.go()
        run.wait_for("guest.stopped", timeout=60, name="alpha")
        assert one(run, "boot.start")["loader"] == "efi"
        sound(run)
        run.send("poweroff")
        run.wait(30)


def test_grub_has_nothing_to_complain_about(boot):
    """Between the firmware's last line and the loader's first: a user sees this."""
    run = boot.to_the_end(TEXT)
    text = (run.directory / "serial.log").read_text(errors="replace")
    said = text.split("BdsDxe: starting")[1].split("boot.start")[0]
    assert "error" not in said and "Unknown command" not in said, said


def test_the_hypervisor_silences_what_the_loader_left_running(boot):
    """Again, for loaders that do not: nothing is written by a device that has just been told to."""
    run = boot(TEXT, extra=gdb.ARGUMENTS + ("-device", f"edu,addr={EDU:#x},dma_mask=0xffffffff"), batch=False, limit=90)
    image = boot.built / "bulkhead.elf"
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(image, "hypervisor_main"))
        debugger.write(COMMAND, struct.pack("<H", MEMORY | MASTER))
        devices = run.qmp("human-monitor-command", **{"command-line": "info pci"})
        part = devices.split("1234:11e8")[1]
        registers = int(part.split("32 bit memory at ")[1].split()[0], 16)
        target = 0x10000000
        before = debugger.read(target, 256)
        # From its buffer into memory; the transfer begins 100 ms later.
        for offset, value in ((0x80, 0x40000), (0x88, target), (0x90, 256), (0x98, 3)):
            debugger.write(registers + offset, struct.pack("<Q", value))
        marked = bytes(255 - byte for byte in before)
        debugger.write(target, marked)
        debugger.go()
        time.sleep(1)
        debugger.stop()
        assert debugger.read(target, 256) == marked, "written after the hand-over"
        assert not command(debugger) & MASTER
        debugger.go()
        run.wait_for("guest.stopped", timeout=60, name="alpha")
        sound(run)
        run.send("poweroff")
        run.wait(30)


def pattern() -> bytes:
    """What the device holds (tests/efi/busmaster.c)."""
    return b"".join(struct.pack("<I", 0x9e3779b9 ^ (index + 1) * 2654435761 & 0xffffffff) for index in range(1024))


def pages_with_pattern(run, megabytes: int) -> list[int]:
    """Addresses of memory, looked at from outside."""
    run.qmp("stop")
    found, whole, chunk = [], pattern(), 64 << 20
    target = run.directory / "memory"
    for start in range(0, megabytes << 20, chunk):
        run.qmp("pmemsave", val=start, size=chunk, filename=str(target))
        content = target.read_bytes()
        at = content.find(whole[:64])
        while at >= 0:
            found.append(start + at)
            at = content.find(whole[:64], at + 1)
    target.unlink()
    run.qmp("cont")
    return found


def through_the_hand_over(boot):
    """A run at the hypervisor's first instruction, with the device's page not written, and whether it still is to be. Time
    counts instructions, so that a busy computer does not make the firmware's last steps longer than the device waits."""
    run = boot(TEXT, batch=False, limit=120, memory=512, icount=1,
               extra=gdb.ARGUMENTS + SAME_CLOCK + ("-device", f"edu,addr={EDU:#x},dma_mask=0xffffffff"),
               files={"/EFI/bulkhead/bulkhead.efi": boot.built / "tests/busmaster.efi",
                      "/EFI/bulkhead/loader.efi": boot.built / "bulkhead.efi"})
    with gdb.Debugger(run) as debugger:
        debugger.go_to(gdb.symbol(boot.built / "bulkhead.elf", "hypervisor_main"))
        run.console.expect(r"busmaster: the device writes page (\w+)", timeout=60)
        assert debugger.read(int(run.console.match.group(1), 16), 64) != pattern()[:64], "written before the hand-over"
        assert not command(debugger) & MASTER
        one_by_one(run)
        debugger.go()
    return run


def test_a_device_that_dmas_through_the_hand_over(boot):
    """A driver of firmware's whose device writes a page every 100 ms, and once more 100 ms after it was told to as boot
    services ended (tests/efi/busmaster.c): what it holds is nowhere in memory afterwards."""
    subprocess.run(["make", "-s", "--no-print-directory", "efi-tests"], cwd=ROOT, check=True)
    run = through_the_hand_over(boot)
    run.wait_for("guest.stopped", timeout=60, name="alpha")
    time.sleep(1)
    assert one(run, "boot.start")["loader"] == "efi"
    assert pages_with_pattern(run, 512) == [], "written after the hand-over"
    sound(run)
    run.send("poweroff")
    run.wait(30)
