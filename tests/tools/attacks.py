#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs what docs/security.md names against each attack, and prints a table: attack, lanes, tests, mutations.

  attacks.py                 all of S01 to S55 (about ten minutes, without the stack's runs)
  attacks.py S13 S18         these
  attacks.py --list          without running anything

The page is the only list. In its last column, `file/function` is a unit test, `test_...` a system test, `fuzz_NAME.c` a
fuzz target, and names of tests/mutations/table.py are mutations; whether these were caught is known from the latest
`make test-mutations`. Exit status 1 when a test fails or something that is named does not exist.
"""

import argparse
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from mutations import table  # noqa: E402

PAGE = ROOT / "docs/security.md"
ROW = re.compile(r"^\| (S\d\d[a-z]?) \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
MUTATIONS = {mutation.name for mutation in table.MUTATIONS}


@dataclass
class Attack:
    number: str
    name: str
    open: bool
    units: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    fuzzers: list[str] = field(default_factory=list)
    mutations: list[str] = field(default_factory=list)


def functions(pattern: str, expression: str) -> set[str]:
    found = set()
    for path in ROOT.glob(pattern):
        found |= {(f"{path.stem}/" if pattern.endswith(".c") else "") + name
                  for name in re.findall(expression, path.read_text(), re.MULTILINE)}
    return found


UNITS = {name.removeprefix("test_") for name in functions("tests/unit/test_*.c", r"^static void (\w+)\(void \*\*state\)")}
PYTESTS = ("tests/system/test_*.py", "tests/bench/test_*.py", "tests/unit/*_oracle.py")
SYSTEMS = {name for pattern in PYTESTS for name in functions(pattern, r"^def (test_\w+)\(")}


def unit(name: str) -> str | None:
    """The page leaves `test_` out in front of a file, and sometimes in front of a function, too."""
    file, function = name.split("/")
    return next((one for one in (name, f"{file}/test_{function}") if one in UNITS), None)


def read_page() -> tuple[list[Attack], list[str]]:
    attacks, missing = [], []
    for number, name, _, shown in ROW.findall(PAGE.read_text()):
        attack = Attack(number, name, "**OPEN**" in shown)
        attacks.append(attack)
        # What follows "mutation" are names of mutations, whether or not there is one.
        claimed = {one for part in re.findall(r"mutations? ((?:`[\w-]+`(?:, | and )?)+)", shown)
                   for one in re.findall(r"`([\w-]+)`", part)}
        for one in dict.fromkeys(re.findall(r"`([^`]+)`", shown)):
            if re.fullmatch(r"[a-z_0-9]+/\w+", one):
                attack.units += [unit(one)] if unit(one) else []
                missing += [] if unit(one) else [f"{number}: no unit test {one}"]
            elif re.fullmatch(r"fuzz_\w+\.c", one):
                attack.fuzzers.append(one[5:-2])
                missing += [] if (ROOT / "tests/fuzz" / one).exists() else [f"{number}: no fuzz target {one}"]
            elif one in MUTATIONS or one in claimed:
                attack.mutations.append(one)
                missing += [] if one in MUTATIONS else [f"{number}: no mutation {one}"]
            elif one in SYSTEMS:
                attack.systems.append(one)
            elif re.fullmatch(r"test_\w+", one) and not list(ROOT.glob(f"tests/*/{one}.*")):
                missing.append(f"{number}: no test {one}")
    return attacks, missing


def run_units(names: set[str]) -> dict[str, bool]:
    results = {}
    for file in sorted({name.split("/")[0] for name in names}):
        program = f"build/unit/test_{file}"
        subprocess.run(["make", "--no-print-directory", "-s", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        done = subprocess.run([ROOT / program], cwd=ROOT, text=True, errors="replace", capture_output=True, check=False)
        passed = set(re.findall(r"\[ +OK \] (\w+)", done.stdout + done.stderr))
        results |= {name: name.split("/")[1] in passed for name in names if name.split("/")[0] == file}
    return results


def run_pytest(systems: set[str], fuzzers: set[str]) -> dict[str, bool]:
    """A test of several cases passed if each did, and at least one was not skipped."""
    report = ROOT / "build/attacks.xml"
    wanted = " or ".join(sorted(systems | {f"test_fuzz and {name}" for name in fuzzers}))
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no",
                    f"--junit-xml={report}", "-m", "not stack", "-k", wanted, "tests/system", "tests/bench", "tests/fuzz", "tests/unit"],
                   cwd=ROOT, check=False, stdout=sys.stderr)
    results: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name").split("[")[0]
        if name.startswith("test_fuzz") or "fuzz" in case.get("classname"):
            name = re.search(r"\[(\w+)", case.get("name")).group(1) if "[" in case.get("name") else name
        state = "skipped" if case.find("skipped") is not None else \
            "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
        results.setdefault(name, []).append(state)
    return {name: "failed" not in states and "passed" in states for name, states in results.items()}


def lanes_of(attack: Attack) -> str:
    lanes = ["unit"] * bool(attack.units) + ["fuzz"] * bool(attack.fuzzers) + ["system"] * bool(attack.systems)
    return " ".join(lanes) or "argued"


def summary(names: list[str], results: dict[str, bool] | None) -> str:
    if not names or results is None:
        return str(len(names)) if names else "-"
    return f"{sum(results.get(name, False) for name in names)}/{len(names)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", metavar="Snn")
    parser.add_argument("--list", action="store_true", help="do not run anything")
    options = parser.parse_args()
    attacks, missing = read_page()
    unknown = set(options.numbers) - {attack.number for attack in attacks}
    if unknown:
        parser.error(f"docs/security.md has no {' '.join(sorted(unknown))}")
    chosen = [attack for attack in attacks if not options.numbers or attack.number in options.numbers]

    results = None
    if not options.list:
        results = run_units({name for attack in chosen for name in attack.units})
        results |= run_pytest({name for attack in chosen for name in attack.systems},
                              {name for attack in chosen for name in attack.fuzzers})
    record = ROOT / "build/mutations/results.json"
    caught = json.loads(record.read_text()) if record.exists() else {}

    print(f"{'attack':52} {'lanes':16} {'tests':>7} {'mutations':>9}")
    failed = []
    for attack in chosen:
        tests = attack.units + attack.systems + attack.fuzzers
        mutations = summary(attack.mutations, {name: caught[name] for name in attack.mutations if name in caught}
                            if all(name in caught for name in attack.mutations) else None)
        print(f"{attack.number} {attack.name[:48]:48} {lanes_of(attack):16} {summary(tests, results):>7} {mutations:>9}"
              f"{'  part of it open' if attack.open else ''}")
        failed += [f"{attack.number}: {name} did not pass" for name in tests
                   if results is not None and not results.get(name, False)]
        failed += [f"{attack.number}: mutation {name} was not caught" for name in attack.mutations
                   if not caught.get(name, True)]
    for problem in [*missing, *failed]:
        print(problem)
    print(f"{len(chosen)} attacks, {len(failed)} failures, {sum(attack.open for attack in chosen)} open in part"
          + ("" if caught else "; mutations: only counted, run `make test-mutations` first to see them caught"))
    return 1 if missing or failed else 0


if __name__ == "__main__":
    sys.exit(main())
