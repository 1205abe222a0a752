# SPDX-License-Identifier: MIT
"""`make check-config`: the hypervisor's own parser on this computer. Every error with its place, and no traceback."""

import random
import sys

import pytest

from conftest import ROOT, make

sys.path.insert(0, str(ROOT / "tests/tools"))
import check_config  # noqa: E402
from machine import choices, configuration, scenario  # noqa: E402

WRONG = """[nic uplink]
[guest a]
image = hello.elf
cpus = two
memory = 33
[gest b]
[guest c]
image = helo.elf
memroy = 4M
"""
EXPECTED = ["1:1: this section has no key 'device', which it needs", "4:8: bad number 'two'; a guest has 1 to 64 cpus",
            "5:10: bad memory size '33'; allowed: multiples of 2M up to 510G, written like 32M or 24G",
            "6:2: unknown section 'gest'; allowed: [system], [nic NAME], [disk NAME], [guest NAME]",
            "9:1: unknown key 'memroy'; allowed: image, initrd, memory, cpus, cores, node, device, accept_reserved, accept_flash, "
            "args, fault_action, fault_threshold, console_input, time_limit, expect, expect_faults"]


@pytest.fixture(scope="module", autouse=True)
def tool():
    done = make("-s", "build/config")
    assert done.returncode == 0, done.stderr


def checked(capsys, *arguments) -> tuple[int, list[str], str]:
    status = check_config.main([str(word) for word in arguments])
    said = capsys.readouterr()
    return status, said.out.splitlines(), said.err


def test_every_error_has_its_place(capsys, tmp_path):
    path = tmp_path / "my own.conf"
    path.write_text(WRONG)
    status, lines, errors = checked(capsys, path)
    assert (status, errors) == (1, "") and lines[:-1] == [f"{path}:{line}" for line in EXPECTED]
    assert lines[-1].startswith(f"{path}: 5 errors; ")


def test_all_that_there_are_pass(capsys):
    for name in choices.scenarios():
        status, lines, errors = checked(capsys, "--scenario", name)
        assert status == 0 and not errors and len(lines) == 1 and ": no error: " in lines[0], lines


def test_a_file_that_is_nowhere_is_a_warning(capsys, tmp_path):
    path = tmp_path / "a.conf"
    path.write_text("[guest a]\nimage = helo.elf\n[guest b]\n  image = mine.elf\ninitrd = vmlinuz-13\n")
    (tmp_path / "mine.elf").write_bytes(b"")
    status, lines, _ = checked(capsys, path)
    assert status == 0 and lines[0].startswith(f"{path}:2:9: warning: 'helo.elf' is not among")
    assert lines[0].endswith("add it to the medium with FILES=helo.elf; did you mean 'hello.elf'?") and len(lines) == 2


def test_what_a_machine_lacks_is_a_warning(capsys, tmp_path):
    path, report = tmp_path / "a.conf", ROOT / "tests/machine/reports/like-server"
    path.write_text("[nic a]\ndevice = 8086:10c9\nvfs = 9\n[nic b]\ndevice = 8086:10c8\n[nic c]\ndevice = 00:1f.2\nvfs = 1\n"
                    "[guest a]\nimage = hello.elf\nmemory = 2G\ncores = 4-9\n[guest b]\nimage = hello.elf\ncpus = 2\n")
    status, lines, _ = checked(capsys, path, "--report", report)
    assert status == 0
    assert [line.removeprefix(f"{path}:").partition(": warning: ")[::2] for line in lines[:-1]] == [
        ("1:1", "a: 8086:10c9 has 8 VFs on that machine, and vfs = 9 asks for more"),
        ("4:1", "b: that machine has no function 8086:10c8; did you mean '8086:10c9'?"),
        ("6:1", "c: 00:1f.2 has no SR-IOV on that machine, and vfs = 1 asks for it"),
        ("9:1", "a: that machine has the cores 1 to 7 for guests"),
        ("13:1", "the guests ask for 2080 MiB together; that machine has 1017 MiB for them"),
        ("13:1", "the guests ask for 8 cores together; that machine has 7 beside the hypervisor's")]
    assert "no VT-d unit" in checked(capsys, path, "--report", ROOT / "tests/machine/reports/like-amd")[1][1]


def test_what_cannot_be_read_is_said(capsys, tmp_path):
    (tmp_path / "large").write_bytes(b"#" * (1 << 20))
    (tmp_path / "good.conf").write_text("[guest a]\nimage = hello.elf\n")
    for words, what in (((tmp_path,), "Is a directory"), ((tmp_path / "none",), "No such file"), ((tmp_path / "large",), "1 MiB or more"),
                        ((), "FILE=my.conf"), (("--scenario", "sriow"), "did you mean 'sriov'?"), (("",), ""),
                        ((tmp_path / "good.conf", "--report", tmp_path), "preflight.txt"),
                        ((tmp_path / "good.conf", "--report", tmp_path / "good.conf"), "this is not a report"),
                        ((tmp_path / "good.conf", "--report", "none"), "no such file")):
        status, _, errors = checked(capsys, *words)
        assert status == 2 and what in errors and len(errors.splitlines()) == 1, (words, errors)
    status, lines, errors = checked(capsys, tmp_path / "none", tmp_path / "good.conf")
    assert status == 2 and len(lines) == 1 and "No such file" in errors, "the others are looked at all the same"


def test_rubbish_is_read_to_its_end(capsys, tmp_path):
    """Any bytes: an answer, with as many errors as the hypervisor counts."""
    chance, path = random.Random(13), tmp_path / "x.conf"
    sources = [(ROOT / "config" / f"{name}.conf").read_bytes() for name in ("sriov", "storage", "linux")]
    for round_ in range(25):
        content = bytearray(chance.choice(sources) if round_ % 4 else chance.randbytes(chance.randrange(5000)))
        for _ in range(chance.randrange(1, 20)):
            at = chance.randrange(len(content) + 1)
            content[at:at + chance.randrange(8)] = chance.choice(
                [b"", b"=", b"[", b"]\n[nic x]\n", b"\n", b"\xff\xfe", b"\0", b"two", b'"', b"\\", "ü".encode(), b"cpus =", b"9" * 30])
        path.write_bytes(content)
        status, lines, errors = checked(capsys, path)
        read = configuration.parse(configuration.text_of(path))
        assert status == (1 if read["errors"] else 0) and not errors
        assert len(configuration.complaints(configuration.text_of(path))) == read["errors"]
        text = configuration.text_of(path)
        assert scenario.cpus(text) >= 4 and scenario.memory(text) >= 512 and scenario.nics(text)


def test_make_says_the_same(tmp_path):
    path = tmp_path / "a.conf"
    path.write_text(WRONG)
    done = make("check-config", f"FILE={path} config/sriov.conf")
    assert done.returncode == 2 and f"{path}:{EXPECTED[1]}" in done.stdout and "config/sriov.conf: no error" in done.stdout
    assert make("check-config", "SCENARIO=sriov").returncode == 0
    assert "FILE=my.conf" in make("check-config").stderr
