# SPDX-License-Identifier: MIT
"""An attack that succeeds, watched: a build that only warns, with one protection taken out, and with it put back."""

import shutil
import time

import pytest
from machine import MachineSpec, gdb, machine
from machine.boot_media import needs_disk_tools, needs_emulators

from mutations import runner, table

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(900), needs_emulators, needs_disk_tools]

PLACE = 0xf00  # in the first page of alpha's memory, which nothing uses
MEMORY = 32 << 20
CONFIG = f"""[system]
audit = warn

[nic uplink]
device = 8086:10c9
vfs    = 1

[guest alpha]
image  = witness.elf
memory = 32M
args   = ticks=100000

[guest rogue]
image  = rogue.elf
memory = 32M
device = uplink.vf0
args   = targets={MEMORY + PLACE:#x} rounds=1 pause=1500000
expect = exit 0
"""


@pytest.fixture(scope="module")
def tree():
    """The tree as it is, of which the image is to be built with AUDIT=warn."""
    folder = runner.WORK / "watching"
    runner.prepare_base()
    runner.copy_base(folder)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def watched(tree, name):
    """The run, and the four bytes of alpha's at which rogue aims: before its write, and after."""
    runner.make(tree, "AUDIT=warn", "build/bulkhead.img")
    spec = MachineSpec(image=tree / "build/bulkhead.img", scenario="watching", batch=False, extra=[word for word in gdb.ARGUMENTS if word != "-S"],
                       files={"/bulkhead/watching.conf": CONFIG.encode()})
    run = machine("tcg", spec, 120 * runner.PATIENCE, runner.WORK / "runs/watching" / name)
    with run:
        base = {guest: run.wait_for("guest.created", timeout=60, name=guest).number("base") for guest in ("alpha", "rogue")}
        assert base["alpha"] == base["rogue"] + MEMORY, "alpha's memory is to follow rogue's"
        run.wait_for("guest.started", timeout=60, name="rogue")
        with gdb.Debugger(run) as debugger:
            before = debugger.read(base["alpha"] + PLACE, 4)
            debugger.go()
            run.wait_for("guest.stopped", timeout=60, name="rogue")
            time.sleep(0.5)  # the audit after it
            debugger.stop()
            after = debugger.read(base["alpha"] + PLACE, 4)
    return run, before, after


def count(run, event):
    return sum(line.event == event for line in run.events)


def test_with_the_protection(tree):
    """The build says what it is; rogue is blocked all the same, since only the audit is told to look on."""
    run, before, after = watched(tree, "with")
    assert count(run, "audit.mode") == 1 and count(run, "audit.violation") == 0 and count(run, "audit.warned") == 0
    assert count(run, "dma.fault") >= 1 and before == after


def test_without_it(tree):
    """rogue's device writes into alpha's memory; each violation is said, and nobody is stopped for it."""
    runner.mutate(table.Mutation("watching", "", (table.DMA_ONE_MORE,), ()), tree)
    run, before, after = watched(tree, "without")
    assert count(run, "audit.violation") >= 1 and count(run, "audit.warned") >= 1 and count(run, "guest.quarantined") == 0
    assert count(run, "dma.fault") == 0 and before != after
