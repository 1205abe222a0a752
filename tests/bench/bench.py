#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what Bulkhead costs, prints one table and writes it to build/bench.csv. Every figure names what counted it.
Fails when an exit in Bochs costs more or less than exit_costs.golden says, or with --twice when two runs do not count
the same."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench import exits, guards, pages  # noqa: E402
from bench.boot import boot_rows, phase_rows  # noqa: E402
from bench.kvm_exits import all_exit_rows  # noqa: E402
from bench.linux import linux_rows  # noqa: E402
from bench.native import native_rows  # noqa: E402
from bench.packets import packet_rows  # noqa: E402
from bench.row import CSV, ROOT, Row, differences, write_csv  # noqa: E402
from bench.scale import scale_rows  # noqa: E402
from bench.sizes import image_rows, line_rows, memory_rows  # noqa: E402
from bench.start import start_rows  # noqa: E402
from bench.vtd import corpus_rows, domain_rows, invalidation_rows, page_rows  # noqa: E402


def bochs_rows() -> list[Row]:
    run = exits.run_in_bochs()
    return all_exit_rows(exits.exit_costs(run)) + phase_rows(run, "bochs") + memory_rows(run, "bochs")


# What is measured, in the order of the table. Each part can be run alone (--only).
PARTS: dict[str, Callable[[], list[Row]]] = {
    "native": native_rows,
    "exits": bochs_rows,
    "packets": packet_rows,
    "boot": boot_rows,
    "start": start_rows,
    "linux": linux_rows,
    "invalidation": invalidation_rows,
    "pages": page_rows,
    "domains": domain_rows,
    "corpus": corpus_rows,
    "scale": scale_rows,
    "image": image_rows,
    "lines": line_rows,
}


def text_of(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3f}" if abs(value) < 10 else f"{value:,.1f}"


def show(rows: list[Row]) -> None:
    table = [("", "Bulkhead", "", "native", "peer", "limit", "ratio", "", "counted by")]
    for row in rows:
        peer = f"{row.peer_name} {text_of(row.peer)}" if row.peer is not None else "-"
        limit = "-" if row.limit is None else ("at least " if row.at_least else "") + text_of(row.limit)
        met = {None: "", True: "met", False: "NOT MET"}[row.met]
        table.append((row.what, text_of(row.bulkhead), row.unit, text_of(row.native), peer, limit,
                      text_of(row.ratio), met, row.counted_by + ("" if row.exact else " (differs from run to run)")))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]) - 1)] + [0]
    left = (0, 2, 7, 8)
    for line in table:
        print("  ".join(cell.ljust(width) if column in left else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(line, widths))).rstrip())


def measured(names: list[str]) -> list[Row]:
    rows = []
    for name in names:
        print(f"bench: {name}", file=sys.stderr)
        rows += PARTS[name]()
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write the exit costs to exit_costs.golden and into README and docs")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help="of: " + " ".join(PARTS))
    parser.add_argument("--twice", action="store_true", help="measure twice; fail when a count is not the same")
    options = parser.parse_args()
    if options.accept:
        costs = exits.exit_costs(exits.run_in_bochs())
        exits.write_golden(costs)
        pages.fill(exits.read_golden()[1])
        guards.fill(guards.costs())
        show([Row(f"exit {kind}", value, "instructions", exits.COUNTED_BY) for kind, value in costs.items()])
        return 0
    names = options.only or list(PARTS)
    rows = measured(names)
    show(rows)
    write_csv(rows, part=options.only is not None)
    print(f"written to {CSV.relative_to(ROOT)}")
    costs = {row.what.removeprefix("exit "): row.bulkhead for row in rows
             if row.what.startswith("exit ") and row.bulkhead is not None}
    wrong = [f"{line}; if that is meant, make bench-accept" for line in exits.differences(costs)] if costs else []
    if options.twice:
        wrong += [f"not the same twice: {line}" for line in differences(rows, measured(names))]
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
