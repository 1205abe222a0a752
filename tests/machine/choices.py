# SPDX-License-Identifier: MIT
"""What can be chosen by name or number where a machine is started, and what is said of anything else: what was given,
what there is, and the nearest of it. Needs nothing but the standard library: make asks it before anything is installed."""

import difflib
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MACHINES = ("tcg", "kvm", "bochs", "stack")
LIKES = ("minipc", "workstation", "server", "desktop", "amd")
QEMUS = ("10", "11")
RELEASES = ("12", "13")
SHOWN = 60  # characters of a value that are repeated


class Refused(ValueError):
    """What was given cannot be. The text is one line."""


def shown(value: str) -> str:
    """The value in quotes as it can stand in a line, however long and whatever is in it."""
    text = ascii(value[:SHOWN]) if not value.isprintable() or not value.isascii() else f"'{value[:SHOWN]}'"
    return text + (f"... ({len(value)} characters)" if len(value) > SHOWN else "")


def nearest(value: str, there: Iterable[str]) -> str:
    """"; did you mean 'sriov'?", or "" when nothing is near."""
    names = {name.lower(): name for name in there}
    near = difflib.get_close_matches(value.lower()[:SHOWN], names, n=1, cutoff=0.6)
    return f"; did you mean '{names[near[0]]}'?" if near else ""


def unknown(what: str, value: str, there: Iterable[str]) -> Refused:
    there = list(there)
    return Refused(f"there is no {what} {shown(value)}: there are {', '.join(there)}{nearest(value, there)}")


def one_of(what: str, value: str, there: Iterable[str]) -> str:
    if value not in there:
        raise unknown(what, value, there)
    return value


def number(value: str, low: int, high: int) -> int:
    """A decimal number in that range."""
    if not (value.isascii() and value.isdigit() and len(value) <= 20 and low <= int(value) <= high):
        raise Refused(f"{shown(value)} is not a number from {low} to {high}")
    return int(value)


def scenarios(folder: Path = REPOSITORY / "config") -> list[str]:
    return sorted(path.stem for path in folder.glob("*.conf"))


def scenario(value: str, also: Iterable[str] = ()) -> str:
    """A configuration of config/, with or without .conf, or one of `also`, which come onto the medium in other ways."""
    if "/" in value:
        name = Path(value).name.removesuffix(".conf")
        raise Refused(f"scenario {shown(value)}: give a name without folders; "
                      f"--scenario {name} --file /bulkhead/{name}.conf={value} boots a file of your own"
                      if name.isidentifier() else f"scenario {shown(value)}: give a name without folders")
    there = scenarios()
    name = value.removesuffix(".conf")
    if name not in there and name not in also:
        raise unknown("scenario", value, there)
    return name
