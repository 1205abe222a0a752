# SPDX-License-Identifier: MIT
"""What the mutations of the preflight run in QEMU: None, or what was seen."""

import re
import shutil
import subprocess
from pathlib import Path

from machine import disk, preflight
from machine.tables import table

from .scenarios import booted, guest

HELLO = guest("alpha", "hello.elf", memory="4M", args="ticks=5")


def _report(run) -> preflight.Report | None:
    try:
        return preflight.load(run.directory / "bulkhead.img")
    except preflight.ReportError:
        return None


def fill(image: Path, clusters: int) -> None:
    """Leaves so many clusters of 4 KiB."""
    place = f"{image}@@{disk.esp_offset(image)}"
    listing = subprocess.run(["mdir", "-i", place, "::/"], capture_output=True, text=True, check=True).stdout
    free = int(re.search(r"([\d ]+) bytes free", listing)[1].replace(" ", ""))
    filler = image.with_suffix(".filler")
    with filler.open("wb") as stream:
        stream.truncate(free - clusters * 4096)
    subprocess.run(["mcopy", "-i", place, filler, "::/filler"], check=True)
    filler.unlink()


def lies(image: Path, directory: Path) -> str | None:
    """MCFG says that configuration space is where RAM is."""
    subprocess.run(["make", "--no-print-directory", "efi-tests"], cwd=image.parents[1], check=True, stdout=subprocess.DEVNULL)
    entry = (0x1000000).to_bytes(8, "little") + b"\0\0\0\xff" + bytes(4)
    run = booted(image, directory, HELLO, tables={"MCFG": table("MCFG", bytes(8) + entry)})
    with run:
        run.wait_for("boot.start", timeout=60)
        report = _report(run)
    if report is None:
        return "there is no report"
    refused = any("MCFG points configuration space at RAM" in line.get("message") for line in report.all("pci.refused"))
    return None if refused else "MCFG is believed"


def full_stick(image: Path, directory: Path) -> str | None:
    """There is room for the tables and the configuration, and not for the report."""
    copy = image.with_name("full.img")
    shutil.copyfile(image, copy)
    try:
        fill(copy, 8)
        run = booted(copy, directory, HELLO)
        with run:
            run.wait_for("boot.start", timeout=60)
            try:
                left = disk.read_from_image(run.directory / "bulkhead.img", "/bulkhead/preflight.txt")
            except disk.ImageError:
                return None
            return f"half a report is left: {len(left)} bytes"
    finally:
        copy.unlink(missing_ok=True)
