# SPDX-License-Identifier: MIT
"""The tables at the end of a run, and the cards that a scenario needs."""

from machine import report, scenario
from machine.logfmt import LogReader

LOG = """\
[1.0] guest.output name=a text="eth0: 10.0.2.11/24, driver e1000e, carrier 1"
[1.0] guest.output name=a text="eth1: 10.0.3.11/24, driver igbvf, carrier 1"
[1.0] guest.output name=b text="eth0: 10.0.2.12/24, driver igb, carrier 1"
[1.0] guest.output name=b text="eth1: 10.0.3.12/24, driver igbvf, carrier 1"
"""


def step(guest: str, number: int, name: str, exits: int, serial: int, *lines: str) -> str:
    first, last = (f"[{number}.{part}] guest.event name={guest} value={2 * number - 1 + part:#x} exits="
                   for part in (0, 1))
    return (f"{first}100 serial=10\n{last}{101 + exits + serial} serial={10 + serial}\n"
            f'[{number}.5] guest.output name={guest} text="{name}: ok"\n'
            + "".join(f'[{number}.6] guest.output name={guest} text="  {line}"\n' for line in lines))


def events(text: str):
    reader = LogReader()
    reader.feed(text.encode())
    return reader.events


def test_whole_cards_and_virtual_functions_side_by_side():
    text = LOG
    for number, net in ((1, 2), (3, 3)):
        text += step("a", number, f"ping:10.0.{net}.12:5", 7, 3, f"round-trip min/avg/max = 1.0/{net}.5/9.0 ms")
        text += step("a", number + 1, f"iperf:10.0.{net}.12:5", net, 50,
                     f"[  5]   0.00-5.07   sec  73.8 MBytes   12{net} Mbits/sec                  receiver")
    text += step("b", 1, "wait", 21, 4) + step("b", 2, "wait", 22, 4)
    assert report.compare(events(text))[1:] == [
        ["whole cards (e1000e to igb)", "2.5", "122", "7", "2", "21"],
        ["virtual functions (igbvf to igbvf)", "3.5", "123", "7", "3", "22"]]


def test_packets():
    text = step("s", 1, "dpdk:txonly:10", 0, 9, "RX-packets: 0 RX-dropped: 0", "TX-packets: 77 TX-dropped: 2",
                "Rx-pps:            0", "Tx-pps:            8")
    assert report.packets(events(text))[1:] == [["s (dpdk:txonly:10)", "77", "8", "2", "0"]]


def test_a_pf_that_a_guest_drives():
    text = LOG.replace("eth1: 10.0.3.12/24, driver igbvf", "eth1: 10.0.3.12/24, driver igb")
    text += '[1.0] guest.output name=b text="0000:00:02.0: 2 VFs"\n'
    for number, net in ((1, 2), (3, 3)):
        text += step("a", number, f"ping:10.0.{net}.12:5", 0, 3) + step("a", number + 1, f"iperf:10.0.{net}.12:5", 0, 5)
    assert [row[0] for row in report.compare(events(text))[1:]] == [
        "whole cards, a guest's PF (e1000e to igb)", "virtual and physical function, a guest's PF (igbvf to igb)"]


def test_frames_that_go_round():
    text = '[1.0] guest.output name=o text="0000:00:01.0: 2 VFs"\n'
    text += step("o", 1, "dpdk-echo:60", 4, 0, "RX-packets: 9 TX-packets: 8", "RX-packets: 19 RX-dropped: 0",
                 "TX-packets: 18 TX-dropped: 0", "Rx-pps:       7")
    text += step("v", 1, "dpdk-round:10", 0, 9, "RX-packets: 5 RX-dropped: 0", "TX-packets: 6 TX-dropped: 0", "Rx-pps:  3")
    assert report.rounds(events(text))[1:] == [["o, PF (dpdk-echo:60)", "8", "9", "7", "4"],
                                               ["v, VF (dpdk-round:10)", "6", "5", "3", "0"]]
    assert "sent" in report.text(events(text))


def test_nothing_measured_prints_nothing():
    assert report.text(events('[1.0] guest.output name=a text="ping 10.0.0.2: 10 of 10 echoes"\n')) == ""


def test_a_card_for_each_section():
    cards = scenario.nics(scenario.text_of("passthrough"))
    assert [card.model for card in cards] == ["e1000e", "igb", "igb", "igb"]
    assert cards[0].netdev == cards[1].netdev == "hubport,hubid=0" not in (cards[2].netdev, cards[3].netdev)
    assert len(scenario.nics(scenario.text_of("sriov"))) == 1
