# SPDX-License-Identifier: MIT
"""A core that is not in the text: what its registers cost."""

from mutations.kinds import Edit

SEEDS = (90001, 90002)
MACHINES = {
    "other-costs": (Edit("tests/labs/checks/l09_meter.c", "costs[] = {0, 5 + 400, 7, 9, 130, 0};", "costs[] = {0, 5 + 400, 21, 4, 311, 0};"),
                    Edit("tests/labs/checks/l09_meter.c", "#define LOOP          50u", "#define LOOP          83u")),
}
