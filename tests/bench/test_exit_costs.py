"""Exits cost what was accepted (make bench-accept), and no CPUID costs more than its limit."""

import pytest
from bench import exits

CPUID_LIMIT = 200

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def costs(built):
    assert built.exists()
    return exits.exit_costs(exits.run_in_bochs())


def test_cpuid_stays_below_its_limit(costs):
    assert {kind for kind in costs if kind.startswith("cpuid")} == {"cpuid-1", "cpuid-abi"}
    assert max(costs["cpuid-1"], costs["cpuid-abi"]) <= CPUID_LIMIT


def test_exits_cost_what_was_accepted(costs):
    accepted_with, _ = exits.read_golden()
    if exits.compiler() != accepted_with:
        pytest.skip(f"accepted with {accepted_with}, built with {exits.compiler()}: nothing to compare with")
    assert not exits.differences(costs)
