# SPDX-License-Identifier: MIT
"""Units that are not in the text: IOTLB registers elsewhere, more levels' worth of memory."""

from mutations.kinds import Edit

SEEDS = (90001,)
MACHINES = {
    "iotlb-registers-at-170": (Edit("tests/unit/model/vtd_model.h", "UINT64_C(0xf) << 8)", "UINT64_C(0x17) << 8)"),),
    "other-memory": (Edit("tests/labs/checks/vtd_bench.h", "#define AT   GIB(1)", "#define AT   GIB(3)"),),
}
