# SPDX-License-Identifier: MIT
"""answers.txt: what a student has read off the run, a line `key = answer` for each question."""

import re
from pathlib import Path

from .kinds import Lab

ANSWERS = "answers.txt"
MOST_BYTES = 256 << 10  # of a file that is handed in
LINE = re.compile(r"\s*([\w-]+)\s*=\s*(.*?)\s*")


def text_of(folder: Path) -> str:
    path = folder / ANSWERS
    if not path.is_file() or path.is_symlink() or path.stat().st_size > MOST_BYTES:
        return ""
    return path.read_text(errors="replace")


def given(folder: Path) -> dict[str, str]:
    return dict(found.groups() for found in map(LINE.fullmatch, text_of(folder).splitlines()) if found)


def problems(folder: Path, lab: Lab) -> list[str]:
    """What a grader would not find or not understand; nothing of whether an answer is right."""
    found = [f"{ANSWERS}: {line.strip()!r} is not understood: write `key = answer`"
             for line in text_of(folder).splitlines() if line.strip() and not LINE.fullmatch(line)]
    answered = given(folder)
    keys = [question.key for question in lab.questions]
    found += [f"{ANSWERS}: {lab.name} has no question {key}: its questions are {', '.join(keys)}" for key in answered if key not in keys]
    return found + [f"{ANSWERS}: a line `{key} = ...` is missing: docs/course/{lab.name.lower()}.md, Questions"
                    for key in keys if not answered.get(key)]
