# SPDX-License-Identifier: MIT
"""One figure of the table, and what the modules that measure share."""

import csv
import subprocess
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from machine import PATIENCE, MachineSpec, machine

ROOT = Path(__file__).resolve().parents[2]
CSV = ROOT / "build/bench.csv"
TWO_VFS = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"


@dataclass
class Row:
    """One figure.

    native: the same program on the bare machine. peer: KVM's or another hypervisor's figure, peer_name says whose.
    limit:  what was aimed at; at_least: it is a lower one.
    exact:  False for times: they differ from run to run, everything else must not.
    """

    what: str
    bulkhead: float | None
    unit: str
    counted_by: str
    native: float | None = None
    peer: float | None = None
    peer_name: str = ""
    limit: float | None = None
    at_least: bool = False
    exact: bool = True

    @property
    def ratio(self) -> float | None:
        """To native; without it how many times the peer's figure is ours."""
        if self.bulkhead is None:
            return None
        if self.native:
            return self.bulkhead / self.native
        return self.peer / self.bulkhead if self.peer and self.bulkhead else None

    @property
    def met(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        if self.limit is None or self.bulkhead is None:
            return None
        return self.bulkhead >= self.limit if self.at_least else self.bulkhead <= self.limit


COLUMNS = ("what", "bulkhead", "unit", "native", "peer", "peer_name", "limit", "ratio", "met", "exact", "counted_by")


def cells(row: Row) -> list[str]:
    values = [getattr(row, column) for column in COLUMNS]
    return ["" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value) for value in values]


def write_csv(rows: Iterable[Row], part: bool, target: Path = CSV) -> None:
    """`part`: figures that are not among the rows stay as an earlier run wrote them."""
    lines = {row.what: cells(row) for row in rows}
    if part and target.exists():
        with target.open(newline="") as stream:
            lines = {line[0]: line for line in list(csv.reader(stream))[1:]} | lines
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(lines.values())


def differences(first: list[Row], second: list[Row]) -> list[str]:
    """What two runs do not agree on, times excepted."""
    left, right = ({row.what: row for row in rows} for rows in (first, second))
    wrong = [f"{what}: only one run has it" for what in left.keys() ^ right.keys()]
    for what in left.keys() & right.keys():
        if left[what].exact and astuple(left[what]) != astuple(right[what]):
            changed = [f"{field.name} {getattr(left[what], field.name)} and {getattr(right[what], field.name)}"
                       for field in fields(Row) if getattr(left[what], field.name) != getattr(right[what], field.name)]
            wrong.append(f"{what}: {', '.join(changed)}")
    return sorted(wrong)


def line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The straight line of least squares: what it begins with at 0, and its slope."""
    count = len(points)
    x_mean, y_mean = (sum(point[axis] for point in points) / count for axis in (0, 1))
    slope = (sum((x - x_mean) * (y - y_mean) for x, y in points) / sum((x - x_mean) ** 2 for x, _ in points))
    return y_mean - slope * x_mean, slope


def deviation(points: list[tuple[float, float]]) -> float:
    """How far the farthest point is from that line, as a share of the largest value."""
    begin, slope = line(points)
    return max(abs(y - begin - slope * x) for x, y in points) / max(y for _, y in points)


def growth_rows(what: str, points: list[tuple[float, float]], unit: str, by: str, limit: float,
                exact: bool = True) -> list[Row]:
    """Whether something grows by the same for each guest: by how much, and how far it is from that, at most limit %."""
    return [Row(f"{what}: each guest more", line(points)[1], unit, f"{by}, least squares", exact=exact),
            Row(f"{what}: farthest from a straight line", 100 * deviation(points), "%", f"{by}, least squares",
                limit=limit, exact=exact)]


def ended_well(run):
    """The run, when the hypervisor's verdict on it is good."""
    if not run.outcome().ok:
        raise RuntimeError(run.explain(run.outcome().reason))
    return run


def booted(text: str, limit: float = 120, **changes):
    """A machine in tcg with this scenario."""
    spec = MachineSpec(image=ROOT / "build/bulkhead.img", scenario="bench",
                       files={"/bulkhead/bench.conf": text.encode()}).but(**changes)
    return machine("tcg", spec, limit * PATIENCE)


def tool(name: str, *arguments) -> str:
    """What a tool of tests/tools says."""
    subprocess.run(["make", "--no-print-directory", "-s", f"build/{name}"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    return subprocess.run([ROOT / "build" / name, *arguments], cwd=ROOT, text=True, capture_output=True,
                          check=False).stdout
