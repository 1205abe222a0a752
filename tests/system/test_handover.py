"""From the firmware to the hypervisor: nothing that firmware left running masters the bus in between."""

import struct
import time

import pytest
from system.checks import one, sound

from machine import gdb

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
        run.console.expect_exact("Welcome to GRUB!", timeout=60)
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
