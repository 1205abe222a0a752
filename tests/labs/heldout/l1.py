# SPDX-License-Identifier: MIT
"""Machines that are not in the text: units elsewhere, the one of what is left over listed last."""

from mutations.kinds import Edit

UNITS = "tests/labs/checks/l01_units.c"

SEEDS = (90001,)
MACHINES = {
    "units-elsewhere": (Edit(UNITS, "#define UNIT(n) (0xfed00000 + (n) * 0x10000)", "#define UNIT(n) (0xd3000000 + (n) * 0x4000)"),),
}
