# SPDX-License-Identifier: MIT
"""Completion in real shells: what bash puts into COMPREPLY, and what a key does in bash and zsh."""

import shutil
import subprocess
import sys

import pexpect
import pytest

from conftest import ROOT
from machine import PATIENCE
from tools import option_tables

SCENARIOS = sorted(path.stem for path in (ROOT / "config").glob("*.conf"))


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    target = tmp_path_factory.mktemp("completion") / "bulkhead"
    subprocess.run([sys.executable, ROOT / "tests/tools/completion.py", target], check=True, timeout=120 * PATIENCE)
    return target


def asked(script, *words: str, cwd=ROOT, function: str = "") -> list:
    """What bash offers for the last word, as it cuts the line itself."""
    function = function or ("_bulkhead_make" if words[0] == "make" else "_bulkhead_program")
    text = (f"source {script}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); {function} \"$1\"; "
            "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "--norc", "-u", "-c", text, "bash", *words], cwd=cwd, text=True, capture_output=True, check=False,
                          timeout=60 * PATIENCE)
    assert not done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


RUN = "tests/machine/run.py"


def test_options(script):
    """Every option of every program."""
    for program in option_tables.programs():
        options = [name for action in option_tables.parser_of(program)._actions for name in action.option_strings]
        assert set(options) <= set(asked(script, str(program.relative_to(ROOT)), "-")), program
        assert asked(script, program.name, "--hel") == ["--help"]


@pytest.mark.parametrize("words, offered", [
    ((RUN, "--machine", ""), ["bochs", "kvm", "stack", "tcg"]), ((RUN, "--batch", "--machine", "s"), ["stack"]),
    ((RUN, "--machine", "=", "b"), ["bochs"]), ((RUN, "--machine", "="), ["bochs", "kvm", "stack", "tcg"]),
    ((RUN, "--scenario", ""), SCENARIOS), (("run.py", "--scenario", "sr"), ["sriov"]), ((RUN, "--scenario", "nosuch"), []),
    ((RUN, "--cpus", ""), []), ((RUN, "--image", "READ"), ["README.md"]), ((RUN, "--batch", "--no-io"), ["--no-iommu"]),
    (("debug.py", "--qe"), ["--qemu"]), (("tests/tools/symbols.py", "LICEN"), ["LICENSE"])])
def test_values(script, words, offered):
    assert sorted(asked(script, *words)) == sorted(offered)


@pytest.mark.parametrize("words, offered", [
    (("make", "test-fr"), ["test-fresh"]), (("make", "run", "SCENARIO", "="), SCENARIOS),
    (("make", "run", "SCENARIO", "=", "sr"), ["sriov"]), (("make", "run", "SCENARIO=sr"), ["SCENARIO=sriov"]),
    (("make", "run", "MACHINE", "=", ""), ["tcg", "kvm", "bochs", "stack"]), (("make", "run", "SCEN"), ["SCENARIO="]),
    (("make", "test-fresh", "RELEASE", "=", "1"), ["12", "13"]), (("make", "symbols", "LOG", "=", "LICEN"), ["LICENSE"]),
    (("make", "run", "MACHINE", "=", "tcg", "QEMU", "=", ""), ["10", "11"]), (("make", "nosuchgoal"), [])])
def test_make(script, words, offered):
    assert sorted(asked(script, *words)) == sorted(offered)


def test_goals(script):
    """All that `make help` names, and a goal's own variables only once it is there."""
    offered = asked(script, "make", "")
    assert set(offered) >= {goal for goal, _ in option_tables.goals()} and "SCENARIO=" not in offered
    assert {"SCENARIO=", "MACHINE=", "QEMU=", "LIKE="} <= set(asked(script, "make", "run", ""))


def test_elsewhere(script, tmp_path):
    """In another tree make's own completion answers."""
    assert asked(script, "make", "", cwd=tmp_path) == []
    text = f"_make() {{ COMPREPLY=(theirs); }}; source {script}; COMP_WORDS=(make ''); COMP_CWORD=1; _bulkhead_make make; echo $COMPREPLY"
    done = subprocess.run(["bash", "--norc", "-c", text], cwd=tmp_path, text=True, capture_output=True, check=True, timeout=60 * PATIENCE)
    assert done.stdout == "theirs\n"


@pytest.mark.parametrize("shell", [
    ["bash", "--norc", "--noprofile"],
    pytest.param(["zsh", "-f"], marks=pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is missing: tests/machine/setup.sh desk"))])
def test_keys(script, shell, tmp_path):
    """With a terminal: each Tab is one."""
    session = pexpect.spawn(shell[0], shell[1:], cwd=ROOT, encoding="utf-8", timeout=60 * PATIENCE, dimensions=(40, 200),
                            env={"PATH": "/usr/bin:/bin", "TERM": "dumb", "HOME": str(tmp_path), "INPUTRC": "/dev/null"})
    try:
        session.sendline(f"source {script}; PS1='ready''> '")
        session.expect_exact("ready> ")
        for typed, shown in ((f"{RUN} --mach\t", f"{RUN} --machine "), ("bo\t", "bochs "), ("\x15make ru\t", "make run"),
                             (" SCEN\t", "SCENARIO="), ("sri\t", "sriov")):
            session.send(typed)
            session.expect_exact(shown)
        session.sendline("\x15exit")
        session.expect(pexpect.EOF)
    finally:
        session.close(force=True)


def test_a_program_that_does_not_start(tmp_path, capsys, monkeypatch):
    """For want of a module, say: the others are there all the same."""
    fine, broken = tmp_path / "fine.py", tmp_path / "broken.py"
    fine.write_text("import argparse\nparser = argparse.ArgumentParser(description='Does it.')\nparser.parse_args()\n")
    broken.write_text("import argparse, nosuchmodule\nargparse.ArgumentParser().parse_args()\n")
    for program in (fine, broken):
        program.chmod(0o755)
    monkeypatch.setattr(option_tables, "REPOSITORY", tmp_path)
    monkeypatch.setattr(option_tables, "FOLDERS", (".",))
    assert [option_tables.summary(parser) for parser in option_tables.parsers().values()] == ["Does it"]
    assert "left out: broken.py: No module named 'nosuchmodule'" in capsys.readouterr().err
