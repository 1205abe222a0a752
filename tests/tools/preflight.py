#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Explains a report that Bulkhead's preflight wrote (\\bulkhead\\preflight.txt), in plain words. FILE is the report, the
folder that it is in, a mounted stick, or an image of one.

With --name the report becomes a fixture of the tests: it is kept in tests/machine/reports/NAME, and what is said then is
which parts of that machine the emulated one does not have."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import preflight, preflight_machine, preflight_words  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--name", help="keep it for the tests under this name")
    options = parser.parse_args(argv)
    try:
        report = preflight.load(options.file)
        print(preflight_words.explain(report))
        made = preflight_machine.make(report)
        if options.name:
            print(f"Kept in {preflight.keep(report, options.name)}")
        print("What an emulated machine made from it has not")
        for sentence in made.missing:
            print(f"  {sentence}")
    except preflight.ReportError as problem:
        print(f"preflight: error: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
