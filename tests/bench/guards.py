# SPDX-License-Identifier: MIT
"""What entries cost more where threads of one core have several owners, in instructions: counted in the image, between
the labels of the two ways into a guest (vmx/entry.asm). Nothing jumps there but over the flush.

`<!-- guard verw -->3<!-- -->` in a page is that figure for a CPU that needs VERW; `l1d` for one that also needs the
flush of the first data cache."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/performance-exits.md"
FIGURE = re.compile(r"(<!-- guard (\w+) -->)([^<]*)(<!-- -->)")
LINE = re.compile(r"\s*([0-9a-f]+):\t(\w+)\s*(\S*)")


def instructions(elf: Path, first: str, last: str) -> list[tuple[int, str, str]]:
    """Address, mnemonic and operands of what lies between two symbols."""
    symbols = {line.split()[2]: int(line.split()[0], 16)
               for line in subprocess.run(["nm", elf], check=True, text=True, capture_output=True).stdout.splitlines()
               if len(line.split()) == 3}
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--start-address={symbols[first]:#x}",
                           f"--stop-address={symbols[last]:#x}", elf], check=True, text=True, capture_output=True).stdout
    return [(int(found[1], 16), found[2], found[3]) for line in text.splitlines() if (found := LINE.match(line))]


def costs(elf: Path = ROOT / "build/bulkhead.elf") -> dict[str, int]:
    plain = instructions(elf, "vmx_resume_window", "vmx_resume_window_end")
    guarded = instructions(elf, "vmx_guarded_resume_window", "vmx_guarded_resume_window_end")
    over = next(line for line in guarded if line[1] == "je")
    skipped = [line for line in guarded if over[0] < line[0] < int(over[2], 16)]
    assert "wrmsr" in {line[1] for line in skipped} and "verw" in {line[1] for line in guarded}
    full = len(guarded) - len(plain)
    return {"verw": full - len(skipped), "l1d": full}


def filled(text: str, figures: dict[str, int]) -> str:
    return FIGURE.sub(lambda match: f"{match[1]}{figures[match[2]]}{match[4]}", text)


def fill(figures: dict[str, int]) -> None:
    PAGE.write_text(filled(PAGE.read_text(), figures))
