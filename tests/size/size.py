#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""How large the hypervisor is, from its objects (`make size`), and the graph of its files.

  size.py BUILD             lines per folder, beside others' hypervisors; what a guest reaches, and by what
  size.py BUILD --detail    also each file's functions by when they can run, groups of files, arrows upwards
  size.py BUILD --why NAME  how a function or table is reached after the start
  size.py BUILD --document  writes docs/00-overview.md's table and the figures that other pages quote
  size.py BUILD --accept    writes tests/size/ratchet.txt, which lint holds the hypervisor to

BUILD holds bulkhead.elf, its map and its objects, built without inlining. docs/tests.md says what is counted.
"""

import argparse
import re
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from size import peers, ratchet, sources  # noqa: E402
from size.graph import Node  # noqa: E402
from size.measure import LARGEST_GROUP, Measure  # noqa: E402

TABLE_PAGE = ROOT / "docs/00-overview.md"
MARK, END_MARK = "<!-- make size-table writes this -->\n", "<!-- to here: folders -->\n"
# `<!-- size total -->25,100<!-- -->` in a page's text.
FIGURE = re.compile(r"(<!-- size (\w+) -->)([\d,]+)(<!-- -->)")
PAGES = ("README.md", "docs/*.md")
ROUNDING = 100
# How far the rounded figures may be off before lint wants them written again.
SLACK = 250
TABLE_ROUNDING, TABLE_SLACK = 50, 150
COUNTS = re.compile(r"([\d,]+) \| ([\d,]+) \|$", re.M)


def columns(measure: Measure) -> list[tuple[str, int, int, int, int]]:
    """Folder, lines of its files, of the resident ones, of functions that a guest reaches, of those for boot only: on the
    machines on which most is resident, and reachable."""
    rows = []
    for folder in measure.layers.folders:
        def inside(file: str, folder=folder) -> bool:
            return measure.layers.folder_of(file) == folder

        def lines(nodes: set[Node]) -> int:
            return measure.lines(node for node in nodes if inside(node.file))

        files = [file for file in measure.files if inside(file)]
        if files:
            rows.append((folder, measure.code(files), measure.code(measure.resident.intersection(files)),
                         lines(measure.reachable), lines(measure.boot_only)))
    return rows


def report(measure: Measure) -> None:
    print(f"{'folder':24} {'lines':>7} {'resident':>9} {'reachable':>10} {'boot only':>10}")
    for folder, *counts in columns(measure):
        print("{:24} {:7,} {:9,} {:10,} {:10,}".format(folder, *counts))
    print(f"\nA guest reaches with {' '.join(measure.most_reachable)}, in lines of functions:")
    for what, nodes in measure.reachable_by(measure.most_reachable).items():
        print(f"  {what:24} {measure.lines(nodes):6,}")
    print(f"\n{'a machine with':24} {'resident':>17} {'reachable':>10}")
    for machine in measure.layers.machines:
        print(f"{' '.join(machine):24} {measure.code(measure.resident_on(machine)):17,} "
              f"{measure.lines(measure.reachable_on(machine)):10,}")
    print("\nOthers:  " + "   ".join(f"{name} {lines:,}" for name, lines in peers.WHOLE.items()))


def one_line(nodes: set[Node], measure: Measure) -> str:
    return " ".join(f"{node.name}{'*' if node in measure.reachable_anywhere else ''}({measure.lines([node])})" if node.function
                    else f"[{node.name}]" for node in sorted(nodes, key=lambda node: (-measure.lines([node]), node)))


def detail(measure: Measure) -> None:
    """Functions and, in brackets, data of each file."""
    named = {node for node in measure.graph.edges if not node.name.startswith(".")}
    kinds: dict[str, list[tuple[int, str, set[Node], set[Node], set[Node]]]] = {"both": [], "boot": [], "after": []}
    for file in sorted({node.file for node in named}):
        own = {node for node in named if node.file == file}
        boot, after = own & measure.boot_only, own & measure.after_start
        if boot or after:
            kind = "both" if boot and after else "boot" if boot else "after"
            kinds[kind].append((-measure.lines(boot), file, boot, after, own - boot - after))
    titles = {"both": "Files of which a part is for boot only (* a guest reaches it; [data]):",
              "boot": "Files for boot only:", "after": "Files that are all in use after the start, too:"}
    for kind, title in titles.items():
        print(f"\n{title}")
        for _, file, boot, after, unlinked in sorted(kinds[kind], key=lambda one: one[:2]):
            print(f"{file}: {measure.lines(boot)} boot, {measure.lines(after)} after, "
                  f"{sources.count(measure.root / file)} in the file")
            if kind != "after":
                print(f"    boot:  {one_line(boot, measure)}")
            if kind == "both":
                print(f"    after: {one_line(after, measure)}")
            if unlinked:
                print(f"    not linked: {one_line(unlinked, measure)}")
    free, held = measure.could_be_boot()
    print("\nFor boot only, and not in layers.txt as such: " +
          " ".join(sorted(free)))
    for file, users in sorted(held.items()):
        print(f"  {file} would be, but for {' '.join(sorted(users))}")
    print("\nGroups of files that all lead to each other:")
    for group in measure.groups:
        print(f"{len(group)}{' (too many)' if len(group) > LARGEST_GROUP else ''}: {' '.join(group)}")
        for (file, used), names in measure.uses.items():
            if len(group) > LARGEST_GROUP and file in group and used in group:
                print(f"    {file} -> {used}: {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}")
    print("\nArrows upwards:")
    for (file, used), names in measure.arrows.items():
        print(f"{file} -> {used}: {', '.join(names)}")


def figures(measure: Measure) -> dict[str, int]:
    """What pages may quote."""
    return {"total": measure.code(measure.files), "resident": measure.code(measure.resident),
            "reachable": measure.lines(measure.reachable)}


def documentation(measure: Measure) -> str:
    """The table of docs/00-overview.md."""
    rows = []
    for path, lines, resident, *_ in reversed(columns(measure)):
        folder = measure.layers.folders[path]
        rows.append(f"| `{path}/` | {folder.what} | {', '.join(f'`{used}/`' for used in folder.uses)} "
                    f"| {rounded(lines, TABLE_ROUNDING)} | {rounded(resident, TABLE_ROUNDING)} |\n")
    return "| folder | what is in it | may use | lines | resident |\n|---|---|---|--:|--:|\n" + "".join(rows)


def table_outdated(table: str, now: str) -> list[str]:
    """Rows that say something else, or whose counts are too far off."""
    wrong = []
    for old, new in zip_longest(table.splitlines(), now.splitlines(), fillvalue=""):
        pairs = zip(*(re.findall(r"[\d,]+", COUNTS.search(row).group()) for row in (old, new))) \
            if COUNTS.search(old) and COUNTS.search(new) else ()
        if COUNTS.sub("", old) != COUNTS.sub("", new) or any(
                abs(int(was.replace(",", "")) - int(is_now.replace(",", ""))) > TABLE_SLACK for was, is_now in pairs):
            wrong.append(f"{old} should be {new}")
    return wrong


def rounded(count: int, to: int = ROUNDING) -> str:
    """Never 0, unless there is nothing."""
    return f"{max((count + to // 2) // to, count > 0) * to:,}"


def quoting(root: Path) -> list[Path]:
    return sorted(page for pattern in PAGES for page in root.glob(pattern))


def fill(text: str, counts: dict[str, int]) -> str:
    return FIGURE.sub(lambda match: match.group(1) + rounded(counts[match.group(2)]) + match.group(4), text)


def outdated(text: str, counts: dict[str, int]) -> list[str]:
    """The figures of a page that are too far off, or that there are none of."""
    return [f"{name}: {value}, now {counts.get(name, 'no such figure')}" for _, name, value, _ in FIGURE.findall(text)
            if name not in counts or abs(int(value.replace(",", "")) - counts[name]) > SLACK]


def document(measure: Measure) -> None:
    text = TABLE_PAGE.read_text()
    begin, end = text.index(MARK) + len(MARK), text.index(END_MARK)
    TABLE_PAGE.write_text(text[:begin] + documentation(measure) + text[end:])
    for page in quoting(ROOT):
        text = page.read_text()
        if (filled := fill(text, figures(measure))) != text:
            page.write_text(filled)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--why", metavar="NAME")
    parser.add_argument("--document", action="store_true")
    parser.add_argument("--accept", action="store_true")
    options = parser.parse_args()
    try:
        measure = Measure.read(ROOT, options.build.resolve())
    except (OSError, ValueError, subprocess.SubprocessError) as problem:
        print(f"size: error: {options.build} is not a folder of a build: {problem}", file=sys.stderr)
        return 2
    if options.why:
        for what, way in measure.why(options.why).items():
            print(f"{what}: " + (" -> ".join(map(str, way)) or "never"))
        return 0
    if options.document:
        document(measure)
        return 0
    if options.accept:
        ratchet.PATH.write_text(ratchet.accepted(measure).text())
        return 0
    report(measure)
    if options.detail:
        detail(measure)
    counts = figures(measure)
    print(f"\nresident {counts['resident']} reachable {counts['reachable']} total {counts['total']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
