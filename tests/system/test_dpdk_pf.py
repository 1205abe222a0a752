# SPDX-License-Identifier: MIT
"""DPDK on the PF and on VFs of it, in a guest each: frames go round between them, and each side counts the same."""

import pytest
from machine import report, scenario
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.long, pytest.mark.timeout(500)]

BURST = 128  # frames that are under way; when a step ends they may be anywhere


@pytest.fixture(scope="module")
def run(boot):
    text = scenario.text_of("dpdk-pf")
    return boot.to_the_end(scenario="dpdk-pf", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           files=scenario.files(text), limit=400)


@pytest.fixture(scope="module")
def counts(run):
    """(sent, received) of each step: VF to VF and VF to PF as `first` counts them, and of those that send back."""
    steps = {guest: [step for step in report.steps(run.events) if step.guest == guest]
             for guest in ("first", "second", "owner")}
    assert [len(mine) for mine in steps.values()] == [2, 1, 1], steps
    return {guest: [tuple(int(step.value(rf"{way}X-packets: (\d+)")) for way in "TR") for step in mine]
            for guest, mine in steps.items()}


def test_all_ran_to_their_end(run):
    for guest in ("owner", "second", "first"):
        stopped(run, guest)
    assert [line["name"] for line in of(run, "guest.stopped")][-1] == "owner"
    assert one(run, "nic.driver", driver="guest")["guest"] == "owner"
    assert "0000:00:01.0: 2 VFs" in [line["text"] for line in of(run, "guest.output", name="owner")]
    assert not of(run, "dma.fault") and not of(run, "device.blocked")
    verdict(run)


@pytest.mark.parametrize("number, other", [(0, "second"), (1, "owner")])
def test_none_is_lost(counts, number, other):
    """VF to VF, then VF to PF. The other side counts from before the first frame; a burst that an earlier attempt sent
    is among its frames, too, and what is under way at the end may miss."""
    sent, received = counts["first"][number]
    (sent_back, arrived), = counts[other]
    assert received > 1_000 and sent - BURST <= received <= sent
    assert arrived >= received and arrived - BURST <= sent_back <= arrived
    assert sent <= arrived <= sent + 60 * BURST


def test_no_packet_costs_an_exit(run):
    """Those of the owner are for its VFs' questions: an interrupt is masked and unmasked again for each."""
    for step in report.steps(run.events):
        assert step.ok
        if step.guest == "owner":
            assert step.exits < 400 < int(step.value(r"RX-packets: (\d+)")) / 100
        else:
            assert step.seconds > 15 and abs(step.exits) <= 1, step


def test_the_table(run, counts):
    table = report.text(run.events)
    assert "owner, PF (dpdk-echo:60)" in table and "first, VF (dpdk-round:20)" in table
    assert all(str(number) in table for pairs in counts.values() for pair in pairs for number in pair)
