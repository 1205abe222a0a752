# SPDX-License-Identifier: MIT
"""Guests that do what they must not: only they end, everybody else goes on, and the log says why."""

import pytest
from system.checks import of, one, some, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(240)]

WITNESS = """
[guest witness]
image  = witness.elf
memory = 4M
args   = ticks={ticks}
expect = exit 0
"""

PAIR = "[guest pair]\nimage = pair.elf\nmemory = 4M\ncpus = 2\ntime_limit = 60\nexpect = exit 0\n"

# What a guest does, the reason that it ends with, the address that its line names, its time limit.
ENDINGS = {
    "triple": ("act=triple", "triple-fault", None),
    "hole": ("act=read address=0xa0000000", "memory-access", 0xa0000000),
    "three-gig": ("act=write address=0xc0000000", "memory-access", 0xc0000000),
    "ecam": ("act=write address=0xb0100000", "memory-access", 0xb0100000),
    "lapic": ("act=read address=0xfee00020", "memory-access", 0xfee00020),
    "ioapic": ("act=write address=0xfec00000", "memory-access", 0xfec00000),
    "vtd": ("act=write address=0xfed90018", "memory-access", 0xfed90018),
    "beyond": ("act=read address=0x400000", "memory-access", 0x400000),
    "high": ("act=write address=0xc000020000", "memory-access", 0xc000020000),
    "others": ("act=read address=0x1c000000", "memory-access", 0x1c000000),
    "execute": ("act=execute address=0x90000000", "memory-access", 0x90000000),
    "tables": ("act=tables address=0x80000000", "memory-access", None),
    "storm": ("act=storm", "exception-storm", None),
    "spin": ("act=spin", "time-limit", None),
    "halt": ("act=halt", "time-limit", None),
    "cpuid": ("act=cpuid", "time-limit", None),
    "flood": ("act=flood", "time-limit", None),
}
GROUPS = [("triple", "hole", "three-gig", "ecam", "lapic", "ioapic"),
          ("vtd", "beyond", "high", "others", "execute", "tables"),
          ("storm", "spin", "halt", "cpuid", "flood")]


def hostile(name):
    arguments, reason, _address = ENDINGS[name]
    limit = "time_limit = 2\n" if reason == "time-limit" else "time_limit = 60\n"
    return (f"[guest {name}]\nimage  = hostile.elf\nmemory = 4M\nargs   = {arguments}\n{limit}"
            "expect = stopped\n")


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: "+".join(group))
def test_only_the_guilty_guest_ends(boot, group):
    run = boot.to_the_end(WITNESS.format(ticks=2500) + "".join(hostile(name) for name in group), cpus=8, limit=120)
    for name in group:
        _arguments, reason, address = ENDINGS[name]
        line = one(run, "guest.stopped", name=name)
        assert line["reason"] == reason, line.text
        if reason == "time-limit":
            assert 2 <= line.number("seconds") <= 60, line.text
            continue
        fault = one(run, "guest.fault", name=name)
        assert fault["reason"] == reason and "rip=0x" in fault["message"], fault.text
        if address is not None:
            assert f"address={address:#x}" in fault["message"], fault.text
        core = one(run, "guest.started", name=name)["core"]
        registers = of(run, "guest.registers", core=core)
        assert len(registers) == 3, [line.text for line in registers]
        assert {"rip", "rsp", "cr0", "cr3", "efer"} <= set(registers[0].fields)
        assert {"rax", "rdi", "rbp"} <= set(registers[1].fields) and {"r8", "r15"} <= set(registers[2].fields)
    assert not [line for line in of(run, "guest.output") if "nothing stopped me" in line["text"]]
    stopped(run, "witness")
    if "flood" in group:
        assert of(run, "log.dropped"), "a guest that logs without end loses lines, not the others' time"
    verdict(run)


SWEEPS = ("msr", "port", "call", "instruction", "command")


def sweep(name, device=""):
    return (f"[guest {name}]\nimage  = sweep.elf\nmemory = 4M\nargs   = what={name}\n{device}time_limit = 270\n"
            "expect = exit 0\n")


def finished_sweep(run, name):
    said = [line["text"] for line in of(run, "guest.output", name=name)]
    stopped(run, name)
    assert f"{name}: 0 wrong" in said, said
    return said


def test_what_a_guest_does_not_have_does_not_exist(boot):
    """Registers, ports, calls, instructions, interrupt commands: everything is tried; the guest that tries gets
    the right answers, the witness notices nothing, and cores are as good as new afterwards."""
    run = boot(WITNESS.format(ticks=3000) + "".join(sweep(name) for name in SWEEPS), cpus=7, limit=200, batch=False)
    run.wait_for("run.verdict", timeout=150)
    assert one(run, "run.verdict")["result"] == "ok", [line.text for line in of(run, "run.unexpected")]
    for name in SWEEPS:
        finished_sweep(run, name)
    stopped(run, "witness")
    sound(run)
    # Whatever a guest left in its core's registers: the next guest there finds nothing of it.
    for name in SWEEPS:
        last = run.events[-1]
        run.send(f"start {name}")
        assert run.wait_for("guest.stopped", timeout=60, after=last, name=name)["status"] == "0"
    run.send("poweroff")
    run.wait()


def test_devices_stay_where_they_are(boot):
    """Configuration space and MSI-X tables of real virtual functions, beside two guests that use theirs and one that
    starts its own second vCPU and tries to start everybody else's."""
    nic = "[nic uplink]\ndevice = 8086:10c9\nvfs = 4\n"
    talk = "".join(
        f"[guest {name}]\nimage = ping.elf\nmemory = 16M\ndevice = uplink.vf{vf}\n"
        f"args = ip=10.0.0.{vf + 1} peer=10.0.0.{2 - vf} count=500 mode=msix limit=120\nexpect = exit 0\n"
        for vf, name in enumerate(("left", "right")))
    run = boot.to_the_end(nic + talk + sweep("config", "device = uplink.vf2\n") + sweep("msix", "device = uplink.vf3\n")
                          + PAIR + WITNESS.format(ticks=1500), cpus=8, limit=200)
    finished_sweep(run, "config")
    finished_sweep(run, "msix")
    tried = one(run, "guest.event", name="msix").number("value")
    refused = of(run, "irq.refused", guest="msix")
    # The first sixteen each have a line, from there on every power of two has.
    assert tried > 300
    assert [line.number("count") for line in refused] == [*range(1, 17), 32, 64, 128, 256], refused[-1].text
    assert all(line["rid"] == "01:10.6" and line["message"] for line in refused)
    assert one(run, "guest.created", name="pair")["cpus"] == "2"
    for name in ("left", "right", "pair", "witness"):
        stopped(run, name)
    assert not of(run, "irq.fault") and not of(run, "dma.fault")
    verdict(run)
    assert some(run, "audit.ok")
