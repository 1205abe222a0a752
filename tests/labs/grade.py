#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Grades a submission, offline. Only the lab's files are taken from it. They are laid over a tree made from this one,
built, and run without network and with a time limit. The student's seed changes the numbers, and checks that are in no
student's tree (--held-out) decide the last points."""

import argparse
import csv
import json
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from labs import answers, cutter, held_out, manifest, screening  # noqa: E402
from labs.answers import MOST_BYTES  # noqa: E402
from labs.held_out import HeldOut, failures  # noqa: E402
from labs.judge import Judge  # noqa: E402
from labs.kinds import Lab  # noqa: E402
from labs.lab import number  # noqa: E402
from labs.tree import lay_out  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT_POINTS = 10
COLUMNS = ("submission", "lab", "seed", "step", "points", "most", "text")


class NoSubmission(RuntimeError):
    """Said to the user in one line."""


@dataclass
class Mark:
    name: str
    points: int
    most: int
    text: str


def taken(lab: Lab, folder: Path) -> dict[str, str]:
    """The lab's files of a submission: as a whole tree, or alone by their names in one folder."""
    if not folder.is_dir():
        raise NoSubmission(f"{folder} is not a folder")
    found = {}
    for file in cutter.cut_files(lab):
        for path in (folder / file, folder / Path(file).name):
            if path.is_file() and not path.is_symlink():
                if path.stat().st_size > MOST_BYTES:
                    raise NoSubmission(f"{path} has {path.stat().st_size} bytes; at most {MOST_BYTES} are allowed")
                found[file] = path.read_text(errors="replace")
                break
        else:
            raise NoSubmission(f"{folder} has no {file}, which is one of {lab.name}'s files")
    return found


def mark_steps(lab: Lab, judge: Judge, texts: dict[str, str]) -> list[Mark]:
    marks = []
    for step in lab.steps:
        verdict = judge.step(texts, step)
        marks.append(Mark(f"step {step.number} {step.function}", step.points if verdict.right else 0, step.points,
                          "right" if verdict.right else f"{verdict.state}: {verdict.text}"))
    return marks


def mark_questions(lab: Lab, judge: Judge, given: dict[str, str]) -> list[Mark]:
    """Against a run of the solution with the student's own configuration."""
    if not lab.questions:
        return []
    from labs import machines
    run, problem = None, "the lab has no run"
    machine_check = next((check for check in lab.whole if not hasattr(check, "program")), None)
    if machine_check and any(question.key in given for question in lab.questions):
        judge.prepare(dict(judge.originals))
        run, problem = machines.observed(judge.work, machine_check)
    marks = []
    for question in lab.questions:
        if question.key not in given:
            marks.append(Mark(f"question {question.key}", 0, question.points, f"{answers.ANSWERS} has no line {question.key} = ..."))
            continue
        if problem:
            raise NoSubmission(f"the questions of {lab.name} cannot be graded here: {problem}")
        right = question.answer(run).strip().lower() == given[question.key].lower()
        marks.append(Mark(f"question {question.key}", question.points if right else 0, question.points,
                          "right" if right else f"{given[question.key]!r} is not the answer for your configuration"))
    return marks


def mark_held_out(given: HeldOut, lab: Lab, work: Path, texts: dict[str, str], right_so_far: bool) -> Mark:
    """All steps again with other numbers and on other machines: a share of the points for each."""
    if not right_so_far:
        return Mark("held out", 0, HELD_OUT_POINTS, "graded only when all steps are right")
    originals = {file: (ROOT / file).read_text() for file in cutter.cut_files(lab)}
    failed = failures(lab, given, lambda seed: Judge(lab, ROOT, originals, work, seed), texts, ROOT)
    trials = max(len(given.trials), 1)
    return Mark("held out", HELD_OUT_POINTS * (trials - len(failed)) // trials, HELD_OUT_POINTS, "; ".join(failed) or "right")


def grade(lab: Lab, folder: Path, seed: int, given_out: HeldOut, parent: Path | None = None) -> list[Mark]:
    texts, given = taken(lab, folder), answers.given(folder)
    originals = {file: (ROOT / file).read_text() for file in cutter.cut_files(lab)}
    problem = screening.problem(lab, texts, originals)
    if problem:
        return [Mark(f"step {step.number} {step.function}", 0, step.points, f"not run: {problem}") for step in lab.steps]
    with tempfile.TemporaryDirectory(prefix="grade-", dir=parent or work_parent()) as name:
        work = Path(name)
        lay_out(lab, work, seed, ROOT)
        judge = Judge(lab, ROOT, originals, work, seed)
        problem = screening.symbols(lab, judge, texts)
        if problem:
            return [Mark(f"step {step.number} {step.function}", 0, step.points, problem) for step in lab.steps]
        marks = mark_steps(lab, judge, texts)
        right = all(mark.points == mark.most for mark in marks)
        marks += mark_questions(lab, judge, given)
        marks.append(mark_held_out(given_out, lab, work, texts, right))
    return marks


def work_parent() -> Path:
    parent = ROOT / "build/grade"
    parent.mkdir(parents=True, exist_ok=True)
    return parent


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grade", description=__doc__)
    parser.add_argument("submission", type=Path, metavar="FOLDER", help="a student's tree, or the lab's files alone")
    parser.add_argument("--lab", required=True, metavar="N", help="7 or L7")
    parser.add_argument("--seed", type=number, default=0, metavar="N", help="the student's seed")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="append a line for each step to FILE")
    parser.add_argument("--held-out", type=Path, metavar="FOLDER", help="has the teacher's own l7.py (docs/course/teachers.md; default: tests/labs/heldout)")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="where to build it (default: build/grade)")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as for a keyboard's
    try:
        lab = manifest.lab(options.lab)
        marks = grade(lab, options.submission, options.seed, held_out.read(lab, options.held_out, ROOT), options.work)
        for mark in marks:
            print(f"{mark.points:>3} of {mark.most:<3} {mark.name}: {mark.text}")
        if options.csv:
            new = not options.csv.exists()
            with options.csv.open("a", newline="") as file:
                writer = csv.writer(file)
                if new:
                    writer.writerow(COLUMNS)
                writer.writerows((options.submission.name, lab.name, options.seed, mark.name, mark.points, mark.most, mark.text)
                                 for mark in marks)
    except (NoSubmission, held_out.DoesNotFit, manifest.UnknownLab, OSError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 2
    print(f"{sum(mark.points for mark in marks)} of {sum(mark.most for mark in marks)} points")
    print(json.dumps({"scores": {mark.name: mark.points for mark in marks}}))  # Autolab reads the last line
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
