# SPDX-License-Identifier: MIT
"""A card whose PF needs no driver, QEMU's virtio-net with SR-IOV: stock Linux kernels on its VFs, nobody at its PF."""

import re

import pytest
from machine import Nic, report, scenario
from machine.boot_media import needs_qemu_11
from system.checks import ask, of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, needs_qemu_11, pytest.mark.timeout(200)]

GUESTS = {"alpha": "01:00.1", "beta": "01:00.2"}
CARD = "[nic uplink]\ndevice = 1af4:1041\nvfs = 2\ndriver = none\n"


def hello(name: str, vf: int, more: str = "") -> str:
    return f"[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = ticks=1\ndevice = uplink.vf{vf}\n{more}"


def said(run, guest: str) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output", name=guest))


@pytest.fixture(scope="module")
def job(boot):
    text = scenario.text_of("virtio")
    return boot.to_the_end(scenario="virtio", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           nics=scenario.nics(text), files=scenario.files(text), limit=150,
                           trace=("memory_region_ops_read", "memory_region_ops_write"))


def test_one_function_becomes_three(job):
    """On the function numbers behind the PF's, so without ARI; BAR 0 they do not have."""
    enabled = one(job, "sriov.enabled")
    assert [enabled[key] for key in ("pf", "vfs", "total", "offset", "stride")] == ["01:00.0", "2", "2", "1", "1"]
    assert [line["rid"] for line in of(job, "sriov.vf")] == list(GUESTS.values())
    assert {line["guest"]: line["rid"] for line in of(job, "device.assigned")} == GUESTS
    assert all(line["id"] == "1af4:1041" for line in of(job, "sriov.vf"))


def test_each_has_its_kernel_and_driver(job):
    assert re.search(r"linux 6\.1\.\S+, 1 vCPUs, clock tsc", said(job, "alpha"))
    assert re.search(r"linux 6\.12\.\S+, 1 vCPUs, clock tsc", said(job, "beta"))
    for guest in GUESTS:
        assert re.search(r"eth0: 10\.0\.2\.1\d/24, driver virtio_net, carrier 1", said(job, guest))


@pytest.mark.parametrize("guest, step", [("alpha", "ping:10.0.2.12:20"), ("alpha", "iperf:10.0.2.12:5"),
                                         ("beta", "ping:10.0.2.11:20")])
def test_step(job, guest, step):
    assert f"{step}: ok" in said(job, guest)
    if step.startswith("ping"):
        packets = step.rpartition(":")[2]
        assert f"{packets} packets transmitted, {packets} packets received, 0% packet loss" in said(job, guest)


def test_interrupts_arrive(job):
    """MSI-X, straight to the guest's own cores."""
    for guest in GUESTS:
        counts = re.findall(r"^ +\d+: +([\d ]+?) +PCI-MSI.* virtio0-input\.0", said(job, guest), re.MULTILINE)
        assert len(counts) == 1 and sum(map(int, counts[0].split())) > 100, counts


def test_no_packet_costs_an_exit(job):
    """Programs that start ask CPUID, so there is a number of exits that does not depend on the traffic: tens of
    thousands of packets go through while iperf3 runs."""
    steps = {(step.guest, step.name): step for step in report.steps(job.events)}
    for taken in (("alpha", "iperf:10.0.2.12:5"), ("beta", "wait"), ("alpha", "ping:10.0.2.12:20"),
                  ("beta", "ping:10.0.2.11:20")):
        assert 0 <= steps[taken].exits < (400 if taken[1] != "wait" else 100), steps[taken]
    assert float(steps["alpha", "iperf:10.0.2.12:5"].value(r"([\d.]+) MBytes.*receiver")) > 5


def test_it_ends_as_it_should(job):
    verdict(job)
    for guest in GUESTS:
        assert stopped(job, guest).number("faults") == 0
    for event in ("dma.fault", "irq.fault", "irq.refused", "nic.refused", "sriov.refused"):
        assert not of(job, event)


def accesses(trace: str) -> list[tuple[int, str]]:
    """Which registers of devices were reached since the hypervisor's first line: address, and QEMU's name for them. The
    serial line's own bytes are in the trace as well, and tell when that was."""
    found, text, started = [], "", False
    for way, address, value, name in re.findall(
            r"^memory_region_ops_(read|write) .* addr 0x(\w+) value 0x(\w+) size \d+ name '(.*)'$", trace, re.MULTILINE):
        if started:
            found.append((int(address, 16), name))
        elif (way, name, address) == ("write", "serial", "3f8"):
            text = text[-16:] + chr(int(value, 16) & 0xff)
            started = "boot.start" in text
    assert started, "the hypervisor's first line is in the trace"
    return found


def test_nobody_touches_the_pf(job):
    """From the hypervisor's first line to its last no access reaches the PF's registers, while those to the VFs' are
    hundreds (and more that QEMU does not trace, since it takes a queue's doorbell for an event)."""
    bars = re.findall(r" bar\d=0x(\w+)\+(\d+)K", one(job, "pci.function", rid="01:00.0").text)
    ranges = [(int(base, 16), int(size) << 10) for base, size in bars]
    assert len(ranges) == 2 and all(base and size for base, size in ranges)
    reached = accesses((job.directory / "trace.log").read_text(errors="replace"))
    assert sum(name.startswith("virtio-pci") for _address, name in reached) > 100
    touched = [hex(address) for address, _name in reached for base, size in ranges if base <= address < base + size]
    assert not touched, touched[:10]


def test_each_vf_has_a_domain_of_its_own_and_the_pf_has_nothing(boot):
    text = CARD + hello("alpha", 0) + hello("beta", 1)
    run = boot(text.replace("ticks=1", "ticks=100000"), nics=(Nic("virtio-net-pci", vfs=2),), batch=False, limit=90)
    for guest in GUESTS:
        run.wait_for("guest.started", timeout=60, name=guest)
    domains = ask(run, "domains").replace("\r", "")
    owners = {rid: line for line in domains.splitlines() for rid in GUESTS.values() if rid in line}
    numbers = {rid: line.split()[0] for rid, line in owners.items()}
    assert set(numbers) == set(GUESTS.values()) and len(set(numbers.values())) == 2, domains
    for guest, rid in GUESTS.items():
        assert guest in owners[rid]
        ask(run, f"walk {rid} 0x0", "reaches")
    ask(run, "walk 01:00.0 0x0", "blocked")
    assert "violations" not in ask(run, "audit")
    run.send("poweroff")
    run.wait(30)


def test_more_vfs_than_there_are_is_refused(boot):
    run = boot.to_the_end(CARD.replace("vfs = 2", "vfs = 3") + hello("alpha", 0, "expect = refused\n"),
                          nics=(Nic("virtio-net-pci", vfs=2),), limit=90)
    verdict(run)
    refused = one(run, "nic.refused")
    assert (refused["vfs"], refused["total"]) == ("3", "2") and "more VFs than the device has" in refused["message"]
    assert one(run, "guest.refused")["guest"] == "alpha"
