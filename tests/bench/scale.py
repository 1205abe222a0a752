"""What one more guest costs: from one to seven guests, each on a virtual function and a core of its own."""

from dataclasses import dataclass

from .row import Row, booted, ended_well

CPUS = 8
MOST = CPUS - 1  # core 0 is the hypervisor's


@dataclass
class Size:
    """A machine with so many guests."""

    guests: int
    milliseconds: float  # from the hypervisor's first instruction to the last guest's first
    pages_bytes: int  # of the hypervisor's own memory in use once all guests are made
    table_bytes: int  # of these, EPT or NPT and second-level tables of the guests


def scenario(guests: int) -> str:
    return f"[nic uplink]\ndevice = 8086:10c9\nvfs = {MOST}\n" + "".join(
        f"[guest g{i}]\nimage = hello.elf\nmemory = 32M\ndevice = uplink.vf{i}\nargs = ticks=2\nexpect = exit 0\n"
        for i in range(guests))


def measure(guests: int) -> Size:
    with booted(scenario(guests), cpus=CPUS, memory=768) as run:
        run.wait()
    events = ended_well(run).events
    khz = next(e for e in events if e.event == "clock.calibrated").number("tsc_khz")
    start = next(e for e in events if e.event == "boot.start").number("tsc")
    entered = [e.number("tsc") for e in events if e.event == "vcpu.entered"]
    tables = [e.number("memory_bytes") + e.number("domain_bytes") for e in events if e.event == "guest.tables"]
    if len(entered) != guests or len(tables) != guests:
        raise RuntimeError(run.explain(f"{len(entered)} of {guests} guests were entered"))
    return Size(guests, (max(entered) - start) / khz,
                next(e for e in events if e.event == "size.hypervisor").number("in_use"), sum(tables))


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


def sizes() -> list[Size]:
    return [measure(guests) for guests in range(1, MOST + 1)]


def scale_rows() -> list[Row]:
    all_sizes = sizes()
    rows = []
    for name, unit, by, exact in (("milliseconds", "ms", "TSC in tcg", False),
                                  ("pages_bytes", "bytes", "size.hypervisor in_use=", True),
                                  ("table_bytes", "bytes", "guest.tables", True)):
        what = {"milliseconds": "to the last guest's first instruction", "pages_bytes": "hypervisor memory in use",
                "table_bytes": "tables of the guests"}[name]
        points = [(size.guests, getattr(size, name)) for size in all_sizes]
        rows += [Row(f"{what}, {guests} of {MOST} guests", value, unit, by, exact=exact) for guests, value in points]
        rows.append(Row(f"{what}: each guest more", line(points)[1], unit, f"{by}, least squares", exact=exact))
        rows.append(Row(f"{what}: farthest from a straight line", 100 * deviation(points), "%", f"{by}, least squares",
                        limit=25 if name == "milliseconds" else 1, exact=exact))
    return rows
