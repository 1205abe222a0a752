#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws docs/figures/*.svg from build/bench.csv and puts the table into docs/performance.md."""

import csv
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench.row import CSV, ROOT  # noqa: E402

PAGE = ROOT / "docs/performance.md"
FIGURES = ROOT / "docs/figures"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 380, 70, 20, 64, 46
COLOURS = ("#1f6f8b", "#d9822b", "#7a9e4a", "#8a6fae")
BEGIN, END = "<!-- table: begin (make plots) -->", "<!-- table: end -->"


@dataclass
class Series:
    """One row of bars; hollow ones have an outline only."""

    name: str
    values: Sequence[float]
    hollow: bool = False


def text(x: float, y: float, words: str, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def box(x: float, y: float, width: float, height: float, colour: str, hollow: bool) -> str:
    fill = f'fill="none" stroke="{colour}" stroke-width="1.5"' if hollow else f'fill="{colour}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" {fill}/>'


def ticks(most: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        return [10.0 ** power for power in range(0, math.ceil(math.log10(most)) + 1)]
    step = 10 ** math.floor(math.log10(most))
    step = step if most / step >= 4 else step / 2 if most / step >= 2 else step / 5
    return [step * number for number in range(math.ceil(most / step) + 1)]


def chart(title: str, unit: str, groups: Sequence[str], series: Sequence[Series], stacked: bool = False,
          logarithmic: bool = False) -> str:
    """Bars side by side or on top of each other, one group for each name."""
    most = max(sum(one.values[i] for one in series) if stacked else max(one.values[i] for one in series)
               for i in range(len(groups)))
    marks = ticks(most, logarithmic)
    plot_height, plot_width = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT

    def height(value: float) -> float:
        if logarithmic:
            return math.log10(max(value, 1)) / math.log10(marks[-1]) * plot_height
        return value / marks[-1] * plot_height

    base = HEIGHT - BOTTOM
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', text(LEFT, 20, title, "start", 15),
             text(WIDTH - RIGHT, 20, unit, "end")]
    for mark in marks:
        y = base - height(mark)
        parts += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
                  text(LEFT - 6, y + 4, f"{mark:,g}", "end")]
    # A hollow bar is the pair of the one before it and has its colour.
    pairs = any(one.hollow for one in series)
    colours = [COLOURS[place // 2 if pairs else place] for place in range(len(series))]
    at = LEFT
    for one, colour in zip(series, colours):
        parts += [box(at, 36, 12, 12, colour, one.hollow), text(at + 18, 46, one.name, "start")]
        at += 44 + 7 * len(one.name)
    room = plot_width / len(groups)
    crowded = max(len(group) for group in groups) * 7 > room  # names in two rows then
    bar = room * 0.8 / (1 if stacked else len(series))
    for i, group in enumerate(groups):
        left, top = LEFT + room * (i + 0.1), base
        for place, one in enumerate(series):
            tall = height(one.values[i])
            x = left if stacked else left + place * bar
            top = top - tall if stacked else base - tall
            parts.append(box(x + 1, top, bar - 2, tall, colours[place], one.hollow))
        low = crowded and i % 2 == 1
        parts.append(text(left + room * 0.4, base + (34 if low else 18), group))
    return "\n".join(parts + ["</svg>", ""])


def number(value: str) -> float:
    return float(value) if value else 0.0


def packets_chart(rows: dict[str, dict[str, str]]) -> str:
    sizes = sorted({int(found.group(1)) for what in rows if (found := re.match(r"packets of (\d+) bytes", what))})
    series = []
    for name in ("polling", "MSI-X"):
        lines = [rows[f"packets of {size} bytes per million instructions, {name}"] for size in sizes]
        series += [Series(f"{name}, guest", [number(line["bulkhead"]) for line in lines]),
                   Series(f"{name}, bare machine", [number(line["native"]) for line in lines], hollow=True)]
    return chart("Packets sent and received per million instructions", "by size in bytes",
                 [str(size) for size in sizes], series)


def boot_chart(rows: dict[str, dict[str, str]]) -> str:
    names = [f"boot, {count} guest{'s' if count > 1 else ''}" for count in range(1, 8)]
    kinds = ("work", "waiting")
    return chart("From the first instruction to the first guest's", "million instructions, by number of guests",
                 [str(count) for count in range(1, 8)],
                 [Series(kind, [number(rows[f"{name}: {kind}"]["bulkhead"]) for name in names]) for kind in kinds],
                 stacked=True)


def exits_chart(rows: dict[str, dict[str, str]]) -> str:
    lines = {what.removeprefix("exit "): line for what, line in rows.items()
             if re.match(r"exit \S+$", what) and line["peer"] and line["peer_name"].startswith("KVM")}
    return chart("An exit and back", "instructions in Bochs, logarithmic", list(lines),
                 [Series("Bulkhead", [number(line["bulkhead"]) for line in lines.values()]),
                  Series("KVM", [number(line["peer"]) for line in lines.values()])], logarithmic=True)


def short(value: str) -> str:
    if not value:
        return ""
    real = float(value)
    return f"{real:,.0f}" if real == int(real) else f"{real:,.3g}" if abs(real) < 100 else f"{real:,.1f}"


def table(lines: list[dict[str, str]]) -> str:
    out = ["| what | Bulkhead | native | peer | limit | ratio | counted by |", "|---|---|---|---|---|---|---|"]
    for line in lines:
        if line["exact"] != "True" and line["unit"] in ("ms", "ticks"):
            continue
        about = "" if line["exact"] == "True" else "about "
        peer = f"{line['peer_name']} {short(line['peer'])}" if line["peer"] else ""
        limit = short(line["limit"]) + {"True": "", "False": " **not met**", "": ""}[line["met"]]
        cells = (line["what"], f"{about}{short(line['bulkhead'])} {line['unit']}", short(line["native"]), peer, limit,
                 short(line["ratio"]), line["counted_by"])
        out.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(out)


def main() -> int:
    if not CSV.exists():
        print(f"plots: {CSV.relative_to(ROOT)} is not there: run make bench first", file=sys.stderr)
        return 1
    with CSV.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    rows = {line["what"]: line for line in lines}
    try:
        charts = {"packets": packets_chart(rows), "boot": boot_chart(rows), "exits": exits_chart(rows)}
    except (KeyError, ValueError) as missing:
        print(f"plots: {CSV.relative_to(ROOT)} lacks {missing}: run make bench without --only", file=sys.stderr)
        return 1
    for name, drawing in charts.items():
        (FIGURES / f"performance-{name}.svg").write_text(drawing)
    page = PAGE.read_text()
    head, rest = page.split(BEGIN)
    PAGE.write_text(head + BEGIN + "\n" + table(lines) + "\n" + END + rest.split(END)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
