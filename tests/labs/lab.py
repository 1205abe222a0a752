#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The labs of the course: makes a lab's tree; in a lab's tree, checks it, gives hints and fills in steps."""

import argparse
import re
import sys
import textwrap
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from labs import answers, costs, cutter, manifest  # noqa: E402
from labs.judge import Judge  # noqa: E402
from labs.tree import NoTree, Tree, make_tree  # noqa: E402

HERE = Path(__file__).resolve().parents[2]


def number(text: str) -> int:
    value = int(text, 10)
    if not 0 <= value < 1 << 31:
        raise ValueError
    return value


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = commands.add_parser("new", help="make a lab's tree; without --lab, list the labs")
    new.add_argument("--lab", metavar="N", help="7 or L7")
    new.add_argument("--to", type=Path, metavar="FOLDER", help="the new tree's folder (default: bulkhead-L7 beside this tree)")
    new.add_argument("--seed", type=number, default=0, metavar="N", help="the student's seed, which changes the numbers; 0: those in the text")
    for name, text in (("check", "say what is done, what is wrong and why"), ("hint", "say what a step must do"),
                       ("fill", "put in the solution of a step in place of yours")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--step", type=number, metavar="N", required=name == "fill")
    command = commands.add_parser("pages", help="compare the tables in docs/course/ with the code")
    command.add_argument("--write", action="store_true", help="write them")
    return parser.parse_args(argv)


def filled(page: str, lab, root: Path = HERE) -> str:
    """A lab's page with its tables: steps with their lines, questions, and how many mistakes are named."""
    lines = {step.number: cutter.lines_of((root / step.file).read_text(), step.function, step.file) for step in lab.steps}
    steps = ["| step | function | file | lines |", "|---|---|---|---|"]
    steps += [f"| {step.number} | `{step.function}()` | `{step.file}` | {lines[step.number]} |" for step in lab.steps]
    steps += [f"| | | together | {sum(lines.values())} |"]
    questions = ["| key | question |", "|---|---|"]
    questions += [f"| `{question.key}` | {question.text} |" for question in lab.questions]
    planted = [f"The checks name {len(lab.mistakes)} mistakes that the tests plant in these functions: "
               + ", ".join(mistake.name for mistake in lab.mistakes) + "."]
    for name, text in (("steps", steps), ("questions", questions), ("mistakes", textwrap.wrap(planted[0], 118, break_on_hyphens=False))):
        page = replaced(page, name, text)
    return page


def course_table(root: Path = HERE) -> list[str]:
    rows = ["| lab | about | hours | steps | lines to write | mistakes named |", "|---|---|---|---|---|---|"]
    for lab in manifest.labs():
        lines = sum(cutter.lines_of((root / step.file).read_text(), step.function, step.file) for step in lab.steps)
        rows.append(f"| [{lab.name}]({lab.name.lower()}.md) | {lab.title} | {lab.hours} | {len(lab.steps)} | {lines} | {len(lab.mistakes)} |")
    return rows


def teachers_page(page: str, labs: tuple) -> str:
    """Its table of costs, and links to the labs that are there."""
    there = {lab.name for lab in labs}

    def cell(found: re.Match) -> str:
        return f"[{found[1]}]({found[1].lower()}.md)" if found[1] in there else found[1]
    head, mark, rest = page.partition("<!-- syllabus -->")
    table, end, tail = rest.partition("<!-- end -->")
    table = re.sub(r"\[?\b(L\d+)\b(?:\]\(l\d+\.md\))?", cell, table)
    return replaced(head + mark + table + end + tail, "costs", costs.rows(labs))


def replaced(page: str, name: str, lines: list[str]) -> str:
    return re.sub(rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda found: found[1] + "\n".join([*lines, ""]) + found[2], page)


def pages(options: argparse.Namespace) -> int:
    """For whoever changes the code or the manifest, in Bulkhead's own tree."""
    stale = []
    course = HERE / "docs/course/README.md"
    wanted = {course: replaced(course.read_text(), "labs", course_table())}
    teachers = HERE / "docs/course/teachers.md"
    wanted[teachers] = teachers_page(teachers.read_text(), manifest.labs())
    for lab in manifest.labs():
        path = HERE / f"docs/course/{lab.name.lower()}.md"
        wanted[path] = filled(path.read_text(), lab)
    for path, text in wanted.items():
        if text != path.read_text():
            stale.append(str(path.relative_to(HERE)))
            if options.write:
                path.write_text(text)
    print("\n".join(stale) or "all pages are up to date")
    return 1 if stale and not options.write else 0


def print_list() -> None:
    print("lab   hours  steps  lines  about")
    for lab in manifest.labs():
        lines = sum(cutter.lines_of((HERE / step.file).read_text(), step.function) for step in lab.steps)
        print(f"{lab.name:<5} {lab.hours:>5}  {len(lab.steps):>5}  {lines:>5}  {lab.title}")
    print("make lab L=7 TO=folder makes a tree; docs/course/ has a page for each lab")


def new(options: argparse.Namespace) -> int:
    if options.lab is None:
        print_list()
        return 0
    lab = manifest.lab(options.lab)
    target = (options.to or HERE.parent / f"bulkhead-{lab.name}").expanduser().absolute()
    tree = make_tree(lab, target, options.seed)
    print(f"{lab.name}, {lab.title}: {tree.root}")
    for step in lab.steps:
        lines = cutter.lines_of((HERE / step.file).read_text(), step.function)
        print(f"  step {step.number}  {step.function}() in {step.file}, {lines} lines to write")
    print(f"Read docs/course/{lab.name.lower()}.md there, then run: make lab-check; make lab-hint STEP=1")
    return 0


def chosen(tree: Tree, step: int | None) -> list:
    if step is None:
        return list(tree.lab.steps)
    found = tree.lab.step(step)
    if found is None:
        raise NoTree(f"{tree.lab.name} has no step {step}: its steps are 1 to {len(tree.lab.steps)}")
    return [found]


def check(options: argparse.Namespace) -> int:
    tree = Tree.at(HERE)
    judge, texts, verdicts = Judge.of_tree(tree), tree.texts(), []
    steps = chosen(tree, options.step)
    for step in steps:
        verdict = judge.step(texts, step)
        verdicts.append(verdict)
        print(f"step {step.number}  {step.function:<24} {verdict.state}{': ' if verdict.text else ''}{verdict.text}", flush=True)
    right = sum(verdict.right for verdict in verdicts)
    if right == len(tree.lab.steps):
        verdict = judge.whole(texts)
        print(f"all together: {verdict.state}{': ' if verdict.text else ''}{verdict.text}")
        verdicts.append(verdict)
        for problem in answers.problems(tree.root, tree.lab):
            print(problem)
    print(f"{tree.lab.name}: {right} of {len(steps)} steps are right")
    return 0 if all(verdict.right for verdict in verdicts) else 1


def hint(options: argparse.Namespace) -> int:
    tree = Tree.at(HERE)
    for step in chosen(tree, options.step):
        print(f"step {step.number}: {step.function}() in {step.file}")
        print(textwrap.indent(textwrap.fill(step.hint, 92), "  "))
    return 0


def fill(options: argparse.Namespace) -> int:
    tree = Tree.at(HERE)
    for step in chosen(tree, options.step):
        tree.fill(step.number)
        print(f"step {step.number}: {step.function}() in {step.file} is filled in; git diff shows it")
    return 0


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    try:
        return {"new": new, "check": check, "hint": hint, "fill": fill, "pages": pages}[options.command](options)
    except (NoTree, manifest.UnknownLab, cutter.DoesNotFit, OSError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
