# SPDX-License-Identifier: MIT
"""What docs and README show is what is printed: blocks, and numbers in sentences. `make book PLACE=docs/monitor.md:77`
runs one of them, `make book-accept` writes what is printed into the pages."""

import pytest
from book import book, texts

from conftest import make
from machine.boot_media import needs_disk_tools, needs_emulators

pytestmark = [pytest.mark.timeout(300), needs_emulators, needs_disk_tools]


def cases(wanted):
    """Those that `make test` runs, as parameters."""
    return [pytest.param(one, id=one.name, marks=pytest.mark.bochs if book.in_bochs(one.mark) else pytest.mark.tcg)
            for one in book.in_order(book.everything()) if one.mark and one.mark.runs and not book.slow(one.mark) and wanted(one)]


@pytest.fixture(scope="module")
def pages(built):
    assert make("-s", "build/dmar").returncode == 0 and built.exists()
    executed = book.Book()
    yield executed
    executed.close()


@pytest.mark.parametrize("block", cases(lambda one: not one.item and one.mark.kind not in texts.KINDS))
def test_what_pages_show_is_printed(pages, block):
    problems = pages.problems(block)
    assert not problems, "\n".join(problems)


def test_texts_in_pages_are_those_of_the_sources(pages):
    """Configurations, sources, commands, and lines that only another machine would log: these take no time."""
    problems = [problem for one in pages.every if one.mark and one.mark.kind in texts.KINDS for problem in pages.problems(one)]
    assert not problems, "\n".join(problems)
