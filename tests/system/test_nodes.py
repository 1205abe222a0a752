# SPDX-License-Identifier: MIT
"""Cores by name, and memory from the node of the cores: two nodes with cores, a third one of memory only."""

import pytest
from system.checks import of, one, sound, stopped, verdict
from system.test_refusals import refused

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

MIB = 1 << 20
NODE_SIZE = 256 * MIB
# Core 0 is the hypervisor's: two cores are left on node 0, three on node 1.
NODES = [word for node in range(3) for word in ("-object", f"memory-backend-ram,id=node{node},size=256M")] + [
    "-numa", "node,nodeid=0,memdev=node0,cpus=0-2",
    "-numa", "node,nodeid=1,memdev=node1,cpus=3-5",
    "-numa", "node,nodeid=2,memdev=node2"]
MACHINE = {"cpus": 6, "memory": 768, "nics": (), "extra": tuple(NODES)}


def guest(name: str, *keys: str, memory: str = "4M", expect: str = "exit 0") -> str:
    lines = "".join(f"{key}\n" for key in keys)
    return f"[guest {name}]\nimage = hello.elf\nmemory = {memory}\nargs = ticks=2\nexpect = {expect}\n{lines}"


def where(run, name: str) -> tuple[str, int, int]:
    """Its cores, the node that the log names, and the node that its memory lies in."""
    line = one(run, "guest.created", name=name)
    return line["cores"], line.number("node"), line.number("base") // NODE_SIZE


def test_memory_comes_from_the_node_of_the_cores(boot):
    """Those that name cores come first, then those that name a node; the last one gets what is left."""
    run = boot.to_the_end(guest("any") + guest("near", "node = 1") + guest("named", "cores = 5,2") +
                          guest("other", "cores = 4"), **MACHINE)
    verdict(run)
    assert [(line["node"], line["cores"]) for line in of(run, "numa.node")] == [
        ("0", "0-2"), ("1", "3-5"), ("2", "none")]
    assert where(run, "named") == ("2,5", 1, 1)  # of its first core
    assert where(run, "other") == ("4", 1, 1)
    assert where(run, "near") == ("3", 1, 1)
    assert where(run, "any") == ("1", 0, 0)
    assert one(run, "guest.started", name="named")["core"] == "5"  # its first vCPU's
    assert not of(run, "guest.memory_far")


def test_what_does_not_fit_on_the_node(boot):
    """Without a node asked for memory comes from another one, and last from the one without cores; with one it is
    refused by name."""
    run = boot.to_the_end(
        guest("large", "cores = 1", memory="160M") + guest("far", "cores = 2", memory="160M") +
        guest("last", "cores = 3", memory="160M") +
        guest("strict", "cores = 4", "node = 1", memory="160M", expect="refused") +
        guest("crowd", "node = 1", "cpus = 3", expect="refused") + guest("nowhere", "node = 7", expect="refused") +
        guest("memory-only", "node = 2", expect="refused") + guest("named", "cores = 4", "node = 2"), **MACHINE)
    verdict(run)
    assert where(run, "large") == ("1", 0, 0)
    assert where(run, "far") == ("2", 1, 1)
    assert where(run, "last") == ("3", 2, 2)
    far = one(run, "guest.memory_far", name="far")
    assert (far["node"], far["from"]) == ("0", "1")
    far = one(run, "guest.memory_far", name="last")
    assert (far["node"], far["from"]) == ("1", "2")
    refused(run, "strict", "memory = 160M does not fit on node 1", node="1")
    refused(run, "crowd", "not enough free cores on this node", node="1")
    refused(run, "nowhere", "no such node", node="7")
    refused(run, "memory-only", "not enough free cores on this node", node="2")
    assert where(run, "named") == ("4", 2, 2)  # of its own accord
    assert not of(run, "guest.memory_far", name="named")


def test_cores_that_are_not_to_be_had(boot):
    """Refused by name where the machine decides, by line and column where the text does; the rest runs."""
    run = boot.to_the_end(
        guest("first", "cores = 2-3") + guest("second", "cores = 1,3", expect="refused") +
        guest("missing", "cores = 4,9", expect="refused") + guest("third", "cores = 4") +
        "[guest zero]\nimage = hello.elf\ncores = 0\n[guest twice]\nimage = hello.elf\ncores = 1,1\n" +
        guest("rest"), cpus=6, nics=())
    assert one(run, "run.verdict")["result"] == "failed"  # the text has errors
    assert refused(run, "second", "the core is guest first's", core="3")["column"] == "9"
    refused(run, "missing", "those from 1 to 5 can be named", core="9")
    errors = [(line["column"], line["message"].split(":")[0]) for line in of(run, "config.error")]
    assert errors == [("9", "core 0 runs the hypervisor"), ("11", "this guest has the core twice")]
    for name, cores in (("first", "2-3"), ("third", "4"), ("rest", "1")):
        assert where(run, name)[:2] == (cores, 0)  # a machine without SRAT is one node
        stopped(run, name)
    sound(run)
