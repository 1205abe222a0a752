# SPDX-License-Identifier: MIT
"""A device that could translate addresses by itself is not let."""

import pytest
from system import attacks
from system.checks import of, one, sound, stopped

from machine import Nic

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(120)]

TEXT = """
[nic whole]
device = 1af4:1041
[guest alpha]
image  = sweep.elf
memory = 4M
device = whole
accept_flash = whole
args   = what=config
expect = exit 0
"""
ECAM = attacks.PLACES["ECAM"]
ATS = 0x000f  # PCIe 7.8.3; control is the upper half of its second word
ENABLE = 1 << 31


def test_ats_stays_off(boot):
    """A card with ATS behind a unit that would take its word for it; its guest writes everywhere in its configuration
    space. QEMU's igb and its VFs have no ATS, a virtio card has."""
    run = boot(TEXT, nics=(Nic(model="virtio-net-pci"),), device_iotlb=True, batch=False, limit=100)

    def word(offset):
        return int.from_bytes(attacks.outside(run, ECAM + (1 << 20) + offset, 4), "little")

    def control():
        offset = 0x100
        while offset:
            header = word(offset)
            if header & 0xffff == ATS:
                return word(offset + 4)
            offset = header >> 20
        raise AssertionError("the card has no ATS")

    run.wait_for("guest.started", timeout=60, name="alpha")
    assert word(0) == 0x10411af4
    assert one(run, "pci.function", rid="01:00.0")["ats"] == "yes"
    assert one(run, "iommu.unit").number("ecap") >> 2 & 1, "the unit has no device TLB to offer"
    assert not control() & ENABLE
    run.wait_for("guest.stopped", timeout=60, name="alpha")
    assert not control() & ENABLE
    assert "config: 0 wrong" in [line["text"] for line in of(run, "guest.output", name="alpha")]
    stopped(run, "alpha")
    assert run.wait_for("run.verdict", timeout=20)["result"] == "ok"
    run.wait_for("audit.ok", timeout=20)
    sound(run)
    run.send("poweroff")
    run.wait()
