# SPDX-License-Identifier: MIT
"""Words of a message that a check or a unit test looks for: a student can only have them from the hint."""

import re
from pathlib import Path

from . import cutter
from .kinds import Host, Lab, Step

LEAST = 5  # characters; shorter ones are separators and answers like "yes"
SPECIFICATION = r"%[#0-9.*l-]*[a-zA-Z]"


def literals(text: str) -> set[str]:
    text = re.sub(r"(?m)^\s*(?://|#include).*$", "", text)
    joined = re.sub(r'"\s*\n\s*"', "", text)
    return {found.replace('\\"', '"') for found in re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)}


def looked_for(written: str, wanted: set[str]) -> set[str]:
    """Of a literal of the solution: the parts that tests look for; of a format, what stands between its values."""
    found = {one for one in wanted if len(one) >= LEAST and one in written}
    for piece in re.split(SPECIFICATION, written):
        piece = piece.strip()
        if len(piece.split()) > 1 and any(piece in one and len(one) < len(written) + 30 for one in wanted):
            found.add(piece)
    return found


def missing(root: Path, lab: Lab, step: Step) -> set[str]:
    """What the checks of the step, and the lab's unit tests, look for and the hint does not say."""
    tests = [f"tests/labs/checks/{check.program}.c" for check in step.checks if isinstance(check, Host)]
    tests += [f"tests/unit/{unit}.c" for unit in lab.units]
    wanted = set().union(*(literals((root / test).read_text()) for test in tests))
    body = cutter.body_of((root / step.file).read_text(), step.function, step.file)
    hint = " ".join(step.hint.split())
    return {part for written in literals(body) for part in looked_for(written, wanted) if part not in hint}
