# SPDX-License-Identifier: MIT
"""A watchdog that firmware describes (WDAT) is stopped. QEMU has an Intel chipset's: its halt bit is read from outside."""

import pytest
from system.checks import of, one

from machine import tables

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

TEXT = "[guest witness]\nimage = witness.elf\nmemory = 4M\nargs = ticks=50\nexpect = exit 0\n"

def machine(boot, tmp_path, *watchdogs):
    extra = []
    for number, content in enumerate(watchdogs):
        path = tmp_path / f"wdat{number}"
        path.write_bytes(content)
        extra += ["-acpitable", f"file={path}"]
    run = boot(TEXT, batch=False, limit=120, extra=extra)
    run.wait_for("run.verdict", timeout=90, result="ok")
    return run


def halted(run) -> bool:
    said = run.qmp("human-monitor-command", **{"command-line": f"i /h {tables.TCO_CONTROL:#x}"})
    return bool(int(said.split("=")[1], 16) & tables.TCO_HALT)


def test_it_is_stopped(boot, tmp_path):
    run = machine(boot, tmp_path, tables.stoppable_wdat())
    line = one(run, "watchdog.stopped")
    assert (line["running"], line["stopped"], line["status"], line["period_ms"]) == ("yes", "yes", "ok", "600"), line.text
    assert halted(run)


def test_one_that_lies_is_refused(boot, tmp_path):
    """Its registers would be in memory that is used as such. Nothing is written, and the boot goes on."""
    run = machine(boot, tmp_path, tables.wdat(tables.wdat_entry(tables.WDAT_STOP, tables.WRITE_VALUE, tables.TCO_HALT, space=0, address=0x10000000)))
    line = one(run, "acpi.refused", table="WDAT")
    assert "ordinary memory" in line["message"] and line["value"] == "0x10000000", line.text
    assert not of(run, "watchdog.stopped") and not halted(run)
