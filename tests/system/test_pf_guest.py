# SPDX-License-Identifier: MIT
"""A stock Linux with igb on a PF, stock Linux kernels with igbvf on its VFs: everybody reaches everybody."""

import re

import pytest
from machine import report, scenario
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(400)]

GUESTS = {"owner": ("6.12", "igb"), "alpha": ("6.1", "igbvf"), "beta": ("6.12", "igbvf")}
STEPS = (("alpha", "ping:10.0.2.11:20"), ("alpha", "iperf:10.0.2.11:5"), ("alpha", "ping:10.0.2.13:20"),
         ("alpha", "iperf:10.0.2.13:5"), ("beta", "ping:10.0.2.11:20"), ("beta", "iperf:10.0.2.11:5"))


@pytest.fixture(scope="module")
def run(boot):
    text = scenario.text_of("pf-linux")
    return boot.to_the_end(scenario="pf-linux", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           files=scenario.files(text), limit=300)


def said(run, guest: str) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output", name=guest))


@pytest.mark.parametrize("guest", GUESTS)
def test_each_has_its_kernel_and_driver(run, guest):
    kernel, driver = GUESTS[guest]
    assert f"linux {kernel}." in said(run, guest)
    assert re.search(rf"eth0: 10\.0\.2\.1\d/24, driver {driver}, carrier 1", said(run, guest)), said(run, guest)


def test_the_owner_makes_vfs(run):
    """Its own word; those that guests have were made at boot."""
    assert "0000:00:01.0: 2 VFs" in said(run, "owner")
    assert one(run, "nic.driver", driver="guest", guest="owner")["owner_lost"] == "reset"
    assert one(run, "sriov.enabled")["vfs"] == "2"


@pytest.mark.parametrize("guest, step", STEPS)
def test_step(run, guest, step):
    assert f"{step}: ok" in said(run, guest), said(run, guest)


def test_all_end_as_they_should(run):
    for guest in GUESTS:
        stopped(run, guest)
        assert "0 steps failed" in said(run, guest)
    assert [line["name"] for line in of(run, "guest.stopped")][-1] == "owner"
    assert not of(run, "dma.fault") and not of(run, "device.blocked")
    verdict(run)


def test_the_table(run):
    titles, *columns = report.compare(run.events)
    assert [column[0].split(" (")[1] for column in columns] == ["igbvf to igb)", "igbvf to igbvf)", "igbvf to igb)"]
    for column in columns:
        figures = dict(zip(titles[1:], map(float, column[1:])))
        assert figures["round trip, ms"] > 0 and figures["TCP, Mbit/s"] > 0
        # Programs that start ask CPUID; no number of exits depends on the traffic.
        assert all(0 <= count < 400 for title, count in figures.items() if title.startswith("exits")), column
