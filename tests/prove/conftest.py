# SPDX-License-Identifier: MIT
"""Proofs take minutes of one processor and nothing else. When tests run one at a time the proofs run beside them from the
beginning, at the lowest priority, and the tests that ask for their answers come last. When two run at a time there is no
idle processor, and each proof is made when its test comes."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from conftest import ROOT
from prove import prove

_answers = {}


@dataclass(frozen=True)
class WhenAsked:
    """In the place of a future."""

    job: tuple

    def result(self):
        return prove.run(*self.job)

    def cancel(self) -> None:
        pass


def pytest_collection_finish(session):
    chosen = {item.callspec.params["proof"] for item in session.items if "proof" in getattr(item, "fixturenames", ())}
    if not chosen or session.config.option.collectonly:
        return
    if subprocess.run([prove.CBMC, "cbmc", "--version"], cwd=ROOT, capture_output=True).returncode != 0:
        return
    prove.WORK.mkdir(parents=True, exist_ok=True)
    wanted = prove.jobs([proof for proof in prove.proofs() if proof in chosen])
    if hasattr(session.config, "workerinput"):
        _answers.update((job, WhenAsked(job)) for job in wanted)
        return
    alone = len(chosen) == len(session.items)
    pool = ThreadPoolExecutor((os.cpu_count() or 2) if alone else 1)
    for job in wanted:
        _answers[job] = pool.submit(prove.run, *job, lowest=not alone)


def pytest_sessionfinish(session):
    for future in _answers.values():
        future.cancel()
    prove.stop()


@pytest.fixture
def answers():
    if not _answers:
        pytest.skip("cbmc is not there: run make setup")
    return _answers
