# SPDX-License-Identifier: MIT
"""Cards that are not in the text: the capability elsewhere, other BARs."""

from mutations.kinds import Edit

BENCH = "tests/labs/checks/sriov_bench.h"

SEEDS = (90001,)
MACHINES = {
    "capability-at-1a0": (Edit(BENCH, ".offset = 0x160,", ".offset = 0x1a0,"),),
    "larger-bars": (Edit(BENCH, "[3] = {.size = 0x4000,", "[3] = {.size = 0x8000,"),),
}
