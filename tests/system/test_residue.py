# SPDX-License-Identifier: MIT
"""Nothing of an owner is left in the registers of a virtual function that is given again."""

import pytest
from system.checks import of, sound

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(120)]

# Prints every word of its two BARs that is not 0, then writes all of them, three times over.
OWNER = """
[guest {name}]
image  = residue.elf
memory = 4M
device = uplink.vf{vf}
fault_action = log
time_limit = 60
expect = exit 0
"""
LAST = "that is all"


def test_it_is_as_if_it_had_never_been_used(boot):
    text = "[nic uplink]\ndevice = 8086:10c9\nvfs = 3\n"
    text += "".join(OWNER.format(name=name, vf=vf) for vf, name in enumerate(("first", "other")))
    run = boot(text, batch=False)
    run.wait_for("run.verdict", timeout=60, result="ok")
    for _turn in range(2):
        last = run.events[-1]
        run.send("start first")
        run.wait_for("guest.stopped", timeout=30, after=last, name="first", status=0)
    run.send("audit")
    run.wait_for("audit.ok", timeout=20, after=of(run, "guest.stopped")[-1])

    said = [line["text"] for line in of(run, "guest.output", name="first")]
    lives = "\n".join(said).split(LAST)
    assert len(lives) == 4 and lives.pop() == ""
    fresh, *later = ([line for line in life.splitlines() if line] for life in lives)
    assert later == [fresh, fresh]
    assert fresh == [line["text"] for line in of(run, "guest.output", name="other")][:-1], "not the same in a VF never used"
    # What a VF holds that nobody has written: status, "reset done", thresholds, relaxed ordering, three masked vectors.
    assert [line.split()[2] for line in fresh] == ["0x8", "0xc40", "0x2828", "0x2928", "0x3814", "0x3914", "0xc", "0x1c", "0x2c"]
    sound(run)
    run.send("poweroff")
    run.wait()
