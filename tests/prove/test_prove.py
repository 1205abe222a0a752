"""Bounded proofs: each holds, and finds the error that is planted for it."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import ROOT
from prove.prove import CBMC, LIMIT, WORK, jobs, line, proofs, run

PROOFS = proofs()

# Limits are of CPU time (prove.py); on a busy machine that can take long to come.
pytestmark = pytest.mark.timeout(4 * LIMIT)


@pytest.fixture(scope="module")
def answers():
    """All of them at once, as many at a time as there are processors."""
    version = subprocess.run([CBMC, "cbmc", "--version"], cwd=ROOT, text=True, capture_output=True)
    if version.returncode != 0:
        pytest.skip(f"cbmc is not there: {version.stderr.strip()}")
    WORK.mkdir(parents=True, exist_ok=True)
    pool = ThreadPoolExecutor(os.cpu_count() or 2)
    yield {job: pool.submit(run, *job) for job in jobs(PROOFS)}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_proof(proof, answers):
    for job in jobs([proof]):
        answer = answers[job].result()
        print(line(answer))
        assert answer.properties > 0 and answer.good, line(answer)
