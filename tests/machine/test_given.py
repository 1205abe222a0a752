# SPDX-License-Identifier: MIT
"""What make is given: nonsense in any variable is one line and status 2, and runs nothing, whatever it looks like."""

import os
import re
import sys
from pathlib import Path

import pytest

from conftest import ROOT, make

sys.path.insert(0, str(ROOT / "tests/tools"))
import variables  # noqa: E402
from machine import MACHINES, choices, like, paths  # noqa: E402

MAKEFILES = [str(path) for path in (ROOT / "Makefile", *ROOT.glob("*/*.mk"), *ROOT.glob("*/*/*.mk"))]
NONSENSE = ["", " ", "a b", " a", "'", '"', "a'b", "`touch here`", "; touch here", "| touch here", "& touch here", "> here",
            "$(touch here)", "\\", "--help", "-", "../..", "/", "*", "~", "#", "(", "a" * 5000, "a" * 100, "Zürich", "\udcff", "a\nb",
            "\x1b[2J", "\x7f", "-1", "0", "99999999999999999999999", "1e3", "0x10", "None", "%s%n", "{}", "no-such-thing"]
# What is sensible for some although it is nonsense for others: lists of names and programs are judged by what takes them,
# FOLDER by what uses it.
SENSIBLE = {name: {"a b", "a" * 100, "0", "99999999999999999999999", "1e3", "0x10", "None", "no-such-thing"}
            for name in ("PROOFS", "MUTATIONS", "ATTACKS", "WHY", "DETAIL", "V", "COMMIT")}
SENSIBLE |= {name: {"a b", "a" * 100, "0", "99999999999999999999999", "1e3", "0x10", "None", "no-such-thing", "../..", "/"}
             for name in ("CONTAINER", "CC", "HOST_CC", "FUZZ_CC", "NASM", "LD", "OBJCOPY", "PYTHON")}
SENSIBLE |= {name: {"../..", "/", "a" * 100, "0", "99999999999999999999999", "1e3", "0x10", "None", "no-such-thing"}
             for name in ("BUILD", "OWN_IMAGE", "EFI_INCLUDE", "EFI_LIB")}
SENSIBLE |= {"TO": {"a b", "*", "~", "#", "(", "../..", "/", "a" * 100, "Zürich", "0", "99999999999999999999999", "1e3", "0x10", "None",
                    "no-such-thing", "; touch here", "| touch here", "& touch here", "> here", "%s%n", "{}"},
             "PAGE": {"no-such-thing"}, "L": {"0"}, "SEED": {"0"}, "SUBMISSION": {"../..", "/"}, "SUBMISSIONS": {"../..", "/"}, "HELDOUT": {"../..", "/"},
             "GOAL": {"a b", "a" * 100, "no-such-thing"}, "FILE": {"../..", "/"}, "REPORT": {"../..", "/"},
             "DMAR_CORPUS": {"../..", "/"}, "SOURCE_DATE_EPOCH": {"0"},
             **dict.fromkeys(("BASE", "IMAGE"), {"a" * 100, "0", "99999999999999999999999", "1e3", "0x10", "None", "no-such-thing"}),
             "NAME": {"0", "99999999999999999999999", "1e3", "0x10", "no-such-thing"},
             "DEFAULT": {"a" * 100, "0", "99999999999999999999999", "1e3", "0x10", "None", "no-such-thing"}}


def said(name: str, value: str, goals=("run",), origin="command") -> str:
    return variables.problem(MAKEFILES, list(goals), [(origin, name, value)])


@pytest.mark.parametrize("name", variables.CHECKS)
def test_nonsense_is_one_line_for_every_variable(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for value in NONSENSE:
        line = said(name, value)
        assert bool(line) is (value not in SENSIBLE.get(name, ())), (value, line)
        assert not line or (line.startswith(f"{name}: ") and line.isprintable() and line.isascii() and len(line) < 450), (value, line)


@pytest.mark.parametrize("name", ["RUN_FLAGS", "PYTEST_FLAGS", "GDB_FLAGS", "BENCH_FLAGS", "EXTRA_CFLAGS"])
def test_options_are_no_commands(name):
    for value in ("; touch here", "a|b", "a && b", "a > b", "<a", "(a)", "`a`", "'a", 'a"', "a\nb", "a #b"):
        assert said(name, value), value
    for value in ("", "-k sriov", "-m 'not stack'", '-m "not stack"', "-k 'a and (b or c)'", "--nic igb@switch --cpus 6", "-DX='\"a;b\"'"):
        assert not said(name, value), (value, said(name, value))


def test_what_there_is_is_said():
    assert said("SCENARIO", "lnux").endswith("; did you mean 'linux'?") and "sriov" in said("SCENARIO", "lnux")
    assert said("MACHINE", "bosch") == "MACHINE: there is no machine 'bosch': there are tcg, kvm, bochs, stack; did you mean 'bochs'?"
    assert "'SCENARIO'" in said("SCENARO", "linux") and "no such variable" in said("SCENARO", "linux")
    assert "did you mean" not in said("MACHINE", "zzz")
    assert "--file /bulkhead/my.conf=lab/my.conf" in said("SCENARIO", "lab/my.conf")


def test_what_is_right_is_not_refused(tmp_path):
    for name, value in (("SCENARIO", "linux"), ("SCENARIO", "linux.conf"), ("MACHINE", "stack"), ("QEMU", "11"), ("LIKE", "amd"),
                        ("TEST_JOBS", "4"), ("GDB_PORT", "1234"), ("FILE", "config/sriov.conf"), ("FORCE", "yes-really"),
                        ("FILES", "config/*.conf VERSION"), ("TO", str(tmp_path / "a new folder")), ("V", "1"), ("NASM", "nasm"),
                        ("CC", "ccache clang-19"), ("DEVICE", "/dev/null"), ("LANES", "tcg bochs"), ("WARNINGS", "-Wall")):
        assert not said(name, value), (name, value, said(name, value))
    mine = [("command", "SCENARIO", "mine"), ("command", "RUN_FLAGS", "--file /bulkhead/mine.conf=x.conf")]
    assert not variables.problem(MAKEFILES, ["run"], mine) and variables.problem(MAKEFILES, ["run"], mine[:1])


def test_the_environment_counts_for_the_goals_that_use_it():
    for name, goals in variables.GOALS.items():
        assert not said(name, "; rm", goals=("all",), origin="environment"), name
        for goal in goals:
            assert said(name, "; rm", goals=(goal,), origin="environment") or name == "TO", (name, goal)
    assert not said("SCENARIO", "", origin="environment"), "as if it were not there"
    listed = re.search(r"FROM_ENVIRONMENT := ((?:.*\\\n)*.*)", (ROOT / "tests/tools/given.mk").read_text()).group(1)
    assert set(listed.replace("\\", "").split()) == set(variables.GOALS)


def test_no_variable_is_forgotten():
    """What the makefiles have a default for is judged, and that of the environment as well where a goal names it."""
    offered = {name for path in MAKEFILES for name in re.findall(r"^([A-Z_]+) *\?=", Path(path).read_text(), re.M)}
    assert not offered - set(variables.CHECKS), offered - set(variables.CHECKS)
    of_a_build = {"CC", "HOST_CC", "FUZZ_CC", "FUZZ_SECONDS", "SOURCE_DATE_EPOCH", "OWN_IMAGE", "DMAR_CORPUS", "PROOFS", "AUDIT", "SCALABLE"}
    assert not offered - set(variables.GOALS) - of_a_build, offered - set(variables.GOALS) - of_a_build


def test_the_lists_are_those_of_the_runner():
    assert set(choices.MACHINES) == set(MACHINES) and set(choices.LIKES) == set(like.LIKES)
    assert list(choices.QEMUS) == [str(version) for version in paths.QEMUS]
    assert {"sriov", "linux"} <= set(choices.scenarios())


@pytest.mark.parametrize("word", ["MACHINE=foo", "SCENARIO=$(shell touch HERE)", "SCENARIO=$$(touch HERE)", "SCENARIO=`touch HERE`",
                                  "SCENARIO=x;touch HERE", "RUN_FLAGS=--cpus 2;touch HERE", "RUN_FLAGS=--cpus \"$(touch HERE)\"",
                                  "SCENARIO=x' ; touch HERE ; '", "KEY=k';touch HERE;'",
                                  "SCENARIO=x\n\ttouch HERE", "SCENARO=sriov", "MACHINE=", "ANYTHING=$(shell touch HERE)"])
def test_make_runs_nothing_of_it(word, tmp_path):
    done = make("run", word.replace("HERE", str(tmp_path / "here")), timeout=60)
    assert done.returncode == 2 and not done.stdout, "a run, or what builds for it, would print"
    line, = done.stderr.splitlines()
    assert f"*** {word.split('=')[0]}: " in line and line.endswith("Stop.")
    assert not (tmp_path / "here").exists()


def test_without_python_plain_values_alone(tmp_path):
    """Before setup there may be none."""
    for tool in ("make", "sh", "find", "sed", "awk", "grep", "uname", "date", "git", "nproc", "expand", "cat"):
        found = next((Path(folder) / tool for folder in os.environ["PATH"].split(":") if (Path(folder) / tool).exists()), None)
        if found:
            (tmp_path / tool).symlink_to(found)
    plain = {**os.environ, "PATH": str(tmp_path)}
    for word, right in (("SCENARIO=linux", True), ("SCENARIO=x;touch here", False), ("RUN_FLAGS=-m '(a)'", False)):
        done = make("help", word, timeout=60, env=plain)
        assert (done.returncode == 0) is right, done.stderr
        assert right or "run make setup first" in done.stderr.splitlines()[-1]
