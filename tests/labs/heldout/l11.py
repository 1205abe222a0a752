# SPDX-License-Identifier: MIT
"""A controller that is not in the text: other ids."""

from mutations.kinds import Edit

MODEL = "tests/unit/support/nvme_model.h"

SEEDS = (90001,)
MACHINES = {
    "ids-elsewhere": (Edit(MODEL, "#define FIRST          5 ", "#define FIRST          11 "), Edit(MODEL, "#define MODEL_ID       2\n", "#define MODEL_ID       7\n")),
}
