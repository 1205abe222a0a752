# SPDX-License-Identifier: MIT
"""A guest of 6 GiB with a BAR of 16 GiB, one of 16 vCPUs, and guests for which there is not enough memory."""

import pytest
from machine import report, scenario
from machine.qemu_command import memory_file
from system.checks import of, one, some, sound, stopped, verdict

GIB = 1 << 30
SIZES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
pytestmark = [pytest.mark.tcg, pytest.mark.long, pytest.mark.timeout(600)]


def size(text: str) -> int:
    return int(text[:-1]) * SIZES[text[-1]] if text[-1] in SIZES else int(text)


@pytest.fixture(scope="module")
def run(boot):
    text = scenario.text_of("large")
    return boot.to_the_end(scenario="large", memory=scenario.memory(text), cpus=scenario.cpus(text),
                           memories=scenario.memories(text), files=scenario.files(text), limit=400)


@pytest.fixture(scope="module")
def steps(run):
    return {(step.guest, step.name.partition(":")[0]): step for step in report.steps(run.events)}


def test_all_steps_passed(run, steps):
    assert {step: found.ok for step, found in steps.items()} == dict.fromkeys(
        [("big", "memory"), ("big", "bar"), ("big", "dpdk"), ("many", "memory"), ("many", "dpdk")], True)
    for guest in ("big", "many"):
        stopped(run, guest)
    assert not of(run, "dma.fault")
    verdict(run)


def test_memory_is_made_of_pieces(run):
    """Together they are 6 GiB, on both sides of the hole, and no two overlap, neither here nor there."""
    pieces = [(line.number("at"), line.number("base"), size(line["size"])) for line in of(run, "guest.memory", name="big")]
    assert sum(piece[2] for piece in pieces) == 6 * GIB
    for way in (0, 1):
        ordered = sorted((piece[way], piece[2]) for piece in pieces)
        assert all(first + length <= second for (first, length), (second, _) in zip(ordered, ordered[1:]))
    seen = sorted((at, at + length) for at, _, length in pieces)
    assert seen[0][0] == 0 and seen[-1][1] == 8 * GIB
    assert not [piece for piece in seen if piece[0] < 4 * GIB and piece[1] > 2 * GIB]


def test_pages_are_of_a_gib(run):
    tables = one(run, "guest.tables", name="big")
    assert (tables["memory_largest"], tables["domain_largest"]) == ("1G", "1G")
    # A page of tables for each GiB that is not one page, on either side, and what every guest has.
    assert tables.number("memory_bytes") + tables.number("domain_bytes") <= 6 * (12 << 10)


def test_linux_sees_all_of_it(steps):
    memory = steps["big", "memory"]
    assert int(memory.value(r"MemTotal: +(\d+) kB")) > 5.7 * (1 << 20)
    assert "00100000-7fffffff : System RAM" in memory.lines
    assert "100000000-1ffffffff : System RAM" in memory.lines


def test_huge_pages_are_used(steps):
    assert steps["big", "memory"].value(r"HugePages_Total: +(\d+)") == "2048"
    assert int(steps["big", "dpdk"].value(r"free meanwhile: (\d+)")) <= 2048 - 1536  # 3 GiB: more than lie below 4 GiB


def test_packets_arrive(steps):
    assert int(steps["big", "dpdk"].value(r"RX-packets: (\d+)")) > 100
    assert abs(steps["big", "dpdk"].exits) <= 1


def test_a_bar_of_16_gib(run, steps):
    """Above the guest's memory, and what it writes to the two ends reaches the function's."""
    first, last = (int(word, 16) for word in steps["big", "bar"].lines[0].split()[3:5])
    assert first >= 8 * GIB and last - first + 1 == 16 * GIB
    with open(run.directory / memory_file(0), "rb") as memory:
        assert memory.read(4) == (0x12345678).to_bytes(4, "little")
        memory.seek(16 * GIB - 4)
        assert memory.read(4) == (0x9abcdef0).to_bytes(4, "little")


def test_sixteen_vcpus(run):
    assert one(run, "guest.created", name="many")["cpus"] == "16"
    assert [line for line in of(run, "guest.output", name="many") if ", 16 vCPUs" in line["text"]]


def test_a_large_guest_holds_up_nobody(run):
    """Its core overwrites 6 GiB, and the other guest starts meanwhile."""
    assert some(run, "guest.started", name="many").time < some(run, "guest.started", name="big").time


TOO_LARGE = """
[guest whale]
image  = hello.elf
memory = 24G
expect = refused

[guest minnow]
image  = hello.elf
memory = 64M
expect = exit 0
"""


def test_what_does_not_fit_is_refused_by_name(boot):
    run = boot.to_the_end(text=TOO_LARGE, memory=3072, nics=())
    message = one(run, "guest.refused", guest="whale")["message"]
    assert message.startswith("memory = 24G does not fit: ") and "MiB free, largest piece" in message
    assert "in at most 16 pieces" in message
    stopped(run, "minnow")
    sound(run)
    verdict(run)


NARROW = """
[guest wide]
image  = hello.elf
memory = 64G
expect = refused

[guest neighbour]
image  = hello.elf
memory = 64M
expect = exit 0
"""


def test_what_the_cpu_cannot_address_is_refused(boot):
    """64 GiB of RAM end at 66 GiB, and this CPU's physical addresses at 64."""
    run = boot.to_the_end(text=NARROW, cpu="max,+x2apic,phys-bits=36", memory=1024, nics=())
    message = one(run, "guest.refused", guest="wide")["message"]
    assert "its memory would end at 0x107fffffff, and the CPU's physical addresses at 0xfffffffff" in message
    stopped(run, "neighbour")
    verdict(run)
