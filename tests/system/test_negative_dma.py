# SPDX-License-Identifier: MIT
"""A device that no unit stops, whatever the firmware's table says: found by a DMA of its own that must not arrive."""

import pytest
from system.checks import of, one, some, stopped, verdict
from system.test_reserved import replaced

from machine.dmar import drhd

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
GUEST = "[guest {}]\nimage = hello.elf\nmemory = 4M\n{}\n"
ALONE = GUEST.format("alone", "args = status=4\nexpect = exit 4")


def test_a_nic_that_is_stopped_is_split(boot):
    run = boot.to_the_end(NIC + GUEST.format("alpha", "device = uplink.vf0") + ALONE)
    assert one(run, "nic.dma_test", nic="uplink")["status"] == "ok"
    assert not of(run, "dma.fault"), "the test's own access is not logged as somebody's"
    stopped(run, "alpha")
    verdict(run)


def test_a_nic_that_no_unit_sees(boot):
    """QEMU lets the bus bypass its unit, and the table claims that the unit covers everything."""
    text = NIC + GUEST.format("alpha", "device = uplink.vf0\nexpect = refused") + ALONE
    run, debugger = replaced(boot, text, drhd(0xfed90000), extra=("-machine", "default_bus_bypass_iommu=on"), limit=90)
    with debugger:
        run.wait()
    assert one(run, "nic.dma_test", nic="uplink")["status"] == "denied"
    assert "DMAR" in one(run, "nic.refused", nic="uplink")["message"]
    assert not of(run, "sriov.enabled") and not of(run, "device.assigned")
    some(run, "guest.refused", guest="alpha")
    stopped(run, "alone", status=4)
    verdict(run)
