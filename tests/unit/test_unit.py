# SPDX-License-Identifier: MIT
"""Builds and runs each unit test with both compilers' warnings as errors (ASan, UBSan)."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, ROOT, make

TESTS = sorted(path.stem for path in Path(__file__).parent.glob("test_*.c"))


@pytest.mark.parametrize("name", TESTS)
def test_unit(name):
    built = make(f"build/unit/{name}")
    assert built.returncode == 0, built.stdout + built.stderr
    result = subprocess.run([ROOT / "build/unit" / name], cwd=ROOT, text=True, capture_output=True,
                            timeout=120 * PATIENCE)
    assert result.returncode == 0, result.stdout + result.stderr
    ran = re.search(r"(\d+) test\(s\) run", result.stdout + result.stderr)
    assert ran and int(ran.group(1)) > 0, "the program ran no test"
