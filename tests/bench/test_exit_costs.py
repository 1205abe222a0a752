# SPDX-License-Identifier: MIT
"""Exits cost what was accepted (make bench-accept), and no CPUID costs more than its limit."""

import pytest
from bench import exit_trace, exits, guards, kvm_exits

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def costs(built):
    assert built.exists()
    return exits.exit_costs(exits.run_in_bochs())


def test_cpuid_stays_below_its_limit(costs):
    assert {kind for kind in costs if kind.startswith("cpuid")} == {"cpuid-1", "cpuid-abi"}
    assert max(costs["cpuid-1"], costs["cpuid-abi"]) <= kvm_exits.CPUID_LIMIT


def skip_for_another_compiler():
    accepted_with, _ = exits.read_golden()
    if exits.compiler() != accepted_with:
        pytest.skip(f"accepted with {accepted_with}, built with {exits.compiler()}: nothing to compare with")


def test_exits_cost_what_was_accepted(costs):
    skip_for_another_compiler()
    assert not exits.differences(costs)


def test_exits_read_and_write_what_was_accepted(built, costs):
    """Two counts of the same: what Bochs wrote down, and what the guest's TSC said."""
    assert built.exists()
    skip_for_another_compiler()
    profile = exit_trace.exit_profile(exit_trace.run_traced())
    assert not exits.differences(costs, profile)
    for kind in ("cpuid-1", "cpuid-abi", "call-unknown", "rdmsr", "wrmsr", "out", "in", "xsetbv", "invd"):
        assert profile[kind].instructions == costs[kind]


def test_guarded_entries_cost_what_the_page_says(built, costs):
    """Two threads of one core, one of them the hypervisor's own, on a CPU that needs VERW at each entry; and the same
    counted in the image, where what no CPU of Bochs needs can be counted, too."""
    figures = guards.costs(built / "bulkhead.elf")
    text = guards.PAGE.read_text()
    assert {match[2] for match in guards.FIGURE.finditer(text)} == {"verw", "l1d"}
    assert guards.filled(text, figures) == text, "make bench-accept"
    run = exits.run_in_bochs(system="[system]\nsmt = shared\n", threads=2, cpu="tigerlake")
    line = next(line for line in run.events if line.event == "cpu.vulnerable")
    assert line["at_entry"] == "verw", line.text
    guarded = exits.exit_costs(run)
    assert {kind: guarded[kind] - costs[kind] for kind in ("cpuid-1", "cpuid-abi", "rdmsr", "wrmsr", "in", "invd")} == \
        dict.fromkeys(("cpuid-1", "cpuid-abi", "rdmsr", "wrmsr", "in", "invd"), figures["verw"])


@pytest.mark.stack
@pytest.mark.timeout(400)  # the first run in the stack takes the snapshot
def test_exits_cost_a_fifth_of_kvms_at_most(costs):
    kvm = kvm_exits.kvm_costs(kvm_exits.kvm_run())
    assert set(kvm) == set(costs)
    dear = [row for row in kvm_exits.exit_rows(costs, {}, kvm) if not row.met]
    assert not dear
