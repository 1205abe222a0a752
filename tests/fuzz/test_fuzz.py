# SPDX-License-Identifier: MIT
"""Every fuzz target for a bounded time. Longer runs by hand: make fuzz FUZZ_SECONDS=3600."""

import os
import re
from pathlib import Path

import pytest

from conftest import make

TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in Path(__file__).parent.glob("fuzz_*.c"))
SECONDS = int(os.environ.get("FUZZ_SECONDS", "10"))


@pytest.mark.parametrize("target", TARGETS)
def test_fuzz(target):
    result = make(f"fuzz-{target}", f"FUZZ_SECONDS={SECONDS}", timeout=SECONDS + 300)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-6000:]
    executions = re.search(r"stat::number_of_executed_units:\s+(\d+)", output)
    assert executions and int(executions.group(1)) > 1000, output[-2000:]
