# SPDX-License-Identifier: MIT
"""Guests paused, restarted, and devices moved between them, stopped or running; nothing is left behind."""

import os
import re
import subprocess
import time

import pytest
from machine import PATIENCE, linuxguest, paths
from system.checks import ask, of, one, sound, stopped, verdict

pytestmark = pytest.mark.timeout(300)
LANES = [pytest.param(lane, marks=getattr(pytest.mark, lane)) for lane in ("tcg", "bochs")]

# `make test-life` makes it 1000.
ROUNDS = int(os.environ.get("LIFE_ROUNDS", "25"))
NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 4\n"


def ping(name: str, number: int, peer: int, device: str, more: str = "") -> str:
    return (f"[guest {name}]\nimage = ping.elf\nmemory = 16M\n{device}"
            f"args = ip=10.0.0.{number} peer=10.0.0.{peer} {more}\n")


def pages_in_use(run) -> int:
    return int(re.search(r"of which (\d+) pages are handed out", ask(run, "frames")).group(1))


def entries(run) -> int:
    """Interrupt entries in use, which the audit counts; it has to find nothing wrong."""
    last = run.events[-1]
    ask(run, "audit")
    return run.wait_for("audit.ok", timeout=20, after=last).number("interrupts")


def answered(run, guest: str) -> list[str]:
    return [line["text"] for line in of(run, "guest.output", name=guest) if "echoes answered" in line["text"]]


def finish(run) -> None:
    sound(run)
    run.send("poweroff")
    run.wait(30)


@pytest.mark.parametrize("lane", LANES)
def test_paused_and_resumed(boot, lane):
    """A paused guest does nothing at all; its neighbour notices nothing; it goes on where it was."""
    text = ("[guest alpha]\nimage = hello.elf\nmemory = 4M\ncpus = 2\nargs = ticks=3000\n"
            "[guest beta]\nimage = hello.elf\nmemory = 4M\nargs = ticks=300\n"
            "[guest gamma]\nimage = hostile.elf\nmemory = 4M\nargs = act=spin\n")
    run = boot(text, on=lane, batch=False, limit=120, cpus=5)
    run.wait_for("vcpu.entered", timeout=60)
    ask(run, "pause alpha")
    run.wait_for("guest.paused", timeout=10, name="alpha")
    assert re.search(r"^alpha +paused", ask(run, "guests").replace("\r", ""), re.MULTILINE)
    assert "alpha is paused" in ask(run, "pause alpha")
    assert "alpha is paused" in ask(run, "start alpha")
    run.wait_for("guest.stopped", timeout=30, name="beta")
    time.sleep(1)
    assert not of(run, "guest.stopped", name="alpha")
    ask(run, "resume alpha")
    run.wait_for("guest.stopped", timeout=30, name="alpha")
    for guest in ("alpha", "beta"):
        stopped(run, guest)
    assert "alpha is stopped" in ask(run, "pause alpha")
    assert "alpha is stopped" in ask(run, "resume alpha")
    ask(run, "pause gamma")
    run.wait_for("guest.paused", timeout=10, name="gamma")
    ask(run, "stop gamma")
    run.wait_for("guest.stopped", timeout=10, name="gamma")
    last = run.events[-1]
    ask(run, "start gamma")
    run.wait_for("vcpu.entered", timeout=30, after=last)
    ask(run, "stop gamma")
    run.wait_for("guest.stopped", timeout=10, after=last, name="gamma")
    finish(run)


@pytest.mark.parametrize("lane", LANES)
def test_a_storm_of_starts_writes_few_lines(boot, lane):
    """A vCPU that its sibling starts again and again: a line for each power of two."""
    run = boot.to_the_end("[guest alpha]\nimage = pair.elf\nmemory = 4M\ncpus = 2\nargs = starts=600\nexpect = exit 0\n",
                          on=lane, limit=120)
    verdict(run)
    assert one(run, "guest.output", name="alpha")["text"] == "the second vCPU started 600 times"
    assert [line.number("starts") for line in of(run, "vcpu.entered", vcpu=1)] == [2 ** n for n in range(10)]


def function_at(elf, address: int) -> str:
    symbols = subprocess.run(["nm", "-n", elf], check=True, capture_output=True, text=True).stdout.splitlines()
    below = [name for value, kind, name in (line.split() for line in symbols) if kind in "tT" and int(value, 16) < address]
    return below[-1]


@pytest.mark.parametrize("lane", LANES)
def test_a_crash_is_explained(boot, lane):
    """Registers, what it last left guest mode for, and who called whom."""
    run = boot.to_the_end("[guest alpha]\nimage = hostile.elf\nmemory = 4M\nargs = act=read address=0xa0000000\n"
                          "expect = stopped\n", on=lane, limit=60)
    verdict(run)
    assert one(run, "guest.exits")["last"].endswith(" hypercall memory")
    elf = paths.REPOSITORY / "build/guest/hostile.elf"
    calls = [function_at(elf, int(address, 16)) for address in one(run, "guest.calls")["returns"].split()]
    assert calls == ["runtime_main", "pvh_entry.long"], calls
    assert len(of(run, "guest.registers")) == 3


@pytest.mark.tcg
def test_restarted(boot):
    text = NIC + ping("alpha", 1, 2, "device = uplink.vf0\n", "count=50 mode=msix") \
        + ping("beta", 2, 1, "device = uplink.vf1\n", "count=50 mode=msix")
    run = boot(text, batch=False, limit=90)
    for guest in ("alpha", "beta"):
        run.wait_for("guest.stopped", timeout=60, name=guest)
    pages = pages_in_use(run)
    for _ in range(2):
        last = run.events[-1]
        ask(run, "restart alpha")
        ask(run, "restart beta")
        for guest in ("alpha", "beta"):
            assert run.wait_for("guest.stopped", timeout=60, after=last, name=guest)["reason"] == "exit"
    assert len(answered(run, "alpha")) == 3 and all("50 of 50" in line for line in answered(run, "alpha"))
    last = run.events[-1]
    ask(run, "start alpha")  # waits for beta for as long as it lives
    ask(run, "restart alpha")
    assert run.wait_for("guest.stopped", timeout=10, after=last, name="alpha")["reason"] == "restart"
    run.wait_for("guest.started", timeout=10, after=of(run, "guest.stopped")[-1], name="alpha")
    ask(run, "stop alpha")
    run.wait_for("guest.stopped", timeout=10, after=run.events[-1], name="alpha")
    assert pages_in_use(run) == pages and entries(run) == 0
    assert "nobody: no such guest" in ask(run, "restart nobody")
    finish(run)


@pytest.mark.tcg
def test_moved_between_stopped_guests(boot):
    """The function works for whoever has it now; the one it was taken from sees no device."""
    text = NIC + ping("alpha", 1, 2, "device = uplink.vf0\n", "count=50 mode=msix") \
        + ping("beta", 2, 1, "device = uplink.vf1\n", "count=50 mode=msix") \
        + ping("gamma", 1, 2, "", "count=50 mode=msix")
    run = boot(text, batch=False, limit=90)
    for guest in ("alpha", "beta", "gamma"):
        run.wait_for("guest.stopped", timeout=60, name=guest)
    stopped(run, "gamma", status=1)  # no device
    assert "uplink.vf7: no such device" in ask(run, "move uplink.vf7 alpha gamma")
    assert "alpha has no device uplink.vf1" in ask(run, "move uplink.vf1 alpha gamma")
    assert "alpha has it already" in ask(run, "move uplink.vf0 alpha alpha")
    assert "usage: move" in ask(run, "move uplink.vf0 alpha")
    ask(run, "move uplink.vf0 alpha gamma")
    run.wait_for("device.moved", timeout=10)
    assert re.search(r"^ +01:10\.0 .* gamma +uplink\.vf0 ", ask(run, "devices").replace("\r", ""), re.MULTILINE)
    last = run.events[-1]
    for guest in ("alpha", "beta", "gamma"):
        ask(run, f"start {guest}")
    assert run.wait_for("guest.stopped", timeout=60, after=last, name="alpha").number("status") == 1
    for guest in ("beta", "gamma"):
        line = run.wait_for("guest.stopped", timeout=60, after=last, name=guest)
        assert (line["reason"], line.number("status")) == ("exit", 0)
    assert answered(run, "gamma") and answered(run, "gamma")[-1].startswith("50 of 50")
    assert entries(run) == 0
    ask(run, "move 01:10.0 gamma alpha")
    run.wait_for("device.moved", timeout=10, to="alpha")
    finish(run)


SHELL = "console=ttyS0 quiet tsc=reliable steps=shell"


def typed(run, line: str, expected: str) -> None:
    run.console.send(f"{line}\r")
    run.console.expect(expected, timeout=30)


def at(run, guest: str) -> None:
    run.console.send(f"\x15console {guest}\r")
    run.console.expect(f"serial line of {guest}", timeout=20)
    run.console.send("\r")


def away(run) -> None:
    run.console.send("\x1c")
    ask(run, "guests")


@pytest.mark.tcg
def test_moved_between_running_guests(boot):
    """Linux loses the function while its driver has it open, and the other Linux finds it by a scan of its bus."""
    text = NIC + "".join(f"[guest {name}]\nimage = vmlinuz-13\ninitrd = initrd-13\nmemory = 256M\n{device}args = {SHELL}\n"
                         for name, device in (("alpha", "device = uplink.vf0\n"), ("beta", "")))
    run = boot(text, memory=1024, batch=False, files=linuxguest.files(), limit=300)
    for guest in ("alpha", "beta"):
        deadline = time.monotonic() + PATIENCE * 60
        while not any("linux 6.12" in line["text"] for line in of(run, "guest.output", name=guest)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    time.sleep(2)
    at(run, "alpha")
    typed(run, "ip link set eth0 up; cat /sys/class/net/eth0/device/vendor", "0x8086")
    away(run)
    ask(run, "move uplink.vf0 alpha beta")
    run.wait_for("device.moved", timeout=10)
    at(run, "alpha")
    typed(run, "dd if=/sys/bus/pci/devices/0000:00:01.0/config bs=4 count=1 2>/dev/null | hexdump -C", "ff ff ff ff")
    away(run)
    at(run, "beta")
    typed(run, "echo 1 > /sys/bus/pci/rescan; until ip link set eth0 up 2>/dev/null; do sleep 1; done; readlink "
               "/sys/class/net/eth0/device/driver", "drivers/igbvf")
    typed(run, "ip addr add 10.0.2.12/24 dev eth0; arping -f -w 60 -I eth0 10.0.2.2", "Unicast reply from 10.0.2.2")
    away(run)
    assert entries(run) > 0
    for guest in ("alpha", "beta"):
        ask(run, f"stop {guest}")
        run.wait_for("guest.stopped", timeout=20, name=guest)
    assert entries(run) == 0
    finish(run)


@pytest.mark.tcg
@pytest.mark.timeout(300 + ROUNDS * 5)
def test_again_and_again(boot):
    """Restarts and moves beside two guests with traffic: each followed by a clean audit, nothing leaked."""
    text = (NIC + ping("alpha", 1, 2, "device = uplink.vf0\n", "count=1000000 mode=msix limit=3600")
            + ping("beta", 2, 1, "device = uplink.vf1\n", "count=1000000 mode=msix limit=3600")
            + ping("gamma", 3, 4, "device = uplink.vf2\n", "count=1 mode=msix limit=3600")
            + "[guest delta]\nimage = hostile.elf\nmemory = 4M\nargs = act=halt\n")
    run = boot(text, batch=False, limit=200 + ROUNDS * 3, memory=512, cpus=5)
    run.wait_for("monitor.ready", timeout=60)
    run.wait_for("guest.started", timeout=60, name="delta")
    time.sleep(2)
    pages = None
    for turn in range(ROUNDS):
        last = run.events[-1]
        ask(run, "restart gamma")
        run.wait_for("guest.started", timeout=20, after=last, name="gamma")
        for there, back in (("gamma", "delta"), ("delta", "gamma")):
            last = run.events[-1]
            while "one move at a time" in ask(run, f"move uplink.vf2 {there} {back}"):
                time.sleep(0.1)  # gamma misses the device, and ends
            run.wait_for("device.moved", timeout=20, after=last, to=back)
            entries(run)
        ask(run, "stop gamma")  # if it has not ended: a core that runs a guest has pages of its own
        while not re.search(r"^gamma +stopped", ask(run, "guests").replace("\r", ""), re.MULTILINE):
            time.sleep(0.05)
        pages = pages or pages_in_use(run)
        assert pages_in_use(run) == pages, f"round {turn}"
    for guest in ("alpha", "beta"):
        assert not of(run, "guest.stopped", name=guest)
        ask(run, f"stop {guest}")
        run.wait_for("guest.stopped", timeout=20, name=guest)
    moves = len(of(run, "device.moved"))
    print(f"\n{ROUNDS} restarts, {moves} moves, {len(of(run, 'audit.ok'))} audits without a finding, {pages} pages in use "
          "after each round")
    assert moves == 2 * ROUNDS
    finish(run)
