# SPDX-License-Identifier: MIT
"""From the hypervisor's first instruction to a guest's, by phase."""

from .native import SAME_CLOCK, SHIFT, one_by_one
from .row import Row, booted, growth_rows

GUESTS = range(1, 8)
# MiB of each guest: so little that their cores have overwritten it before the control core has waited for the VFs. QEMU
# counts all cores' instructions on one thread.
MEMORY = 4


def waits(run) -> dict[str, int]:
    """Phase -> the TSC's ticks that were waited for nothing but time before it began."""
    return {e["name"]: e.number("waited") for e in run.events if e.event == "boot.phase"}


def boot_run(guests: int):
    """Seven VFs, so many guests with one each; up to the first guest's first instruction."""
    text = "[nic uplink]\ndevice = 8086:10c9\nvfs = 7\n" + "".join(
        f"[guest g{number}]\nimage = hello.elf\nmemory = {MEMORY}M\ndevice = uplink.vf{number}\n"
        for number in range(guests))
    with booted(text, 300, icount=SHIFT, cpus=8, memory=1024, extra=SAME_CLOCK) as run:
        run.wait_for("boot.start", timeout=200)
        one_by_one(run)
        run.wait_for("vcpu.entered", timeout=280)
    return run


def boot_rows() -> list[Row]:
    """What boot does and what it waits for, in instructions."""
    rows, work = [], []
    by = f"TSC under QEMU -icount shift={SHIFT}; boot.phase tsc= waited="
    for guests in GUESTS:
        run = boot_run(guests)
        spans, waited = phases(run), waits(run)
        ends = list(waited.values()) + [max(waited.values())]
        scale = 1e6 * (1 << SHIFT)
        waiting, total = ends[-1] / scale, spans[-1][2] / scale
        name = f"boot, {guests} guest{'s' if guests > 1 else ''}"
        # Other cores wait and start on the same thread; when turns end depends on the host, by some parts in a thousand.
        rows += [Row(f"{name}: waiting", waiting, "million", by, exact=False),
                 Row(f"{name}: work", total - waiting, "million", by, exact=False)]
        work.append((guests, total - waiting))
        if guests == 3:
            before = 0
            for (start, end, ticks), until in zip(spans[:-1], ends):
                rows.append(Row(f"{name}: work from {start} to {end}", (ticks - until + before) / scale, "million", by,
                                exact=False))
                before = until
    return rows + growth_rows("boot, work", work, "million", by, limit=2, exact=False)


def phases(run) -> list[tuple[str, str, int]]:
    """From where to where, and the TSC's ticks between."""
    marks = [("entry", next(e for e in run.events if e.event == "boot.start").number("tsc"))]
    marks += [(e["name"], e.number("tsc")) for e in run.events if e.event == "boot.phase"]
    marks.append(("guest", next(e for e in run.events if e.event == "vcpu.entered").number("tsc")))
    spans = [(marks[i][0], marks[i + 1][0], marks[i + 1][1] - marks[i][1]) for i in range(len(marks) - 1)]
    return spans + [("entry", "guest", marks[-1][1] - marks[0][1])]


def phase_rows(run, where: str) -> list[Row]:
    """Bochs: ticks of the TSC (its time passes in waits too). TCG: milliseconds."""
    khz = next(e for e in run.events if e.event == "clock.calibrated").number("tsc_khz")
    bochs = where == "bochs"
    return [Row(f"{where}: {start} to {end}", ticks if bochs else ticks / khz, "ticks" if bochs else "ms",
                f"TSC in {where}: in the boot log, waits for real time included", exact=False)
            for start, end, ticks in phases(run)]
