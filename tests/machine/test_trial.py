# SPDX-License-Identifier: MIT
"""A kvm that was chosen and does not come up makes way for tcg, and says why. This computer need not have KVM: its
answer is made up, and QEMU is a program of the test's own, but for the one test in which the hypervisor itself finds
nothing."""

import re
import stat
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import Kvm, MachineSpec, Stack, Tcg, kvm, machine, run, trial  # noqa: E402
from machine.qemu_command import Places, nested_arguments  # noqa: E402

LOG = {"boot.start": "[0.1] boot.start version=1", "cpu.backend": "[0.2] cpu.backend name=vmx",
       "monitor.ready": '[0.3] monitor.ready message="type help"'}
GOOD = "; ".join(f"echo '{line}'" for line in LOG.values()) + "; echo '[0.4] run.verdict result=ok'; exit 33"


def program(folder: Path, name: str, script: str) -> list:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [path]


@pytest.fixture
def offered(monkeypatch, tmp_path):
    """A computer whose KVM offers VMX; offered(script, tcg) sets what its QEMU does. late: the milestone that it
    misses."""
    monkeypatch.setattr(run, "choose_machine", lambda: kvm.choose_machine(lambda: {1: (0, 0, kvm.VMX, 0)}))

    def behave(script: str, tcg: str | None = GOOD, late: str = "") -> None:
        limits = tuple((name, 1 if name == late else 90) for name, _ in trial.MILESTONES)
        monkeypatch.setattr(trial, "MILESTONES", limits)
        monkeypatch.setattr(Kvm, "_program", lambda machine: program(tmp_path, "kvm", script))
        if tcg is not None:
            monkeypatch.setattr(Tcg, "_program", lambda machine: program(tmp_path, "tcg", tcg))
    return behave


@pytest.fixture
def image(built):
    """Something to boot; the scenario's guests have 2 s until the prompt for their memory besides."""
    return ["--image", str(built / "bulkhead.img"), "--scenario", "sriov"]


@pytest.mark.parametrize("script, words", [
    ("exec sleep 600", "there was no boot.start in 1 s; the serial line is empty"),
    ("echo 'Could not access KVM kernel module: Permission denied' >&2; exit 1",
     "QEMU ended with status 1 before boot.start; QEMU says: Could not access KVM kernel module: Permission denied"),
    ("kill -9 $$", "QEMU ended before boot.start; the serial line is empty"),
    ("echo 'BdsDxe: failed to load Boot0001'; exec sleep 600",
     "there was no boot.start in 1 s; the last line is: BdsDxe: failed to load Boot0001"),
    (f"echo '{LOG['boot.start']}'; exec sleep 600",
     "there was no cpu.backend in 1 s; the last line is: [0.1] boot.start"),
    (f"echo '{LOG['boot.start']}'; echo 'KVM: entry failed, hardware error 0x7' >&2; kill -6 $$",
     "QEMU ended before cpu.backend; QEMU says: KVM: entry failed, hardware error 0x7"),
    (f"""echo '{LOG['boot.start']}'; echo '[0.2] cpu.refused name=vmx message="no EPT"'; echo '{LOG['monitor.ready']}';
     exec sleep 600""", "monitor.ready came without cpu.backend; cpu.refused: no EPT"),
    (f"echo '{LOG['boot.start']}'; echo '[0.2] boot.failed message=\"no memory\"'; exec sleep 600",
     "boot.failed came without cpu.backend"),
    (f"echo '{LOG['boot.start']}'; echo '{LOG['cpu.backend']}'; exec sleep 600",
     "there was no monitor.ready in 3 s; the last line is: [0.2] cpu.backend"),
    ("while :; do echo nonsense; sleep 0.01; done", "there was no boot.start in 1 s; the last line is: nonsense"),
])
def test_what_does_not_come_up_makes_way(offered, image, capfd, script, words):
    late = re.match(r"there was no (\S+) in", words)
    offered(script, late=late.group(1) if late else "")
    assert run.main([*image, "--batch"]) == 0
    said = capfd.readouterr()
    assert f"run: kvm did not come up: {words}" in said.err
    assert "machine=kvm (KVM offers VMX to its guests)" in said.err
    assert "machine=tcg (since kvm did not come up; MACHINE=kvm takes kvm and nothing else)" in said.err
    assert "run: succeeded" in said.err
    assert said.out.replace("\r", "").splitlines() == [*LOG.values(), "[0.4] run.verdict result=ok"], "tcg's log alone"


def test_what_comes_up_stays(offered, image, capfd):
    offered(GOOD, tcg="exit 1")
    assert run.main([*image, "--batch"]) == 0
    said = capfd.readouterr()
    assert "machine=tcg" not in said.err and said.out.splitlines()[:3] == [*LOG.values()], "all of the log, in order"


@pytest.mark.parametrize("script", ["exit 1", f"echo '{LOG['boot.start']}'; exit 1"])
def test_kvm_that_was_asked_for_is_kvm(offered, image, capfd, script):
    offered(script)
    assert run.main([*image, "--batch", "--machine", "kvm"]) == 1
    said = capfd.readouterr().err
    assert "machine=kvm (as asked)" in said and "machine=tcg" not in said and "FAILED" in said


def test_both_may_fail(offered, image, capfd):
    offered("exit 1", tcg="echo tcg broke >&2; exit 3")
    assert run.main([*image, "--batch"]) == 1
    said = capfd.readouterr().err
    assert "kvm did not come up" in said and "tcg broke" in said and said.count("machine=tcg") == 1


def test_the_runs_own_time_limit_is_named(offered, image, capfd):
    offered("exec sleep 600")
    run.main([*image, "--batch", "--timeout", "1"])
    assert "there was no boot.start in 1 s" in capfd.readouterr().err


def test_a_hypervisor_without_a_back_end_is_noticed(offered, built, capfd):
    """The real thing: QEMU without VMX and SVM, in kvm's place."""
    offered("", tcg=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kvm, "_program", Tcg._program)
        patch.setattr(Kvm, "_arguments", lambda self, places: Tcg._arguments(
            type(self)(self.spec.but(cpu="max,+x2apic,svm=off")), places))
        patch.setattr(run, "started", first_only(run.started))
        assert run.main(["--image", str(built / "bulkhead.img"), "--batch"]) == 0
    assert "kvm did not come up: monitor.ready came without cpu.backend; cpu.refused: " in capfd.readouterr().err


def first_only(started):
    """run.started(), whose second machine is one that says at once that all went well."""
    def once(name, *arguments):
        if name == "tcg":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Tcg, "_program", lambda machine: program(machine.directory, "tcg", GOOD))
                return started(name, *arguments)
        return started(name, *arguments)
    return once


# What the lane and the stacked machine's middle floor are.

WIDE = {"nics": (run.Nic("igb", "switch"), run.Nic("e1000e")), "nvmes": (), "cpus": 6, "memory": 700, "aw_bits": 39}


@pytest.mark.parametrize("changes", [{}, WIDE, {"intremap": False}, {"iommu": False}, {"boot": "usb"}])
def test_the_stacked_machine_runs_the_same_command_line(built, tmp_path, monkeypatch, changes):
    """What QEMU is really given, on both: the same but for where its files are."""
    spec = MachineSpec(image=built / "bulkhead.img", scenario="sriov", **changes)
    monkeypatch.setattr(Kvm, "_program", lambda machine: program(tmp_path, "kvm", 'printf "%s\\n" "$@" >given'))
    with machine("kvm", spec, 30, tmp_path / "kvm-run") as there:
        there.wait(10)
    inside = Stack(spec, 30, tmp_path / "stack-run")
    inside.directory.mkdir()
    size = (built / "bulkhead.img").stat().st_size
    given = inside._job(size).decode().splitlines()
    assert given[:2] == ["-L", "/tools/qemu"]
    here = (there.directory / "given").read_text().splitlines()
    assert here[-2:] == ["-qmp", "unix:qmp.sock,server=on,wait=off"], "the control socket is all that it has besides"
    for own, theirs in ((f"readonly=on,file={paths_of(here, 'readonly=on,file=')}", "readonly=on,file=/tools/code.fd"),
                        (f"file={there.directory}/vars.fd", "file=/tmp/vars.fd"),
                        (f"file={there.directory}/bulkhead.img",
                         f"file.driver=host_device,file.filename=/dev/image,size={size}")):
        here = [word.replace(own, theirs) for word in here]
    assert here[:-2] == given[2:]
    assert "kvm" in given and "q35,hpet=off,kernel-irqchip=split" in given and "host" in given


def paths_of(words: list[str], key: str) -> str:
    return next(word.split(key)[1] for word in words if key in word)


def test_one_function_makes_both():
    places = Places("code.fd", "vars.fd", "file=disk.img", directory="/run")
    assert Kvm(MachineSpec())._arguments(places) == nested_arguments(MachineSpec(), places)
