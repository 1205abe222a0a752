# SPDX-License-Identifier: MIT
"""A guest that does at random whatever a guest can do, a million times and more, beside one that keeps time."""

import os
import re

import pytest
from system.checks import of, one, stopped, verdict

LANES = [pytest.param(lane, marks=getattr(pytest.mark, lane)) for lane in ("tcg", "bochs")]

COUNT = int(os.environ.get("FUZZ_OPERATIONS", "1000000"))
CONFIG = int(os.environ.get("FUZZ_OPERATIONS", "200000"))  # each waits for the control core
SEED = int(os.environ.get("FUZZ_SEED", "1"))
LIMIT = max(800, COUNT / 2000, CONFIG / 2000)  # seconds; many more than one takes

pytestmark = pytest.mark.timeout(LIMIT + 100)


def guest(arguments: str, more: str = "") -> str:
    return f"[guest fuzz]\nimage = fuzz.elf\nmemory = 4M\n{more}args = seed={SEED} {arguments}\n"


def witness(milliseconds: int) -> str:
    return f"[guest witness]\nimage = witness.elf\nmemory = 8M\nargs = ticks={milliseconds}\n"


def check(run, count: int) -> None:
    verdict(run)
    for name in ("fuzz", "witness"):
        stopped(run, name)
    assert any(line["text"].startswith(f"{count} operations of seed {SEED}: ") for line in of(run, "guest.output"))
    beats = one(run, "guest.output", name="witness")["text"]
    assert re.fullmatch(r"\d+ timer interrupts, 0 others", beats), beats


@pytest.mark.parametrize("lane", LANES)
def test_a_million_operations(boot, lane):
    run = boot.to_the_end(guest(f"count={COUNT}") + witness(3000), on=lane, limit=LIMIT, cpus=4)
    check(run, COUNT)


@pytest.mark.tcg
def test_configuration_space(boot):
    """The BARs of the guest's function and of its neighbours stay where they are."""
    text = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n" + guest(f"what=config count={CONFIG}", "device = uplink.vf0\n")
            + witness(3000))
    run = boot.to_the_end(text, limit=LIMIT)
    check(run, CONFIG)
    said = next(line["text"] for line in of(run, "guest.output", name="fuzz") if "operations of seed" in line["text"])
    print(f"\n{said}; BARs and neighbours as they were")
