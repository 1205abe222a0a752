"""Exits cost what was accepted (make bench-accept), and no CPUID costs more than its limit."""

import pytest
from bench import exits

CPUID_LIMIT = 200

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(120)]


def test_exits_cost_what_was_accepted(built):
    assert built.exists()
    costs = exits.exit_costs(exits.run_in_bochs())
    assert {kind for kind in costs if kind.startswith("cpuid")} == {"cpuid-1", "cpuid-abi"}
    assert max(costs["cpuid-1"], costs["cpuid-abi"]) <= CPUID_LIMIT
    assert not exits.differences(costs)
