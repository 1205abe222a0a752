#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a lab costs the computer that checks it: processor seconds, memory and disk, measured with the solution in a tree
of its own. Writes tests/labs/costs.csv, which the page for teachers shows (`lab.py pages --write`)."""

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from labs import manifest  # noqa: E402
from labs.kinds import Lab, Machine  # noqa: E402
from labs.tree import make_tree  # noqa: E402

TABLE = Path(__file__).with_name("costs.csv")
COLUMNS = ("lab", "tree_mb", "first_cpu", "again_cpu", "all_cpu", "all_mb", "disk_mb")
LIMIT = 3600  # s for one `make lab-check`


def lanes(lab: Lab) -> str:
    """Where its checks run: the build host always, emulators by its runs."""
    found = {check.lane for check in (*lab.whole, *(check for step in lab.steps for check in step.checks)) if isinstance(check, Machine)}
    return ", ".join({"bochs": "Bochs"}.get(lane, lane) for lane in sorted(found)) or "host only"


def measured() -> dict[str, dict[str, str]]:
    if not TABLE.is_file():
        return {}
    with TABLE.open(newline="") as file:
        return {row["lab"]: row for row in csv.DictReader(file)}


def rows(labs: tuple[Lab, ...]) -> list[str]:
    """The table of the page."""
    found = measured()
    table = ["| lab | checks run in | a step, first | again | all steps and the run | memory | disk |", "|---|---|---|---|---|---|---|"]
    for lab in labs:
        one = found.get(lab.name)
        cells = [f"{one['first_cpu']} s", f"{one['again_cpu']} s", f"{one['all_cpu']} s", f"{one['all_mb']} MB",
                 f"{one['tree_mb']}, then {one['disk_mb']} MB"] if one else ["not measured"] + [""] * 4
        table.append(f"| [{lab.name}]({lab.name.lower()}.md) | {lanes(lab)} | {' | '.join(cells)} |")
    return table


def disk_mb(root: Path) -> int:
    return round(sum(path.lstat().st_blocks * 512 for path in (root, *root.rglob("*"))) / 1e6)


def resident(of: int) -> int:
    """Bytes that a process and what it has started hold at this moment."""
    parents, sizes = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.name)], sizes[int(path.name)] = int(fields[1]), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")

    def is_of(one: int) -> bool:
        while one in parents and one != of:
            one = parents[one]
        return one == of
    return sum(size for one, size in sizes.items() if is_of(one))


def checked(root: Path, *arguments: str) -> tuple[float, int]:
    """Processor seconds and the most bytes of a `make lab-check`, which has to find everything right."""
    before, most, over = resource.getrusage(resource.RUSAGE_CHILDREN), 0, threading.Event()
    with subprocess.Popen(["make", "--no-print-directory", "lab-check", *arguments], cwd=root, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        def watch() -> None:
            nonlocal most
            while not over.wait(0.2):
                most = max(most, resident(process.pid))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            output, _ = process.communicate(timeout=LIMIT)
        finally:
            over.set()
            watcher.join()
    if process.returncode != 0:
        raise RuntimeError(f"make lab-check {' '.join(arguments)} in {root}:\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most


def cost(lab: Lab) -> dict[str, str]:
    with tempfile.TemporaryDirectory(prefix="lab-costs-") as name:
        tree = make_tree(lab, Path(name) / lab.name)
        fresh = disk_mb(tree.root)
        tree.fill(1)
        first, _ = checked(tree.root, "STEP=1")
        path = tree.root / lab.steps[0].file
        path.write_text(path.read_text() + "\n/* Another look at it. */\n")
        again, _ = checked(tree.root, "STEP=1")
        for step in lab.steps[1:]:
            tree.fill(step.number)
        everything, most = checked(tree.root)
        return dict(zip(COLUMNS, (lab.name, str(fresh), f"{first:.0f}", f"{again:.0f}", f"{everything:.0f}", f"{most / 1e6:.0f}",
                                  str(disk_mb(tree.root)))))


def main() -> int:
    parser = argparse.ArgumentParser(prog="costs", description=__doc__)
    parser.add_argument("--lab", metavar="N", help="7 or L7; without it all of them")
    options = parser.parse_args()
    try:
        labs = (manifest.lab(options.lab),) if options.lab else manifest.labs()
        for lab in labs:
            found = measured() | {lab.name: cost(lab)}
            print(", ".join(f"{key} {value}" for key, value in found[lab.name].items()), flush=True)
            with TABLE.open("w", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(sorted(found.values(), key=lambda row: int(row["lab"][1:])))
    except (manifest.UnknownLab, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        print(f"costs: {error}", file=sys.stderr)
        return 2
    return subprocess.run([Path(__file__).with_name("lab.py"), "pages", "--write"], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
