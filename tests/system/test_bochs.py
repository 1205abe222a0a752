# SPDX-License-Identifier: MIT
"""VMX in Bochs: the exit paths, hostile guests, CPU models with less than is needed."""

import re

import pytest
from system.checks import ask, of, one, stopped, verdict

pytestmark = [pytest.mark.bochs, pytest.mark.timeout(240)]

NEIGHBOUR = "[guest neighbour]\nimage = hello.elf\nmemory = 4M\nargs = ticks=300\nexpect = exit 0\n"


def guest(name, image, arguments="", expect="stopped", more=""):
    return (f"[guest {name}]\nimage = {image}.elf\nmemory = 4M\nargs = {arguments}\n{more}"
            f"expect = {expect}\n")


def neighbour_is_well(run):
    stopped(run, "neighbour")
    assert one(run, "guest.output", name="neighbour", text="300 timer interrupts")


@pytest.fixture(name="bochs")
def on_bochs(boot):
    def run(text, **options):
        return boot.to_the_end(text, on="bochs", limit=options.pop("limit", 120), **options)
    return run


def test_the_scenario_ends_as_expected(boot):
    run = boot.to_the_end(scenario="bochs", on="bochs", limit=60)
    assert one(run, "cpu.backend")["name"] == "vmx"
    stopped(run, "alpha")
    stopped(run, "beta", status=7)
    verdict(run)


def test_the_prompt_follows_ept(boot):
    """Entries as VMX has them: rights in bits 2:0, the memory type in 5:3 of a leaf (SDM 3C 29.3.2); and no unit is there."""
    run = boot(guest("alpha", "hello", "ticks=1000000"), on="bochs", batch=False, limit=100)
    run.wait_for("guest.started", name="alpha", timeout=60)
    base = one(run, "guest.created", name="alpha").number("base")
    answer = ask(run, "walk cpu alpha 0x201234", rf"^reaches {base + 0x201234:#x} \((?:2M|4K) page, read write execute\), owner alpha$").replace("\r", "")
    entries = re.findall(r"^  level \d \w+ +at 0x[0-9a-f]+ = (0x[0-9a-f]{16})  (.*)$", answer, re.MULTILINE)
    assert answer.startswith("EPT of alpha, 4 levels from 0x") and len(entries) in (3, 4)
    large = len(entries) == 3
    assert [words for _entry, words in entries] == ["read write execute, table"] * (len(entries) - 1) + [f"read write execute, {'2M' if large else '4K'} page"]
    assert int(entries[-1][0], 16) == base + (0x200000 | 1 << 7 if large else 0x201000) | 6 << 3 | 7
    ask(run, "walk cpu alpha 0xfee00000", "^an exit: nothing is mapped at 0xfee00000$")
    ask(run, "map", rf"^map\.cpu guest=alpha address=0x0 physical={base:#x} size=0x400000 rights=rwx$")
    for line in ("iommu", "iommu -v", "walk irq 0"):
        ask(run, line, "^no IOMMU$")
    ask(run, "why 00:00.0 0", "^read: not translated by any unit$")


ENDINGS = {
    "triple": ("act=triple", "triple-fault"),
    "hole": ("act=read address=0xa0000000", "memory-access"),
    "lapic": ("act=write address=0xfee00300", "memory-access"),
    "beyond": ("act=write address=0x400000", "memory-access"),
    "execute": ("act=execute address=0x90000000", "memory-access"),
    "tables": ("act=tables address=0x80000000", "memory-access"),
    "storm": ("act=storm", "exception-storm"),
    "spin": ("act=spin", "time-limit"),
    "halt": ("act=halt", "time-limit"),
    "cpuid": ("act=cpuid", "time-limit"),
    "vectors": ("act=vectors", "time-limit"),
}


@pytest.mark.parametrize("names", [("triple", "hole", "lapic", "beyond", "execute"),
                                   ("tables", "storm", "spin", "halt", "cpuid"),
                                   ("vectors",)], ids="+".join)
def test_only_the_guilty_guest_ends(bochs, names):
    text = NEIGHBOUR
    for name in names:
        arguments, reason = ENDINGS[name]
        text += guest(name, "hostile", arguments, more="time_limit = 1\n" if reason == "time-limit" else "")
    run = bochs(text, cpus=7)
    for name in names:
        assert one(run, "guest.stopped", name=name)["reason"] == ENDINGS[name][1]
        if ENDINGS[name][1] != "time-limit":
            assert "rip=0x" in one(run, "guest.fault", name=name)["message"]
    assert not of(run, "cpu.exception") and not of(run, "guest.lost")
    assert not [line for line in of(run, "guest.output") if "nothing stopped me" in line["text"]]
    neighbour_is_well(run)
    verdict(run)


def test_what_a_guest_does_not_have_does_not_exist(bochs):
    """Registers, ports, calls, instructions (VMX's own, XSETBV, INVD, RDPMC, CR4), interrupt commands."""
    names = ("msr", "port", "call", "instruction", "command")
    run = bochs(NEIGHBOUR + "".join(guest(name, "sweep", f"what={name}", "exit 0") for name in names), cpus=7)
    for name in names:
        said = [line["text"] for line in of(run, "guest.output", name=name)]
        assert f"{name}: 0 wrong" in said, said
        stopped(run, name)
    neighbour_is_well(run)
    verdict(run)


def test_two_vcpus_start_each_other_and_nobody_else(bochs):
    run = bochs(NEIGHBOUR + guest("pair", "pair", expect="exit 0", more="cpus = 2\n"), cpus=5)
    assert one(run, "guest.output", name="pair", text="the second vCPU started 2 times")
    stopped(run, "pair")
    neighbour_is_well(run)
    verdict(run)


def test_more_vcpus_than_cores_are_refused(bochs):
    run = bochs(NEIGHBOUR + guest("greedy", "pair", expect="exit 0", more="cpus = 4\n"), cpus=4)
    assert not of(run, "guest.created", name="greedy")
    neighbour_is_well(run)
    verdict(run, "failed")


@pytest.mark.parametrize("model", ["corei7_skylake_x", "corei7_icelake_u", "corei7_ivy_bridge_3770k", "arrow_lake"])
def test_cpu_models_with_all_that_is_needed(bochs, model):
    run = bochs(NEIGHBOUR + guest("instruction", "sweep", "what=instruction", "exit 0"), cpus=3, cpu=model)
    assert one(run, "cpu.backend")["name"] == "vmx"
    # No model of Bochs says that its instruction TLB bears pages that change their size.
    # So code runs from small pages, while memory as a whole is mapped by large ones.
    assert one(run, "vmx.itlb_multihit")["code"] == "4K"
    assert one(run, "guest.tables", name="neighbour")["memory_largest"] == "2M"
    stopped(run, "instruction")
    neighbour_is_well(run)
    verdict(run)


def test_svm_of_another_maker(bochs):
    run = bochs(NEIGHBOUR + guest("instruction", "sweep", "what=instruction", "exit 0"), cpus=3,
                cpu="ryzen, add_features=x2apic")
    assert "no VMX, so SVM" in one(run, "cpu.backend", name="svm")["message"] and not of(run, "cpu.refused")
    stopped(run, "instruction")
    neighbour_is_well(run)
    verdict(run)


# A model, and what the first refusal of VMX or the core names.
LACKING = {
    "core2_penryn_t9600, add_features=x2apic": {"name": "vmx", "control": "EPT", "msr": "0x48b"},
    "corei5_lynnfield_750, add_features=x2apic": {"name": "vmx", "control": "unrestricted guest", "msr": "0x48b"},
    "corei7_skylake_x, exclude_features=vmx": {"name": "vmx"},
    "corei7_sandy_bridge_2600k": {"name": "x2apic", "cpuid": "0x1"},
}


@pytest.mark.parametrize("model", LACKING)
def test_a_cpu_that_lacks_something_is_told_what(boot, model):
    run = boot(NEIGHBOUR, on="bochs", limit=60, cpus=2, cpu=model, batch=False)
    run.wait_for("monitor.ready", timeout=40)
    refusals = of(run, "cpu.refused")
    assert refusals[0].matches("cpu.refused", LACKING[model]), refusals[0].text
    assert all(line["message"] for line in refusals)
    assert not of(run, "cpu.backend") and not of(run, "guest.started")
    assert one(run, "guest.refused", guest="neighbour")["message"]
    run.stop()
