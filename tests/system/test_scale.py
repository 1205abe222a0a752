# SPDX-License-Identifier: MIT
"""Seven guests on seven virtual functions and eight cores; what each one more costs."""

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


def test_memory_grows_by_the_same_for_each_guest(built):
    """Three sizes are enough for that; `make bench` has all seven."""
    assert built.exists()
    few, some, most = (scale.measure(guests) for guests in (1, 4, 7))
    for name in ("pages_bytes", "table_bytes"):
        first, second, third = (getattr(size, name) for size in (few, some, most))
        assert 0 < second - first == third - second, (name, first, second, third)
    assert (most.pages_bytes - few.pages_bytes) / 6 < 64 * 1024
