"""Booting the whole system for a test; a failed one shows the end of the log."""

import pytest

from conftest import ROOT
from machine import MachineSpec, machine

_last = []


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
        run = machine(on, MachineSpec(**wanted), limit)
        self.running.append(run)
        _last[:] = [run]
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
    _last.clear()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and _last and str(item.path).startswith(str(ROOT / "tests/system")):
        report.sections.append(("the machine", _last[0].explain(f"status {_last[0].status}")))
