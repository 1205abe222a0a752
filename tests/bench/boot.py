"""From the hypervisor's first instruction to a guest's, by phase."""

from .row import Row


def phases(run) -> list[tuple[str, str, int]]:
    """From where to where, and the TSC's ticks between."""
    marks = [("start", next(e for e in run.events if e.event == "boot.start").number("tsc"))]
    marks += [(e["name"], e.number("tsc")) for e in run.events if e.event == "boot.phase"]
    marks.append(("guest", next(e for e in run.events if e.event == "vcpu.entered").number("tsc")))
    spans = [(marks[i][0], marks[i + 1][0], marks[i + 1][1] - marks[i][1]) for i in range(len(marks) - 1)]
    return spans + [("start", "guest", marks[-1][1] - marks[0][1])]


def phase_rows(run, where: str) -> list[Row]:
    """Bochs: ticks of the TSC (its time passes in waits too). TCG: milliseconds."""
    khz = next(e for e in run.events if e.event == "clock.calibrated").number("tsc_khz")
    bochs = where == "bochs"
    return [Row(f"{where}: {start} to {end}", ticks if bochs else ticks / khz, "ticks" if bochs else "ms",
                f"TSC in {where}: in the boot log, waits for real time included", exact=False)
            for start, end, ticks in phases(run)]
