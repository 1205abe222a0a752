# SPDX-License-Identifier: MIT
"""The scenarios that other tests look at closely, in the newer QEMU: shortened, to their good end."""

import re

import pytest
from machine import Nvme, scenario
from machine.boot_media import needs_qemu_11
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, needs_qemu_11, pytest.mark.timeout(200)]

# Fewer of the same: echoes, packets, MiB. (ping.elf waits for all of the 100 that it is asked.)
SHORTER = (("count=1000", "count=200"), (r"(ping:[\d.]+):[25]0\b", r"\1:5"), (r"(iperf:[\d.]+):\d+", r"\1:1"),
           ("disk:alpha:16", "disk:alpha:1"), ("disk:beta:24", "disk:beta:2"))


def shortened(boot, name: str, **changes):
    text = scenario.text_of(name)
    run = {"memory": scenario.memory(text), "cpus": scenario.cpus(text), "nics": scenario.nics(text),
           "files": scenario.files(text), **changes}
    for pattern, replacement in SHORTER:
        text = re.sub(pattern, replacement, text)
    run = boot.to_the_end(text, qemu=11, limit=150, **run)
    assert "/qemu11\n" in (run.directory / "command").read_text()
    verdict(run)
    return run


def steps(run) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output") if re.search(": (ok|FAILED)$", line["text"]))


def test_sriov(boot):
    run = shortened(boot, "sriov")
    assert 8 <= stopped(run, "rogue").number("faults") <= 9
    for guest in ("alpha", "beta"):
        before, after = (one(run, "guest.event", name=guest, value=value).number("exits") for value in ("0x1", "0x2"))
        assert after - before == 1


def test_linux(boot):
    said = steps(shortened(boot, "linux"))
    assert said.count("ping:") == 5 and said.count("iperf:") == 1 and "FAILED" not in said


def test_passthrough(boot):
    run = shortened(boot, "passthrough")
    said = steps(run)
    assert said.count("ping:") == 5 and said.count("iperf:") == 3 and "FAILED" not in said
    assert one(run, "device.refused")["owner"] == "beta"
    methods = {line["rid"]: line["method"] for line in of(run, "pci.reset", status="ok")}
    assert methods == {"01:00.0": "bus"} | dict.fromkeys(
        ("02:00.0", "03:10.0", "03:10.2", "04:00.0", "04:10.0", "04:10.2"), "flr")


def test_storage(boot):
    said = steps(shortened(boot, "storage", nics=(), nvmes=(Nvme(2, (1, 2, 3)),)))
    assert sorted(said.splitlines()) == ["disk:alpha:1: ok", "disk:beta:2: ok"]
