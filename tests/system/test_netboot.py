# SPDX-License-Identifier: MIT
"""Started over the network: the firmware fetches the EFI application by PXE, and this the rest from the same server."""

import subprocess
from pathlib import Path

import pytest
from system.checks import one, sound

from conftest import make
from machine import Nic, signing

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180)]

needs_signing = pytest.mark.skipif(bool(signing.missing_tools()), reason="no sbsign or openssl")

TEXT = "[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=2\n"
MAC = "52:54:00:AB:CD:EF"


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for name in ("left.conf", "right.conf"):
        (folder / name).write_text(TEXT)
    (folder / "batch").write_text("1\n")
    (folder / "hosts").write_text(f"# the class\n{MAC} left.conf   # first row\n52:54:00:ab:cd:00 right.conf\n")
    return folder


def folder_for(target: Path, files: Path, *arguments: str) -> Path:
    chosen = " ".join(str(files / name) for name in ("left.conf", "right.conf", "batch"))
    done = make("netboot", f"TO={target}", f"FILES={chosen}", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def start(boot, folder, **options):
    """QEMU's user network serves the folder; firmware has a driver for the card."""
    card = Nic("virtio-net-pci", placement="root-bus", mac=MAC.lower(),
               netdev=f"user,restrict=on,ipv6=off,tftp={folder},bootfile=bulkhead.efi")
    return boot(**{"scenario": None, "boot": "none", "batch": False, "nics": (card,), "cpus": 2, "limit": 60} | options)


def choose(run, name: str, before: str = "") -> None:
    """Answers the menu."""
    run.console.expect(rf"(\d+)  {name}", timeout=50)
    number = run.console.match.group(1)
    run.console.expect_exact("type a number", timeout=10)
    run.console.send(f"{before}{number}\r")


def test_each_machine_has_its_own_configuration(boot, files, tmp_path):
    """default-MAC goes before default."""
    folder = folder_for(tmp_path / "net", files, f"HOSTS={files / 'hosts'}", "DEFAULT=right.conf")
    assert (folder / "bulkhead/default-52-54-00-ab-cd-00").read_text() == "right.conf\n"
    checked = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder / "bulkhead", check=False)
    assert checked.returncode == 0
    run = start(boot, folder)
    run.wait(60)
    assert one(run, "boot.start")["loader"] == "efi"
    assert one(run, "config.read")["file"] == "left.conf"
    sound(run)
    assert run.outcome().ok


def test_the_menu(boot, files, tmp_path):
    """Without a default one is asked for; what a configuration names and the server has not got is left out."""
    folder = folder_for(tmp_path / "net", files)
    (folder / "bulkhead/hello.elf").unlink()
    run = start(boot, folder)
    choose(run, "right.conf", before="99\r")
    run.wait(60)
    assert "type 1 to" in (run.directory / "serial.log").read_text(errors="replace")
    assert one(run, "config.read")["file"] == "right.conf"
    assert "the loader found no such file" in one(run, "guest.refused")["message"]


def test_preflight_from_the_menu(boot, files, tmp_path):
    """Where GRUB is not the menu has it: the screenful, no guest, and the server is asked for nothing that it could keep."""
    folder = folder_for(tmp_path / "net", files)
    (folder / "bulkhead/batch").unlink()  # which waits for nobody
    run = start(boot, folder)
    run.console.expect_exact("type a number", timeout=50)
    run.console.send("p")
    run.console.expect(r"Bulkhead preflight: .*there is no\s+volume\s+to\s+write\s+to", timeout=30)
    run.console.expect("sriov.conf: [0-9]+ can, ", timeout=10)
    run.console.expect_exact("the firmware then goes on", timeout=10)
    assert not run.events
    run.stop()


def signed_folder(target: Path, files: Path, *arguments: str) -> Path:
    key, certificate = signing.open_key(target.parent)
    return folder_for(target, files, f"KEY={key}", f"CERT={certificate}", *arguments)


def refusal(run) -> str:
    run.console.expect_exact("Bulkhead cannot start: ", timeout=50)
    run.console.expect_exact("Press a key", timeout=10)
    said = " ".join(run.console.before.split())
    assert not run.events
    run.stop()
    return said


@needs_signing
def test_a_signed_folder(boot, files, tmp_path):
    """Secure Boot lets the application in, and the application no image that was changed on the server."""
    folder = signed_folder(tmp_path / "net", files, "DEFAULT=left.conf")
    image = folder / "bulkhead/hello.elf"
    content = image.read_bytes()
    image.write_bytes(content[:-1] + bytes([content[-1] ^ 0x80]))
    said = refusal(start(boot, folder, firmware="secure", cpus=1))
    assert said.startswith("\\bulkhead\\hello.elf was changed after it was signed"), said


@needs_signing
def test_what_was_not_signed_does_not_exist(boot, files, tmp_path):
    """Files that somebody adds choose nothing; one that is gone is missed."""
    folder = signed_folder(tmp_path / "net", files)
    (folder / "bulkhead/default").write_text("left.conf\n")
    (folder / "bulkhead/default-52-54-00-ab-cd-ef").write_text("left.conf\n")
    (folder / "bulkhead/hello.elf").unlink()
    run = start(boot, folder, cpus=1)
    choose(run, "right.conf")
    said = refusal(run)
    assert said.startswith("\\bulkhead\\hello.elf was signed and is not there any more"), said


def test_what_cannot_be_made(tmp_path):
    """Refused by name, and nothing is removed that was not made here."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter").write_text("dear")
    (tmp_path / "hosts").write_text("52:54:00:12:34:56 left.conf\n52-54-00-12-34 sriov.conf\n")
    (tmp_path / "left.conf").write_text(TEXT)
    (tmp_path / "LEFT.conf").write_text(TEXT)
    (tmp_path / "certificate.der").write_bytes(b"\x30\x82")
    wrong = {("TO=" + str(tmp_path / "mine"),): "is not a folder of this kind",
             (f"HOSTS={tmp_path / 'hosts'}",): "line 1: 'left.conf' is not among the files",
             (f"HOSTS={tmp_path / 'hosts'}", f"FILES={tmp_path / 'left.conf'}"): "line 2: '52-54-00-12-34' is not a MAC",
             (f"FILES={tmp_path / 'left.conf'} {tmp_path / 'LEFT.conf'}",): "two files are called left.conf",
             ("DEFAULT=nosuch.conf",): "DEFAULT=nosuch.conf is not among the files",
             (f"KEY={tmp_path / 'left.conf'}",): "belong together",
             (f"KEY={tmp_path / 'left.conf'}", f"CERT={tmp_path / 'certificate.der'}"): "is not a private key in PEM form"}
    for arguments, message in wrong.items():
        done = make("netboot", f"TO={tmp_path / 'net'}", *arguments)
        assert done.returncode != 0 and message in done.stderr, (arguments, done.stdout, done.stderr)
    assert not (tmp_path / "net").exists() and (tmp_path / "mine/letter").read_text() == "dear"
