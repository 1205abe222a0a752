# SPDX-License-Identifier: MIT
"""Where the log goes and where keys come from: serial ports that firmware names, PCI cards, screens, no PS/2 keyboard."""

import struct
import subprocess
import time
from pathlib import Path

import pytest
from system.checks import ask, of, one, some, sound

from machine import gdb, screen, tables

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

GUEST = "[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=5\n"
LARGE = (2560, 1440)


def spcr(port: int, kind: int = 0) -> bytes:
    """Microsoft's Serial Port Console Redirection Table, revision 2, of a port with 115200 baud."""
    body = struct.pack("<B3xBBBBQ6xBBBBBBHHBBBIBI", kind, 1, 8, 0, 0, port, 7, 0, 1, 0, 3, 0, 0xffff, 0xffff, 0, 0, 0, 0, 0, 0)
    return tables.table("SPCR", body, revision=2)


def end(run) -> None:
    run.wait_for("guest.stopped", timeout=60, name="alpha")
    run.wait_for("monitor.ready", timeout=30)
    sound(run)
    run.send("poweroff")
    run.wait(30)


def test_the_port_that_firmware_names(boot):
    """COM2, by SPCR alone: the whole log is there, and the prompt answers."""
    run = boot(GUEST, console="com2", tables={"+SPCR": spcr(0x2f8)}, batch=False, limit=90)
    run.wait_for("monitor.ready", timeout=60)
    assert one(run, "console.serial")["source"] == "spcr" and one(run, "console.serial")["port"] == "0x2f8"
    assert one(run, "boot.start")["loader"] == "efi"
    # Before the firmware's console is gone, to whom that is all there is.
    assert "no screen to show the log on" in (run.directory / "serial.log").read_text(errors="replace")
    answer = ask(run, "cpus")
    assert "core 0" in answer and "SMIs, each of which stops all cores: 0 since reset" in answer
    end(run)


def test_the_menu_is_on_it_too(boot):
    """GRUB by itself, rather than through the firmware's console: its own lines are in ASCII."""
    run = boot(scenario=None, console="com2", tables={"+SPCR": spcr(0x2f8)}, batch=False, limit=90)
    run.wait_for("boot.start", timeout=60)
    text = (run.directory / "serial.log").read_text(errors="replace")
    menu = text[:text.index("boot.start")]
    assert "serial port `com0' isn't found" in menu and "serial port `com1'" not in menu
    assert "+------" in menu and "Bulkhead: sriov.conf" in menu
    run.stop()


def test_a_port_that_is_not_there(boot):
    """SPCR says COM3, the configuration COM4, and only COM1 is there: it is used, and both are said on it and on the
    screen."""
    run = boot("[system]\nconsole = com4\n" + GUEST, tables={"+SPCR": spcr(0x3e8)}, batch=False, limit=90, screen=(1280, 800))
    run.wait_for("monitor.ready", timeout=60)
    refused = of(run, "console.refused", device="serial")
    assert [(line["source"], line["port"]) for line in refused] == [("configuration", "0x2e8"), ("spcr", "0x3e8")]
    assert one(run, "console.serial")["source"] == "com1"
    end(run)
    early = some(run, "console.screen")
    assert early.index > refused[-1].index, "said before there was a screen, and shown on it (test_the_screen)"


def test_a_card_of_the_pci_bus(boot):
    """The log goes to COM1 until functions are known, then all of it again to the card, which no guest gets."""
    text = ("[system]\nconsole = pci:00:1e.0\n" + GUEST +
            "[nic line]\ndevice = 00:1e.0\n[guest beta]\nimage = hello.elf\nmemory = 4M\ndevice = line\n"
            "accept_flash = line\nexpect = refused\n")
    run = boot(text, console="pci", batch=False, limit=90)
    run.wait_for("monitor.ready", timeout=60)
    assert one(run, "boot.start")["loader"] == "efi", "what was logged before the card was known"
    line = one(run, "console.serial", source="configuration")
    assert one(run, "console.function")["rid"] == "00:1e.0"
    assert line.index < one(run, "pci.errors").index
    refused = one(run, "device.refused", guest="beta")
    assert refused["device"] == "00:1e.0" and "console" in refused["message"]
    assert "hypervisor" in next(row for row in ask(run, "devices").splitlines() if row.startswith("00:1e.0"))
    end(run)


def shown(run) -> list[str]:
    return screen.lines(run.screenshot("screen.ppm"))


def wait_for_row(run, text: str, limit: float = 60) -> list[str]:
    deadline = time.monotonic() + limit
    while True:
        rows = shown(run)
        if any(text in row for row in rows) or time.monotonic() > deadline:
            return rows
        time.sleep(0.2)


def test_the_screen(boot):
    """A large one: what stands on it, pixel by pixel, is the end of the log and the prompt."""
    run = boot(GUEST, screen=LARGE, batch=False, limit=180)
    run.wait_for("run.verdict", timeout=60)
    line = one(run, "console.screen")
    assert (line["width"], line["height"], line["stride"]) == ("2560", "1440", "10240")
    rows = wait_for_row(run, "run.verdict result=ok")
    assert not any("?" in row for row in rows), rows
    last = max(number for number, row in enumerate(rows) if row)
    assert rows[last].startswith("bulkhead>"), rows[last]
    logged = [line.text for line in run.events][-12:]
    text = "".join(row.ljust(142) for row in rows)
    for words in logged:
        assert words[:100] in text, words
    ask(run, "audit")
    sound(run)
    run.send("poweroff")
    run.wait(30)


def test_an_early_end_is_readable(boot):
    """An exception before there is memory management, on a machine without a serial port: on the screen."""
    run = boot(GUEST, console="none", screen=LARGE, batch=False, limit=60, extra=gdb.ARGUMENTS)
    with gdb.Debugger(run) as debugger:
        place = gdb.symbol(boot.built / "bulkhead.elf", "frames_init")
        debugger.go_to(place)
        debugger.write(place, b"\x0f\x0b", physical=False)  # ud2
        debugger.go()
        rows = wait_for_row(run, "cpu.backtrace", 40)
    assert any("cpu.exception core=0 vector=6 name=#UD" in row for row in rows), rows
    assert any("boot.start version=" in row for row in rows)
    run.stop()


def test_what_shows_the_log_may_fail(boot):
    """An exception while a line is shown: the report of it is kept all the same, once, and the core halts. The log is read
    in memory from outside."""
    run = boot(GUEST, console="none", screen=LARGE, batch=False, limit=90, extra=gdb.ARGUMENTS)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        run.wait_for("guest.stopped", timeout=60, name="alpha")
        debugger.stop()
        sink = gdb.symbol(boot.built / "bulkhead.elf", "log_sink")
        debugger.write(sink, struct.pack("<Q", 0xffffffff00001000), physical=False)
        debugger.go()
        run.press("audit\n")  # says something
        run.wait_for("cpu.exception", timeout=30)
        time.sleep(3)
    assert [(line["name"], line["rip"]) for line in of(run, "cpu.exception")] == [("#PF", "0xffffffff00001000")] * 2
    run.stop()


def test_which_of_several_screens(boot):
    """The console's cannot be drawn on, nor can the next two; of the last one the size is a lie (tests/efi/graphics.c)."""
    subprocess.run(["make", "-s", "--no-print-directory", "efi-tests"], cwd=ROOT, check=True)
    run = boot(GUEST, screen=(1280, 800), batch=False, limit=90,
               files={"/EFI/bulkhead/bulkhead.efi": boot.built / "tests/graphics.efi",
                      "/EFI/bulkhead/loader.efi": boot.built / "bulkhead.efi"})
    run.wait_for("run.verdict", timeout=60)
    message = one(run, "console.screen")["message"]
    assert "size" in message and "PixelBltOnly" in message, message
    assert any("run.verdict result=ok" in row for row in wait_for_row(run, "run.verdict result=ok"))
    end(run)


def looks(run, seconds: float = 1) -> int:
    """Reads of the keyboard controller's status port while the machine is at the prompt."""
    trace = run.directory / "trace.log"
    before = trace.stat().st_size
    run.qmp("trace-event-set-state", name="memory_region_ops_read", enable=True)
    time.sleep(seconds)
    run.qmp("trace-event-set-state", name="memory_region_ops_read", enable=False)
    with trace.open() as stream:
        stream.seek(before)
        return sum(" addr 0x64 " in line for line in stream)


@pytest.mark.parametrize("board", ["", "i8042=off"])
def test_no_keyboard_controller(boot, board):
    """Where nothing is at port 64h, and the FADT says so, it is not looked at again and again: with firmware that
    emulates a controller each look would stop all cores."""
    run = boot(GUEST, board=board, batch=False, limit=90, extra=("-D", "trace.log"))
    run.wait_for("run.verdict", timeout=60)
    if board:
        assert "FADT" in one(run, "console.refused", device="keyboard")["message"]
        assert not of(run, "console.keyboard")
        assert looks(run) == 0
    else:
        assert one(run, "console.keyboard")["type"] == "ps2"
        assert looks(run) > 10
    end(run)
