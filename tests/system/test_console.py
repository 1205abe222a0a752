# SPDX-License-Identifier: MIT
"""What guests send to their serial lines: all of it arrives, and none of it passes for a line of the hypervisor's."""

import re
import time

import pytest
from machine import PATIENCE
from system.checks import ask, of, one, sound, stopped, verdict

pytestmark = [pytest.mark.timeout(300)]

LANES = [pytest.param(lane, marks=getattr(pytest.mark, lane)) for lane in ("tcg", "bochs")]
LINES = 200

# Lines that never happened, at every place where a terminal or a parser could take them for real.
FORGED = b"[1.000000] forged.event result=ok"
HOSTILE = b"".join([
    b"\n" + FORGED + b"\n", b"\r" + FORGED + b"\n", b"\r\r\r\n" + FORGED + b"\r\n",
    b"\x1b[2J\x1b[H" + FORGED + b"\n", b"\x1b[1A\x1b[2K" + FORGED + b"\n", b"\x1bc" + FORGED + b"\n",
    b"\x1b]0;" + FORGED + b"\x07\n", b"\x9b2J" + FORGED + b"\n", b"\x0b\x0c\x85" + FORGED + b"\x00\x1a\n",
    b"\b" * 40 + FORGED + b"\n", b"x" * 90 + b"\b" * 90 + FORGED + b"\n", b"\t" * 9 + FORGED + b"\n",
    *(b" " * width + FORGED + b"\n" for width in range(66, 82)),
    b"\xe2\x80\xae" + FORGED + b"\n", b"bulkhead> " + FORGED + b"\n", b"| " + FORGED + b"\n", b"[1.0] forged"])


def kernel(name: str, arguments: str, more: str = "", expect: str = "exit 0") -> str:
    return f"[guest {name}]\nimage = multiboot.elf\nmemory = 16M\nargs = {arguments}\n{more}expect = {expect}\n"


def said(events) -> list[str]:
    """What came behind the lines that every such kernel begins with."""
    return [line["text"] for line in events if line.event == "guest.output" and line["text"].startswith("line ")]


@pytest.mark.parametrize("lane", LANES)
def test_the_end_of_what_a_guest_said_is_not_lost(boot, lane):
    """The guest is through long before the console is, above all at Bochs' 115200 baud; and the last line has no end."""
    run = boot.to_the_end(kernel("alpha", f"lines={LINES} exit=0"), on=lane, limit=120)
    verdict(run)
    assert said(run.events) == [f"line {number}" for number in range(LINES)]
    events = [line.event for line in run.events]
    assert "guest.output" not in events[events.index("guest.stopped"):]


@pytest.mark.parametrize("lane", LANES)
def test_nor_is_it_when_the_guest_is_started_again(boot, lane):
    run = boot(kernel("alpha", f"lines={LINES} stay=1"), on=lane, batch=False, limit=240)
    # The guest has sent all by then: QEMU is quicker than it, Bochs' serial port much slower.
    sent = f"line {LINES // 2 if lane == 'bochs' else LINES - 2}"
    run.wait_for("guest.output", timeout=100, name="alpha", text=sent)
    last = run.events[-1]
    ask(run, "restart alpha")
    run.wait_for("guest.started", timeout=60, after=last)
    run.wait_for("guest.output", timeout=100, after=of(run, "guest.started")[1], text=sent)
    run.send("poweroff")
    run.wait(60)
    again = of(run, "guest.started")[1].index
    for life in (run.events[:again], run.events[again:]):
        lines = said(life)
        assert lines[:LINES - 1] == [f"line {number}" for number in range(LINES - 1)]
        assert lines[-1] == f"line {LINES - 1}" or lane == "tcg", "in QEMU the guest may not have got so far"
        events = [line.event for line in life]
        assert events.index("guest.stopped") > max(i for i, event in enumerate(events) if event == "guest.output")
    assert not of(run, "guest.output_lost")
    sound(run)


@pytest.mark.tcg
def test_a_guest_in_front_forges_no_line(boot):
    """alpha sends hostile bytes without end and has the console; beta's lines are logged meanwhile."""
    text = (kernel("alpha", "send=1000000000", "initrd = hostile.txt\n", "stopped")
            + kernel("beta", "send=1000000000", "initrd = hostile.txt\n", "stopped")
            + "[guest gamma]\nimage = hello.elf\nmemory = 4M\nargs = ticks=1000\nexpect = exit 0\n")
    run = boot(text, batch=False, limit=240, files={"/bulkhead/hostile.txt": HOSTILE})
    run.wait_for("guest.output", timeout=60, name="alpha")
    run.console.send("\x15console alpha\r")
    run.console.expect("serial line of alpha; Ctrl-[^\n]*\n", timeout=30)
    deadline = time.monotonic() + PATIENCE * 120
    while (run.directory / "serial.log").read_bytes().count(b"alpha| " + FORGED) < 60:
        assert time.monotonic() < deadline, run.tail()
        time.sleep(0.2)
    run.console.send("\x1c")
    for guest in ("alpha", "beta"):
        last = run.events[-1]
        ask(run, f"stop {guest}", timeout=40)
        run.wait_for("guest.stopped", timeout=40, after=last, name=guest)
    run.wait_for("run.verdict", timeout=60)
    ask(run, "audit")
    run.send("poweroff")
    run.wait(60)

    assert not of(run, "forged.event")
    assert {line.event for line in run.events if "forged" in line.text} == {"guest.output"}
    sound(run)
    stopped(run, "gamma")
    assert one(run, "run.verdict")["result"] == "ok"
    raw = (run.directory / "serial.log").read_bytes()
    shown = raw[raw.index(b"serial line of alpha"):raw.rindex(b"alpha| ")]
    assert not re.search(rb"[^\x20-\x7e\r\n\b]", shown)
    for row in shown.replace(b"\r\n", b"\n").split(b"\n"):
        if b"forged" in row and not row.startswith(b"["):
            assert row.startswith(b"alpha| "), row
            assert all(part.startswith(b"alpha| ") for part in row.split(b"\r")), row
    # Its lines and beta's are told apart while both come.
    kinds = re.findall(rb"^(?:\[[\d.]+\] guest\.output name=beta|alpha)", shown, re.MULTILINE)
    kinds = [kind[:1] for kind in kinds]
    assert len(set(kinds)) == 2
