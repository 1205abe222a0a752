# SPDX-License-Identifier: MIT
"""DPDK in guests: user space drives virtual functions by polling, and no guest leaves guest mode meanwhile."""

import pytest
from machine import report, scenario
from system.checks import of, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run(boot):
    text = scenario.text_of("dpdk")
    return boot.to_the_end(scenario="dpdk", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           files=scenario.files(text), limit=200)


@pytest.fixture(scope="module")
def steps(run):
    return {step.guest: step for step in report.steps(run.events)}


def test_both_ran_to_their_end(run, steps):
    assert {guest: (step.name, step.ok) for guest, step in steps.items()} == {
        "sender": ("dpdk:txonly:30", True), "receiver": ("dpdk:rxonly:20", True)}
    for guest in steps:
        stopped(run, guest)
    assert not of(run, "dma.fault")
    verdict(run)


def test_packets_arrive(run, steps):
    """Emulated cards and cores: some hundred thousand a second where nothing else runs."""
    sent = int(steps["sender"].value(r"TX-packets: (\d+)"))
    received = int(steps["receiver"].value(r"RX-packets: (\d+)"))
    assert sent > 1_000 and 100 < received <= sent
    assert int(steps["receiver"].value(r"Rx-pps: +(\d+)")) > 0
    table = report.text(run.events)
    assert str(sent) in table and str(received) in table


def test_no_packet_costs_an_exit(steps):
    """The serial line, which Linux looks at now and then, aside; one access may fall between the two counts."""
    for guest, step in steps.items():
        assert step.seconds > 15 and abs(step.exits) <= 1, (guest, step)
