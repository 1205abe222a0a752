#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Takes the pictures of docs/report.md from build/report.html, with a headless Chromium: `make report-figures`."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from report.browser import browser  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGE, MAP, FIGURES = ROOT / "build/report.html", ROOT / "build/run.map.svg", ROOT / "docs/figures"
# Name, width of the window, dark, what is taken.
PICTURES = (("machine", 1100, False, "#machine"),
            ("blocked", 1280, False, "#blocked"),
            ("spaces", 1000, False, "#spaces article"),
            ("timeline", 1000, False, "#timeline"),
            ("phone", 390, True, "html"))


def main() -> int:
    if not PAGE.exists() or not MAP.exists():
        print("figures: there is no build/report.html: run make report first", file=sys.stderr)
        return 2
    with browser() as window:
        for name, width, dark, selector in PICTURES:
            window.open(PAGE, width, dark)
            height = 820 if name == "phone" else None
            margin = 0 if name == "phone" else 16
            (FIGURES / f"report-{name}.png").write_bytes(window.screenshot(height, selector, margin))
    shutil.copyfile(MAP, FIGURES / "report-map.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
