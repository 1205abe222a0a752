# SPDX-License-Identifier: MIT
"""Isolation groups: switches and buses where functions reach each other without passing the IOMMU."""

import re

import pytest
from system.checks import ask, one, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(120)]

# A switch whose downstream ports have no ACS, with a card behind each.
SWITCH = ("-device", "pcie-root-port,id=top,bus=pcie.0,addr=0x8,chassis=8",
          "-device", "x3130-upstream,id=up,bus=top",
          "-device", "xio3130-downstream,id=left,bus=up,chassis=9,slot=0",
          "-device", "xio3130-downstream,id=right,bus=up,chassis=10,slot=1",
          "-device", "igb,bus=left,mac=52:54:00:aa:00:01", "-device", "igb,bus=right,mac=52:54:00:aa:00:02")
TEXT = """
[nic left]
device = 8086:10c9
[nic right]
device = 8086:10c9
[guest alpha]
image  = hello.elf
memory = 4M
device = left
accept_flash = left
args   = ticks=50
[guest beta]
image  = hello.elf
memory = 4M
device = right
{}
"""


def test_a_switch_without_acs_is_one_group(boot):
    """The second card is refused with the port and the group named; the first one's guest goes on."""
    run = boot(TEXT.format("expect = refused"), nics=(), extra=SWITCH, batch=False, limit=60)
    run.wait_for("guest.stopped", timeout=40, name="alpha")
    refused = one(run, "device.refused", guest="beta")
    assert refused["status"] == "denied" and refused["owner"] == "alpha"
    ports = {line["rid"] for line in run.events if line.event == "pci.function" and line["kind"] == "downstream-port"}
    assert refused["culprit"] in ports, refused.text
    members = set(one(run, "device.group")["members"].split())
    assert members == {refused["device"], refused["other"]}
    answer = ask(run, "groups").replace("\r", "")
    line = re.search(rf"^{refused['other']} \(alpha\) {refused['device']} \(free\): no ACS at (\S+)$", answer, re.MULTILINE)
    assert line and line.group(1) in ports, answer
    stopped(run, "alpha")
    sound(run)
    run.send("poweroff")
    run.wait(30)


def test_one_guest_may_have_the_whole_group(boot):
    text = TEXT.replace("accept_flash = left\n", "device = right\naccept_flash = left\naccept_flash = right\n")
    text = text.split("[guest beta]")[0]
    run = boot.to_the_end(text, nics=(), extra=SWITCH, limit=60)
    verdict(run)
    assert len([line for line in run.events if line.event == "device.assigned"]) == 2


def test_virtual_functions_are_alone(boot):
    run = boot("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n[guest alpha]\nimage = hello.elf\nmemory = 4M\n"
               "device = uplink.vf0\n", batch=False, limit=60)
    run.wait_for("guest.stopped", timeout=40, name="alpha")
    answer = ask(run, "groups").replace("\r", "")
    assert re.search(r"^01:10\.0 \(alpha\)$", answer, re.MULTILINE) and re.search(r"^01:10\.2 \(free\)$", answer, re.MULTILINE)
    run.send("poweroff")
    run.wait(30)
