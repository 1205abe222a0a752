# SPDX-License-Identifier: MIT
"""Stock Linux kernels as guests of VMX, without devices: Bochs interprets all of it, so that one takes a minute."""

import re
import time

import pytest
from machine import PATIENCE, linuxguest, scenario
from system.checks import ask, of, one, sound, stopped, verdict
from system.test_linux import CONSOLE, drift, linux, said

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(400)]

LIMIT = 300  # seconds; about 40 on a quiet machine


@pytest.fixture(scope="module")
def alone(boot):
    """Two vCPUs. What no shorter run shows: the kernel's own entry, its page tables and those of its processes, its
    timers, the second core's start, all under VMX."""
    text = scenario.text_of("linux-alone")
    return boot.to_the_end(scenario="linux-alone", on="bochs", memory=scenario.memory(text), cpus=3,
                           files=scenario.files(text), limit=LIMIT)


def test_it_boots_on_both_cores(alone):
    assert one(alone, "cpu.backend")["name"] == "vmx"
    assert {line["vcpu"] for line in of(alone, "vcpu.entered")} == {"0", "1"}
    assert re.search(r"linux 6\.12\.\S+, 2 vCPUs, clock tsc", said(alone, "alpha"))


def test_time_passes_as_on_the_host(alone):
    inside, outside = drift(alone, "alpha")
    assert inside == pytest.approx(15, abs=0.5)  # starting `cat` takes its time in there
    assert inside == pytest.approx(outside, rel=0.001, abs=0.06)


def test_it_ends_as_it_should(alone):
    assert "0 steps failed" in said(alone, "alpha")
    stopped(alone, "alpha")
    verdict(alone)


@pytest.mark.long
def test_a_shell_on_the_console_and_power_off(boot):
    """One vCPU and Debian 12's kernel, which takes a minute to unpack itself there: typed at, switched off by ACPI."""
    run = boot(linux("alpha", "12", "shell"), on="bochs", batch=False, memory=768, cpus=2, files=linuxguest.files(),
               limit=LIMIT)
    deadline = time.monotonic() + PATIENCE * LIMIT
    while "linux 6.1." not in said(run, "alpha"):
        assert time.monotonic() < deadline, said(run, "alpha")
        time.sleep(0.5)
    run.console.send("\x15console alpha\r")
    run.console.expect("serial line of alpha; Ctrl-", timeout=60)
    run.console.expect("#", timeout=120)
    run.console.send("echo $((6*7))-is-it\r")
    run.console.expect(r"42-is-it", timeout=60)
    run.console.send("poweroff -f\r")
    run.wait_for("guest.stopped", timeout=120, name="alpha")
    run.console.send(CONSOLE)
    stopped(run, "alpha")
    ask(run, "exits", r"^alpha\.0 +xsetbv +[1-9]")
    sound(run)
    run.send("poweroff")
    run.wait(60)
