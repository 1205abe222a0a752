# SPDX-License-Identifier: MIT
"""A machine that is not in the text: guests' memory elsewhere."""

from mutations.kinds import Edit

SEEDS = (90001, 90002)
MACHINES = {
    "memory-elsewhere": (Edit("tests/labs/checks/l08_domain.c", ".pieces = {{0, GIB(2), first_size}, {GUEST_HIGH_BASE, GIB(7), second_size}},",
                              ".pieces = {{0, GIB(9), first_size}, {GUEST_HIGH_BASE, GIB(3), second_size}},"),),
}
