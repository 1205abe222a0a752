# SPDX-License-Identifier: MIT
"""What is left of VM exits when two stock Linux guests send to each other, by reason."""

import time

from machine import PATIENCE, linuxguest
from system.checks import exits

from .row import TWO_VFS, Row, booted

SECONDS = 5


def scenario() -> str:
    guests = (("alpha", "vf0", "10.0.2.11", "ping:10.0.2.12:1,iperf:10.0.2.12:12"),
              ("beta", "vf1", "10.0.2.12", "iperf-server,wait"))
    return TWO_VFS + "".join(
        f"[guest {name}]\nimage = vmlinuz-12\ninitrd = initrd-12\nmemory = 256M\ndevice = uplink.{vf}\n"
        f"args = console=ttyS0 quiet tsc=reliable address={address}/24 steps={steps}\n"
        for name, vf, address, steps in guests)


def linux_rows() -> list[Row]:
    files = {"/bulkhead/bench.conf": scenario().encode(), **linuxguest.files()}
    with booted("", 200, memory=1024, batch=False, files=files) as run:
        run.wait_for("monitor.ready", timeout=100)
        end = time.monotonic() + PATIENCE * 150
        while not any("ping:10.0.2.12:1: ok" in e["text"] for e in run.events
                      if e.matches("guest.output", {"name": "alpha"})):
            if time.monotonic() > end or not run.running:
                raise RuntimeError(run.explain("the Linux guests do not reach each other"))
            time.sleep(0.2)
        time.sleep(3)
        start, before = time.monotonic(), exits(run, "alpha")
        time.sleep(SECONDS)
        after, seconds = exits(run, "alpha"), time.monotonic() - start
    by = f"`exits` at the prompt, before and after {SECONDS} s of iperf, TCG"
    changes = {kind: count - before[kind] for kind, count in after.items()}
    serial = changes.pop("serial")
    ports = changes.pop("io") + serial  # an access may be under way between the command's two counts
    return [*(Row(f"Linux 6.1, iperf: exits, {kind}", count, "exits", by, limit=0) for kind, count in changes.items()),
            Row("Linux 6.1, iperf: exits per second, ports", ports / seconds, "exits",
                f"{by}: all for the serial line, a console without an interrupt that Linux looks at on its own",
                exact=False)]
