# SPDX-License-Identifier: MIT
"""As many guests and vCPUs as a machine has; seven guests on seven virtual functions; what each one more costs."""

import re

import pytest
from bench import scale
from system.checks import of, one, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(400)]

NAMES = ("one", "two", "three", "four", "five", "six", "seven")


def test_seven_guests_round_a_ring(boot):
    run = boot.to_the_end(scenario="seven", cpus=8, memory=768, limit=200)
    verdict(run)
    assert one(run, "sriov.enabled")["vfs"] == "7"
    assert len({line["core"] for line in of(run, "vcpu.entered")}) == 7
    for name in NAMES:
        stopped(run, name)
        texts = [line["text"] for line in of(run, "guest.output", name=name)]
        # What takes long is asked again: more may be served.
        assert any(re.match(r"300 of 300 echoes answered, [3-9]\d\d served, 0 wrong", text) for text in texts), texts
    sound(run)


def test_sixteen_vcpus(boot):
    """One guest has them all; commands reach each of them, alone, by cluster and all at once, and nobody else."""
    run = boot.to_the_end("[guest crowd]\nimage = crowd.elf\nmemory = 4M\ncpus = 16\nargs = cpus=16\nexpect = exit 0\n"
                          "[guest alone]\nimage = witness.elf\nmemory = 4M\nargs = ticks=30\nexpect = exit 0\n",
                          cpus=18, nics=(), limit=150)
    verdict(run)
    assert one(run, "guest.created", name="crowd")["cores"] == "1-16"
    assert one(run, "guest.output", name="crowd", text="15 vCPUs started in three ways")
    starts = {line["core"]: line["starts"] for line in of(run, "vcpu.entered", vcpu="15")}
    assert starts, "the last vCPU was never entered"
    sound(run)


def test_sixty_four_guests(boot):
    """As many as there can be, on 66 cores; the last core stays free."""
    run = boot.to_the_end("".join(f"[guest g{i}]\nimage = hello.elf\nmemory = 4M\nargs = ticks=1\nexpect = exit 0\n"
                                  for i in range(64)), cpus=66, memory=768, nics=(), limit=300)
    verdict(run)
    assert one(run, "cpu.online")["count"] == "66"
    created = of(run, "guest.created")
    assert [line["cores"] for line in created] == [str(core) for core in range(1, 65)]
    assert len({line["base"] for line in created}) == 64
    for i in range(64):
        stopped(run, f"g{i}")
    sound(run)


def test_memory_grows_by_the_same_for_each_guest(built):
    """Three sizes are enough for that; `make bench` has all seven."""
    assert built.exists()
    few, some, most = (scale.measure(guests) for guests in (1, 4, 7))
    for name in ("pages_bytes", "table_bytes"):
        first, second, third = (getattr(size, name) for size in (few, some, most))
        assert 0 < second - first == third - second, (name, first, second, third)
    assert (most.pages_bytes - few.pages_bytes) / 6 < 64 * 1024
