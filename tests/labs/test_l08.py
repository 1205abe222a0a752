# SPDX-License-Identifier: MIT
"""What L8's page lets the student watch: the thief gets at a neighbour's memory when one line of create_domain() is wrong
and the audit only warns, gets nothing when it is right, and is not even started when the audit does its work."""

import os

import pytest

from conftest import ROOT
from labs import cutter, lab08, machines, manifest
from labs.judge import Judge
from labs.tree import write
from mutations.kinds import Edit

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(900),
              pytest.mark.skipif(os.environ.get("LAB_TESTS") != "all", reason="three boots: make test-labs")]

LAB = manifest.lab("8")
SEED = 5
HOLE = Edit(lab08.ADD, "guest->pieces[i].size, PAGE_READ | PAGE_WRITE);", "guest->pieces[i].size + 2 * PAGE_2M, PAGE_READ | PAGE_WRITE);")


@pytest.fixture(name="watch")
def watched():
    """A run of the solution with edits, and what is said of it."""
    originals = {file: (ROOT / file).read_text() for file in cutter.cut_files(LAB)}
    judge = Judge(LAB, ROOT, originals, ROOT / "build/labs-work", SEED)

    def run(*edits, warn):
        texts = dict(originals)
        for edit in edits:
            assert texts[edit.file].count(edit.old) == 1
            texts[edit.file] = texts[edit.file].replace(edit.old, edit.new)
        judge.prepare(texts)
        if warn:
            write(judge.work / "config/lab.conf", "[system]\naudit = warn\n\n" + LAB.config(SEED))
        found, problem = machines.observed(judge.work, LAB.whole[0])
        assert problem is None, problem
        return found
    return run


def test_the_thief_is_watched(watch):
    """It reads the neighbour's secret and writes where the neighbour notices it; nobody is stopped."""
    run = watch(HOLE, warn=True)
    robbed = lab08.neighbour(run)
    stolen = [text for text in lab08.outputs(run, "thief") if text.startswith("stole from")]
    assert len(stolen) == 1 and f"secret={lab08.secret(SEED, robbed)}'" in stolen[0], lab08.outputs(run, "thief")
    assert f"memory changed at {lab08.PLACE:#x}" in lab08.outputs(run, robbed)[-1], lab08.outputs(run, robbed)
    assert any(line.event == "audit.violation" and line["invariant"] == "I3" and line["subject"] == "thief" for line in run.events)
    assert not any(line.event == "guest.quarantined" for line in run.events)
    assert "and the switch brought it" in lab08.nobody_is_robbed(run)


def test_with_the_line_as_it_was(watch):
    """The same build and configuration: three accesses, three records, and both neighbours are what they were."""
    run = watch(warn=True)
    assert lab08.nobody_is_robbed(run) is None and len(lab08.faults(run)) == 3
    assert not any(text.startswith("stole") for text in lab08.outputs(run, "thief"))
    assert all("0 others" in lab08.outputs(run, name)[-1] and "changed" not in lab08.outputs(run, name)[-1] for name in lab08.victims(SEED))
    assert any(line.event == "audit.mode" for line in run.events) and not any(line.event == "audit.violation" for line in run.events)


def test_a_swapped_base_is_found_by_the_audit(watch):
    """Without being told to go on: I3, with where and value, and no guest with such a domain starts."""
    swapped = next(mistake for mistake in LAB.mistakes if mistake.name == "domain-base-swapped")
    run = watch(*swapped.edits, warn=False)
    base = lab08.created(run, "thief").number("base")
    sentence = machines.told(run)
    assert sentence.startswith("the audit finds I3 of ") and "violated at 0x" in sentence, sentence
    found = next(line for line in run.events if line.event == "audit.violation" and line["subject"] == "thief")
    assert found["invariant"] == "I3" and found.number("where") == base and found.number("value") == 0
    assert not any(line.event == "guest.started" for line in run.events)
