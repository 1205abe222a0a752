# SPDX-License-Identifier: MIT
"""A machine check ends whom it hit and nobody else. QEMU's monitor raises them; a guest without CR4.MCE was enough to
have one reset the machine, and a second one was, everywhere.

QEMU's emulation hands #MC to the guest's own handler, whatever is intercepted: the hypervisor finds it at the guest's
next exit. Guests here either have no handler, and so leave at once, or count and go on."""

import pytest
from system.checks import ask, of, one, sound

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

CORRUPT = 0xb200000000000000  # valid, uncorrected, enabled, processor context corrupt
CONSUMED = 0xb580000000000000  # valid, uncorrected, enabled, address, signalled, action required
UNCONSUMED = 0xb000000000000000  # valid, uncorrected, enabled: nobody has used the bad data yet

# QEMU broadcasts for no other maker's CPUs.
INTEL = "max,+x2apic,vendor=GenuineIntel,family=6,model=60"

GUESTS = "".join(f"[guest {name}]\nimage  = witness.elf\nmemory = 4M\nargs   = {arguments}\ntime_limit = 120\n"
                 f"expect = {expect}\n" for name, arguments, expect in (
    ("first", "ticks=1000000", "stopped"), ("second", "ticks=1000000", "stopped"), ("witness", "ticks=4000", "exit 0")))


def hit(run, core: int, bank: int, status: int, address: int = 0, broadcast: bool = False) -> None:
    told = 5 if status == UNCONSUMED else 7  # MCIP and RIPV; EIPV, too, on the core that the error hit
    said = run.qmp("human-monitor-command",
                   **{"command-line": f"mce {'-b ' if broadcast else ''}{core} {bank} {status:#x} {told} {address:#x} 0"})
    assert said == "", said


def running(run, *names) -> dict[str, int]:
    for name in names:
        run.wait_for("vcpu.entered", timeout=60, core=core_of(run, name))
    return {name: core_of(run, name) for name in names}


def core_of(run, name) -> int:
    run.wait_for("guest.started", timeout=60, name=name)
    return of(run, "guest.started", name=name)[-1].number("core")


def noted(run, core: int, bank, after=None, **wanted):
    return run.wait_for("cpu.machine_check", timeout=30, after=after, core=core, bank=bank, **wanted)


def test_a_guest_that_is_hit_ends_alone(boot):
    run = boot(GUESTS, cpus=4, batch=False, limit=150)
    cores = running(run, "first", "second", "witness")
    hit(run, cores["first"], 0, CONSUMED, 0x1234000)
    line = noted(run, cores["first"], 0, status=hex(CONSUMED), address="0x1234000")
    assert line["in"] == "guest" and line["message"], line.text
    assert run.wait_for("guest.stopped", timeout=30, name="first")["reason"] == "machine-check"

    # Its core is as good as new: started again there, it is hit again, and the machine bears that, too.
    for _turn in range(2):
        last = run.events[-1]
        run.send("start first")
        run.wait_for("vcpu.entered", timeout=30, after=last, core=cores["first"])
        last = run.events[-1]
        hit(run, cores["first"], 3, CONSUMED)
        noted(run, cores["first"], 3, after=last)
        assert run.wait_for("guest.stopped", timeout=30, after=last, name="first")["reason"] == "machine-check"

    # A core that says that its own state is corrupt is not used again.
    hit(run, cores["second"], 1, CORRUPT)
    noted(run, cores["second"], 1, status=hex(CORRUPT))
    assert run.wait_for("guest.stopped", timeout=30, name="second")["reason"] == "machine-check"
    ask(run, "cpus", rf"core {cores['second']}: .*retired")
    run.send("start second")
    assert run.wait_for("guest.refused", timeout=30, guest="second").number("core") == cores["second"]
    hit(run, cores["second"], 1, UNCONSUMED)
    noted(run, cores["second"], 1, status=hex(UNCONSUMED))

    run.wait_for("run.verdict", timeout=90, result="ok")
    assert one(run, "guest.stopped", name="witness")["reason"] == "exit"
    sound(run)
    run.send("poweroff")
    run.wait()


def test_a_guest_that_exits_all_the_time_ends_alone(boot):
    """Half of them hit the core while it handles an exit: SVM keeps the exception back until the exit is handled."""
    run = boot("[guest busy]\nimage = hostile.elf\nmemory = 4M\nargs = act=cpuid\nexpect = stopped\n", cpus=2,
               batch=False, limit=150)
    core = running(run, "busy")["busy"]
    for turn in range(12):
        last = run.events[-1]
        if turn != 0:
            run.send("start busy")
            run.wait_for("vcpu.entered", timeout=30, after=last, core=core)
        hit(run, core, 0, CONSUMED)
        noted(run, core, 0, after=last)
        assert run.wait_for("guest.stopped", timeout=30, after=last, name="busy")["reason"] == "machine-check"
    assert len(of(run, "cpu.machine_check")) == 12
    sound(run)
    run.send("poweroff")
    run.wait()


def test_the_control_core_is_hit(boot):
    run = boot("[guest witness]\nimage = witness.elf\nmemory = 4M\nargs = ticks=3000\nexpect = exit 0\n", cpus=3,
               batch=False, limit=120)
    running(run, "witness")
    for turn in range(2):
        last = run.events[-1]
        hit(run, 0, turn, UNCONSUMED)
        assert noted(run, 0, turn, after=last)["in"] == "hypervisor"
        hit(run, 2, turn, UNCONSUMED)  # a core that has nothing to do
        assert noted(run, 2, turn, after=last)["in"] == "hypervisor"
        ask(run, "guests", "witness")

    # The machine's NMI button reaches every core; the others' pins are guests'.
    assert one(run, "nmi.connected")["pin"] == "LINT1"
    for count in (1, 2):
        run.qmp("inject-nmi")
        run.wait_for("nmi.external", timeout=30, count=count)
    run.wait_for("run.verdict", timeout=60, result="ok")
    sound(run)

    # What cannot be survived there is at least told.
    hit(run, 0, 2, CORRUPT)
    noted(run, 0, 2, status=hex(CORRUPT))
    run.wait_for("cpu.exception", timeout=30, core=0, name="#MC")


def test_one_that_reaches_all_cores_hits_nobody_else(boot):
    """As Intel's CPUs deliver it without LMCE. The core with the error is the control core, which goes on, too."""
    run = boot("".join(f"[guest {name}]\nimage = witness.elf\nmemory = 4M\nargs = ticks=4000 strays=1\nexpect = exit 0\n"
                       for name in ("left", "right")), cpus=4, cpu=INTEL, batch=False, limit=120)
    cores = running(run, "left", "right")
    for name in cores:
        run.wait_for("guest.output", timeout=60, name=name, text="ready")
    for _turn in range(2):
        last = run.events[-1]
        hit(run, 0, 0, UNCONSUMED, broadcast=True)
        noted(run, 0, 0, after=last)
        noted(run, 3, 1, after=last)
        for name, core in cores.items():
            ask(run, f"pause {name}")  # an exit, or QEMU would not have told the hypervisor before the second
            ask(run, f"resume {name}")
            assert "it continues" in noted(run, core, 1, after=last)["message"]
    run.wait_for("run.verdict", timeout=90, result="ok")
    sound(run)
    run.send("poweroff")
    run.wait()
