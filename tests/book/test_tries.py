# SPDX-License-Identifier: MIT
"""Everything under "Things to try" does what the page says."""

import pytest
from book.test_book import cases, pages  # noqa: F401 (a fixture)

from machine.boot_media import needs_disk_tools, needs_emulators

pytestmark = [pytest.mark.timeout(300), needs_emulators, needs_disk_tools]


@pytest.mark.parametrize("item", cases(lambda one: one.item))
def test_what_there_is_to_try(pages, item):  # noqa: F811
    problems = pages.problems(item)
    assert not problems, "\n".join(problems)
