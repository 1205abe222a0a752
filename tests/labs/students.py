# SPDX-License-Identifier: MIT
"""Who takes the course, and with which seed. A list is a CSV file with a line `student,seed` first; the column `seed` may
be missing, or empty for some: their seed then comes from the name, the same each time."""

import csv
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")  # it becomes the name of a folder
MOST_SEEDS = 1 << 31


class BadList(ValueError):
    """Said to the user in one line."""


@dataclass(frozen=True)
class Student:
    name: str
    seed: int


def seed_of(name: str) -> int:
    """Never 0, which stands for the numbers in the text."""
    return 1 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % (MOST_SEEDS - 1)


def checked_name(name: str, where: str) -> str:
    if not NAME.fullmatch(name):
        raise BadList(f"{where}: {name!r} cannot be a folder's name: letters, digits and _.@+-, 64 at most, no dot or dash first")
    return name


def seed_from(text: str, name: str, where: str) -> int:
    if not text:
        return seed_of(name)
    if not re.fullmatch(r"\d{1,10}", text) or int(text) >= MOST_SEEDS:
        raise BadList(f"{where}: the seed {text!r} is not a number from 0 to {MOST_SEEDS - 1}")
    return int(text)


def students(path: Path) -> list[Student]:
    """In the order of the list. Excel's mark at the beginning and its semicolons are taken as well."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise BadList(f"{path} is not UTF-8 text") from None
    rows = list(csv.reader(lines, delimiter=";" if lines and ";" in lines[0] else ","))
    header = [word.strip().lower() for word in rows[0]] if rows else []
    if "student" not in header:
        raise BadList(f"{path}:1: the first line names the columns: student,seed")
    found: dict[str, Student] = {}
    for number, row in enumerate(rows[1:], 2):
        cells = dict(zip(header, (cell.strip() for cell in row)))
        if not any(cells.values()):
            continue
        where = f"{path}:{number}"
        name = checked_name(cells.get("student", ""), where)
        if name.lower() in found:
            raise BadList(f"{where}: {name} is in the list twice")
        found[name.lower()] = Student(name, seed_from(cells.get("seed", ""), name, where))
    if not found:
        raise BadList(f"{path} names no student")
    return list(found.values())
