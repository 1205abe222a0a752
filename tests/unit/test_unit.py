# SPDX-License-Identifier: MIT
"""Builds and runs each unit test with both compilers' warnings as errors (ASan, UBSan)."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, ROOT, make

TESTS = sorted(path.stem for path in Path(__file__).parent.glob("test_*.c"))


@pytest.fixture(scope="module")
def programs():
    """All at once, on all cores; what does not build says so in its own test."""
    make(f"-j{os.cpu_count() or 2}", "-k", "-s", "unit-programs", timeout=900)


@pytest.mark.parametrize("name", TESTS)
def test_unit(programs, name):
    built = make(f"build/unit/{name}")
    assert built.returncode == 0, built.stdout + built.stderr
    result = subprocess.run([ROOT / "build/unit" / name], cwd=ROOT, text=True, capture_output=True,
                            timeout=120 * PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    ran = re.search(r"(\d+) test\(s\) run", result.stdout + result.stderr)
    assert ran and int(ran.group(1)) > 0, "the program ran no test"
