# SPDX-License-Identifier: MIT
"""Two runs are compared by what was counted; and the same program takes as many instructions as a guest as on the bare
machine."""

import pytest
from bench import exits, native, pages, plots
from bench.row import Row, differences, write_csv


def test_a_count_that_differs_is_told():
    first, second = [Row("exits", 0, "exits", "log")], [Row("exits", 1, "exits", "log")]
    assert differences(first, first) == []
    assert differences(first, second) == ["exits: bulkhead 0 and 1"]
    assert differences(first, []) == ["exits: only one run has it"]


def test_a_time_may_differ():
    assert differences([Row("boot", 1.5, "ms", "TSC", exact=False)], [Row("boot", 2.5, "ms", "TSC", exact=False)]) == []


@pytest.mark.parametrize("value, limit, at_least, met", [(1, 1, False, True), (2, 1, False, False), (2, 1, True, True),
                                                         (1, 2, True, False), (1, None, False, None)])
def test_limits(value, limit, at_least, met):
    assert Row("", value, "", "", limit=limit, at_least=at_least).met is met


def test_a_part_leaves_the_rest_of_the_file(tmp_path):
    target = tmp_path / "bench.csv"
    write_csv([Row("one", 1, "", ""), Row("two", 2, "", "")], part=False, target=target)
    write_csv([Row("two", 3, "", "")], part=True, target=target)
    assert [line.split(",")[:2] for line in target.read_text().splitlines()[1:]] == [["one", "1"], ["two", "3"]]


def test_bars_are_as_tall_as_their_values():
    drawing = plots.chart("t", "u", ["a", "b"], [plots.Series("s", [1, 2])])
    heights = [float(part.split('height="')[1].split('"')[0]) for part in drawing.splitlines()
               if part.startswith("<rect x=")][1:]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)


@pytest.mark.tcg
@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_guest_takes_as_many_instructions_as_the_bare_machine(built):
    assert built.exists()
    bare, guest = native.on_bare_machine((64,)), native.guest_figures(native.as_guest((64,)))
    assert bare.keys() == guest.keys() and len(bare) == 7
    for what, figures in bare.items():
        assert (figures.minimum, figures.median) == (guest[what].minimum, guest[what].median), what


def test_pages_say_what_exits_cost():
    """`make bench-accept` writes them."""
    costs = exits.read_golden()[1]
    text = "<!-- exit cpuid-1 -->1<!-- --> <!-- exit cpuid-1 vmreads -->1<!-- --> <!-- exit cpuid-1 below 1000 -->1<!-- -->"
    cost = costs["cpuid-1"]
    assert pages.filled(text, costs) == (
        f"<!-- exit cpuid-1 -->{cost.instructions}<!-- --> <!-- exit cpuid-1 vmreads -->{cost.vmreads}<!-- --> "
        f"<!-- exit cpuid-1 below 1000 -->{1000 / cost.instructions:.1f}<!-- -->")
    with pytest.raises(KeyError, match="there is no such exit"):
        pages.filled("<!-- exit none -->1<!-- -->", costs)
    assert {page.name for page in pages.quoting()} == {"README.md", "performance.md", "performance-exits.md"}
    assert not pages.outdated(costs)
