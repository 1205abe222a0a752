# SPDX-License-Identifier: MIT
"""What firmware's tables say on machines that nobody here has: wrong checksums, dozens of tables before the one that
matters, a wish to do without x2APIC, another maker's IOMMU."""

import pytest
from system.checks import of, one, sound, stopped, verdict

from machine import tables

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
GUEST = "[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = status=4\nexpect = {expect}\n{keys}"
DMAR_FLAGS = 37
REMAPS, NO_X2APIC = 1, 2


def guest(name: str, *keys: str, expect: str = "exit 4") -> str:
    return GUEST.format(name=name, expect=expect, keys="".join(f"{key}\n" for key in keys))


def test_tables_of_a_desktop(boot):
    """Seventy SSDTs, a DMAR whose checksum was not made again after its flags were changed, and the flags: none of it
    costs a device."""
    odd = {f"+SSDT{number}": tables.table("SSDT", bytes(8)) for number in range(70)}
    odd[f"DMAR@{DMAR_FLAGS}!"] = bytes((REMAPS | NO_X2APIC,))
    run = boot.to_the_end(NIC + guest("alone") + guest("owner", "device = uplink.vf0"), tables=odd)
    verdict(run)
    assert one(run, "acpi.skipped").number("tables") >= 69
    line = one(run, "acpi.checksum")
    assert line["table"] == "DMAR" and line.number("found") - line.number("expected") == NO_X2APIC, line.text
    assert not of(run, "acpi.refused")
    line = one(run, "iommu.x2apic")
    assert (line["opt_out"], line["used"]) == ("yes", "yes") and "X2APIC_OPT_OUT" in line["message"]
    assert one(run, "iommu.enabled")["eim"] == "yes"
    one(run, "device.assigned", guest="owner")


def test_amd_iommu(boot):
    """AMD-Vi is named, and nobody is sent to the firmware's set-up for VT-d; guests without devices run."""
    run = boot.to_the_end(NIC + guest("alone") + guest("greedy", "device = uplink.vf0", expect="refused"), iommu=False,
                          extra=("-device", "amd-iommu"))
    verdict(run)
    unit = one(run, "iommu.amd")
    assert unit["state"] == "off" and unit.number("base") == 0xfed80000, unit.text
    line = one(run, "iommu.refused")
    assert line.number("amd") == 1 and "AMD-Vi" in line["message"] and "enable VT-d" not in line["message"], line.text
    one(run, "device.refused", guest="greedy")
    stopped(run, "alone", status=4)
    sound(run)
