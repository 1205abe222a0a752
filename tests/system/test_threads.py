# SPDX-License-Identifier: MIT
"""Threads of one physical core: two guests never share one, and none shares the control core's."""

import pytest
from system.checks import of, one, sound, verdict

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

# Four cores of two threads: 0 and 1, 2 and 3, ...
MACHINE = {"cpus": 8, "threads": 2, "nics": ()}


def guest(name: str, *keys: str, expect: str = "exit 0") -> str:
    lines = "".join(f"{key}\n" for key in keys)
    return f"[guest {name}]\nimage = hello.elf\nmemory = 4M\nargs = ticks=2\nexpect = {expect}\n{lines}"


def cores(run) -> dict[str, str]:
    return {line["name"]: line["cores"] for line in of(run, "guest.created")}


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


def test_threads_are_shared_if_the_configuration_says_so(boot):
    run = boot.to_the_end("[system]\nsmt = shared\n" + "".join(guest(f"g{i}") for i in range(7)), **MACHINE)
    verdict(run)
    assert cores(run) == {f"g{i}": str(i + 1) for i in range(7)}
    assert one(run, "cpu.smt", policy="shared")["idle"] == "none"
    assert "share" in one(run, "cpu.vulnerable")["message"]
    sound(run)
