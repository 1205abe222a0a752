# SPDX-License-Identifier: MIT
"""What firmware's tables say on machines that nobody here has: wrong checksums, dozens of tables before the one that
matters, a wish to do without x2APIC, another maker's IOMMU."""

import struct

import pytest
from system.checks import of, one, sound, stopped, verdict

from machine import dmar, gdb, tables

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
GUEST = "[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = status=4\nexpect = {expect}\n{keys}"
DMAR_FLAGS = 37


def guest(name: str, *keys: str, expect: str = "exit 4") -> str:
    return GUEST.format(name=name, expect=expect, keys="".join(f"{key}\n" for key in keys))


def test_tables_of_a_desktop(boot):
    """Seventy SSDTs, a DMAR whose checksum was not made again after its flags were changed, and the flags: none of it
    costs a device."""
    odd = {f"+SSDT{number}": tables.table("SSDT", bytes(8)) for number in range(70)}
    odd[f"DMAR@{DMAR_FLAGS}!"] = bytes((dmar.REMAPPING | dmar.OPT_OUT,))
    run = boot.to_the_end(NIC + guest("alone") + guest("owner", "device = uplink.vf0"), tables=odd)
    verdict(run)
    assert one(run, "acpi.skipped").number("tables") >= 69
    line = one(run, "acpi.checksum")
    assert line["table"] == "DMAR" and line.number("found") - line.number("expected") == dmar.OPT_OUT, line.text
    assert not of(run, "acpi.refused")
    line = one(run, "iommu.x2apic")
    assert (line["opt_out"], line["used"]) == ("yes", "yes") and "X2APIC_OPT_OUT" in line["message"]
    assert one(run, "iommu.enabled")["eim"] == "yes"
    one(run, "device.assigned", guest="owner")


def test_the_graphics_unit_is_left(boot):
    """The only unit is the graphics' by this table, and the user wants it left: nothing of it is turned on."""
    scope = struct.pack("<BBHBBBB", 1, 8, 0, 0, 0, 2, 0)  # the function 00:02.0
    unit = struct.pack("<HHBBHQ", 0, 16 + len(scope), 0, 0, 0, 0xfed90000) + scope
    run = boot.to_the_end("[system]\ngraphics_unit = leave\n" + guest("alone"), nics=(),
                          extra=("-device", "VGA,addr=2"), tables={"DMAR": tables.table("DMAR", dmar.body(unit))})
    verdict(run)
    refused = of(run, "iommu.refused")
    assert "graphics_unit = leave" in refused[0]["message"] and "no IOMMU unit is usable" in refused[1]["message"]
    assert not of(run, "iommu.enabled") and not of(run, "iommu.quirk")
    stopped(run, "alone", status=4)


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


AMD_CONTROL, ENABLED = 0xfed80018, 0x1005  # the unit, its event log and its commands


def test_amd_iommu_that_firmware_left_on(boot):
    """It goes off before its tables' memory is anybody else's. A debugger is what leaves it on here."""
    run = boot(guest("alone"), iommu=False, nics=(), extra=(*gdb.ARGUMENTS, "-device", "amd-iommu"))
    debugger = gdb.Debugger(run)
    debugger.go_to(gdb.symbol(boot.built / "bulkhead.elf", "hypervisor_main"))
    debugger.write(AMD_CONTROL, struct.pack("<Q", ENABLED))
    assert debugger.read(AMD_CONTROL, 8) == struct.pack("<Q", ENABLED)
    debugger.go()
    run.wait_for("run.verdict", timeout=60)
    assert one(run, "iommu.amd")["state"] == "switched-off"
    stopped(run, "alone", status=4)
    sound(run)
