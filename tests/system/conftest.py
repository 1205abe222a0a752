# SPDX-License-Identifier: MIT
"""Booting the whole system for a test."""

import pytest

from machine import PATIENCE, MachineSpec, machine


def configuration(text: str) -> dict[str, bytes]:
    """The file that a machine with scenario="test" reads."""
    return {"/bulkhead/test.conf": text.encode()}


class Boot:
    """Starts machines: boot(text="[guest a]...") with a configuration of the test's own, or
    boot(scenario="sriov"). What else is given goes into the machine's description."""

    def __init__(self, built) -> None:
        self.built = built
        self.running = []

    def __call__(self, text: str | None = None, scenario: str = "test", limit: float = 90, on: str = "tcg",
                 **changes):
        files = {**(configuration(text) if text is not None else {}), **changes.pop("files", {})}
        wanted = {"image": self.built / "bulkhead.img", "iso": self.built / "bulkhead.iso", "scenario": scenario,
                  "files": files, **changes}
        run = machine(on, MachineSpec(**wanted), limit * PATIENCE)
        self.running.append(run)
        return run.start()

    def to_the_end(self, *arguments, **options):
        """Runs in batch mode until the machine is off."""
        run = self(*arguments, **options)
        run.wait()
        return run

    def stop(self) -> None:
        for run in self.running:
            run.stop()


@pytest.fixture(scope="module")
def boot(built):
    starter = Boot(built)
    yield starter
    starter.stop()
