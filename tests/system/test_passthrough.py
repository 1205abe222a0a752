# SPDX-License-Identifier: MIT
"""A whole function to one guest: what VT-d gives without SR-IOV."""

import pytest
from system.checks import of, one, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def run(boot):
    return boot.to_the_end(scenario="whole")


def test_the_first_guest_has_it(run):
    assigned = one(run, "device.assigned")
    assert (assigned["guest"], assigned["rid"]) == ("alpha", "01:00.0")
    said = [line["text"] for line in of(run, "guest.output", name="alpha")]
    assert "device 00:01.0 8086:10c9" in said
    stopped(run, "alpha")


def test_the_second_is_refused_by_name(run):
    refused = one(run, "device.refused")
    assert (refused["guest"], refused["device"], refused["owner"]) == ("beta", "01:00.0", "alpha")
    assert "alpha" in refused["message"]
    assert one(run, "guest.refused")["guest"] == "beta"
    assert not of(run, "guest.started", name="beta") and not of(run, "guest.created", name="beta")


def test_nobody_else_is_touched(run):
    said = [line["text"] for line in of(run, "guest.output", name="gamma")]
    assert not [text for text in said if text.startswith("device ")]
    stopped(run, "gamma", status=3)
    assert not of(run, "sriov.enabled") and not of(run, "dma.fault")
    verdict(run)


def test_its_flash_stays_out_of_reach(run):
    hidden = one(run, "device.bar_hidden", guest="alpha", device="01:00.0", bar="1")
    assert "flash" in hidden["message"]


def test_a_whole_function_needs_a_word_for_its_flash(boot):
    """What a guest writes there outlives it. Without the word it is refused, and the line says what to write."""
    text = "[nic whole]\ndevice = 8086:10c9\n"
    for name, word in (("silent", "expect = refused"), ("named", "accept_flash = whole")):
        text += f"[guest {name}]\nimage = hello.elf\nmemory = 4M\ndevice = whole\n{word}\n"
    run = boot.to_the_end(text)
    refused = one(run, "device.refused", guest="silent", device="01:00.0")
    assert "accept_flash = whole" in refused["message"] and "option ROM" in refused["message"]
    one(run, "device.assigned", guest="named", rid="01:00.0")
    stopped(run, "named")
    verdict(run)


def test_it_can_be_had_again(boot):
    """Once its owner is stopped the function is reset and starts over: twice from the prompt."""
    run = boot(scenario="whole", batch=False)
    run.wait_for("run.verdict", timeout=60, result="ok")
    for _turn in range(2):
        last = run.events[-1]
        run.send("start alpha")
        run.wait_for("guest.stopped", timeout=30, after=last, name="alpha", status=0)
    last = run.events[-1]
    run.send("audit")
    run.wait_for("audit.ok", timeout=20, after=last)
    run.send("start beta")
    run.console.expect_exact("beta is refused", timeout=10)
    run.send("poweroff")
    run.wait()
