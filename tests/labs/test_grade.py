# SPDX-License-Identifier: MIT
"""Grading: what a submission earns, and what is caught that wants points without the work."""

import json
import os
import re
import subprocess

import pytest

from conftest import ROOT
from labs import building, cutter, held_out, judge, manifest, screening, tree

pytestmark = pytest.mark.timeout(1800)
ALL = os.environ.get("LAB_TESTS") == "all"
slow = pytest.mark.skipif(not ALL, reason="part of make test-labs")
LAB = manifest.lab("7")
RID = "    uint32_t id = (sriov->pf->rid & 0xffff) + sriov->first_offset + (uint32_t)sriov->stride * index;\n"


def graded(folder, *options):
    done = subprocess.run([ROOT / "tests/labs/grade.py", "--lab", "7", *options, folder], cwd=ROOT, text=True, capture_output=True,
                          timeout=1700, check=False)
    return done


def scores(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])["scores"]


def submission(folder, **bodies):
    """The solution, but for these functions."""
    texts = {file: (ROOT / file).read_text() for file in cutter.cut_files(LAB)}
    for function, body in bodies.items():
        step = next(step for step in LAB.steps if step.function == function)
        texts[step.file] = cutter.with_body(texts[step.file], function, body)
    for file, text in texts.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    return folder


@slow
def test_the_solution_with_answers(tmp_path):
    """Points for each step, the student's own numbers, questions, a CSV file, and edits elsewhere do not count."""
    folder = submission(tmp_path / "anna")
    (folder / "answers.txt").write_text("last-vf = 01:10.6\nbar0 = nowhere\n")  # 4 VFs with seed 2
    (folder / "tests/labs/checks").mkdir(parents=True)
    (folder / "tests/labs/checks/l07_vf_rid.c").write_text("#error not taken\n")
    (folder / "Makefile").write_text("$(error not taken)\n")
    table = tmp_path / "points.csv"
    found = scores(graded(folder, "--seed", "2", "--csv", str(table)))
    assert [found[f"step {step.number} {step.function}"] for step in LAB.steps] == [10] * 5
    assert found["question last-vf"] == 5 and found["question bar0"] == 0 and found["held out"] == 10
    assert len(table.read_text().splitlines()) == 1 + len(found) and "anna,L7,2,step 1 sriov_vf_rid,10,10,right" in table.read_text()


@slow
def test_the_numbers_of_one_seed_written_down(tmp_path):
    """What is right for the 82576 in the text, and for nobody else."""
    folder = submission(tmp_path, sriov_vf_rid="    return sriov->pf->rid + 0x80u + 2u * index;\n")
    found = scores(graded(folder, "--seed", "3"))
    assert found["step 1 sriov_vf_rid"] == 0 and found["step 2 bus_problem"] == 10 and found["held out"] == 0


def test_what_loops_for_ever(tmp_path, monkeypatch):
    monkeypatch.setenv("BULKHEAD_PATIENCE", "0.1")
    folder = submission(tmp_path, sriov_vf_rid="    for (;;)\n        (void)sriov, (void)index;\n")
    done = graded(folder)
    assert scores(done)["step 1 sriov_vf_rid"] == 0
    assert "does not return: a loop that never ends" in done.stdout or "did not end" in done.stdout, done.stdout


REFUSED = {
    "fork": ("    extern int fork(void);\n    while (fork() >= 0) {\n    }\n    return 0;\n", "calls fork(), which is not of the hypervisor"),
    "assembler": ("    __asm__ volatile(\"syscall\");\n    return 0;\n", "has assembler text"),
    "syntax": ("    return 0\n", "does not build"),
    "printf": ("    printf(\"right\\n\");\n    return 0;\n", "does not build"),
    "puts": ("    extern int puts(const char *);\n    puts(\"right\");\n    return 0;\n", "calls puts()"),
    "exit": ("    extern void _exit(int);\n    _exit(0);\n    return 0;\n", "calls _exit()"),
    "include": ("#include <stdio.h>\n    return 0;\n", "includes what is not of the hypervisor"),
    "hidden-include": ("#inc\\\nlude <stdio.h>\n    return 0;\n", "includes what is not of the hypervisor"),
}


@pytest.mark.parametrize("body, says", [pytest.param(*REFUSED[name], id=name) for name in (REFUSED if ALL else list(REFUSED)[:3])])
def test_what_is_refused(body, says, tmp_path):
    """A build that fails is zero and says so; what reaches for a library is not run at all."""
    done = graded(submission(tmp_path, sriov_vf_rid=body))
    assert set(scores(done).values()) == {0} and says in done.stdout, done.stdout + done.stderr


def test_a_constructor_is_refused():
    texts = {file: (ROOT / file).read_text() for file in cutter.cut_files(LAB)}
    more = {file: text + "\n__attribute__((constructor)) static void early(void)\n{\n}\n" for file, text in texts.items()}
    assert "decides where or when code runs" in screening.problem(LAB, more, texts)
    assert screening.problem(LAB, texts, texts) is None


@pytest.mark.parametrize("prepare, part", [
    (lambda folder: folder / "nothing", "is not a folder"),
    (lambda folder: folder, "which is one of L7's files"),
])
def test_what_is_no_submission(prepare, part, tmp_path):
    done = graded(prepare(tmp_path))
    assert done.returncode == 2 and part in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("lab", manifest.labs(), ids=lambda lab: lab.name)
def test_what_is_held_out_fits_the_sources(lab):
    assert held_out.read(lab, None, ROOT).trials


@slow
@pytest.mark.parametrize("lab", [lab for lab in manifest.labs() if (held_out.PUBLIC / f"{lab.name.lower()}.py").is_file()],
                         ids=lambda lab: lab.name)
def test_the_solution_holds_on_machines_that_are_held_out(lab, tmp_path):
    originals = {file: (ROOT / file).read_text() for file in cutter.cut_files(lab)}
    tree.lay_out(lab, tmp_path, 0)
    assert held_out.failures(lab, held_out.read(lab, None, ROOT), lambda seed: judge.Judge(lab, ROOT, originals, tmp_path, seed),
                             originals, ROOT) == []


@slow
def test_what_is_right_on_the_machine_of_the_text_alone(tmp_path):
    """The capability's place written down: every check of the tree passes, and the machines that are held out do not."""
    body = cutter.body_of((ROOT / LAB.step(5).file).read_text(), LAB.step(5).function)
    cheat = body.replace("pf->cap_sriov", "0x160u")
    assert cheat != body
    found = graded(submission(tmp_path, **{LAB.step(5).function: cheat}))
    assert scores(found)[f"step 5 {LAB.step(5).function}"] == 10
    assert 0 < scores(found)["held out"] < 10 and "capability-at-1a0: step 5: " in found.stdout, found.stdout


UNUSABLE = {
    "syntax": ("SEEDS = (", "cannot be read: SyntaxError"),
    "seeds": ("SEEDS = (-1,)", "SEEDS is a tuple of numbers from 0"),
    "list": ("MACHINES = []", "MACHINES is a dictionary"),
    "no-edit": ("MACHINES = {'a': ('b',)}", "a is a tuple of Edit"),
    "not-there": ("from labs.kinds import Edit\nMACHINES = {'a': (Edit('Makefile', 'no such text', ''),)}", "Makefile has 0 times, not once"),
    "theirs": (f"from labs.kinds import Edit\nMACHINES = {{'a': (Edit({LAB.step(1).file!r}, 'x', ''),)}}", "which is what students hand in"),
}


@pytest.mark.parametrize("text, says", UNUSABLE.values(), ids=UNUSABLE)
def test_a_teachers_file_that_cannot_be_used(text, says, tmp_path):
    (tmp_path / "l7.py").write_text(text + "\n")
    with pytest.raises(held_out.DoesNotFit, match=re.escape(says)):
        held_out.read(LAB, tmp_path, ROOT)


def test_nothing_outlives_a_check_or_reaches_a_network():
    if not judge.guard():
        pytest.skip("this user may make no namespaces of its own")
    status, output = building.ended([*judge.guard(), "sh", "-c", "sleep 4321.25 & cat /proc/net/dev"], ROOT, 60)
    assert status == 0 and re.findall(r"^ *(\w+):", output, re.MULTILINE) == ["lo"], output
    assert subprocess.run(["pgrep", "-f", "sleep 4321.25"], capture_output=True, check=False).returncode == 1
