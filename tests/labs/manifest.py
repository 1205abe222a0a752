# SPDX-License-Identifier: MIT
"""All labs, and what of the manifest no longer fits the sources."""

import importlib
import pkgutil
import re
from pathlib import Path

from . import cutter, words
from .kinds import Lab

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def labs() -> tuple[Lab, ...]:
    names = sorted(found.name for found in pkgutil.iter_modules([str(HERE)]) if re.fullmatch(r"lab\d\d", found.name))
    return tuple(importlib.import_module(f"{__package__}.{name}").LAB for name in names)


class UnknownLab(ValueError):
    pass


def lab(text: str) -> Lab:
    """By `7`, `07`, `L7`."""
    every = labs()
    found = re.fullmatch(r"[lL]?0*(\d{1,2})", text.strip())
    number = int(found[1]) if found else -1
    for one in every:
        if one.number == number:
            return one
    raise UnknownLab(f"there is no lab {text!r}; there are " + ", ".join(f"{one.name} ({one.title})" for one in every))


def problems(root: Path = ROOT) -> list[str]:
    """Whatever in the manifest does not fit the sources."""
    found = []
    for one in labs():
        if [step.number for step in one.steps] != list(range(1, len(one.steps) + 1)):
            found.append(f"{one.name}: its steps are not 1, 2, 3...")
        for step in one.steps:
            try:
                cutter.body_of((root / step.file).read_text(), step.function, step.file)
            except (OSError, cutter.DoesNotFit) as error:
                found.append(f"{one.name} step {step.number}: {error}")
            else:
                found += [f"{one.name} step {step.number}: tests look for {part!r}, which its hint does not say"
                          for part in sorted(words.missing(root, one, step))]
        for mistake in one.mistakes:
            if one.step(mistake.step) is None:
                found.append(f"{one.name} {mistake.name}: there is no step {mistake.step}")
            for edit in mistake.edits:
                path = root / edit.file
                count = path.read_text().count(edit.old) if path.is_file() else 0
                if count != 1:
                    found.append(f"{one.name} {mistake.name}: {edit.file} has {count} times, not once: {edit.old.strip()!r}")
    return found
