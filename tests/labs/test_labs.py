# SPDX-License-Identifier: MIT
"""The labs: skeletons build, a missing step fails its own check, the whole passes, each planted mistake has its sentence.

`make test` has the quick half: the first lab's skeleton, and of each lab its first missing step, two of its solutions
and two mistakes. `make test-labs` has all."""

import os
import re
import subprocess

import pytest

from conftest import ROOT
from labs import answers, cutter, machines, manifest
from labs.building import make
from labs.judge import Host, Judge, explain_unit
from labs.kinds import Machine
from labs.tree import NoTree, lay_out, make_tree

ALL = os.environ.get("LAB_TESTS") == "all"
LABS = manifest.labs()
MOST_LINES = 110
SEEDS = (1, 7) if ALL else (7,)

pytestmark = pytest.mark.timeout(900)


def chosen(sequence, quick):
    return sequence if ALL else sequence[:quick]


def test_the_manifest_fits_the_sources():
    assert manifest.problems() == []


@pytest.fixture(scope="session")
def originals():
    return {file: (ROOT / file).read_text() for lab in LABS for file in cutter.cut_files(lab)}


@pytest.fixture(scope="session")
def judge(originals):
    """One work tree for all labs: what is built for one is there for the next."""
    def of(lab, seed=0):
        return Judge(lab, ROOT, {file: originals[file] for file in cutter.cut_files(lab)}, ROOT / "build/labs-work", seed)
    return of


def texts(lab, originals):
    return {file: originals[file] for file in cutter.cut_files(lab)}


def planted(lab, mistake, originals):
    changed = texts(lab, originals)
    for edit in mistake.edits:
        changed[edit.file] = changed[edit.file].replace(edit.old, edit.new)
    return changed


def test_the_pages_have_the_tables_of_today():
    done = lab_tool("pages")
    assert done.returncode == 0, f"{done.stdout}run: tests/labs/lab.py pages --write"


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_a_lab_is_not_too_long(lab):
    """What is to be written in one lab, in lines of today's code."""
    assert sum(cutter.lines_of((ROOT / step.file).read_text(), step.function) for step in lab.steps) <= MOST_LINES


@pytest.mark.parametrize("lab", chosen(LABS, 1), ids=lambda lab: lab.name)
def test_the_skeleton_builds(lab, tmp_path):
    """Both halves with the lab's own flags, and every step is said to be to do."""
    compilers = ("gcc", "clang") if ALL else ("gcc",)
    lay_out(lab, tmp_path, 0)
    for compiler in compilers:
        checks = [f"build/labs/{check.program}" for step in lab.steps for check in step.checks if isinstance(check, Host)]
        goals = (*checks, "build/bulkhead.elf", "build/bulkhead.efi") if ALL else checks
        assert make(tmp_path, f"CC={compiler}", *goals) is None
    for step in lab.steps:
        assert cutter.is_stub((tmp_path / step.file).read_text(), lab, step)


@pytest.mark.parametrize("lab, step", [(lab, step) for lab in LABS for step in chosen(lab.steps, 1)],
                         ids=lambda value: getattr(value, "name", None) or f"step{value.number}")
def test_a_missing_step_fails_its_own_check(lab, step, judge, originals):
    missing = texts(lab, originals)
    missing[step.file] = cutter.cut(missing[step.file], lab, step)
    assert judge(lab).step(missing, step).state == "to do"
    verdict = judge(lab).ask(missing, step)
    assert verdict.state == "wrong", verdict
    assert re.search(rf"lab\.todo lab={lab.name} step={step.number} |step {step.number} is still to be done: ", verdict.text), verdict.text


@pytest.mark.parametrize("lab, step", [(lab, step) for lab in LABS for step in chosen(lab.steps, 2)],
                         ids=lambda value: getattr(value, "name", None) or f"step{value.number}")
def test_the_solution_is_right(lab, step, judge, originals):
    """With nobody's numbers and with students' own."""
    for seed in (0, *SEEDS):
        verdict = judge(lab, seed).step(texts(lab, originals), step)
        assert verdict.right, (seed, verdict)


@pytest.mark.parametrize("lab, mistake", [(lab, mistake) for lab in LABS for mistake in chosen(lab.mistakes, 2)],
                         ids=lambda value: value.name)
def test_a_mistake_is_named(lab, mistake, judge, originals):
    step = lab.step(mistake.step)
    verdict = judge(lab).step(planted(lab, mistake, originals), step)
    assert verdict.state == "wrong", verdict
    assert re.search(mistake.says, verdict.text), verdict.text


@pytest.mark.parametrize("lab", [lab for lab in LABS if ALL], ids=lambda lab: lab.name)
def test_the_whole_is_right(lab, judge, originals):
    verdict = judge(lab).whole(texts(lab, originals))
    assert verdict.right, verdict


def lab_tool(*arguments, cwd=ROOT):
    return subprocess.run([cwd / "tests/labs/lab.py", *arguments], cwd=cwd, text=True, capture_output=True, timeout=600, check=False)


def test_from_the_first_command_to_the_last(tmp_path):
    """As a student would: make the tree, ask, get a hint, fill in, write something wrong."""
    lab = manifest.lab("7")
    target = tmp_path / "mine"
    done = lab_tool("new", "--lab", "7", "--to", str(target))
    assert done.returncode == 0, done.stderr
    assert "step 1  sriov_vf_rid()" in done.stdout
    done = lab_tool("check", "--step", "1", cwd=target)
    assert done.returncode == 1 and "to do: make lab-hint STEP=1" in done.stdout, done.stdout + done.stderr
    done = lab_tool("hint", "--step", "1", cwd=target)
    assert done.returncode == 0 and "9.2.1.2" in done.stdout
    path = target / lab.steps[0].file
    path.write_text(cutter.with_body(path.read_text(), "sriov_vf_rid", "    return sriov->pf->rid + sriov->first_offset +\n"
                                     "           (uint32_t)sriov->stride * (index + 1u);\n"))
    done = lab_tool("check", "--step", "1", cwd=target)
    assert done.returncode == 1 and "wrong: VF 0" in done.stdout and "one stride too many" in done.stdout, done.stdout
    path.write_text(path.read_text().replace("(index + 1u)", "(index +"))
    done = lab_tool("check", "--step", "1", cwd=target)
    assert done.returncode == 1 and re.search(r"wrong: it does not build: \S+pci_sriov_ids.c:\d+:\d+: error", done.stdout), done.stdout
    path.write_text(cutter.with_body(path.read_text(), "sriov_vf_rid", "    uint16_t id = sriov->pf->rid + sriov->first_offset + (uint32_t)sriov->stride * index;\n"
                                     "    return (sriov->pf->rid & 0xffff0000) | id;\n"))
    done = lab_tool("check", "--step", "1", cwd=target)
    assert done.returncode == 1 and re.search(r"the check passes, but as part of the hypervisor it does not build: \S+: error: conversion", done.stdout), done.stdout
    done = lab_tool("fill", "--step", "1", cwd=target)
    assert done.returncode == 0
    done = lab_tool("check", "--step", "1", cwd=target)
    assert done.returncode == 0 and "step 1  sriov_vf_rid             right" in done.stdout, done.stdout
    assert path.read_text().count("LAB_TODO") == 2  # the other steps of that file


@pytest.mark.parametrize("text, parts", [
    (None, ["`last-vf = ...` is missing", "`bar0 = ...` is missing"]),
    ("last-vf: 01:10.e\n\nbar0 = 0x1000\n", ["'last-vf: 01:10.e' is not understood", "`last-vf = ...` is missing"]),
    ("last-vf = 01:10.e\nbar0 =\n bar1=2", ["has no question bar1: its questions are last-vf, bar0", "`bar0 = ...` is missing"]),
    ("  last-vf =01:10.e  \nbar0 = a = b\n", []),
])
def test_answers(text, parts, tmp_path):
    if text is not None:
        (tmp_path / "answers.txt").write_text(text)
    problems = answers.problems(tmp_path, manifest.lab("7"))
    assert len(problems) == len(parts) and all(part in problem for part, problem in zip(parts, problems)), problems
    if not parts:
        assert answers.given(tmp_path) == {"last-vf": "01:10.e", "bar0": "a = b"}


def test_a_run_has_what_reads_its_configuration(monkeypatch, tmp_path):
    """A student's tree has built nothing when its first run begins."""
    asked = []

    def booted(root, check):
        raise ValueError("this is as far as it goes")

    monkeypatch.setattr(machines, "make", lambda root, *goals: asked.append((root, goals)))
    monkeypatch.setattr(machines, "booted", booted)
    run, problem = machines.observed(tmp_path, Machine("tcg", "lab", lambda run: None))
    assert run is None and problem == "the machine did not start: this is as far as it goes"
    assert asked == [(tmp_path, ("build/bulkhead.img",)), (ROOT, ("build/config",))]


def test_a_unit_test_that_fails_is_quoted(tmp_path):
    (tmp_path / "test_x.c").write_text('int x;\n    assert_int_equal(host_log_count("sriov.refused",\n'
                                       '                                    "1 to 8"), 1);\n    done();\n')
    output = ("[ RUN      ] counts\n[  ERROR   ] --- 0 != 0x1\n[   LINE   ] --- test_x.c:2: error: Failure!\n"
              "[  FAILED  ] counts\n")
    assert explain_unit(tmp_path, output, 1) == ('counts() fails in line 2: assert_int_equal(host_log_count("sriov.refused", '
                                                 '"1 to 8"), 1); (0 != 0x1)')
    assert "did not say" in explain_unit(tmp_path, "", 3)


@pytest.mark.parametrize("arguments, status, part", [
    (("new", "--lab", "99"), 2, "there is no lab '99'; there are"),
    (("new", "--lab", "seven"), 2, "there is no lab 'seven'"),
    (("new", "--lab", "7", "--to", "/proc/nowhere"), 2, "/proc/nowhere"),
    (("new", "--lab", "7", "--to", "tests"), 2, "exists already"),
    (("new", "--lab", "7", "--seed", "-1"), 2, "--seed"),
    (("check",), 2, "is not the tree of a lab"),
    (("fill", "--step", "1"), 2, "is not the tree of a lab"),
    (("fill",), 2, "--step"),
    ((), 2, "COMMAND"),
])
def test_wrong_commands(arguments, status, part):
    done = lab_tool(*arguments)
    assert done.returncode == status and part in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_damaged_tree(tmp_path):
    make_tree(manifest.lab("7"), tmp_path / "tree")
    with pytest.raises(NoTree):
        make_tree(manifest.lab("7"), tmp_path / "tree")
    for damage in ("", "{}", '{"lab": "L99", "seed": 0}', "\0\1"):
        (tmp_path / "tree/.lab/lab.json").write_text(damage)
        done = lab_tool("check", cwd=tmp_path / "tree")
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "is damaged" in done.stderr, done.stderr


def test_a_function_is_found_by_its_definition():
    text = "static int f(int a,\n             int b);\n\nstatic int f(int a,\n             int b)\n{\n    if (a) {\n    }\n    return b;\n}\n\nint g(void)\n{\n    return f(1, 2);\n}\n"
    assert cutter.body_of(text, "f") == "    if (a) {\n    }\n    return b;\n"
    assert cutter.lines_of(text, "g") == 1
    with pytest.raises(cutter.DoesNotFit):
        cutter.body_of(text, "h")
