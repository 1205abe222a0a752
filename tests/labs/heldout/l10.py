# SPDX-License-Identifier: MIT
"""Cards that are not in the text: capabilities elsewhere."""

from mutations.kinds import Edit

BENCH = "tests/labs/checks/reset_bench.h"

SEEDS = (90001,)
MACHINES = {
    "capabilities-elsewhere": (Edit(BENCH, "#define PCIE 0xa0", "#define PCIE 0x50"), Edit(BENCH, "#define PM   0xc8", "#define PM   0xd0"),
                               Edit(BENCH, "#define AF   0x90", "#define AF   0xe0")),
}
