# SPDX-License-Identifier: MIT
"""Units that are not in the text: registers elsewhere, more fault records, another place in memory."""

from mutations.kinds import Edit

MODEL = "tests/unit/model/vtd_model.h"

SEEDS = (90001,)
MACHINES = {
    "fault-records-at-400": (Edit(MODEL, "UINT64_C(0x22) << 24", "UINT64_C(0x40) << 24"),),
    "unit-elsewhere": (Edit("tests/labs/checks/vtd_on_bench.h", "#define BASE 0xfed90000", "#define BASE 0xfeb10000"),),
}
