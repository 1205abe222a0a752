# SPDX-License-Identifier: MIT
"""Exceptions, NMIs and local vectors of guests where the hypervisor has a hand in them: guest/programs/events.c."""

import pytest
from system.checks import of, stopped, verdict

pytestmark = pytest.mark.timeout(240)


def guest(kind, cpus):
    return (f"[guest {kind}]\nimage = events.elf\nmemory = 4M\ncpus = {cpus}\nargs = what={kind}\n"
            "time_limit = 90\nexpect = exit 0\n")


def as_on_a_cpu(run, kinds):
    for kind in kinds:
        said = [line["text"] for line in of(run, "guest.output", name=kind)]
        assert f"{kind}: 0 wrong" in said, said
        stopped(run, kind)
    verdict(run)


KINDS = {"lvt": 1, "flags": 1, "nmi": 2, "unmap": 2}


@pytest.mark.tcg
def test_events_are_those_of_a_cpu(boot):
    """SVM. `fault`: the vCPU's own faults while NMIs come, which Bochs gets wrong by itself (docs/vcpu.md)."""
    kinds = {**KINDS, "fault": 2}
    run = boot.to_the_end("".join(guest(*kind) for kind in kinds.items()), cpus=1 + sum(kinds.values()), limit=150)
    as_on_a_cpu(run, kinds)


@pytest.mark.bochs
@pytest.mark.parametrize("cpu", ["corei7_skylake_x", "ryzen, add_features=x2apic"])
def test_events_are_those_of_a_cpu_in_bochs(boot, cpu):
    """VMX, and SVM as another emulator has it: what it injects pushes RFLAGS as they are."""
    run = boot.to_the_end("".join(guest(*kind) for kind in KINDS.items()), on="bochs", cpu=cpu, limit=150,
                          cpus=1 + sum(KINDS.values()))
    as_on_a_cpu(run, KINDS)
