# SPDX-License-Identifier: MIT
"""A build whose tables are those of VT-d's scalable mode."""

import re
import shutil

import pytest
from machine import gdb
from machine.boot_media import needs_disk_tools, needs_emulators, needs_qemu_11
from mutations import runner
from system import test_quarantine
from system.checks import ask, of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(900), needs_emulators, needs_disk_tools]

ECAP_SMTS = 1 << 43


@pytest.fixture(scope="module")
def image():
    """Of the tree as it is, with SCALABLE=1: one more file, and the link."""
    folder = runner.WORK / "scalable"
    runner.prepare_base()
    runner.copy_base(folder)
    runner.make(folder, "SCALABLE=1", "build/bulkhead.img")
    yield folder / "build/bulkhead.img"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("qemu", [10, pytest.param(11, marks=needs_qemu_11)])
def test_sriov(boot, image, qemu):
    """The demonstration's scenario: VFs work, the one that reaches for others' memory is stopped, the audit finds in
    the PASID tables what it finds in context entries otherwise."""
    run = boot.to_the_end(scenario="sriov", image=image, scalable=True, qemu=qemu, limit=150)
    verdict(run)
    assert one(run, "iommu.unit").number("ecap") & ECAP_SMTS
    assert stopped(run, "rogue").number("faults") >= 8
    assert {line.number("reason") for line in of(run, "dma.fault", guest="rogue")} == {5, 6}
    assert all(line.number("contexts") == 65536 for line in of(run, "audit.ok"))


def test_what_the_prompt_and_the_audit_see(boot, image):
    """The PASID entry, down to the page; and one that lets everything pass is found, and its guest taken out."""
    run = boot(test_quarantine.TEXT, image=image, scalable=True, batch=False, limit=240, extra=gdb.ARGUMENTS)
    falsifier = test_quarantine.Falsifier(run)
    run.wait_for("monitor.ready", timeout=120)
    answer = ask(run, "walk 01:10.0 0x200000")
    context = re.search(r"context entry = 0x0{16} 0x([0-9a-f]{16})  present", answer)
    found = re.search(r"PASID entry = 0x0{12}([0-9a-f]{4}) 0x([0-9a-f]{16})\n  domain (\d+), 4 levels from (0x[0-9a-f]+)", answer)
    assert context and found, answer
    low = int(found[2], 16)
    assert int(found[1], 16) == int(found[3]) and low & ~0xfff == int(found[4], 16)
    assert low & 0xfff == 1 | 2 << 2 | 2 << 6, "present, four levels, second stage"
    assert re.search(r"reaches 0x[0-9a-f]+ .*owner alpha", answer), answer
    place = falsifier.look(int(context[1], 16) & ~0xfff) & ~0xfff
    assert falsifier.look(place) == low
    last = run.events[-1]
    falsifier.change(place, lambda value: value & ~(7 << 6) | 4 << 6)
    ask(run, "audit", "the audit found violations")
    run.wait_for("audit.violation", after=last, invariant="I3", subject="alpha")
    run.wait_for("guest.stopped", timeout=60, after=last, name="alpha", reason="quarantine")
    ask(run, "walk 01:10.0 0x200000", "^blocked: the requester has no context entry$")
    assert test_quarantine.states(run) == {"alpha": "stopped", "beta": "running"}
    run.stop()


def test_a_unit_without_it_is_refused(boot, image):
    """It is left as it is, and nobody gets a device."""
    run = boot.to_the_end(scenario="sriov", image=image, limit=120)
    assert "no scalable mode" in one(run, "iommu.refused", offset="0x10")["message"]
    assert not of(run, "device.assigned") and not of(run, "dma.fault")
    assert not run.outcome().ok
