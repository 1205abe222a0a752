# SPDX-License-Identifier: MIT
"""What the book names exists."""

import re

from conftest import ROOT
from lint.test_lint import files

# `name()` in `file.c`, `name()` and `other()` in `file.c`, `label` in `file.asm`. Pages leave out folders that are clear.
PLACE = re.compile(r"((?:`\w+\(\)`(?:,| and) )*`\w+\(\)`) in `([\w./]+\.[ch])`|`(\w+)` in `([\w./]+\.asm)`")
SOURCES = files("*.c", "*.h", "*.asm")


def defines(text: str, name: str, assembly: bool) -> bool:
    body = rf"^{name}:" if assembly else rf"^(?![ \t])[^;\n]*\b{name}\([^;{{}}]*\)\s*\{{|^#define {name}\("
    return re.search(body, text, re.MULTILINE) is not None


def missing_places(page: str) -> list[str]:
    missing = []
    for names, file, label, assembly in PLACE.findall(re.sub(r"\s+", " ", page)):
        texts = [(ROOT / name).read_text() for name in SOURCES if f"/{name}".endswith(f"/{file or assembly}")]
        for name in re.findall(r"`(\w+)\(\)`", names) or [label]:
            if not any(defines(text, name, bool(assembly)) for text in texts):
                missing.append(f"{name} in {file or assembly}")
    return missing


def test_functions_are_where_the_book_says():
    missing = {name: places for name in files("docs/*.md") if (places := missing_places((ROOT / name).read_text()))}
    assert not missing, missing


def test_a_function_that_moved_is_noticed():
    page = "1. `vcpu_exit_handle()` in `hypervisor/vcpu/exits.c`, then `nobody()` in\n`hypervisor/vcpu/exits.c`."
    assert missing_places(page) == ["nobody in hypervisor/vcpu/exits.c"]
    assert missing_places("`vcpu_exit_handle()` in `hypervisor/nowhere.c`") == ["vcpu_exit_handle in hypervisor/nowhere.c"]
    assert missing_places("`resume` in `vcpu/vmx/entry.asm`") == []


def test_trips_name_what_exists():
    """Every step of each trip names a function and its file."""
    trips = (ROOT / "docs/trips.md").read_text().split("\n## ")[1:]
    assert len(trips) == 4
    for trip in trips:
        title, steps = trip.split("\n", 1)[0], re.split(r"\n\d+\. ", trip)[1:]
        assert len(steps) >= 6, title
        for step in steps:
            assert PLACE.search(re.sub(r"\s+", " ", step)), f"{title}: no function and file in: {step[:60]}"
