# SPDX-License-Identifier: MIT
"""A class of students: lists, trees for all of them, points for all of them."""

import csv
import subprocess
import sys

import pytest

from conftest import ROOT
from labs import costs, grade_all, manifest, students
from labs.test_grade import submission
from labs.tree import Tree

pytestmark = pytest.mark.timeout(900)
REFUSED = "#include <stdio.h>\n    return 0;\n"  # is not compiled at all, so it costs nothing


def tool(name, *arguments):
    return subprocess.run([ROOT / f"tests/labs/{name}.py", *arguments], cwd=ROOT, text=True, capture_output=True, timeout=800, check=False)


def listed(folder, text):
    path = folder / "list.csv"
    path.write_text(text)
    return path


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_a_list_of_students(tmp_path):
    found = students.students(listed(tmp_path, "\ufeffStudent;Seed;course\nanna;12;x\n\nben;;x\nc.d@e;0;x\n"))
    assert [(one.name, one.seed) for one in found] == [("anna", 12), ("ben", students.seed_of("ben")), ("c.d@e", 0)]
    assert 0 < students.seed_of("ben") < 1 << 31 and students.seed_of("ben") != students.seed_of("Ben")


@pytest.mark.parametrize("text, part", [
    ("", "the first line names the columns"),
    ("name,seed\nanna,1\n", "the first line names the columns"),
    ("student\n", "names no student"),
    ("student\n../up\n", ":2: '../up' cannot be a folder's name"),
    ("student\nanna\nAnna\n", ":3: Anna is in the list twice"),
    ("student,seed\nanna,0x10\n", ":2: the seed '0x10' is not a number"),
    ("student,seed\nanna,2147483648\n", "is not a number from 0 to 2147483647"),
    ("student,seed\n,5\n", ":2: '' cannot be"),
])
def test_lists_that_are_wrong(text, part, tmp_path):
    with pytest.raises(students.BadList, match=".*") as error:
        students.students(listed(tmp_path, text))
    assert part in str(error.value)


def test_trees_for_a_class(tmp_path):
    """Each has its seed and is closed to others; a second call makes those of who came later, and touches nothing."""
    every = listed(tmp_path, "student,seed\nanna,3\n")
    done = tool("handout", "--lab", "7", "--students", every, "--to", tmp_path / "class")
    assert done.returncode == 0, done.stderr
    (tmp_path / "class/anna/README.md").write_text("mine\n")
    every.write_text("student,seed\nanna,3\nben,\n")
    done = tool("handout", "--lab", "7", "--students", every, "--to", tmp_path / "class")
    assert done.returncode == 0 and "anna: kept, seed 3" in done.stdout and "ben: made" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "class/anna/README.md").read_text() == "mine\n"
    assert Tree.at(tmp_path / "class/ben").seed == students.seed_of("ben")
    assert (tmp_path / "class/ben").stat().st_mode & 0o777 == 0o700
    assert [row[:3] for row in table(tmp_path / "class/handout.csv")] == [
        ["student", "seed", "lab"], ["anna", "3", "L7"], ["ben", str(students.seed_of("ben")), "L7"]]
    every.write_text("student,seed\nanna,4\n")
    done = tool("handout", "--lab", "7", "--students", every, "--to", tmp_path / "class")
    assert done.returncode == 2 and "is a tree of L7 with seed 3, not of L7 with seed 4" in done.stderr and done.stderr.count("\n") == 1


def test_points_for_a_class(tmp_path):
    """One has nothing, one is refused, one does not end in time: each has its rows, and no other's are touched by it. Who has
    rows is not graded again."""
    (tmp_path / "class/anna").mkdir(parents=True)
    submission(tmp_path / "class/ben", sriov_vf_rid=REFUSED)
    submission(tmp_path / "class/cleo")
    points = tmp_path / "points.csv"
    arguments = ("--lab", "7", "--csv", points, "--jobs", "3", "--students")
    done = tool("grade_all", *arguments, listed(tmp_path, "student,seed\nanna,3\nben,4\n"), tmp_path / "class")
    assert done.returncode == 1 and "1 of 2 graded" in done.stdout, done.stdout + done.stderr
    rows = table(points)
    assert [row[:3] for row in rows[1:]] == [["anna", "L7", "3"]] + [["ben", "L7", "4"]] * 5
    assert rows[1][3:6] == ["not graded", "0", str(grade_all.most(manifest.lab("7")))] and "which is one of L7's files" in rows[1][6]
    assert {row[4] for row in rows[2:]} == {"0"} and "includes what is not of the hypervisor" in rows[2][6]
    done = tool("grade_all", *arguments, listed(tmp_path, "student,seed\nanna,3\nben,4\ncleo,5\n"), "--limit", "1", tmp_path / "class")
    assert done.returncode == 1 and "1 of 3 submissions" in done.stdout and "cleo: 0 of " in done.stdout, done.stdout + done.stderr
    assert table(points)[:-1] == rows and "the grading did not end within 1 s" in table(points)[-1][6]


def test_nothing_stays_of_what_was_ended():
    """The grader's children have sessions of their own; they end with it all the same."""
    script = ("import subprocess, signal, time; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
              "from labs.building import ended\nfrom pathlib import Path\nended(['sleep', '4321.75'], Path('.'), 600)")
    status, _ = grade_all.bounded([*grade_all.alone(), "env", f"PYTHONPATH={ROOT / 'tests'}", sys.executable, "-c", script], 5)
    assert status is None
    assert subprocess.run(["pgrep", "-f", "sleep 4321.75"], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("arguments, part", [
    (("--lab", "99", "--csv", "x.csv", "."), "there is no lab '99'"),
    (("--lab", "7", "--csv", "x.csv", "/nowhere"), "/nowhere is not a folder"),
    (("--lab", "7", "--csv", "Makefile", "docs"), "is not a table of points"),
    (("--lab", "7", "--csv", "x.csv", "--students", "Makefile", "docs"), "the first line names the columns"),
])
def test_what_is_no_class(arguments, part):
    done = tool("grade_all", *arguments)
    assert done.returncode == 2 and part in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_what_labs_cost_is_measured_or_said_not_to_be():
    labs = manifest.labs()
    assert set(costs.measured()) <= {lab.name for lab in labs}
    rows = costs.rows(labs)[2:]
    assert len(rows) == len(labs) and all(row.count("|") == 8 for row in rows)
    assert "Bochs" in costs.lanes(manifest.lab("3")) and "tcg" in costs.lanes(manifest.lab("7"))
