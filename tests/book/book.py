#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Executes the book: what docs/*.md and README.md show is run again and compared.

  book.py               what `make test` checks; names the place and shows the difference
  book.py --all         also what needs minutes or machines that are slow
  book.py --accept      writes what was printed into the pages; look at the difference before you commit it
  book.py --list        every block and item, and how it is checked

PLACE is a page (docs/monitor.md) or a block of it (docs/monitor.md:77)."""

import argparse
import difflib
import sys
import time
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from book import lessons, machines, marks, numbers, texts, transcripts, tries  # noqa: E402
from book.marks import ROOT, Mark, MarkError, Shown  # noqa: E402
from book.match import Hidden  # noqa: E402
from book.transcripts import Finding, Machines  # noqa: E402
from book.tree import Tree  # noqa: E402
from machine import MachineError  # noqa: E402

TRANSCRIPTS = {"prompt": transcripts.prompt, "shell": transcripts.command, "log": transcripts.log, "gdb": lessons.debugger, "seen": transcripts.figure, "table": transcripts.table}
KINDS = {*TRANSCRIPTS, *texts.KINDS, "file", "lesson", "try"}
WORDS = {"prompt": "machine vary exact", "shell": "vary exact status slow file text", "log": "machine vary exact", "gdb": "vary exact",
         "table": "machine", "seen": "machine event key", "config": "with", "source": "file", "events": "", "commands": "", "paths": "", "file": "path", "lesson": "scenario vary exact",
         "try": "machine own type same wait edit file old all new shell status expect absent until vary skip slow lesson run set text send end lines"}


def problem_of_mark(one: Shown) -> str | None:
    """What is wrong with a mark before anything is run."""
    mark = one.mark
    if mark is None:
        kind = "item to try" if one.item else "block"
        return f"{one.name}: the {kind} has no mark: `<!-- run: KIND ... -->` or `<!-- not run: REASON -->` (docs/tests.md)"
    if not mark.runs:
        return None
    if mark.kind not in KINDS:
        return f"{one.name}: there is no kind {mark.kind!r}; there are {', '.join(sorted(KINDS))}"
    if (mark.kind == "try") != one.item:
        return f"{one.name}: `run: try` is for items under \"Things to try\", the other kinds are for blocks"
    unknown = [key for key, _ in mark.words if key not in WORDS[mark.kind].split()]
    if unknown:
        return f"{one.name}: {mark.kind} knows no {' '.join(unknown)}; it knows {WORDS[mark.kind] or 'nothing'}"
    names = mark.all("machine") + mark.all("own")
    if mark.kind in ("prompt", "log", "table") and len(names) != 1:
        return f"{one.name}: {mark.kind} wants machine=NAME"
    missing = [name for name in names if name not in machines.MOMENTS]
    if missing:
        return f"{one.name}: there is no machine {missing[0]!r}; there are {', '.join(machines.MOMENTS)}"
    return None


def slow(mark: Mark) -> bool:
    return mark.has("slow") or any(machines.MOMENTS[name].slow for name in mark.all("machine") + mark.all("own")
                                   if name in machines.MOMENTS)


def in_bochs(mark: Mark) -> bool:
    return any(machines.MOMENTS[name].on == "bochs" for name in mark.all("machine") + mark.all("own")
               if name in machines.MOMENTS)


def in_order(every: list[Shown]) -> list[Shown]:
    """Those that look at one machine follow each other; what has machines and trees of its own comes last."""
    def key(one: Shown) -> tuple:
        shared = one.mark.get("machine") if one.mark else ""
        return not shared, shared, bool(one.mark and one.mark.has("own"))

    return sorted(every, key=key)


def everything() -> list[Shown]:
    """Blocks, items, and numbers that a run has to confirm."""
    return [one for page in marks.pages() for one in (*marks.shown(page, (ROOT / page).read_text()),
                                                      *numbers.seen(page, (ROOT / page).read_text()))]


class Book:
    """Checks blocks, one after the other; keeps the machine that the next may be about."""

    def __init__(self, every: list[Shown] | None = None) -> None:
        self.every = everything() if every is None else every
        self.machines, self.tree = Machines(), Tree()

    def close(self) -> None:
        self.machines.stop()

    def finding(self, block: Shown) -> Finding | None:
        """What a block with printed lines should say; None for one of the other kinds."""
        if block.mark.kind == "lesson":
            self.machines.stop()
            return lessons.lesson(block, [one for one in self.every if one.page == block.page], self.tree)
        run = TRANSCRIPTS.get(block.mark.kind)
        return run(block, self.machines) if run else None

    def problems(self, one: Shown) -> list[str]:
        """What is wrong, each with the place, as somebody at a terminal wants to read it."""
        wrong = problem_of_mark(one)
        if wrong or not one.mark.runs:
            return [wrong] if wrong else []
        try:
            if one.mark.kind == "try":
                if one.mark.has("lesson"):
                    lessons.write_files([other for other in self.every if other.page == one.page], self.tree)
                return [f"{one.name}: {text}" for text in tries.attempt(one, self.machines, self.tree)]
            if one.mark.kind in texts.KINDS:
                return [f"{one.name}: {text}" for text in texts.KINDS[one.mark.kind](one)]
            if one.mark.kind == "file":
                lesson = any(other.page == one.page and other.mark and other.mark.kind == "lesson" for other in self.every)
                return [] if lesson else [f"{one.name}: no block of the page uses this file (run: lesson)"]
            return self._difference(one, self.finding(one))
        except (Hidden, MarkError, ValueError) as error:
            return [f"{one.name}: {error}"]

    @staticmethod
    def _difference(one: Shown, finding: Finding) -> list[str]:
        if finding.fits:
            return []
        if finding.lines == one.lines:
            return [f"{one.name}: {note}" for note in finding.notes]
        lines = difflib.unified_diff(one.lines, finding.lines, f"{one.page}, line {one.line}", "what was printed", lineterm="", n=1)
        return [f"{one.name}: {note}" for note in finding.notes] + [
            "\n".join([f"{one.name}: something else was printed; if that is meant: make book-accept PLACE={one.name}", *lines])]


def wanted(every: list[Shown], places: list[str], all_of_them: bool) -> list[Shown]:
    chosen = [one for one in every if not places or one.page in places or one.name in places]
    return [one for one in chosen if all_of_them or one.name in places or one.mark is None or not slow(one.mark)]


def show_list(every: list[Shown]) -> None:
    for one in every:
        mark = one.mark
        how = "NO MARK" if mark is None else f"not run: {mark.reason}" if not mark.runs else " ".join(
            [mark.kind, *(f"{key}={value}" if value else key for key, value in mark.words)])
        print(f"{one.name:28} {'slow ' if mark and slow(mark) else ''}{how[:140]}")


def accept(book: Book, chosen: list[Shown]) -> int:
    """Writes what was printed. Other kinds than printed lines are for the author to mend."""
    changes, failed = [], 0
    for one in chosen:
        wrong = problem_of_mark(one)
        if wrong or not one.mark.runs or (one.mark.kind not in TRANSCRIPTS and one.mark.kind != "lesson"):
            continue
        try:
            finding = book.finding(one)
        except (Hidden, ValueError, MachineError) as error:
            print(f"{one.name}: {error}", flush=True)
            failed += 1
            continue
        if finding.lines != one.lines:
            print(f"{one.name}: {'other values' if finding.fits else 'CHANGED, look at it'}", flush=True)
            changes.append((one, finding.lines))
        for note in finding.notes:
            print(f"{one.name}: {note}", flush=True)
    marks.replace(ROOT, [change for change in changes if change[0].mark.kind != "seen"])
    for page in {one.page for one, _ in changes if one.mark.kind == "seen"}:
        numbers.write_seen(page, {tuple(one.mark.get(key) for key in ("machine", "event", "key")): new[0]
                                  for one, new in changes if one.page == page and one.mark.kind == "seen"})
    for page in marks.pages():
        numbers.fill(page)
    print(f"{len(changes)} blocks written, {failed} could not be run")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("places", nargs="*", metavar="PLACE", help="default: everything")
    parser.add_argument("--all", action="store_true", help="also what takes minutes")
    parser.add_argument("--accept", action="store_true", help="write what was printed into the pages")
    parser.add_argument("--numbers", action="store_true", help="write the numbers that come from sources, tables and blocks")
    parser.add_argument("--list", action="store_true", help="show how each is checked, run nothing")
    options = parser.parse_args()
    if options.numbers:
        for page in marks.pages():
            if numbers.fill(page):
                print(f"{page}: other numbers")
        return 0
    try:
        every = everything()
    except MarkError as error:
        print(error)
        return 1
    pages = {one.page for one in every} | {one.name for one in every} | set(marks.pages())
    unknown = [place for place in options.places if place not in pages]
    if unknown:
        parser.error(f"no such page or block: {' '.join(unknown)} (--list shows all)")
    chosen = in_order(wanted(every, options.places, options.all))
    if options.list:
        show_list([one for one in every if one in chosen])
        return 0
    book, failed = Book(every), 0
    try:
        if options.accept:
            return accept(book, chosen)
        for one in chosen:
            started = time.monotonic()
            try:
                problems = book.problems(one)
            except MachineError as error:
                problems = [f"{one.name}: {error}"]
            failed += bool(problems)
            for problem in problems:
                print(problem, flush=True)
            if not problems and one.mark.runs and time.monotonic() - started > 1:
                print(f"{one.name}: ok, {time.monotonic() - started:.0f} s", flush=True)
    finally:
        book.close()
    print(f"{len(chosen) - failed} of {len(chosen)} as the book says")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
