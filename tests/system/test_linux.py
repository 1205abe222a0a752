# SPDX-License-Identifier: MIT
"""Stock Linux kernels as guests: their own drivers, their own timers, a console that can be typed at."""

import re
import time

import pytest
from machine import PATIENCE, linuxguest, scenario
from system.checks import ask, exits, of, one, some, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(300)]

ARGUMENTS = "console=ttyS0 quiet tsc=reliable"
CONSOLE = "\x1c"  # Ctrl-\ leaves a guest's console


def linux(name: str, release: str, steps: str, more: str = "", cpus: int = 1, arguments: str = "") -> str:
    return (f"[guest {name}]\nimage = vmlinuz-{release}\ninitrd = initrd-{release}\nmemory = 256M\ncpus = {cpus}\n{more}"
            f"args = {ARGUMENTS} {arguments} steps={steps}\n")


def said(run, guest: str) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output", name=guest))


@pytest.fixture(scope="module")
def job(boot):
    text = scenario.text_of("linux")
    return boot.to_the_end(scenario="linux", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           files=scenario.files(text), limit=200)


def test_each_has_its_kernel_and_driver(job):
    assert re.search(r"linux 6\.1\.\S+, 1 vCPUs, clock tsc", said(job, "alpha"))
    assert re.search(r"linux 6\.12\.\S+, 2 vCPUs, clock tsc", said(job, "beta"))
    for guest in ("alpha", "beta"):
        assert re.search(r"eth0: 10\.0\.2\.1\d/24, driver igbvf, carrier 1", said(job, guest))


def test_each_knows_the_date(job):
    """The emulated machine's real-time clock has this computer's."""
    now = time.time()
    for guest in ("alpha", "beta"):
        date = int(re.search(r"^date (\d+)$", said(job, guest), re.MULTILINE).group(1))
        assert now - 3000 < date < now + 2  # a run on a busy computer takes minutes; a wrong time zone is an hour


@pytest.mark.parametrize("guest, step", [("alpha", "ping:10.0.2.2:5"), ("alpha", "ping:10.0.2.12:20"),
                                         ("alpha", "iperf:10.0.2.12:5"), ("alpha", "ping:10.0.2.13:100"),
                                         ("beta", "ping:10.0.2.2:5"), ("beta", "ping:10.0.2.11:20")])
def test_step(job, guest, step):
    assert f"{step}: ok" in said(job, guest)


def test_interrupts_arrive(job):
    """MSI-X, straight to the guest's own cores."""
    for guest in ("alpha", "beta"):
        counts = re.findall(r"^ +\d+: +([\d ]+?) +PCI-MSI.* eth0-(?:tx|rx)-0", said(job, guest), re.MULTILINE)
        assert len(counts) == 2 and all(sum(map(int, count.split())) > 100 for count in counts), counts


def test_it_ends_as_it_should(job):
    verdict(job)
    for guest in ("alpha", "beta", "gamma"):
        stopped(job, guest)


def test_a_transfer_costs_no_exit(boot):
    """While two guests send to each other neither leaves guest mode, timer ticks included, but for Linux' look at
    the serial line, 50 times a second: it is a console and has no interrupt."""
    text = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
            + linux("alpha", "12", "ping:10.0.2.12:1,iperf:10.0.2.12:20", "device = uplink.vf0\n",
                    arguments="address=10.0.2.11/24")
            + linux("beta", "12", "iperf-server,wait", "device = uplink.vf1\n", arguments="address=10.0.2.12/24"))
    run = boot(text, memory=1024, batch=False, files=linuxguest.files(), limit=150)
    deadline = time.monotonic() + PATIENCE * 100
    while "ping:10.0.2.12:1: ok" not in said(run, "alpha"):
        assert time.monotonic() < deadline, said(run, "alpha")
        time.sleep(0.2)
    time.sleep(3)
    before = {guest: exits(run, guest) for guest in ("alpha", "beta")}
    time.sleep(5)
    after = {guest: exits(run, guest) for guest in ("alpha", "beta")}
    # The command reads counters and brings no core out, which would be an exit, too.
    for guest, counts in after.items():
        # Accesses may be under way between the two counts, 50 a second and this computer may be busy just then.
        assert abs(counts.pop("io") - before[guest].pop("io")) <= 25
        del counts["serial"], before[guest]["serial"]
        assert counts == before[guest]
    for guest in ("alpha", "beta"):
        run.wait_for("guest.stopped", timeout=60, name=guest)
        stopped(run, guest)
    rate = re.search(r"([\d.]+) Mbits/sec.*receiver", said(run, "alpha"))
    assert rate and float(rate.group(1)) > 0, said(run, "alpha")
    sound(run)
    run.send("poweroff")
    run.wait(30)


def test_a_lone_guest_reaches_the_outside(boot):
    """Nobody else's traffic wakes the card: frames from outside come by themselves."""
    text = ("[nic uplink]\ndevice = 8086:10c9\nvfs = 1\n"
            + linux("alpha", "13", "ping:10.0.2.2:3", "device = uplink.vf0\n", arguments="address=10.0.2.11/24"))
    run = boot.to_the_end(text, memory=768, files=linuxguest.files(), limit=90)
    stopped(run, "alpha")
    assert "ping:10.0.2.2:3: ok" in said(run, "alpha")
    sound(run)


def test_a_shell_on_the_console(boot):
    """Typed at from the prompt; the other guest's lines keep coming, under its name."""
    text = linux("alpha", "13", "shell") + linux("beta", "12", "sleep:30")
    run = boot(text, memory=1024, batch=False, files=linuxguest.files(), limit=120)
    run.wait_for("monitor.ready", timeout=60)
    deadline = time.monotonic() + PATIENCE * 60
    while "linux 6.12" not in said(run, "alpha"):
        assert time.monotonic() < deadline, said(run, "alpha")
        time.sleep(0.2)
    run.console.send("\x15console alpha\r")
    run.console.expect("serial line of alpha; Ctrl-", timeout=20)
    run.console.expect_exact("~ # ", timeout=60)  # the shell drops what was typed before
    run.console.send("echo $((6*7))-is-it\r")
    run.console.expect(r"42-is-it", timeout=20)
    run.console.send("exit\r")
    time.sleep(1)
    run.console.send(CONSOLE)
    ask(run, "guests", r"beta +running")
    run.wait_for("guest.stopped", timeout=60, name="alpha")
    stopped(run, "alpha")
    ask(run, "stop beta")
    run.wait_for("guest.stopped", timeout=30, name="beta")
    sound(run)
    run.send("poweroff")
    run.wait(30)


def drift(run, guest: str) -> tuple[float, float]:
    """Seconds between the step clock's two lines, by the guest and by the log. A line's way to the log varies by
    some hundredths of a second."""
    first, last = [(float(line["text"].split()[1]), line.time) for line in of(run, "guest.output", name=guest)
                   if line["text"].startswith("uptime ")]
    return last[0] - first[0], last[1] - first[1]


def test_time_passes_as_on_the_host(boot):
    """A quarter of a minute by a guest's clock and timer is as long by the hypervisor's log."""
    text = linux("alpha", "12", "clock:15") + linux("beta", "13", "clock:15")
    run = boot.to_the_end(text, memory=1024, files=linuxguest.files(), limit=120)
    verdict(run)
    sound(run)
    for guest in ("alpha", "beta"):
        inside, outside = drift(run, guest)
        # A busy computer wakes it late, and brings its lines to the log late.
        assert 14.9 < inside < 60
        assert inside == pytest.approx(outside, rel=0.001, abs=3)


def test_sixteen_vcpus(boot):
    """All that the MADT lists are started, on the cores that the configuration names."""
    run = boot.to_the_end(linux("alpha", "13", "clock:2", "cores = 2-17\n", cpus=16), memory=768, cpus=18, nics=(),
                          files=linuxguest.files(), limit=200)
    verdict(run)
    assert one(run, "guest.created", name="alpha")["cores"] == "2-17"
    assert re.search(r"linux 6\.12\.\S+, 16 vCPUs, clock tsc", said(run, "alpha"))


def test_what_cannot_be_a_kernel_is_refused(boot):
    """A kernel that does not fit, a missing initrd, one that is too large, an initrd for a guest that takes none."""
    text = ("[guest small]\nimage = vmlinuz-12\nmemory = 16M\nexpect = refused\n"
            "[guest missing]\nimage = vmlinuz-12\ninitrd = nothing\nmemory = 256M\nexpect = refused\n"
            "[guest large]\nimage = vmlinuz-12\ninitrd = initrd-12\nmemory = 82M\nexpect = refused\n"
            "[guest pvh]\nimage = hello.elf\ninitrd = initrd-12\nmemory = 32M\nexpect = refused\n"
            "[guest fine]\nimage = hello.elf\nmemory = 4M\nargs = ticks=1\n")
    run = boot.to_the_end(text, memory=1024, cpus=6, files=linuxguest.files(), limit=90)
    verdict(run)
    assert "more memory" in one(run, "guest.refused", guest="small")["message"]
    assert "no such initrd" in one(run, "guest.refused", guest="missing")["message"]
    assert "does not fit" in one(run, "guest.refused", guest="large")["message"]
    assert "only a Linux kernel" in one(run, "guest.refused", guest="pvh")["message"]
