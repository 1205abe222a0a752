# SPDX-License-Identifier: MIT
"""A log outlives a reset: the EFI application of the next boot saves it, with the report of the crash, once."""

import re
import struct
import subprocess
import time

import pytest
from system.checks import of, one

from conftest import ROOT, make
from machine import PATIENCE, disk, gdb

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

TEXT = "[guest witness]\nimage = witness.elf\nmemory = 4M\nargs = ticks=100\nexpect = exit 0\n"
ROGUE = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 1\n[guest rogue]\nimage = rogue.elf\nmemory = 32M\ndevice = uplink.vf0\n"
         "args = targets=@memory(rogue)+64M rounds=1\nexpect = exit 0\nexpect_faults = 1\n")


PROLOGUE, UD2 = bytes.fromhex("554889e5"), bytes.fromhex("0f0b")


def crash(boot, run) -> None:
    """An undefined instruction in the middle of what the prompt's `audit` calls."""
    start = one(run, "boot.start")
    where = gdb.symbol(boot.built / "bulkhead.elf", "audit_enforce") - 0xffffffff80000000 + start.number("image")
    with gdb.Debugger(run) as debugger:
        assert debugger.read(where, 4) == PROLOGUE
        debugger.write(where + 4, UD2)
        debugger.go()
        run.send("audit")
        run.wait_for("crash.fault", timeout=30)
        time.sleep(0.5)
        debugger.stop()


def again(run):
    """A warm reset; the first event of the next boot."""
    last = run.events[-1]
    run.qmp("set-action", reboot="reset")
    run.qmp("system_reset")
    run.qmp("cont")
    return run.wait_for("boot.start", timeout=60, after=last)


def beginning(run, start) -> int:
    """The index of the first event of the boot of that boot.start: lines about the console come before it."""
    first = start.index
    while first > 0 and run.events[first - 1].event.startswith("console."):
        first -= 1
    return first


def texts_between(run, start, after) -> list[str]:
    """What was logged from the boot of one boot.start to that of another, to the very last line before the reset."""
    return [event.text for event in run.events[beginning(run, start):beginning(run, after)]]


def saved(run, name: str = "/bulkhead/last.log") -> str:
    return disk.read_from_image(run.directory / "bulkhead.img", name).decode()


def symbols(path, *options):
    return subprocess.run([ROOT / "tests/tools/symbols.py", *options, path], text=True, capture_output=True,
                          timeout=60 * PATIENCE, check=False)


@pytest.fixture(scope="module")
def crashed(boot):
    run = boot(ROGUE, batch=False, limit=220, extra=[word for word in gdb.ARGUMENTS if word != "-S"])
    run.wait_for("run.verdict", timeout=60)
    crash(boot, run)
    first = list(run.events)
    start = again(run)
    run.wait_for("monitor.ready", timeout=60, after=start)
    return run, first, start


def test_the_next_boot_saves_it(crashed):
    run, first, start = crashed
    line = run.wait_for("log.saved", timeout=5, after=start)
    assert (line["crash"], line["from"], line["file"], line["missing"]) == ("yes", "memory", "last.log", "0"), line.text
    text = saved(run)
    assert line.number("bytes") == len(text)
    head, *lines = text.splitlines()
    assert head == f"[0.000000] log.last from=memory lines={len(lines)} missing=0 crash=yes"
    assert lines == [event.text for event in first], "not what the serial line has had"
    assert "Bulkhead: the log of the last run is saved: \\bulkhead\\last.log" in "\n".join(run.log.lines)
    # What the machine did last is part of it.
    for event in ("cpu.exception core=0 vector=6", "cpu.registers core=0 rax=", "cpu.backtrace core=0 frames=0x",
                  "guest.exits core=1 vcpu=0 total=", "crash.fault at="):
        assert f"] {event}" in text, event


def test_symbols(crashed, boot, tmp_path):
    run, _first, _start = crashed
    path = tmp_path / "last.log"
    path.write_text(saved(run))
    done = make("symbols", f"LOG={path}", timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for name, place in (("audit_enforce\\+0x4", "audit/quarantine.c"), ("audit", "monitor/commands.c"),
                        ("monitor_run", "monitor/monitor.c"), ("control_loop", "monitor/control_loop.c"),
                        ("hypervisor_main", "setup/main.c")):
        assert re.search(rf"^ +0x[0-9a-f]{{16}} (\w+\+0x[0-9a-f]+ \S+:\d+ in )?{name}.* hypervisor/{place}:\d+", done.stdout,
                         re.MULTILINE), (name, done.stdout)
    # Another build, a file that names none, and what is not a log at all.
    path.write_text(re.sub(r" build=[0-9a-f]{8}", " build=00000000", path.read_text()))
    done = symbols(path)
    assert done.returncode == 1 and "written by build 00000000" in done.stderr and "audit_enforce" not in done.stdout
    path.write_text("\n".join(line for line in saved(run).splitlines() if "boot.start" not in line))
    done = symbols(path)
    assert done.returncode == 1 and "no boot.start with build=" in done.stderr
    path.write_bytes(bytes(range(256)) * 50)
    for arguments in ((path,), (tmp_path,), (tmp_path / "nothing",), (path, "--elf", path), (path, "--elf", tmp_path)):
        done = symbols(*arguments)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.startswith("symbols: "), done.stderr


def test_once(crashed):
    """The boot after that saves the log of the boot between, and no crash. It comes by the prompt's own reset."""
    run, _first, start = crashed
    last = run.events[-1]
    run.send("reboot")
    after = run.wait_for("boot.start", timeout=60, after=last)
    between = texts_between(run, start, after)
    line = run.wait_for("log.saved", timeout=30, after=after)
    assert (line["crash"], line["missing"]) == ("no", "0")
    assert saved(run).splitlines()[1:] == between and "monitor.reboot" in "\n".join(between)
    run.wait_for("monitor.ready", timeout=60, after=after)
    assert not [event for event in of(run, "audit.violation")]


def test_what_firmware_has_overwritten(crashed):
    """A hole and a flipped bit cost the lines that they hit; the others are saved, and how many are missing is said."""
    run, _first, _start = crashed
    start, base = of(run, "boot.start")[-1], of(run, "log.kept")[-1].number("base")
    last = run.events[-1]
    run.send("audit")  # a line that the debugger cuts in two would be whole in memory alone
    run.wait_for("audit.ok", timeout=30, after=last)
    time.sleep(0.5)
    with gdb.Debugger(run) as debugger:
        kept = debugger.read(base, 0x2000)
        debugger.write(base, bytes(0x20))  # one of the two copies of the first line
        debugger.write(base + 0x1b00, bytes([0xaf]) * 0x200)
        flipped = kept.index(b"acpi.table", 0x1000)
        debugger.write(base + flipped, bytes([kept[flipped] ^ 0x10]))
    after = again(run)
    lines = texts_between(run, start, after)
    line = run.wait_for("log.saved", timeout=30, after=after)
    missing = line.number("missing")
    assert 3 <= missing <= 10, line.text
    head, *text = saved(run).splitlines()
    assert f"lines={line['lines']} missing={missing} crash=no" in head
    gaps = [int(gap) for gap in re.findall(r"log.gap lines=(\d+)", "\n".join(text))]
    sound = [entry for entry in text if "log.gap" not in entry]
    assert sum(gaps) == missing and len(gaps) == 2 and sound[0] == lines[0]
    assert set(sound) <= set(lines) and len(sound) == len(lines) - missing
    run.wait_for("monitor.ready", timeout=60, after=after)


def fill(run) -> None:
    """Nothing more fits on the stick."""
    image, size = run.directory / "bulkhead.img", 32 << 20
    while size >= 2048:
        (run.directory / "filler").write_bytes(bytes(size))
        done = subprocess.run(["mcopy", "-i", f"{image}@@{disk.esp_offset(image)}", run.directory / "filler",
                               f"::/fill{time.monotonic_ns():x}"], check=False, capture_output=True)
        size = size // 2 if done.returncode else size
    (run.directory / "filler").unlink()


def test_a_full_stick(crashed):
    """Said, and the boot goes on; what of the log found room is there."""
    run, _first, _start = crashed
    subprocess.run(["mdel", "-i", f"{run.directory / 'bulkhead.img'}@@{disk.esp_offset(run.directory / 'bulkhead.img')}",
                    "::/bulkhead/last.log"], check=True)
    fill(run)
    start = again(run)
    line = run.wait_for("log.refused", timeout=30, after=start)
    assert "last.log: the volume is full" in line["message"], line.text
    run.wait_for("monitor.ready", timeout=60, after=start)


def test_a_write_protected_stick(boot):
    run = boot(TEXT, batch=False, limit=150, boot="usb", extra=("-set", "drive.boot.readonly=on"))
    run.wait_for("monitor.ready", timeout=60)
    start = again(run)
    line = run.wait_for("log.refused", timeout=30, after=start)
    assert "last.log: the volume is write-protected" in line["message"], line.text
    assert f"Bulkhead: {line['message']}" in run.log.lines
    run.wait_for("monitor.ready", timeout=60, after=start)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("erst") / "store"
    path.write_bytes(bytes(64 << 10))
    return path


def records(store) -> int:
    """QEMU's own count of them."""
    magic, count = struct.unpack_from("<8s12xI", store.read_bytes())
    assert magic == b"ERSTSTOR"
    return count


def test_firmwares_store(boot, store, tmp_path):
    """The machine is switched off and on: memory is lost, the crash is in firmware's store (ERST), and is saved from
    there, once. What was the newest is in it, and which build it was."""
    erst = ("-object", f"memory-backend-file,id=erst,mem-path={store},size=64K,share=on", "-device", "acpi-erst,memdev=erst")
    run = boot(ROGUE, batch=False, limit=150, extra=[*(word for word in gdb.ARGUMENTS if word != "-S"), *erst])
    run.wait_for("run.verdict", timeout=60)
    assert one(run, "log.erst").number("bytes") > 4096
    crash(boot, run)
    first = [event.text for event in run.events]
    run.stop()
    assert records(store) == 1
    run = boot(TEXT, batch=False, limit=150, extra=erst)
    line = run.wait_for("log.saved", timeout=60)
    assert (line["crash"], line["from"]) == ("yes", "erst") and line.number("lines") > 20, line.text
    run.wait_for("monitor.ready", timeout=60)
    head, *rest = saved(run).splitlines()
    start, *kept = [text for text in rest if "log.gap" not in text]
    assert "from=erst" in head and start == next(text for text in first if "boot.start" in text)
    assert kept == first[len(first) - len(kept):] and len(kept) == line.number("lines") - 1
    path = tmp_path / "last.log"
    path.write_text(saved(run))
    assert "audit_enforce+0x4" in symbols(path).stdout
    assert records(store) == 0, "it would be saved again"
