#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Grades a folder of submissions, one folder for each student, into one CSV file. Each is graded by its own process,
which is ended when its time is up. A student who is in the CSV file for that lab is not graded again, so after an
interruption the same call continues."""

import argparse
import csv
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from labs import manifest  # noqa: E402
from labs.grade import COLUMNS, HELD_OUT_POINTS, ROOT, number, work_parent  # noqa: E402
from labs.kinds import Lab  # noqa: E402
from labs.students import BadList, Student, checked_name, seed_of, students  # noqa: E402

LIMIT = 1800
GRACE = 30  # s to end what it has started
# Where this user may: whatever it has started ends with it.
ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def alone() -> list[str]:
    try:
        return ALONE if subprocess.run([*ALONE, "true"], capture_output=True, timeout=30, check=False).returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        return []


def most(lab: Lab) -> int:
    return sum(step.points for step in lab.steps) + sum(question.points for question in lab.questions) + HELD_OUT_POINTS


running: set[subprocess.Popen] = set()


def bounded(command: list, limit: float) -> tuple[int | None, str]:
    """Status and what it wrote; status None: it was ended, first in a way that lets it clean up."""
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", start_new_session=True) as process:
        running.add(process)
        status = None
        for wait, then in ((limit, signal.SIGTERM), (GRACE, signal.SIGKILL), (None, signal.SIGKILL)):
            try:
                output, _ = process.communicate(timeout=wait)
                status = process.returncode if then is signal.SIGTERM else None
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, then)
        running.discard(process)
    return status, output


def graded(lab: Lab, student: Student, folder: Path, held_out: Path | None, limit: float, guard: list[str]) -> list[tuple]:
    """Rows for the CSV file; a single one, without points, when there was nothing to grade or no end to it."""
    with tempfile.TemporaryDirectory(prefix="class-", dir=work_parent()) as name:
        table = Path(name) / "points.csv"
        command = [*guard, sys.executable, ROOT / "tests/labs/grade.py", "--lab", lab.name, "--seed", str(student.seed),
                   "--csv", table, "--work", name, *(("--held-out", held_out) if held_out else ()), folder]
        status, output = bounded(command, limit)
        if status == 0 and table.is_file():
            with table.open(newline="") as file:
                return [(student.name, *row[1:]) for row in list(csv.reader(file))[1:]]
    if status is None:
        text = f"the grading did not end within {limit:g} s"
    else:
        text = (output.strip().splitlines() or ["the grader printed nothing"])[-1].removeprefix("grade: ")
    return [(student.name, lab.name, student.seed, "not graded", 0, most(lab), text)]


def there_already(table: Path, lab: Lab) -> set[str]:
    if not table.is_file():
        return set()
    with table.open(newline="") as file:
        rows = list(csv.reader(file))
    if rows and tuple(rows[0]) != COLUMNS:
        raise BadList(f"{table} is not a table of points: its first line is not {','.join(COLUMNS)}")
    return {row[0] for row in rows[1:] if len(row) == len(COLUMNS) and row[1] == lab.name}


def wanted(options: argparse.Namespace) -> list[Student]:
    if options.students:
        return students(options.students)
    return [Student(checked_name(path.name, str(options.submissions)), seed_of(path.name))
            for path in sorted(options.submissions.iterdir()) if path.is_dir()]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grade_all", description=__doc__)
    parser.add_argument("submissions", type=Path, metavar="FOLDER", help="FOLDER/STUDENT: a tree, or the lab's files alone")
    parser.add_argument("--lab", required=True, metavar="N", help="7 or L7")
    parser.add_argument("--csv", required=True, type=Path, metavar="FILE", help="gets a line for each step of each student")
    parser.add_argument("--students", type=Path, metavar="FILE", help="CSV: student,seed; without it, every folder, with seeds from the names")
    parser.add_argument("--held-out", type=Path, metavar="FOLDER", help="has the teacher's own l7.py (default: tests/labs/heldout)")
    parser.add_argument("--jobs", type=number, default=os.cpu_count() or 1, metavar="N", help="submissions at a time (default: one for each core)")
    parser.add_argument("--limit", type=number, default=LIMIT, metavar="S", help=f"seconds for each submission (default: {LIMIT})")
    return parser.parse_args(argv)


def write_rows(table: Path, rows: list[tuple]) -> None:
    new = not table.exists() or table.stat().st_size == 0
    with table.open("a", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows] if new else rows)


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    try:
        lab = manifest.lab(options.lab)
        if not options.submissions.is_dir():
            raise BadList(f"{options.submissions} is not a folder")
        done, every = there_already(options.csv, lab), wanted(options)
        todo = [student for student in every if student.name not in done]
        if not every:
            raise BadList(f"{options.submissions} has no students' folders")
        jobs, limit = max(options.jobs, 1), max(options.limit, 1)
        print(f"{len(todo)} of {len(every)} submissions of {lab.name} to grade, {jobs} at a time, at most "
              f"{-(-len(todo) // jobs) * (limit + GRACE)} s", flush=True)
        failed, guard = 0, alone()
        with ThreadPoolExecutor(jobs) as pool:
            pending = [pool.submit(graded, lab, student, options.submissions / student.name, options.held_out, limit, guard) for student in todo]
            try:
                for task in pending:
                    rows = task.result()
                    write_rows(options.csv, rows)
                    failed += rows[0][3] == "not graded"
                    text = f": not graded: {rows[0][6]}" if rows[0][3] == "not graded" else ""
                    print(f"{rows[0][0]}: {sum(int(row[4]) for row in rows)} of {sum(int(row[5]) for row in rows)} points{text}", flush=True)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(running):
                    os.killpg(process.pid, signal.SIGTERM)
                raise
    except (BadList, manifest.UnknownLab, OSError) as error:
        print(f"grade_all: {error}", file=sys.stderr)
        return 2
    print(f"{len(todo) - failed} of {len(todo)} graded; {options.csv}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
