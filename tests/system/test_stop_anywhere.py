# SPDX-License-Identifier: MIT
"""Guests stopped and started at any moment of their lives; what they had comes back each time."""

import random
import re
import time

import pytest
from system.checks import ask, of, sound

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

ROUNDS = 25
BUSY = {"config": "device = uplink.vf0\n", "msix": "device = uplink.vf1\n", "port": "", "command": "", "call": ""}


def pages_in_use(run) -> int:
    return int(re.search(r"of which (\d+) pages are handed out", ask(run, "frames")).group(1))


def test_stopped_at_any_moment(boot):
    text = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n" + "".join(
        f"[guest {name}]\nimage = sweep.elf\nmemory = 4M\nargs = what={name}\n{device}expect = stopped\n"
        for name, device in BUSY.items())
    run = boot(text, cpus=len(BUSY) + 1, batch=False, limit=230)
    run.wait_for("monitor.ready", timeout=60)
    numbers = random.Random(1)
    for name in BUSY:
        ask(run, f"stop {name}")
        run.wait_for("guest.stopped", timeout=30, name=name)
    before = pages_in_use(run)
    for _round in range(ROUNDS):
        name = numbers.choice(list(BUSY))
        last = run.events[-1]
        ask(run, f"start {name}")
        run.wait_for("guest.started", timeout=20, after=last, name=name)
        time.sleep(numbers.uniform(0, 0.3))
        ask(run, f"stop {name}")
        line = run.wait_for("guest.stopped", timeout=30, after=last, name=name)
        assert line["reason"] in ("monitor", "exit"), line.text
    assert pages_in_use(run) == before
    last = run.events[-1]
    ask(run, "audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    sound(run)
    reasons = {line["reason"] for line in of(run, "guest.stopped")}
    assert "monitor" in reasons
    run.send("poweroff")
    run.wait(30)
