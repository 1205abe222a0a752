# SPDX-License-Identifier: MIT
"""Whole cards to stock Linux kernels, beside virtual functions that carry the same traffic."""

import re

import pytest
from machine import report, scenario
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def run(boot):
    text = scenario.text_of("passthrough")
    return boot.to_the_end(scenario="passthrough", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           nics=scenario.nics(text), files=scenario.files(text), limit=200)


def said(run, guest: str) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output", name=guest))


def test_each_has_the_stock_driver(run):
    assert re.search(r"eth\d: 10\.0\.2\.11/24, driver e1000e, carrier 1", said(run, "alpha"))
    assert re.search(r"eth\d: 10\.0\.2\.12/24, driver igb, carrier 1", said(run, "beta"))
    assert "0000:00:01.0: 2 VFs" in said(run, "owner")
    stopped(run, "owner")
    for guest in ("alpha", "beta"):
        for net in (3, 4):
            assert re.search(rf"eth\d: 10\.0\.{net}\.1\d/24, driver igbvf, carrier 1", said(run, guest))
        assert "0 steps failed" in said(run, guest)
        stopped(run, guest)


def test_the_card_that_is_taken_is_refused_by_name(run):
    refused = one(run, "device.refused")
    assert (refused["guest"], refused["device"], refused["owner"]) == ("gamma", "02:00.0", "beta")
    assert one(run, "guest.refused")["guest"] == "gamma" and not of(run, "guest.started", name="gamma")
    verdict(run)


def test_each_way_to_reset_is_used(run):
    """When it is given and when it is taken back: QEMU's 82574 has no FLR and does not forget anything in D3hot."""
    done = {rid: [line["method"] for line in of(run, "pci.reset", rid=rid, status="ok")]
            for rid in ("01:00.0", "02:00.0", "03:10.0", "03:10.2", "04:10.0", "04:10.2")}
    assert done == {"01:00.0": ["bus", "bus"], "02:00.0": ["flr", "flr"], "03:10.0": ["flr"], "03:10.2": ["flr"],
                    "04:10.0": ["flr"], "04:10.2": ["flr"]}
    assert "unchanged" in one(run, "pci.reset", rid="01:00.0", status="device-error")["message"]


def test_the_table(run):
    """Programs that start ask CPUID, so there is a number of exits that does not depend on the traffic."""
    titles, whole, virtual, lent = report.compare(run.events)
    assert whole[0] == "whole cards (e1000e to igb)" and virtual[0] == "virtual functions (igbvf to igbvf)"
    assert lent[0] == "virtual functions, a guest's PF (igbvf to igbvf)"
    for column in (whole, virtual, lent):
        figures = dict(zip(titles[1:], map(float, column[1:])))
        assert figures["round trip, ms"] > 0 and figures["TCP, Mbit/s"] > 0
        assert all(0 <= count < 400 for title, count in figures.items() if title.startswith("exits")), column
    for guest in ("alpha", "beta"):
        counts = re.findall(r"^ +\d+: +(\d+) +PCI-MSI.*eth\d-(?:tx|rx)-0", said(run, guest), re.MULTILINE)
        assert len(counts) == 6 and all(int(count) > 200 for count in counts), counts
    assert all(word in report.text(run.events) for word in (*titles, *whole, *virtual, *lent))
