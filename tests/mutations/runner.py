#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes protections away, one at a time, and requires that something notices.

For each mutation of table.py a copy of the built tree gets the edit, is built again, and the named unit test or QEMU
scenario has to fail with the expected symptom; the same test has to pass on the tree as it is. Works in
build/mutations/; the sources themselves are never touched."""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from mutations import table  # noqa: E402
else:
    from . import table
from machine import PATIENCE  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/mutations"
BASE = WORK / "base"
PROBE = ROOT / "tests/mutations/probe.c"
UNIT_LIMIT = 120 * PATIENCE
BUILT = ("boot", "drivers", "efi", "flags", "guest", "hypervisor", "unit/objects")  # below build/
SETTLED = 60  # seconds


class Broken(RuntimeError):
    """A mutation could not be tried: neither caught nor survived."""


@dataclass
class Result:
    mutation: str
    lane: str
    catcher: str
    verdict: str  # caught, SURVIVED, BROKEN
    detail: str
    seconds: float = 0.0

    @property
    def caught(self) -> bool:
        return self.verdict == "caught"


def sources() -> list[str]:
    """Everything that belongs to the project, new files included, and nothing that was built."""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    return [name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def update(source: Path, target: Path) -> None:
    """Copies what differs, with the time of copying: make has to see it as new, and only then."""
    content = source.read_bytes()
    if target.is_file() and target.read_bytes() == content:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    shutil.copymode(source, target)


def make(tree: Path, *goals: str) -> None:
    done = subprocess.run(["make", "--no-print-directory", f"-j{os.cpu_count() or 2}", *goals], cwd=tree, text=True,
                          capture_output=True, timeout=900 * PATIENCE, check=False)
    if done.returncode != 0:
        raise Broken("does not build: " + "\n".join((done.stdout + done.stderr).splitlines()[-20:]))


def take_what_is_built(names: list[str]) -> None:
    """The first time: sources and all that make has of them, with their times, so that make has nothing to do. What was
    written lately is left out: somebody may still be writing it."""
    until = time.time() - SETTLED
    for name in names:
        (BASE / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, BASE / name)
    for part in BUILT:
        for path in (ROOT / "build" / part).rglob("*"):
            copy = BASE / path.relative_to(ROOT)
            with contextlib.suppress(FileNotFoundError):  # gone again
                if path.is_file() and path.stat().st_mtime < until:
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(path, copy)


def prepare_base() -> None:
    """The tree as it is, with the probe among the guest programs."""
    names = sources()
    if not BASE.exists():
        take_what_is_built(names)
    wanted = {BASE / name for name in names} | {BASE / "guest/programs" / PROBE.name}
    for name in names:
        update(ROOT / name, BASE / name)
    update(PROBE, BASE / "guest/programs" / PROBE.name)
    for path in BASE.rglob("*"):
        inside = path.relative_to(BASE).parts[0] == "build"
        if not inside and path.is_file() and path not in wanted and "__pycache__" not in path.parts:
            path.unlink()


def mutate(mutation: table.Mutation, tree: Path) -> None:
    for edit in mutation.edits:
        path = tree / edit.file
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise Broken(f"{edit.file} has {text.count(edit.old)} times, not once: {edit.old.strip()!r}")
        path.write_text(text.replace(edit.old, edit.new))


def check_table() -> list[str]:
    """Every mutation that no longer fits the sources."""
    problems = []
    for mutation in table.MUTATIONS:
        for edit in mutation.edits:
            path = ROOT / edit.file
            count = path.read_text().count(edit.old) if path.exists() else 0
            if count != 1:
                problems.append(f"{mutation.name}: {edit.file} has {count} times, not once: {edit.old.strip()!r}")
    return problems


def observe(check, tree: Path, directory: Path) -> str | None:
    """The symptom that the check shows on this tree, None when it passes."""
    if isinstance(check, table.Unit):
        make(tree, f"build/unit/{check.test}")
        try:
            done = subprocess.run([tree / "build/unit" / check.test], cwd=tree, text=True, errors="replace",
                                  capture_output=True, timeout=UNIT_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return f"[  FAILED  ] {check.test} does not end"
        return None if done.returncode == 0 else done.stdout + done.stderr
    make(tree, "build/bulkhead.img")
    shutil.rmtree(directory, ignore_errors=True)
    return check.scenario(tree / "build/bulkhead.img", directory)


def copy_base(tree: Path) -> None:
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["cp", "-a", "--sparse=always", "--reflink=auto", BASE, tree], check=True)


@dataclass
class Session:
    """The unmutated tree passes each check; asked once for each."""

    keep: bool = False
    passed: dict[str, str | None] = field(default_factory=dict)
    ready: bool = False

    def baseline(self, check) -> None:
        if not self.ready:
            prepare_base()
            make(BASE, "build/bulkhead.img")
            self.ready = True
        if check.catcher not in self.passed:
            self.passed[check.catcher] = observe(check, BASE, WORK / "runs/base" / check.catcher)
        if self.passed[check.catcher] is not None:
            raise Broken(f"{check.catcher} fails without any mutation: {self.passed[check.catcher][-400:]}")

    def tries(self, mutation: table.Mutation, lanes=("unit", "tcg")):
        """Yields a result for each check of the mutation."""
        tree = WORK / mutation.name
        checks = [check for check in mutation.checks if check.lane in lanes]
        try:
            for check in checks:
                started = time.monotonic()
                try:
                    self.baseline(check)
                    if not tree.exists() or check is checks[0]:
                        copy_base(tree)
                        mutate(mutation, tree)
                    symptom = observe(check, tree, WORK / "runs" / mutation.name / check.catcher)
                    verdict, detail = self._judge(check, symptom)
                except Broken as problem:
                    verdict, detail = "BROKEN", str(problem)
                yield Result(mutation.name, check.lane, check.catcher, verdict, detail, time.monotonic() - started)
        finally:
            if not self.keep:
                shutil.rmtree(tree, ignore_errors=True)

    @staticmethod
    def _judge(check, symptom: str | None) -> tuple[str, str]:
        if symptom is None:
            return "SURVIVED", "nothing noticed"
        found = re.search(check.symptom, symptom)
        if not found:
            return "BROKEN", f"failed, but not with {check.symptom!r}: {symptom[-600:]}"
        return "caught", found.group(0) if check.lane == "unit" else symptom


def remember(results: list[Result]) -> None:
    """For the table of attacks: which mutations were caught by each of their checks, the latest time."""
    record = WORK / "results.json"
    known = json.loads(record.read_text()) if record.exists() else {}
    known |= {name: all(result.caught for result in results if result.mutation == name)
              for name in {result.mutation for result in results}}
    record.write_text(json.dumps(known, indent=1, sort_keys=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="MUTATION", help="default: all")
    parser.add_argument("--lane", choices=("unit", "tcg"), action="append", help="only these (default: both)")
    parser.add_argument("--list", action="store_true", help="show the table and check that it fits the sources")
    parser.add_argument("--keep", action="store_true", help="leave the mutated trees in build/mutations")
    options = parser.parse_args()

    known = {mutation.name: mutation for mutation in table.MUTATIONS}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no such mutation: {' '.join(unknown)}")
    problems = check_table()
    for problem in problems:
        print(f"drift: {problem}")
    if options.list:
        for mutation in table.MUTATIONS:
            catchers = ", ".join(f"{check.lane}:{check.catcher}" for check in mutation.checks)
            print(f"{mutation.name:32} {catchers:56} without: {mutation.removes}")
        return 1 if problems else 0

    session, results = Session(options.keep), []
    print(f"{'mutation':32} {'lane':5} {'by':20} {'result':9} {'s':>4}  symptom", flush=True)
    for mutation in [known[name] for name in options.names] or table.MUTATIONS:
        for result in session.tries(mutation, options.lane or ("unit", "tcg")):
            results.append(result)
            detail = result.detail if not result.caught else result.detail.splitlines()[0][:100]
            print(f"{result.mutation:32} {result.lane:5} {result.catcher:20} {result.verdict:9} "
                  f"{result.seconds:4.0f}  {detail}", flush=True)
    remember(results)
    lost = [result for result in results if not result.caught]
    print(f"{len(results) - len(lost)} of {len(results)} caught")
    return 1 if lost or not results else 0


if __name__ == "__main__":
    sys.exit(main())
