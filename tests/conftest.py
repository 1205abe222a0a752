# SPDX-License-Identifier: MIT
"""Everything `make test` runs is collected by pytest; this adds the plain closing line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from machine.machine import PATIENCE, latest  # noqa: E402


def make(*arguments: str, timeout: float = 600, **options) -> subprocess.CompletedProcess:
    """Runs make in the repository's root. The limit is for what hangs: on a busy computer it is longer. The variables of
    the make that runs the tests are not its own."""
    environment = options.pop("env", None) or os.environ
    options["env"] = {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    return subprocess.run(["make", "--no-print-directory", *arguments], cwd=ROOT, text=True,
                          capture_output=True, timeout=timeout * PATIENCE, **options)


@pytest.fixture(scope="session")
def built() -> Path:
    """The boot media, up to date; the folder they are in."""
    result = make(f"-j{os.cpu_count() or 2}", "all", timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    return ROOT / "build"


def pytest_collection_modifyitems(config, items):
    """Quick tests first: what is broken shows early. When two files run at a time, the two that take longest come next,
    or one of them would run alone at the end."""
    order = ["tests/unit", "tests/lint", "tests/size", "tests/machine", "tests/fuzz", "tests/system", "tests/bench"]
    two_at_a_time = hasattr(config, "workerinput")
    if two_at_a_time:
        order[5:5] = ["tests/prove", "tests/mutations"]

    def rank(item):
        path = str(Path(item.fspath).relative_to(ROOT))
        place = next((i for i, folder in enumerate(order) if path.startswith(folder)), len(order))
        slow = sum(item.get_closest_marker(name) is not None for name in ("bochs", "stack"))
        if path.startswith("tests/prove") and not two_at_a_time:
            slow = 3  # they have run beside the others by then
        if path.startswith("tests/mutations") and two_at_a_time:
            slow = 0
        return slow, place

    items.sort(key=rank)
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None:
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE), append=False)
    if not os.environ.get("BULKHEAD_LONG"):
        for item in items:
            if item.get_closest_marker("long") is not None:
                item.add_marker(pytest.mark.skip(reason="takes minutes: BULKHEAD_LONG=1 runs it"))


def pytest_configure(config):
    config.addinivalue_line("markers", "tcg: runs in QEMU's emulation (seconds)")
    config.addinivalue_line("markers", "bochs: runs in Bochs, VMX without an IOMMU (up to a minute)")
    config.addinivalue_line("markers", "long: takes minutes; left out unless BULKHEAD_LONG is set")
    config.addinivalue_line("markers", "stack: runs in the stack, VMX with VT-d and SR-IOV (minutes)")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What failed where a machine was involved, above all what hung, shows the end of the machine's log."""
    outcome = yield
    report = outcome.get_result()
    folder = Path(item.fspath).relative_to(ROOT / "tests").parts[0]
    if report.failed and folder in ("system", "machine", "bench", "mutations") and latest() is not None:
        report.sections.append(("the latest machine", latest().explain(f"status {latest().status}")))


_counts = {"passed": 0, "failed": 0, "skipped": 0}


def pytest_runtest_logreport(report):
    if report.failed:
        _counts["failed"] += 1
    elif report.skipped:
        _counts["skipped"] += 1
    elif report.when == "call":
        _counts["passed"] += 1


def pytest_collectreport(report):
    if report.failed:
        _counts["failed"] += 1


def pytest_unconfigure(config):
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        print(f"{_counts['passed']} passed, {_counts['failed']} failed, {_counts['skipped']} skipped",
              flush=True)
