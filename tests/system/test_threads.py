# SPDX-License-Identifier: MIT
"""Threads of one physical core: two guests never share one, and none shares the control core's."""

import re
import subprocess

import pytest
from system.checks import of, one, sound, verdict

pytestmark = pytest.mark.timeout(180)

# Four cores of two threads: 0 and 1, 2 and 3, ...
MACHINE = {"cpus": 8, "threads": 2, "nics": ()}


def guest(name: str, *keys: str, expect: str = "exit 0") -> str:
    lines = "".join(f"{key}\n" for key in keys)
    return f"[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = ticks=2\nexpect = {expect}\n{lines}"


def cores(run) -> dict[str, str]:
    return {line["name"]: line["cores"] for line in of(run, "guest.created")}


@pytest.mark.tcg
def test_each_guest_has_physical_cores_of_its_own(boot):
    run = boot.to_the_end(
        guest("one") + guest("pair", "cpus = 2") + guest("named", "cores = 7") +
        guest("beside", "cores = 6", expect="refused") + guest("control", "cores = 1", expect="refused") +
        guest("more", expect="refused"), **MACHINE)
    verdict(run)
    topology = one(run, "cpu.topology")
    assert (topology["cores"], topology["threads"], topology["doubts"]) == ("4", "8", "0")
    assert cores(run) == {"one": "2", "pair": "4-5", "named": "7"}
    assert one(run, "cpu.smt", policy="apart")["idle"] == "1,3,6"
    assert "guest named's" in one(run, "guest.refused", guest="beside", core=6)["message"]
    assert "core 0" in one(run, "guest.refused", guest="control", core=1)["message"]
    assert "smt = shared" in one(run, "guest.refused", guest="more")["message"]
    sound(run)


@pytest.mark.tcg
def test_threads_are_shared_if_the_configuration_says_so(boot):
    run = boot.to_the_end("[system]\nsmt = shared\n" + "".join(guest(f"g{i}") for i in range(7)), **MACHINE)
    verdict(run)
    assert cores(run) == {f"g{i}": str(i + 1) for i in range(7)}
    assert one(run, "cpu.smt", policy="shared")["idle"] == "none"
    assert "share" in one(run, "cpu.vulnerable")["message"]
    sound(run)


def address_of(symbol: str, elf) -> int:
    text = subprocess.run(["nm", elf], check=True, text=True, capture_output=True).stdout
    return next(int(line.split()[0], 16) for line in text.splitlines() if line.split()[-1] == symbol)


@pytest.mark.bochs
def test_a_core_is_cleared_between_owners(boot):
    """Bochs writes down each instruction of core 1, the control core's other thread, from the first barrier on: before a
    guest and behind it an IBPB, a flush and VERW; at each entry VERW alone, because this CPU is immune to L1TF."""
    core, elf = "1", boot.built / "bulkhead.elf"
    run = boot.to_the_end("[system]\nsmt = shared\n" + guest("a"), on="bochs", cpus=2, threads=2, cpu="tigerlake",
                          nics=(), strict=True, stepped=True, ips=5_000_000, limit=120,
                          trace=(hex(address_of("core_barrier", elf)), core))
    verdict(run)
    line = one(run, "cpu.vulnerable")
    assert (line["l1tf"], line["mds"], line["bhi"], line["always"]) == ("no", "yes", "yes", "ibrs")
    assert line["between_owners"] == "ibpb,l1d,verw"
    assert line["at_entry"] == "verw"
    assert one(run, "guest.created", name="a")["cores"] == core

    barrier, write = (address_of(symbol, elf) for symbol in ("core_barrier", "msr_write_safe_access"))
    barriers, inside, outside = [], None, {"verw": 0, "vmlaunch": 0, "vmresume": 0}
    for text in (run.directory / "trace.log").read_text(errors="replace").splitlines():
        found = re.match(r"\((\d+)\)\.\[\d+\] \[0x[0-9a-f]+\] [0-9a-f]{4}:([0-9a-f]+) \([^)]*\): (\w+)", text)
        if not found or found[1] != core:
            continue
        address, mnemonic = int(found[2], 16), found[3]
        if address == barrier:
            inside = []
            barriers.append(inside)
        if inside is not None and (mnemonic == "verw" or address == write):
            inside.append(mnemonic)
        elif mnemonic in outside:
            outside[mnemonic] += 1
        if barrier <= address < barrier + 256 and mnemonic == "ret":
            inside = None
    (run.directory / "trace.log").unlink()
    assert barriers == [["wrmsr", "wrmsr", "verw"]] * len(barriers) and len(barriers) in (1, 2), barriers
    entries = outside["vmlaunch"] + outside["vmresume"]
    assert entries > 0 and outside["verw"] == entries, outside
