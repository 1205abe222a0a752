# SPDX-License-Identifier: MIT
"""NVMe with SR-IOV: Linux guests on secondary controllers, each with a namespace of its own, and the disks from
outside."""

import re
import struct
import time

import pytest
from machine import PATIENCE, Nvme, gdb, linuxguest, scenario
from system.checks import ask, of, one, some, sound, stopped, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(400)]

DISK = "[disk store]\ndevice = 1b36:0010\nvfs = 2\nunsafe_controllers = yes\n"


def linux(name: str, release: str, vf: int, steps: str, more: str = "") -> str:
    return (f"[guest {name}]\nimage = vmlinuz-{release}\ninitrd = initrd-{release}\nmemory = 256M\n"
            f"device = store.vf{vf}\nargs = console=ttyS0 quiet tsc=reliable steps={steps}\n{more}")


def said(run, guest: str) -> str:
    return "\n".join(line["text"] for line in of(run, "guest.output", name=guest))


def content(run, namespace: int) -> bytes:
    return (run.directory / f"nvme0-{namespace}.raw").read_bytes()


def lines_of(word: str, mebibytes: int) -> bytes:
    line = f"{word}\n".encode()
    size = mebibytes << 20
    return (line * (size // len(line) + 1))[:size]


@pytest.fixture(scope="module")
def job(boot):
    text = scenario.text_of("storage")
    return boot.to_the_end(scenario="storage", memory=scenario.memory(text), cpus=scenario.cpus(text), nics=(),
                           nvmes=scenario.nvmes(text), files=scenario.files(text), limit=240)


def test_the_scenario_ends_well(job):
    verdict(job)
    for guest in ("alpha", "beta"):
        assert stopped(job, guest).number("faults") == 0
    assert not of(job, "dma.fault") and not of(job, "irq.fault")


@pytest.mark.parametrize("guest, step, seen", [("alpha", "disk:alpha:16", "32768 sectors, namespace 1, driver nvme"),
                                               ("beta", "disk:beta:24", "49152 sectors, namespace 2, driver nvme")])
def test_each_reads_back_what_it_wrote(job, guest, step, seen):
    """With a sole namespace to be seen, which has the size that it should have."""
    assert f"{step}: ok" in said(job, guest) and seen in said(job, guest)


def test_the_disks_hold_what_their_guests_wrote(job):
    """To the byte, and the namespace that is nobody's holds nothing."""
    assert content(job, 1) == lines_of("alpha", 16)
    assert content(job, 2) == lines_of("beta", 24)
    assert content(job, 3) == bytes(32 << 20)


def test_what_the_controller_was_asked(job):
    line = one(job, "nvme.started")
    assert (line.number("vfs"), line.number("queues"), line.number("vectors")) == (2, 3, 2)
    assert [line.number("namespace") for line in of(job, "nvme.vf")] == [1, 2]
    offers = "Namespace Attachment, Virtualization Management"
    if job.spec.chosen_qemu() > 10:
        offers = "Security Send, " + offers
    assert [line["offers"] for line in of(job, "nvme.accepted")] == [offers] * 2
    for event in ("nvme.refused", "nvme.command", "nvme.dead", "nvme.vf_failed", "nvme.corrected"):
        assert not of(job, event)


def test_interrupts_arrive(job):
    """MSI-X of the I/O queue, on the guest's own cores."""
    for guest in ("alpha", "beta"):
        counts = re.findall(r"^ +\d+: +([\d ]+?) +PCI-MSI.* nvme0q[12]", said(job, guest), re.MULTILINE)
        assert sum(int(count) for queue in counts for count in queue.split()) > 100, counts


def until(run, guest: str, text: str, limit: float = 150) -> None:
    deadline = time.monotonic() + PATIENCE * limit
    while text not in said(run, guest):
        assert run.running and time.monotonic() < deadline, said(run, guest)
        time.sleep(0.2)


def test_a_stopped_guest_leaves_its_controller_offline(boot):
    """It is taken away with its namespace, the other's goes on; the next start finds a fresh controller."""
    text = DISK + linux("alpha", "12", 0, "disk:alpha:16,sleep:300") + "[guest beta]\nimage = hello.elf\n" \
        "memory = 4M\nargs = ticks=1\ndevice = store.vf1\n"
    run = boot(text, memory=1024, batch=False, nics=(), nvmes=(Nvme(2, (16, 16)),), files=linuxguest.files(), limit=380,
               trace=("pci_nvme_virt_mngmt", "pci_nvme_ns_attachment"))
    until(run, "alpha", "disk:alpha:16: ok")
    trace = run.directory / "trace.log"
    before = trace.read_text()
    ask(run, "stop alpha")
    run.wait_for("guest.stopped", timeout=30, name="alpha")
    deadline = time.monotonic() + PATIENCE * 10
    while not (asked := re.findall(r"virt_mngmt .*act=0x(\w+),? ctrlid=(\d+)", trace.read_text()[len(before):])):
        assert time.monotonic() < deadline, trace.read_text()[len(before):]
        time.sleep(0.2)
    assert asked == [("7", "1")], "offline, and nothing more"
    assert "violations" not in ask(run, "audit")
    ask(run, "domains", r"^\d+ +hypervisor +\d +\w+ +\w+ +01:00\.0$")
    ask(run, "start alpha")
    deadline = time.monotonic() + PATIENCE * 150
    while said(run, "alpha").count("disk:alpha:16: ok") < 2:
        assert run.running and time.monotonic() < deadline, said(run, "alpha")
        time.sleep(0.2)
    assert content(run, 1) == lines_of("alpha", 16)
    ask(run, "stop alpha")
    run.wait_for("guest.stopped", timeout=30, name="alpha")
    sound(run)
    run.send("poweroff")
    run.wait(30)


def rogue(boot, victim: str, steps: str):
    """QEMU's secondary controllers carry out Namespace Attachment, and these namespaces may be shared."""
    return boot(DISK + victim + linux("rogue", "12", 1, steps + ",sleep:600"), memory=1024, batch=False, nics=(),
                nvmes=(Nvme(2, (16, 16, 16), shared=True),), files=linuxguest.files(), limit=380,
                trace=("pci_nvme_virt_mngmt",))


def put_right(run, namespace: int, owner: str, detached: str, attached: str) -> None:
    """Nothing else happened to that namespace, and whoever is in a list is called nothing but that. The guest tries five
    times; how many of these one look of the driver finds together is up to the computer's load."""
    lines = of(run, "nvme.corrected", namespace=namespace)
    assert 1 <= len(lines) <= 5
    for line in lines:
        assert (line["owner"], line["detached"], line["attached"], line["status"]) == (owner, detached, attached, "ok")


def ended_well(run) -> None:
    ask(run, "stop rogue")
    run.wait_for("guest.stopped", timeout=30, name="rogue")
    assert "violations" not in ask(run, "audit")
    for event in ("nvme.vf_failed", "nvme.dead", "nvme.refused", "device.blocked"):
        assert not of(run, event)
    run.send("poweroff")
    run.wait(30)
    sound(run)


def test_nobody_is_punished_for_what_another_attached_to_it(boot):
    """The rogue attaches its own namespace to the victim's controller, and one that is nobody's to its own. Both are
    detached each time; the victim keeps its controller and its data and works on."""
    run = rogue(boot, linux("victim", "12", 0, ",".join(["disk:victim:16"] * 12)), "give:2:1,give:3:2")
    run.wait_for("nvme.corrected", timeout=150, namespace=2)
    worked = said(run, "victim").count("disk:victim:16: ok")
    deadline = time.monotonic() + 150 * PATIENCE
    while said(run, "victim").count("disk:victim:16: ok") < worked + 2:
        assert run.running and time.monotonic() < deadline, said(run, "victim")
        time.sleep(0.2)
    until(run, "rogue", "give:3:2: ")
    assert "FAILED" not in said(run, "rogue") + said(run, "victim")
    put_right(run, 2, "2", "1", "-")
    put_right(run, 3, "-", "2", "-")
    offline = re.findall(r"virt_mngmt .*act=0x7,? ctrlid=(\d+)", (run.directory / "trace.log").read_text())
    made, started = offline[:2], offline[2:]  # the guests start in whatever order their memory is ready
    assert made == sorted(started) == ["1", "2"], "before each came online, when it was made and for its guest, and never again"
    ended_well(run)
    assert content(run, 1) == lines_of("victim", 16)
    assert content(run, 2) == content(run, 3) == bytes(16 << 20)


@pytest.mark.long
def test_a_namespace_that_was_taken_comes_back(boot):
    victim = "[guest victim]\nimage = hello.elf\nmemory = 4M\ndevice = store.vf0\nargs = ticks=1000000\n"
    run = rogue(boot, victim, "steal:1:2")
    until(run, "rogue", "steal:1:2: ")
    assert "FAILED" not in said(run, "rogue")
    put_right(run, 1, "1", "2", "1")
    ended_well(run)


def test_vfs_of_a_controller_that_is_lost_reach_nothing(boot):
    """The PF's completion queue is overwritten from outside, with answers to what nobody asked or over an answer. The
    VFs work on as far as the device is concerned; their context entries are gone, and nothing is written any more."""
    text = DISK + linux("alpha", "12", 0, ",".join(["disk:alpha:16"] * 12))
    run = boot(text, memory=1024, batch=False, nics=(), nvmes=(Nvme(2, (16, 16)),), files=linuxguest.files(), limit=380,
               extra=gdb.ARGUMENTS)
    with gdb.Debugger(run) as debugger:
        debugger.go()
        until(run, "alpha", "disk:alpha:16: ok")
        ask(run, "walk 01:00.1 0x0", "reaches")
        queue = int(re.search(r"reaches 0x(\w+)", ask(run, "walk 01:00.0 0x101000")).group(1), 16)
        for phase in (1, 0):
            debugger.stop()
            debugger.write(queue, struct.pack("<QIHH", 0, 0, 0xffff, phase) * 32)
            debugger.go()
            deadline = time.monotonic() + 3
            while not of(run, "device.blocked") and time.monotonic() < deadline:
                time.sleep(0.1)
    run.wait_for("device.blocked", timeout=20)
    one(run, "nvme.dead")
    blocked = one(run, "device.blocked")
    assert (blocked["guest"], blocked["rid"], blocked["status"]) == ("alpha", "01:00.1", "ok")
    assert said(run, "alpha").count("disk:alpha:16: ok") < 12, "the guest has nothing left to write"
    path = run.directory / "nvme0-1.raw"
    path.write_bytes(bytes(16 << 20))
    ask(run, "walk 01:00.1 0x0", "blocked")
    time.sleep(3)
    assert content(run, 1) == bytes(16 << 20), "the guest was writing without a pause"
    assert "violations" not in ask(run, "audit")
    ask(run, "stop alpha")
    run.wait_for("guest.stopped", timeout=30, name="alpha")
    ask(run, "start alpha")
    refused = one(run, "device.refused", guest="alpha")
    assert "its PF cannot be reached" in refused["message"]
    run.send("poweroff")
    run.wait(30)
    sound(run)


@pytest.mark.parametrize("nvme, text, reason", [
    (Nvme(2, (16,)), DISK, "fewer namespaces than VFs"),
    (Nvme(2, (16, 16)), DISK.replace("vfs = 2", "vfs = 3"), "the configuration asks for more VFs than the device has"),
    (Nvme(2, (16, 16)), DISK.replace("yes", "no"), "Namespace Attachment, Virtualization Management"),
])
def test_what_the_controller_lacks_is_refused(boot, nvme, text, reason):
    guest = "[guest alpha]\nimage = hello.elf\nmemory = 4M\ndevice = store.vf1\nargs = ticks=1\nexpect = refused\n"
    run = boot.to_the_end(text + guest, nics=(), nvmes=(nvme,), limit=60)
    verdict(run)
    assert any(reason in line["message"] + line.fields.get("offers", "") for event in ("nvme.refused", "nic.refused") for line in of(run, event))
