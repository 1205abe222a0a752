# SPDX-License-Identifier: MIT
"""Figures of exits in README and docs: written there by `make bench-accept`, and held to exit_costs.golden by a test.

`<!-- exit cpuid-1 -->124<!-- -->` is what such an exit costs, with `vmreads` or `vmwrites` behind the kind how many of
these it has, and with `below 1082` how many times 1082 it would be."""

import re
from pathlib import Path

from .exit_trace import Exit

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "docs/*.md")
FIGURE = re.compile(r"(<!-- exit ([\w-]+)(?: (vmreads|vmwrites)| below (\d+))? -->)([^<]*)(<!-- -->)")


def quoting() -> list[Path]:
    return [page for pattern in PAGES for page in sorted(ROOT.glob(pattern)) if FIGURE.search(page.read_text())]


def filled(text: str, costs: dict[str, Exit]) -> str:
    def figure(match: re.Match) -> str:
        before, kind, field, other, _, after = match.groups()
        if kind not in costs:
            raise KeyError(f"{before}: there is no such exit; there are {', '.join(costs)}")
        cost = costs[kind]
        value = f"{int(other) / cost.instructions:.1f}" if other else str(getattr(cost, field or "instructions"))
        return before + value + after

    return FIGURE.sub(figure, text)


def fill(costs: dict[str, Exit]) -> None:
    for page in quoting():
        page.write_text(filled(page.read_text(), costs))


def outdated(costs: dict[str, Exit]) -> list[str]:
    """Pages that say something else."""
    return [page.name for page in quoting() if filled(page.read_text(), costs) != page.read_text()]
