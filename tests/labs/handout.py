#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes a lab's tree for each student of a list, each with its own seed. A folder that exists is left alone, so a second
call only makes the trees of students who were added later."""

import argparse
import csv
import os
import pwd
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from labs import cutter, manifest  # noqa: E402
from labs.students import BadList, Student, students  # noqa: E402
from labs.tree import NoTree, Tree, make_tree  # noqa: E402

LIST = "handout.csv"


def give(root: Path, name: str) -> str:
    """Closed to the other students; as root, to the user of that name. Returns whose it is."""
    root.chmod(0o700)
    if os.geteuid() != 0:
        return ""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return ""
    for path in (root, *root.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return name


def one(lab, student: Student, target: Path) -> tuple[str, str]:
    """What was done for a student, and whose the tree is."""
    if target.exists():
        try:
            tree = Tree.at(target)
        except NoTree:
            raise NoTree(f"{target} exists and is not a lab's tree: move it away") from None
        if (tree.lab.name, tree.seed) != (lab.name, student.seed):
            raise NoTree(f"{target} is a tree of {tree.lab.name} with seed {tree.seed}, not of {lab.name} with seed {student.seed}: "
                         "choose another TO=")
        return "kept", ""
    make_tree(lab, target, student.seed)
    return "made", give(target, student.name)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="handout", description=__doc__)
    parser.add_argument("--lab", required=True, metavar="N", help="7 or L7")
    parser.add_argument("--students", required=True, type=Path, metavar="FILE", help="CSV: student,seed")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="the trees go to FOLDER/STUDENT")
    options = parser.parse_args(argv)
    try:
        lab, every = manifest.lab(options.lab), students(options.students)
        to = options.to.expanduser().absolute()
        to.mkdir(parents=True, exist_ok=True)
        rows = []
        for student in every:
            state, owner = one(lab, student, to / student.name)
            rows.append((student.name, student.seed, lab.name, to / student.name, owner))
            print(f"{student.name}: {state}, seed {student.seed}{f', belongs to {owner}' if owner else ''}", flush=True)
        with (to / LIST).open("w", newline="") as file:
            csv.writer(file).writerows([("student", "seed", "lab", "tree", "owner"), *rows])
    except (BadList, NoTree, manifest.UnknownLab, cutter.DoesNotFit, OSError) as error:
        print(f"handout: {error}", file=sys.stderr)
        return 2
    print(f"{len(rows)} trees of {lab.name} in {to}; {to / LIST} lists the seeds")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
