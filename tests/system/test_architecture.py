# SPDX-License-Identifier: MIT
"""A guest sees what the bare machine shows, but for the differences that architecture.py lists with their reasons."""

import pytest

from system import architecture

pytestmark = [pytest.mark.timeout(900)]

LANES = [pytest.param("tcg", marks=pytest.mark.tcg), pytest.param("bochs", marks=pytest.mark.bochs)]


@pytest.fixture(scope="module", params=LANES, name="lane")
def in_lane(request, built):
    assert (built / "guest/architecture.elf").exists()
    return request.param


@pytest.fixture(scope="module", name="bare")
def on_the_bare_machine(lane):
    return architecture.on_bare_machine(lane)


def test_only_what_is_meant_differs(lane, bare):
    guest = architecture.as_guest(lane)
    wrong = architecture.mistakes(lane, architecture.compared(lane, bare, guest))
    assert not wrong, "\n".join(wrong)
    print(f"{lane}: {len(bare)} probes")
    assert len(bare) >= architecture.LEAST


@pytest.mark.tcg
def test_a_probe_says_the_same_every_time(built):
    assert built.exists()
    assert architecture.on_bare_machine("tcg") == architecture.on_bare_machine("tcg")


def test_an_unknown_difference_and_a_row_without_one_are_mistakes(monkeypatch):
    row = architecture.Row(r"a\.\d", "1", "2", "because")
    monkeypatch.setattr(architecture, "ALLOWED", (row,))

    def judged(guest):
        return architecture.mistakes("tcg", architecture.compared("tcg", {"a.1": "1", "b": "1"}, guest))

    assert judged({"a.1": "2", "b": "1"}) == []
    assert "no difference is left" in judged({"a.1": "1", "b": "1"})[0]
    assert "'b'" not in judged({"a.1": "2", "b": "3"})[0] and "b: bare '1', guest '3'" in judged({"a.1": "2", "b": "3"})[0]
    assert "guest None" in judged({"a.1": "2"})[0]


def test_what_does_not_arrive_is_an_error():
    assert architecture.parsed("= a: 1 = b: 2 \narchitecture: 2 probes\n") == {"a": "1", "b": "2"}
    for text in ("= a: 1 = b: 2 \n", "= a: 1 \narchitecture: 2 probes\n", "= a: 1 = a: 2 \narchitecture: 2 probes\n"):
        with pytest.raises(architecture.MachineError):
            architecture.parsed(text)
