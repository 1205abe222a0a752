# SPDX-License-Identifier: MIT
"""What the runner refuses before it starts a machine, and how it says why one was not as it should be."""

import shutil
from pathlib import Path

import pytest

from conftest import ROOT

from machine import Bochs, Kvm, LogReader, MachineSpec, Nic, Stack, Tcg, before, causes, choices, run  # noqa: E402
from machine.machine import Outcome  # noqa: E402

WRONG = "[nic uplink]\n[guest a]\nimage = hello.elf\ncpus = two\n"


@pytest.fixture
def no_machine(monkeypatch):
    """Whoever starts one fails the test."""
    monkeypatch.setattr(run, "machine", lambda *_: pytest.fail("a machine was made"))


def refused(capfd, *words) -> list[str]:
    """The lines on standard error of a runner that starts nothing."""
    try:
        status = run.main([*map(str, words), "--batch"])
    except SystemExit as ended:
        status = ended.code
    said = capfd.readouterr()
    assert status == 2 and not said.out, said
    assert said.err.startswith("run: error: ") and "Traceback" not in said.err
    return said.err.splitlines()


@pytest.mark.parametrize("words, what", [
    (["--machine", "bosch"], "there is no machine 'bosch': there are bochs, kvm, stack, tcg; did you mean 'bochs'?"),
    (["--scenario", "lnux"], "there is no scenario 'lnux': there are "), (["--scenario", ""], "there is no scenario ''"),
    (["--scenario", "../sriov"], "give a name without folders"), (["--scenario", "x" * 9999], "... (9999 characters)"),
    (["--scenario", "\x1b[2J"], "'\\x1b[2J'"), (["--scenario", "--help"], "expected one argument"), (["--scenario"], "expected one"),
    (["--like", "minpc"], "did you mean 'minipc'?"), (["--like", "server", "--machine", "bochs"], "not in bochs"),
    (["--qemu", "12"], "there are 10, 11"), (["--cpus", "two"], "'two' is not a number from 1 to 4096"), (["--cpus", "-1"], "--cpus"),
    (["--cpus", "0"], "not a number"), (["--cpus", "9" * 99], "not a number"), (["--memory", "1"], "not a number"), (["--memory", "32M"], "'32M'"),
    (["--boot", "floppy"], "there are disk, usb, iso"), (["--firmware", "x"], "there are plain, secure"), (["--aw-bits", "64"], "39, 48"),
    (["--nic", "igx"], "did you mean 'igb'?"), (["--nic", "igb@switchx"], "did you mean 'switch'?"), (["--gdb", "0"], "1 to 65535"),
    (["--timeout", "nan"], "not a time"), (["--timeout", "0"], "not a time"), (["--timeout", "inf"], "not a time"), (["--timeout", "x"], "not a time"),
    (["--file", "x"], "give TARGET=FILE"), (["--file", "="], "TARGET=FILE"), (["--file", "/a=/none"], "'/none' is not there"),
    (["--file", "/a=/"], "'/' is not a file"), (["--file", "/../a=VERSION"], "not a name that"), (["--file", "/a:b=VERSION"], "not a name that"),
    (["--nonsense"], "unrecognized arguments"), (["what"], "unrecognized arguments"),
])
def test_what_cannot_be_is_one_line(no_machine, capfd, monkeypatch, words, what):
    monkeypatch.chdir(ROOT)
    line, = refused(capfd, *words)
    assert what in line and line.isprintable() and len(line) < 450


def test_run_reads_its_options():
    options = run.arguments(["--scenario", "sriov", "--nic", "igb@switch", "--nic", "e1000e", "--cpus", "2",
                             "--file", f"bulkhead/a={ROOT / 'VERSION'}", "--qemu", "11", "--extra", "-s", "-S"])
    spec = run.specification(options, batch=True)
    assert spec.nics == (Nic("igb", "switch"), Nic("e1000e")) and (spec.cpus, spec.qemu) == (2, 11)
    assert spec.extra == ("-s", "-S") and spec.files == {"/bulkhead/a": ROOT / "VERSION"}
    assert run.specification(run.arguments(["--nic", "none"]), batch=True).nics == ()


def test_a_configuration_with_errors_is_not_booted(no_machine, capfd, built, tmp_path, monkeypatch):
    path = tmp_path / "mine.conf"
    path.write_text(WRONG)
    words = ["--machine", "tcg", "--scenario", "mine", "--file", f"/bulkhead/mine.conf={path}"]
    first, *rest = refused(capfd, *words)
    assert f"{path} has 2 errors: correct what is said below, or --anyway boots" in first
    assert rest == [f"{path}:1:1: this section has no key 'device', which it needs", f"{path}:4:8: bad number 'two'; a guest has 1 to 64 cpus"]
    monkeypatch.setattr(run, "machine", lambda *_: (_ for _ in ()).throw(run.MachineError("it would start")))
    assert "it would start" in refused(capfd, *words, "--anyway")[0]
    path.write_text("[guest a]\nimage = hello.elf\ncpus = 6\nmemory = 1G\n")
    spec = run.specification(run.arguments(words), batch=True)
    assert (spec.cpus, spec.memory) == (7, 1472), "the machine is made for the configuration that it gets"


# --- images ---

@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree of its own: an image that is made of one source."""
    (tmp_path / "hypervisor").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "hypervisor/a.c").write_text("good\n")
    (tmp_path / "Makefile").write_text("build/bulkhead.img: hypervisor/a.c\n\tgrep good $< >$@.new && mv $@.new $@\n")
    monkeypatch.setattr(before, "REPOSITORY", tmp_path)
    before.subprocess.run(["make", "-s", "build/bulkhead.img"], cwd=tmp_path, check=True)
    return tmp_path


def later(path: Path, text: str, seconds: float) -> None:
    path.write_text(text)
    time = path.stat().st_mtime + seconds
    before.os.utime(path, (time, time))


def test_an_image_older_than_its_sources_is_not_booted(tree):
    image = tree / "build/bulkhead.img"
    before.check_image(image)
    later(tree / "hypervisor/a.c", "good, but another\n", 10)
    with pytest.raises(choices.Refused, match=r"older than its sources \(hypervisor/a.c has changed\): run make all, or --anyway"):
        before.check_image(image)


def test_nor_after_a_build_that_failed(tree):
    later(tree / "hypervisor/a.c", "bad\n", 10)
    assert before.subprocess.run(["make", "-s", "build/bulkhead.img"], cwd=tree, check=False).returncode == 2
    with pytest.raises(choices.Refused, match="older than its sources"):
        before.check_image(tree / "build/bulkhead.img")
    (tree / "build/bulkhead.img").unlink()
    with pytest.raises(choices.Refused, match="there is no .*: run make all"):
        before.check_image(tree / "build/bulkhead.img")


def test_nor_when_make_cannot_say(tree):
    (tree / "Makefile").write_text("(\n")
    with pytest.raises(choices.Refused, match="make cannot say whether bulkhead.img is up to date .*missing separator"):
        before.check_image(tree / "build/bulkhead.img")


def test_an_image_of_ones_own_is_not_judged(tree):
    shutil.copy(tree / "build/bulkhead.img", tree / "mine.img")
    later(tree / "hypervisor/a.c", "another\n", 10)
    before.check_image(tree / "mine.img")


def test_the_real_one_is_judged_by_make(built, monkeypatch):
    before.check_image(built / "bulkhead.img")
    before.check_image(built / "bulkhead.iso")
    monkeypatch.setenv("MAKEFLAGS", "B -- WARNINGS=-Wall")
    with pytest.raises(choices.Refused, match="not what make would make now"):
        before.check_image(built / "bulkhead.img")
    monkeypatch.setenv("MAKEFLAGS", "Bk")
    before.check_image(built / "bulkhead.img")


@pytest.mark.parametrize("content", [b"", b"\0" * 600, b"\xff" * 5000, b"EFI PART", b"\0" * 512 + b"EFI PART" + b"\xff" * 500])
@pytest.mark.parametrize("boot", ["disk", "usb", "iso"])
def test_rubbish_is_no_medium(capfd, tmp_path, content, boot):
    image = tmp_path / "image"
    image.write_bytes(content)
    status = run.main(["--machine", "tcg", "--image", str(image), "--iso", str(image), "--boot", boot, "--batch"])
    errors = capfd.readouterr().err.splitlines()
    assert status == 2 and errors[1].startswith("run: error: ") and len(errors) < 5


# --- how a run ended ---

def judged(capfd, log: str, status: int = 35, kind=Tcg, emulator: str = "", folder: Path | None = None) -> tuple[int, list[str]]:
    machine = kind(MachineSpec(), 10, folder or Path("/nonexistent"))
    machine.log.feed(log.encode())
    machine.status = status
    if folder:
        (folder / "emulator.log").write_text(emulator)
    result = run.judged(machine)
    return result, [line.removeprefix("run: ") for line in capfd.readouterr().err.splitlines()]


FAILED = """[1.0] config.error file=my.conf line=4 column=8 message="bad number 'two'; a guest has 1 to 64 cpus"
[1.1] guest.refused guest=b line=8 status=not-found message="a device it needs is missing"
[1.2] guest.fault name=c vcpu=0 reason=memory-access message="rip=0x2003e2"
[1.3] guest.stopped name=c status=0 reason=memory-access faults=0
[1.4] audit.violation invariant=I2 subject=uplink where=0x0 value=0x1 message="two domains reach it"
[1.5] run.unexpected guest=a expected=exit/0/faults>=100 got=exit/0/faults=8 message="fewer of its DMA accesses were blocked than expected"
[1.6] run.unexpected guest=b expected=exit/0/faults>=0 got=refused/0/faults=0 message="it was refused"
[1.7] run.unexpected guest=c expected=exit/0/faults>=0 got=memory-access/0/faults=0 message="it was stopped"
[1.8] run.verdict result=failed unexpected=3 audit=failed config=errors message="run.unexpected says"
"""


def test_a_verdict_repeats_its_causes(capfd):
    status, lines = judged(capfd, FAILED)
    assert status == 1
    assert lines[0].endswith("the hypervisor's verdict is not ok: my.conf:4:8: bad number 'two'; a guest has 1 to 64 cpus, and 4 more")
    assert lines[1:] == [
        "  guest a: fewer of its DMA accesses were blocked than expected (expected exit/0/faults>=100, got exit/0/faults=8)",
        "  guest b: it was refused (expected exit/0/faults>=0, got refused/0/faults=0); guest.refused: a device it needs is missing",
        "  guest c: it was stopped (expected exit/0/faults>=0, got memory-access/0/faults=0); guest.stopped: memory-access",
        "  audit, I2: two domains reach it (uplink)"]


def test_every_end_has_its_cause(capfd):
    assert judged(capfd, '[1.0] boot.failed message="no memory map"\n', status=0) == (
        1, ["FAILED after 0.0 s: no run.verdict in the log, exit status 0", '  boot.failed message="no memory map"'])
    _, (line,) = judged(capfd, '[1.0] run.verdict result=failed unexpected=0 audit=ok config=ok message="the configuration has no guest"\n')
    assert line.endswith("the hypervisor's verdict is not ok: the configuration has no guest")
    _, (line,) = judged(capfd, "[1.0] run.verdict result=failed\n")
    assert line.endswith("not ok: no line of the log says why")
    many = "".join(f'[1.0] run.unexpected guest=g{n} expected=x got=y message="other"\n' for n in range(40))
    _, lines = judged(capfd, many + "[2.0] run.verdict result=failed\n")
    assert "and 12 more" in lines[0] and lines[-1] == "  and 28 more" and len(lines) == 13


def test_causes_of_a_log_cut_anywhere():
    for end in range(0, len(FAILED), 7):
        reader = LogReader()
        reader.feed(FAILED[:end].encode() + b"\xff\0\n[9.9] run.unexpected\n[9.9] config.error line=\n")
        reader.finish()
        assert causes.causes(reader.events) and all("\n" not in line for line in causes.causes(reader.events))
    assert causes.causes([]) == [] and isinstance(run.report.text([]), str)


GOOD = '[1.0] iommu.refused message="no DMAR"\n[1.1] run.verdict result=ok\n'
BLOCKED = ("qemu-system-x86_64: vtd_iova_to_slpte: detected slpte permission error (iova=0x21c1f000, level=0x2)\n"
           "qemu-system-x86_64: vtd_iommu_translate: detected translation failure (dev=01:00:00, iova=0x21c1f000)\n"
           "qemu-system-x86_64: New fault is not recorded due to compression of faults\n"
           "qemu-system-x86_64: warning: hub 0 is not connected to host network\n")
DRIVES = "".join(f"00000000000e[      ] state/config:{line}: ataX-master/slave CHS set to 0/0/0 - autodetection enabled\n"
                 for line in (13, 14, 15))
FAREWELL = "Bochs is exiting with the following message:\n[ACPI  ] ACPI control: soft power off\n"


def test_a_good_run_says_nothing_that_reads_as_an_error(capfd, tmp_path):
    for kind in (Tcg, Kvm):
        status, (line,) = judged(capfd, GOOD, 33, kind, BLOCKED, tmp_path)
        assert status == 0 and line.startswith("succeeded")
    status, (note, line) = judged(capfd, GOOD, 1, Bochs, FAREWELL, tmp_path)
    assert status == 0 and line.startswith("succeeded") and note == "iommu.refused above: bochs has no VT-d, which this scenario does without"
    status, (line,) = judged(capfd, GOOD, 33, Stack, DRIVES + FAREWELL, tmp_path)
    assert status == 0 and line.startswith("succeeded"), "it has a unit"
    kept = '[0.5] guest.refused guest=b line=2 message="a device it needs was refused"\n[0.6] run.verdict result=ok\n'
    status, (note, line) = judged(capfd, kept, 33, Tcg, "", tmp_path)
    assert status == 0 and note == "guest.refused above: b, as the configuration expects" and line.startswith("succeeded")
    _, lines = judged(capfd, GOOD, 33, Tcg, BLOCKED + "qemu-system-x86_64: warning: something else\n", tmp_path)
    assert lines[0] == "the emulator says: qemu-system-x86_64: warning: something else"


def test_a_bad_run_keeps_all_that_the_emulator_said(capfd, tmp_path):
    for kind, said in ((Tcg, BLOCKED), (Bochs, FAREWELL)):
        _, lines = judged(capfd, "[1.0] run.verdict result=failed\n", 35, kind, said, tmp_path)
        assert "\n".join(lines).startswith(f"the emulator says: {said.strip()}")
    assert Outcome(True, "ok", 33, "").causes == ()


def test_what_nobody_reads_ends_the_run(monkeypatch):
    listener = run.Listener()
    monkeypatch.setattr(run.os, "write", lambda *_: (_ for _ in ()).throw(BrokenPipeError()))
    monkeypatch.setattr(run.os, "dup2", lambda *_: None)
    listener(b"text")
    assert listener.gone and not run.Listener.gone


REFUSALS = ("00495946686e[CPU1  ] VMFAIL: VMCS invalid host TR selector\n"
            "00495946700e[CPU1  ] VMEXIT: EPT violation for guest paddr 0x0000000f1000 laddr 0x00000000000f1000\n"
            "00496152813e[CPU2  ] VMFAIL: VMCS invalid host TR selector\n"
            "00496152990e[CPU2  ] VMFAIL: VMCS invalid host TR selector\n"
            "00496160000e[CPU3  ] VMENTER FAIL: VMCS guest invalid CR0\n")


def test_what_bochs_processors_refused_is_repeated(capfd, tmp_path):
    (tmp_path / "bochs.log").write_text(REFUSALS)
    status, lines = judged(capfd, "[1.0] run.verdict result=failed\n", 1, Bochs, FAREWELL, tmp_path)
    assert status == 1
    assert lines[:2] == ["the emulator says: VMFAIL: VMCS invalid host TR selector (CPU1, CPU2)", "VMENTER FAIL: VMCS guest invalid CR0 (CPU3)"]
    status, lines = judged(capfd, GOOD, 1, Bochs, FAREWELL, tmp_path)
    assert status == 0 and not any("VMFAIL" in line for line in lines)
