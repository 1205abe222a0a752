# SPDX-License-Identifier: MIT
"""A server's 288 logical CPUs, with APIC ids above 255."""

import re

import pytest
from system.checks import of, one, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(400)]

CORES = 288
# TCG's MWAIT returns at once: 287 processors that firmware lets wait so would have no time left for one another. Of the
# two firmwares that of the BIOS starts them in a tenth of the time.
MACHINE = {"cpus": CORES, "threads": 2, "memory": 1024, "cpu": "max,+x2apic,-monitor", "boot": "iso"}


def ping(name: str, vf: int, core: int) -> str:
    return (f"[guest {name}]\nimage = ping.elf\nmemory = 32M\ncores = {core}\ndevice = uplink.vf{vf}\n"
            f"args = ip=10.0.0.{vf + 1} peer=10.0.0.{2 - vf} count=30 mode=msix limit=300\nexpect = exit 0\n")


def test_interrupts_reach_apic_ids_above_255(boot):
    run = boot.to_the_end("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n" + ping("left", 0, CORES - 1) +
                          ping("right", 1, CORES - 3), limit=250, **MACHINE)
    verdict(run)
    assert one(run, "cpu.online")["count"] == str(CORES)
    topology = one(run, "cpu.topology")
    assert (topology["cores"], topology["threads"], topology["doubts"]) == (str(CORES // 2), str(CORES), "0")
    assert {line["name"]: line["cores"] for line in of(run, "guest.created")} == {
        "left": str(CORES - 1), "right": str(CORES - 3)}
    for name in ("left", "right"):
        stopped(run, name)
        texts = [line["text"] for line in of(run, "guest.output", name=name)]
        assert any(re.match(r"30 of 30 echoes answered, .* 0 wrong", text) for text in texts), texts
    assert not of(run, "irq.refused")
    sound(run)
