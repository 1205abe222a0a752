# SPDX-License-Identifier: MIT
"""The mission: one NIC, three virtual functions, two guests that talk and one that attacks."""

import re

import pytest
from system.checks import of, one, some, stopped, verdict

from conftest import ROOT

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

GUESTS = ("alpha", "beta", "rogue")
PF = 0x100  # of the scenario sriov
TRACE = ("vtd_frr_new", "vtd_dmar_fault", "vtd_ir_remap_msi", "vtd_ir_irte_get")


@pytest.fixture(scope="module")
def job(boot):
    return boot.to_the_end(scenario="sriov", trace=TRACE)


@pytest.fixture(scope="module")
def trace(job):
    return (job.directory / "trace.log").read_text().splitlines()


def traced(trace, event):
    return [line for line in trace if line.split()[0] == event]


@pytest.mark.parametrize("event, keys", [
    ("boot.start", "version commit log abi loader image size"),
    ("cpu.backend", "name"),
    ("cpu.online", "count"),
    ("acpi.table", "name address length"),
    ("iommu.unit", "base version cap ecap segment scope"),
    ("iommu.enabled", "units levels qi ir eim"),
    ("sriov.enabled", "pf vfs total"),
    ("sriov.vf", "rid bar0 size"),
    ("device.assigned", "guest rid"),
    ("guest.created", "name cpus memory"),
    ("guest.started", "name core"),
    ("guest.event", "name value exits"),
    ("guest.output", "name text"),
    ("guest.stopped", "name status reason faults exits"),
    ("dma.fault", "rid guest address access reason action"),
    ("audit.ok", "ranges leaves contexts interrupts"),
    ("monitor.ready", ""),
    ("run.verdict", "result"),
])
def test_every_fixed_line_has_its_keys(job, event, keys):
    lines = of(job, event)
    assert lines, f"no {event}"
    for line in lines:
        assert set(keys.split()) <= set(line.fields), line.text
        assert all(line[key] for key in keys.split()), line.text


def test_start_tells_the_version(job):
    start = one(job, "boot.start")
    assert start["version"] == (ROOT / "VERSION").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?|unknown", start["commit"]), start.text
    assert start["log"] == "1" and start["abi"] == "1"


def test_registers_do_not_count_as_memory(job):
    """Configuration space alone is 256 MiB; the machine has 512 MiB, and guests have 96 of them."""
    size = one(job, "size.hypervisor")
    assert size.number("registers") >= 256 << 20
    assert size.number("in_use") < size.number("owned") < 16 << 20, size.text


def test_values_have_their_forms(job):
    for line in job.events:
        for key, value in line.fields.items():
            if key in ("address", "base", "bar0", "cap", "ecap", "image"):
                assert re.fullmatch(r"0x[0-9a-f]+(\+\d+[KMG]?)?", value), line.text
            if key in ("rid", "pf"):
                assert re.fullmatch(r"[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]", value), line.text
            if key in ("memory", "size"):
                assert re.fullmatch(r"\d+[KMG]?", value), line.text


def test_the_machine_is_taken_as_it_is(job):
    assert {line["name"] for line in of(job, "acpi.table")} >= {"APIC", "MCFG", "DMAR", "FACP"}
    assert one(job, "cpu.backend")["name"] == ("svm" if job.name == "tcg" else "vmx")
    # What a newcomer reads first: nothing is refused in a run in which all is well.
    assert not [line.text for line in job.events if line.event.endswith(".refused")]
    assert not job.emulator_messages(all_went_well=True)
    assert one(job, "cpu.online")["count"] == "4"
    enabled = one(job, "iommu.enabled")
    assert [enabled[key] for key in ("units", "levels", "qi", "ir", "eim")] == ["1", "4", "yes", "yes", "yes"]


def test_one_function_becomes_three(job):
    enabled = one(job, "sriov.enabled")
    assert (enabled["pf"], enabled["vfs"], enabled["total"]) == ("01:00.0", "3", "8")
    rids = [line["rid"] for line in of(job, "sriov.vf")]
    assert rids == ["01:10.0", "01:10.2", "01:10.4"]
    assert [line["rid"] for line in of(job, "device.assigned")] == rids
    assert [line["guest"] for line in of(job, "device.assigned")] == list(GUESTS)


def test_the_order_is_safe(job):
    """Translation before virtual functions, a clean audit before the first guest, the last one after all."""
    def position(event, **wanted):
        return some(job, event, **wanted).index

    assert position("iommu.enabled") < position("sriov.enabled") < position("device.assigned")
    assert position("device.assigned") < position("audit.ok") < position("guest.started")
    audits = of(job, "audit.ok")
    assert max(line.index for line in of(job, "guest.stopped")) < audits[-1].index < position("run.verdict")
    assert all(line["contexts"] == "65536" for line in audits)


def test_alpha_and_beta_talk(job):
    for name in ("alpha", "beta"):
        stopped(job, name)
        said = [line["text"] for line in of(job, "guest.output", name=name)]
        assert any(re.match(r"1000 of 1000 echoes answered, 1\d\d\d served, 0 wrong", text) for text in said), said
        assert "memory intact" in said


def test_traffic_costs_no_exit(job):
    """Between event 1 and event 2 lie 2000 echoes, thousands of interrupts and timer ticks: one exit, the
    second event itself."""
    for name in ("alpha", "beta"):
        before = one(job, "guest.event", name=name, value="0x1").number("exits")
        after = one(job, "guest.event", name=name, value="0x2").number("exits")
        assert after - before == 1


def aims(job) -> list[tuple[int, int]]:
    """Where rogue's accesses go: both neighbours' memory and the hypervisor."""
    image = one(job, "boot.start").number("image")
    size = int(one(job, "boot.start")["size"].rstrip("K")) << 10
    return [*((line.number("base"), 32 << 20) for line in of(job, "guest.created")[:2]), (image, size)]


def test_rogue_is_caught_and_silenced(job):
    """At its eighth fault. Which of its accesses are recorded depends on how quickly the unit's one record is read, and
    one more may be under way."""
    faults = of(job, "dma.fault")
    assert 8 <= len(faults) <= 9 and all(line["guest"] == "rogue" and line["rid"] == "01:10.4" for line in faults)
    for line in faults:
        assert any(base <= line.number("address") < base + size for base, size in aims(job)), line.text
    assert [line["action"] for line in faults][:8] == ["log"] * 7 + ["disable-device"]
    assert {(line["access"], line["reason"]) for line in faults} <= {("read", "0x6"), ("write", "0x5")}
    assert stopped(job, "rogue").number("faults") == len(faults)
    assert any("taken off the bus" in line["text"] for line in of(job, "guest.output", name="rogue"))


def test_the_units_own_records_say_the_same(job, trace):
    """What QEMU's unit recorded is what the log reports: nothing hidden, nothing invented."""
    recorded = []
    for line in traced(trace, "vtd_frr_new"):
        high, low = (int(word, 16) for word in re.search(r"high (0x\w+) low (0x\w+)", line).groups())
        if high & 0xffff != PF:  # what its driver tried for a test, before there was a VF (nic.dma_test)
            recorded.append((high & 0xffff, low & ~0xfff, "read" if high >> 62 & 1 else "write", high >> 32 & 0xff))
    logged = [(0x184, line.number("address") & ~0xfff, line["access"], line.number("reason"))
              for line in of(job, "dma.fault")]
    assert recorded == logged
    # Every single access that was blocked, recorded or not, came from rogue's function; none of its aims was spared.
    words = [re.search(r"sid (0x\w+) fault \w+ addr (0x\w+)", line).groups() for line in traced(trace, "vtd_dmar_fault")]
    assert {sid for sid, _address in words} - {f"{PF:#x}"} == {"0x184"}
    for base, size in aims(job):
        assert [address for _sid, address in words if base <= int(address, 16) < base + size], hex(base)


def test_interrupts_are_remapped(trace):
    assert len(traced(trace, "vtd_ir_remap_msi")) > 1000


def test_verdict(job):
    verdict(job)
    assert job.status == 33


def test_nothing_reaches_the_attacked_memory(boot):
    """The same attack with the machine left running: the hypervisor's bytes are compared from outside."""
    text = (ROOT / "config/sriov.conf").read_text()
    assert "rounds=8 pause=200000" in text and "count=1000" in text
    text = text.replace("count=1000", "count=100").replace("rounds=8 pause=200000", "rounds=2 pause=500000")
    run = boot(text, batch=False)
    run.wait_for("guest.started", name="rogue", timeout=60)
    image = one(run, "boot.start").number("image")
    size = int(one(run, "boot.start")["size"].rstrip("K")) << 10

    def targets():
        return [line.number("address") - image for line in of(run, "dma.fault")
                if image <= line.number("address") < image + size]

    def memory(name):
        run.qmp("pmemsave", val=image, size=size, filename=str(run.directory / name))
        return (run.directory / name).read_bytes()

    before = memory("before")
    assert not targets(), "the attack began before the memory was read"
    run.wait_for("run.verdict", timeout=90, result="ok")
    after = memory("after")
    assert len(before) == size and targets()
    for target in targets():
        page = target & ~0xfff
        assert before[page:page + 0x1000] == after[page:page + 0x1000]
    run.send("poweroff")
    run.wait()
