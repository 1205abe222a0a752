# SPDX-License-Identifier: MIT
"""Bounded proofs: each holds, and finds the error that is planted for it."""

import pytest

from prove.prove import LIMIT, jobs, line, proofs

# The limits that matter are of CPU time (prove.py); on a busy machine that can take long to come.
pytestmark = pytest.mark.timeout(4 * LIMIT)


@pytest.mark.parametrize("proof", proofs(), ids=lambda proof: proof.name)
def test_proof(proof, answers):
    for job in jobs([proof]):
        answer = answers[job].result()
        print(line(answer))
        assert answer.properties > 0 and answer.good, line(answer)
