# SPDX-License-Identifier: MIT
"""VM exits between guest and device once traffic flows, and what the run says of boot and memory."""

import re

from .boot import phase_rows
from .row import TWO_VFS, Row, booted, ended_well
from .sizes import memory_rows


def packet_rows() -> list[Row]:
    """Two guests that send each other a thousand echoes, polling and with MSI-X."""
    rows = []
    for mode in ("poll", "msix"):
        text = TWO_VFS + "".join(
            f"[guest {name}]\nimage = ping.elf\nmemory = 32M\ndevice = uplink.vf{own - 1}\n"
            f"args = ip=10.0.0.{own} peer=10.0.0.{3 - own} count=1000 mode={mode} limit=60\nexpect = exit 0\n"
            for name, own in (("alpha", 1), ("beta", 2)))
        with booted(text) as run:
            run.wait()
        ended_well(run)
        for name in ("alpha", "beta"):
            first, last = (next(e for e in run.events if e.matches("guest.event", {"name": name, "value": value}))
                           for value in ("0x1", "0x2"))
            said = next(e["text"] for e in run.events if e.matches("guest.output", {"name": name})
                        and "frames out" in e["text"])
            frames = sum(int(number) for number in re.findall(r"(\d+) frames out, (\d+) in", said)[0])
            between = last.number("exits") - first.number("exits") - 1  # the second event is an exit itself
            rows.append(Row(f"exits per packet, {name}, {mode}", between / frames, "exits",
                            "guest.event exits= before and after 1000 echoes each way, TCG", limit=0))
        if mode == "msix":
            rows += phase_rows(run, "tcg") + memory_rows(run, "tcg")
    return rows
