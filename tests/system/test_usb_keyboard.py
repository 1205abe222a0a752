# SPDX-License-Identifier: MIT
"""A USB keyboard at the prompt: its driver is a guest, and nobody else types there."""

import re
import time

import pytest
from machine import PATIENCE
from system.checks import ask, of, one, some, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

KEYBOARD = """
[nic usb]
device = 1b36:000d

[guest keyboard]
image  = keyboard.elf
memory = 8M
device = usb
accept_flash  = usb
{grant}
"""
TYPIST = "[guest {name}]\nimage = typist.elf\nmemory = 4M\nargs = stop={victim} seconds={seconds}\n{grant}\n"
WITNESS = "[guest alpha]\nimage = witness.elf\nmemory = 4M\nargs = ticks=2000\n"
SERIAL = "[guest serial]\nimage = multiboot.elf\nmemory = 16M\nargs = stay=1\nexpect = stopped\n"
GRANT = "console_input = yes\nexpect = stopped"
SECOND = "[nic more]\ndevice = 00:18.0\n"
XHCI = ("-device", "qemu-xhci,id=xhci")
KEYS = ("-device", "usb-hub,id=hub,bus=xhci.0,port=2", "-device", "usb-kbd,id=inner,bus=xhci.0,port=2.3",
        "-device", "nec-usb-xhci,id=more,addr=0x18")


def seen(run, after: int, pattern: str, timeout: float = 15) -> int:
    """Waits for the pattern on the console behind that byte; the byte behind it."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        text = (run.directory / "serial.log").read_bytes().decode(errors="replace")
        found = re.compile(pattern).search(text, after)
        if found:
            return found.end()
        assert time.monotonic() < end, run.explain(f"no {pattern!r} on the console")
        time.sleep(0.1)


def press(run, *keys: str) -> None:
    run.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys])
    time.sleep(0.25)


def said(run, pattern: str, after=None):
    """The keyboard's guest says that; the line."""
    end = time.monotonic() + 20 * PATIENCE
    while True:
        lines = [line for line in of(run, "guest.output", name="keyboard") if after is None or line.index > after.index]
        found = [line for line in lines if re.search(pattern, line["text"])]
        if found:
            return found[0]
        assert time.monotonic() < end, run.explain(f"the keyboard's guest does not say {pattern!r}")
        time.sleep(0.1)


def test_what_is_typed_is_carried_out(boot):
    """Booted from a stick on the same controller, on the root bus; the keyboard is behind a hub, is unplugged and another
    plugged into a second controller; its guest is restarted by what is typed on it. Arrow keys are the prompt's, Ctrl-\\
    leaves a guest's console. A guest without the grant tries to end another one all the while."""
    text = KEYBOARD.format(grant="device = more\naccept_flash = more\n" + GRANT) + SECOND + SERIAL + WITNESS + TYPIST.format(name="intruder", victim="alpha", seconds=3, grant="")
    run = boot(text, boot="usb", nics=(), extra=KEYS, cpus=6, batch=False, limit=120)
    run.wait_for("monitor.ready", timeout=60)
    one(run, "console.input", guest="keyboard")
    assert [line["status"] for line in of(run, "usb.handoff", kind="xhci")] == ["ok", "ok"]
    resets = of(run, "pci.reset")
    assert [line["method"] for line in resets] == ["xhci", "xhci"]
    said(run, r"port 1-\d: no keyboard \(46f4:0001\)")
    said(run, r"port 1-\d\.3: a keyboard")
    run.press("guests\r")
    at = seen(run, 0, r"bulkhead> guests\s+name +state[^>]*\nkeyboard +running")

    press(run, "x")
    press(run, "ctrl", "u")
    press(run, "up")  # `guests` once more,
    press(run, "left")
    press(run, "down")  # or not
    press(run, "pgdn")
    run.press("audit\r")
    at = seen(run, at, r"bulkhead> audit\s")
    run.press("console serial\r")
    at = seen(run, at, r"serial line of serial; Ctrl-")
    press(run, "ctrl", "backslash")
    run.press("cpus\r")
    at = seen(run, at, r"bulkhead> cpus\s+core 0:")

    gone = run.events[-1]
    run.qmp("device_del", id="inner")
    said(run, r"port 1-\d\.3: it is gone", gone)
    run.qmp("device_add", driver="usb-kbd", id="outer", bus="more.0", port="4")
    said(run, r"port 2-\d: a keyboard", gone)
    run.press("Restart\x7f\x7f\x7f\x7f\x7f\x7f\x7f")  # what Shift and backspace do
    before = run.events[-1]
    run.press("restart keyboard\r")
    run.wait_for("guest.started", timeout=40, after=before, name="keyboard")
    said(run, r"port 2-\d: a keyboard", before)
    run.press("guests\r")
    seen(run, at, r"bulkhead> guests\s+name")
    assert [line["status"] for line in of(run, "pci.reset")] == ["ok"] * 4

    run.wait_for("guest.stopped", timeout=60, name="alpha")
    stopped(run, "alpha")
    assert one(run, "console.input_denied")["guest"] == "intruder"
    stopped(run, "intruder")
    typed = some(run, "guest.output", name="intruder")["text"]
    assert re.match(r"typed 0, busy 0, denied \d{3,}, wrong 0$", typed), typed
    assert not of(run, "dma.fault")
    ask(run, "audit")
    run.press("poweroff\r")
    run.wait(30)
    sound(run)


def test_a_controller_reaches_its_guest_only(boot):
    """Events written to, and commands read from, another guest's memory and the hypervisor's: blocked and named."""
    text = ("[nic usb]\ndevice = 1b36:000d\n[guest rogue]\nimage = usbrogue.elf\nmemory = 8M\ndevice = usb\naccept_flash = usb\n"
            "args = targets=@memory(alpha),@memory(hypervisor)\nfault_threshold = 100\nexpect_faults = 4\n" + WITNESS)
    run = boot.to_the_end(text, nics=(), extra=XHCI, limit=90)
    assert some(run, "guest.output", name="rogue", text="2 targets tried, a controller that works 2 times")
    alpha = one(run, "guest.created", name="alpha").number("base")
    hit = {(line.number("address") & ~0xfff == alpha, line["access"]) for line in of(run, "dma.fault", guest="rogue")}
    assert hit == {(True, "read"), (True, "write"), (False, "read"), (False, "write")}, hit
    stopped(run, "alpha")
    verdict(run)


def test_a_flood_at_the_prompt(boot):
    """A guest that may type does so as fast as it can: 50 characters a second, and nobody else is held up. The keyboard's
    guest lacks the grant: it says so and ends."""
    text = (KEYBOARD.format(grant="expect = exit 3") + WITNESS
            + TYPIST.format(name="flood", victim="nobody", seconds=3, grant="console_input = yes"))
    run = boot.to_the_end(text, nics=(), extra=XHCI, limit=90)
    typed, busy, denied, wrong = map(int, re.findall(r"\d+", some(run, "guest.output", name="flood")["text"]))
    assert 20 <= typed <= 3 * 50 + 2 and busy > typed and (denied, wrong) == (0, 0)
    assert b"nobody: no such guest" in (run.directory / "serial.log").read_bytes()
    assert one(run, "console.input_denied")["guest"] == "keyboard"
    assert "console_input = yes" in some(run, "guest.output", name="keyboard")["text"]
    for guest, status in (("keyboard", 3), ("alpha", 0), ("flood", 0)):
        stopped(run, guest, status=status)
    verdict(run)
