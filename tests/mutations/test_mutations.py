# SPDX-License-Identifier: MIT
"""The mutations that `make test` tries: the five that must never go unnoticed, and a quick selection of the others
(`make test-mutations` tries all). The table itself has to fit the sources, all of it."""

import pytest
from machine.boot_media import needs_disk_tools, needs_emulators

from mutations import runner, table

QUICK = [mutation for mutation in table.MUTATIONS if mutation.quick]


@pytest.fixture(scope="module")
def session():
    return runner.Session()


def test_the_table_fits_the_sources():
    assert runner.check_table() == []


def test_a_mutation_that_does_not_fit_is_an_error(tmp_path):
    (tmp_path / "file.c").write_text("twice twice once\n")

    def mutation(old):
        return table.Mutation("x", "", (table.Edit("file.c", old, "new"),), ())

    for old in ("never", "twice"):
        with pytest.raises(runner.Broken):
            runner.mutate(mutation(old), tmp_path)
    runner.mutate(mutation("once"), tmp_path)
    assert (tmp_path / "file.c").read_text() == "twice twice new\n"


def test_the_five_are_caught_by_the_system():
    five = {"context-entry-left", "iotlb-not-flushed", "source-id-unchecked", "msix-table-mapped", "ept-one-frame-more"}
    assert five <= {mutation.name for mutation in QUICK if any(check.lane == "tcg" for check in mutation.checks)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutation", QUICK, ids=lambda mutation: mutation.name)
def test_unit_tests_catch(session, mutation):
    tried = list(session.tries(mutation, ("unit",)))
    if not tried:
        pytest.skip("caught by the system only")
    lost = [f"{result.catcher}: {result.verdict}: {result.detail}" for result in tried if not result.caught]
    assert not lost, "\n".join(lost)


@pytest.mark.tcg
@pytest.mark.timeout(600)
@needs_emulators
@needs_disk_tools
@pytest.mark.parametrize("mutation", [mutation for mutation in QUICK if any(
    check.lane == "tcg" for check in mutation.checks)], ids=lambda mutation: mutation.name)
def test_the_system_catches(session, mutation):
    tried = list(session.tries(mutation, ("tcg",)))
    lost = [f"{result.catcher}: {result.verdict}: {result.detail}" for result in tried if not result.caught]
    assert tried and not lost, "\n".join(lost)
