# SPDX-License-Identifier: MIT
"""What attack runs share: the guests that attack, the guests beside them, and what must hold afterwards."""

import functools
import re
import subprocess
import time

from system.checks import of, one, stopped

from conftest import PATIENCE, ROOT

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = {vfs}\n"

ROGUE = """
[guest {name}]
image  = rogue.elf
memory = 16M
device = uplink.vf{vf}
args   = targets={targets} rounds={rounds} pause=60000
fault_action = {action}
fault_threshold = {threshold}
time_limit = 100
expect = {expect}
expect_faults = {faults}
"""

NUISANCE = """
[guest {act}]
image  = nuisance.elf
memory = 16M
device = uplink.vf{vf}
args   = patience=20 act={act} count={count} seed={seed}
fault_threshold = 4
time_limit = 100
expect = exit 0
"""

TALK = """
[guest {name}]
image  = ping.elf
memory = 16M
device = uplink.vf{vf}
args   = ip=10.0.0.{own} peer=10.0.0.{peer} count={count} mode=msix limit=400 gap={gap}
expect = exit 0
"""

WITNESS = """
[guest witness]
image  = witness.elf
memory = 4M
args   = ticks={ticks}
expect = exit 0
"""

# Sleeps until somebody stops it: nothing in its memory changes unless somebody else changes it.
BAIT = "[guest bait]\nimage = hostile.elf\nmemory = 4M\nargs = act=halt\nexpect = stopped\n"

# Where a machine like this one has things, beside the memory of guests and hypervisor.
PLACES = {
    "behind its own memory": 0x1000000,
    "the PF's registers": 0x80020000,
    "ECAM": 0xe0000000,
    "the IOMMU": 0xfed90000,
    "I/O APIC": 0xfec00000,
    "flash": 0xffc00000,
    "a VF's registers": 0xc000020000,
    "39 bits": 1 << 39,
    "last page of 48 bits": (1 << 48) - 0x1000,
    "49 bits": 1 << 48,
    "the sign bit": 1 << 63,
}
TRACE = ("vtd_frr_new", "vtd_dmar_fault")


def pair(count=400, left="left", right="right", gap=0) -> str:
    """Two guests with VFs 0 and 1 that ask each other `count` times, `gap` microseconds after each answer."""
    return (TALK.format(name=left, vf=0, own=1, peer=2, count=count, gap=gap) +
            TALK.format(name=right, vf=1, own=2, peer=1, count=count, gap=gap))


def pair_is_undisturbed(run, count=400, left="left", right="right") -> None:
    """Every echo was answered (some twice: what takes long is asked again), no byte was wrong, their memory is intact,
    and none of it cost an exit."""
    for name in (left, right):
        stopped(run, name)
        said = [line["text"] for line in of(run, "guest.output", name=name)]
        assert "memory intact" in said, said
        echoes = [re.match(rf"{count} of {count} echoes answered, (\d+) served, 0 wrong", text) for text in said]
        assert [match for match in echoes if match and int(match.group(1)) >= count], said
        before, after = (one(run, "guest.event", name=name, value=value).number("exits") for value in ("0x1", "0x2"))
        assert after - before == 1, f"{name}: {after - before} exits"


def policies(vf: int) -> str:
    """Two attackers with this VF and the next: the one loses its device, the other its life."""
    return (ROGUE.format(name="silenced", vf=vf, targets="@memory(left)", rounds=60, action="disable-device", threshold=3,
                         expect="exit 0", faults=3) +
            ROGUE.format(name="ended", vf=vf + 1, targets="@memory(hypervisor)", rounds=60, action="stop-guest",
                         threshold=2, expect="stopped", faults=2))


def policies_are_carried_out(run) -> None:
    assert [line["action"] for line in of(run, "dma.fault", guest="silenced")][:3] == ["log", "log", "disable-device"]
    assert any("taken off the bus" in line["text"] for line in of(run, "guest.output", name="silenced"))
    stopped(run, "silenced")
    assert [line["action"] for line in of(run, "dma.fault", guest="ended")][:2] == ["log", "stop-guest"]
    assert stopped(run, "ended", reason="dma-faults").number("faults") >= 2


def nonsense(vf: int, seed: int) -> str:
    """Any messages from this VF, any values in the registers of the next."""
    return (NUISANCE.format(act="messages", vf=vf, count=2000, seed=seed) +
            NUISANCE.format(act="registers", vf=vf + 1, count=3000, seed=seed))


def nonsense_is_refused(run, vf: int) -> None:
    refusals = of(run, "igb.mailbox", vf=str(vf))
    assert 1 <= len(refusals) <= 16 and all(line["action"] == "refused" for line in refusals), len(refusals)
    said = [line["text"] for line in of(run, "guest.output", name="messages")]
    assert "what must be refused was refused" in said and any("still answers" in text for text in said), said
    for name in ("messages", "registers"):
        stopped(run, name)


def witness_is_undisturbed(run, ticks) -> None:
    """Each of its timer interrupts came, and no other one."""
    stopped(run, "witness")
    assert one(run, "guest.output", name="witness")["text"] == f"{ticks} timer interrupts, 0 others"


def blocked_at(run, guest, address) -> set[str]:
    """The kinds of access of that guest's device to that page that the unit blocked."""
    rid = requester(one(run, "device.assigned", guest=guest)["rid"])
    return {access for requester_id, page, access in blocked(run) if (requester_id, page) == (rid, address & ~0xfff)}


def each_fault_has_its_owner(run) -> None:
    owners = {line["rid"]: line["guest"] for line in of(run, "device.assigned")}
    faults = of(run, "dma.fault")
    assert all(owners[line["rid"]] == line["guest"] for line in faults)


def traced(run, event) -> list[str]:
    return [line for line in (run.directory / "trace.log").read_text(errors="replace").splitlines()
            if line.split(" ", 1)[0] == event]


def requester(rid: str) -> int:
    """"01:10.4" as the unit records it."""
    bus, device, function = (int(part, 16) for part in re.split(r"[:.]", rid)[-3:])
    return bus << 8 | device << 3 | function


def pf(run) -> int | None:
    """The NIC's own requester id when the hypervisor drives it: its driver tried a DMA for a test, before there was a VF
    (nic.dma_test)."""
    tests = of(run, "nic.dma_test")
    return requester(tests[0]["rid"]) if tests else None


def recorded(run) -> list[tuple]:
    """What QEMU's unit wrote into its fault record: requester, address, access, reason."""
    words = (re.search(r"high (0x\w+) low (0x\w+)", line).groups() for line in traced(run, "vtd_frr_new"))
    return [(int(high, 16) & 0xffff, int(low, 16) & ~0xfff, "read" if int(high, 16) >> 62 & 1 else "write",
             int(high, 16) >> 32 & 0xff) for high, low in words if int(high, 16) & 0xffff != pf(run)]


def logged(run) -> list[tuple]:
    """The same, as the hypervisor reported it."""
    return [(requester(line["rid"]), line.number("address") & ~0xfff, line["access"], line.number("reason"))
            for line in of(run, "dma.fault")]


def blocked(run) -> set[tuple]:
    """What QEMU's unit blocked, recorded or not: requester, page, access."""
    words = (re.search(r"sid (0x\w+) fault \w+ addr (0x\w+) write (\d)", line).groups() for line in traced(run, "vtd_dmar_fault"))
    return {(int(rid, 16), int(address, 16) & ~0xfff, "write" if write == "1" else "read") for rid, address, write in words
            if int(rid, 16) != pf(run)}


def outside(run, base: int, size: int) -> bytes:
    """Physical memory as QEMU has it, read behind everybody's back."""
    path = run.directory / "memory"
    run.qmp("pmemsave", val=base, size=size, filename=str(path))
    content = path.read_bytes()
    path.unlink()
    assert len(content) == size
    return content


@functools.cache
def symbol(image: str, name: str) -> int:
    """Where a guest program has a variable."""
    symbols = subprocess.run(["nm", ROOT / "build/guest" / image], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^(\w+) \w {name}$", symbols, re.MULTILINE).group(1), 16)


def goes_on(run, seconds: float = 20) -> bool:
    """Both of the pair have another echo answered, or all of them: their counters are read from outside, which costs
    them nothing."""
    counters = [one(run, "guest.created", name=guest).number("base") + symbol("ping.elf", "answered")
                for guest in ("left", "right")]
    before = [outside(run, address, 4) for address in counters]
    deadline = time.monotonic() + seconds * PATIENCE
    while any(outside(run, address, 4) == then for address, then in zip(counters, before)):
        if any(of(run, "guest.stopped", name=guest) for guest in ("left", "right")):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
