# SPDX-License-Identifier: MIT
"""How large the hypervisor may be, and who may use whom in it: of the objects, by tests/size. `make size DETAIL=1` shows."""

import os
import re
from functools import cache

from size import ratchet, size
from size.measure import Measure

from conftest import ROOT, make

ACCEPT = "`make size-accept` writes tests/size/ratchet.txt anew"


@cache
def measured() -> Measure:
    result = make(f"-j{os.cpu_count() or 2}", "graph", timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    return Measure.read(ROOT, ROOT / "build/graph")


def test_every_file_has_a_folder():
    table = measured().layers
    assert not table.missing(ROOT)
    assert all(table.folder_of(file) for file in measured().files)


def test_nothing_grows():
    """Resident and reachable lines, groups of files that all lead to each other, arrows and includes upwards."""
    held, now = ratchet.Ratchet.parse(ratchet.PATH.read_text()), ratchet.of(measured())
    assert not ratchet.broken(now, held), ratchet.broken(now, held)
    assert not ratchet.loose(now, held), (ratchet.loose(now, held), ACCEPT)


def test_boot_code_is_apart():
    """Nothing that stays refers to what is gone or may be, and what layers.txt calls boot-only does not run later."""
    assert not measured().lost_references()
    assert not measured().not_boot()
    result = make(f"-j{os.cpu_count() or 2}", "build/bulkhead.elf", timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not Measure.read(ROOT, ROOT / "build").lost_references()


def test_every_group_can_go():
    """Each group of layers.txt has sections of its own, and boot code gives it back where it is not used."""
    found = measured()
    assert {found.group(output) for output in found.placed.values()} == {"", "boot", *found.layers.groups}
    listed, = re.findall(r"^#define GROUPS\(each\) (.*)$", (ROOT / "hypervisor/setup/optional.c").read_text(), re.M)
    assert set(re.findall(r"each\((\w+)\)", listed)) == set(found.layers.groups)


def test_stored_pointers_are_known():
    """tests/size/roots.py says who calls functions whose address only boot code takes."""
    assert not measured().unexplained_pointers()
    assert not measured().stale_pointers()


def test_pages_quote_the_tool():
    """`make size-table` writes them."""
    counts = size.figures(measured())
    wrong = {page.name: found for page in size.quoting(ROOT) if (found := size.outdated(page.read_text(), counts))}
    assert not wrong, wrong
    page = size.TABLE_PAGE.read_text()
    table = page.partition(size.MARK)[2].partition(size.END_MARK)[0]
    assert not size.table_outdated(table, size.documentation(measured()))
