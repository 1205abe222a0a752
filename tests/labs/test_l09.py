# SPDX-License-Identifier: MIT
"""What a machine shows of L9's mistakes: work that exits although policy grants it, and a grant that is missing."""

import os

import pytest

from conftest import ROOT
from labs import cutter, lab09, machines, manifest
from labs.judge import Judge

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(900),
              pytest.mark.skipif(os.environ.get("LAB_TESTS") != "all", reason="boots in Bochs: make test-labs")]

LAB = manifest.lab("9")
SEED = 3


def seen(check, *mistakes):
    """A run with these mistakes in it, and the sentence that a student gets."""
    texts = originals = {file: (ROOT / file).read_text() for file in cutter.cut_files(LAB)}
    for mistake in (mistake for mistake in LAB.mistakes if mistake.name in mistakes):
        for edit in mistake.edits:
            texts = texts | {edit.file: texts[edit.file].replace(edit.old, edit.new)}
    judge = Judge(LAB, ROOT, originals, ROOT / "build/labs-work", SEED)
    judge.prepare(texts)
    run, problem = machines.observed(judge.work, check)
    assert problem is None, problem
    return run, check.diagnose(run)


def test_ticks_that_exit_are_counted():
    """In Bochs as in QEMU: the APIC takes reserved bits, so the write of the timer's entry is policy's business."""
    wanted = lab09.rounds(SEED)
    run, sentence = seen(LAB.whole[0], "entry-each-round")
    assert lab09.exits_of(run, "tick") == wanted and f"{wanted} rounds of tick took {wanted} exits; none is expected" in sentence
    assert lab09.exits_of(run, "tpr") == 0 and lab09.exits_of(run, "efer") == wanted


def test_a_grant_that_is_missing():
    """There is no second answer for what is DIRECT: the guest's first access to a high register is #GP."""
    _run, sentence = seen(LAB.whole[0], "high-half-missing")
    assert "guest meter: exception 13" in sentence and "is not granted in the bitmap" in sentence, sentence
