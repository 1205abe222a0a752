# SPDX-License-Identifier: MIT
"""Nothing of an owner is left in the registers of a core that runs a guest again."""

import pytest
from system.checks import ask, of, sound

CONFIGURATION = "[guest first]\nimage = registers.elf\nmemory = 4M\ntime_limit = 60\nexpect = exit 0\n"
LAST = "that is all"
# What is not zero after reset: SDM 3A table 10-1, 11.4.7.1, 12.12.4; SDM 1 13.6.
RESET = {"PAT": "0x7040600070406", "LVT LINT0": "0x10000", "LVT LINT1": "0x10000", "LVT error": "0x10000",
         "SVR": "0x1ff", "DR6": "0xffff0ff0", "DR7": "0x400", "XCR0": "0x1", "FCW": "0x37f", "MXCSR": "0x1f80"}


@pytest.mark.parametrize("lane", [pytest.param("tcg", marks=pytest.mark.tcg), pytest.param("bochs", marks=pytest.mark.bochs)])
@pytest.mark.timeout(240)
def test_a_guest_finds_every_register_as_after_reset(boot, lane):
    run = boot(CONFIGURATION, on=lane, cpus=2, batch=False, limit=200)
    run.wait_for("run.verdict", timeout=120, result="ok")
    for _turn in range(2):
        last = run.events[-1]
        run.send("start first")
        run.wait_for("guest.stopped", timeout=60, after=last, name="first", reason="exit", status=0)
    ask(run, "guests", "first")
    lives = "\n".join(line["text"] for line in of(run, "guest.output", name="first")).split(LAST)
    assert len(lives) == 4 and lives.pop() == ""
    for life in lives:
        found = dict(line.rsplit(" ", 1) for line in life.splitlines() if line)
        assert {name: RESET.get(name, "0x0") for name in found} == found
        assert {"STAR", "KERNEL_GS_BASE", "DR3", "CR2", "XCR0", "MXCSR"} <= set(found)
    sound(run)
