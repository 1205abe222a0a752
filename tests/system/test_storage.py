"""NVMe with SR-IOV: Linux guests on secondary controllers, each with a namespace of its own, and the disks from
outside."""

import re
import time

import pytest
from machine import PATIENCE, Nvme, linuxguest, scenario
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
    for event in ("nvme.refused", "nvme.command", "nvme.dead", "nvme.vf_failed", "nvme.intrusion"):
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
    ask(run, "domains", r"^\d+ +\(PF driver\) +\d +\w+ +\w+ +01:00\.0$")
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


@pytest.mark.long
def test_a_guest_that_takes_anothers_namespace_loses_its_own(boot):
    """QEMU's secondary controllers carry out Namespace Attachment, and these namespaces may be shared. The thief is
    found and its controller goes offline; the victim has its disk back and nobody has written on it."""
    text = DISK + linux("victim", "12", 0, "sleep:45,disk:victim:16") + linux("thief", "12", 1, "steal:1:2")
    run = boot.to_the_end(text, memory=1024, nics=(), nvmes=(Nvme(2, (16, 16), shared=True),),
                          files=linuxguest.files(), limit=240)
    assert "namespace 1: detached 0, attached to 2 0\n" in said(run, "thief"), said(run, "thief")
    line = some(run, "nvme.intrusion")
    assert (line.number("namespace"), line.number("vf"), line.number("controller")) == (1, 0, 2)
    assert "disk:victim:16: ok" in said(run, "victim")
    assert content(run, 1) == lines_of("victim", 16)
    assert content(run, 2) == bytes(16 << 20)
    sound(run)


@pytest.mark.parametrize("nvme, text, reason", [
    (Nvme(2, (16,)), DISK, "fewer namespaces than VFs"),
    (Nvme(2, (16, 16)), DISK.replace("vfs = 2", "vfs = 3"), "more VFs are asked for than the device has"),
    (Nvme(2, (16, 16)), DISK.replace("yes", "no"), "a guest could take another's namespace"),
])
def test_what_the_controller_lacks_is_refused(boot, nvme, text, reason):
    guest = "[guest alpha]\nimage = hello.elf\nmemory = 4M\ndevice = store.vf1\nargs = ticks=1\nexpect = refused\n"
    run = boot.to_the_end(text + guest, nics=(), nvmes=(nvme,), limit=60)
    verdict(run)
    assert any(reason in line["message"] for event in ("nvme.refused", "nic.refused") for line in of(run, event))
