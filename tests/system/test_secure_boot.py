# SPDX-License-Identifier: MIT
"""Secure Boot: what the firmware starts, and what the EFI application then takes from the medium."""

import subprocess
from pathlib import Path

import pytest
from system.checks import one, sound

from conftest import make
from machine import disk, signing

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.tcg, pytest.mark.timeout(180),
              pytest.mark.skipif(bool(signing.missing_tools()), reason="no sbsign or openssl")]

TEXT = "[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=2\n"
OTHER = TEXT.replace("alpha", "other")
REFUSED = "Bulkhead cannot start: "


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> tuple[Path, Path]:
    """The test key without its pass phrase, and its certificate."""
    return signing.open_key(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def signed(boot, keys, tmp_path_factory) -> Path:
    """A signed stick that starts test.conf and powers off; other.conf is on it as well."""
    folder = tmp_path_factory.mktemp("signed")
    files = {"test.conf": TEXT, "other.conf": OTHER, "batch": "1\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    image = folder / "signed.img"
    done = make("usb", f"KEY={keys[0]}", f"CERT={keys[1]}", f"OWN_IMAGE={image}", "DEFAULT=test.conf",
                "FILES=" + " ".join(str(folder / name) for name in files))
    assert done.returncode == 0, done.stdout + done.stderr
    return image


def start(boot, image, firmware="plain", **options):
    """With one CPU: each more costs this firmware seconds, since all of them enter SMM at each access to a variable."""
    return boot(**{"scenario": None, "image": image, "firmware": firmware, "batch": False, "limit": 60, "cpus": 1} | options)


def refusal(run) -> str:
    """What the application says before it gives up."""
    run.console.expect_exact(REFUSED, timeout=40)
    run.console.expect(r"Press a key", timeout=10)
    said = run.console.before
    run.stop()
    return " ".join(said.split())


def changed(image: Path, name: str, tmp_path) -> Path:
    """A copy with one bit of one file another."""
    copy = tmp_path / "changed.img"
    disk.copy_sparse(image, copy)
    content = bytearray(disk.read_from_image(image, name))
    content[len(content) // 2] ^= 1
    disk.put_into_image(copy, {name: bytes(content)})
    return copy


def test_the_firmware_refuses_what_is_not_signed(boot):
    run = start(boot, boot.built / "bulkhead.img", "secure")
    run.console.expect_exact("Access Denied", timeout=60)
    assert not run.events
    run.stop()


def test_a_signed_stick_runs(boot, signed):
    """With Secure Boot, and with firmware that lets no page be written and executed: neither the application's own, nor
    that which the switch to the hypervisor's page tables runs in."""
    run = start(boot, signed, "strict", cpus=2)
    run.wait(60)
    assert one(run, "boot.verified")["secure_boot"] == "on"
    assert one(run, "config.read")["file"] == "test.conf"
    assert "does not say" not in (run.directory / "serial.log").read_text(errors="replace")
    sound(run)
    assert run.outcome().ok


def test_the_firmware_refuses_a_changed_application(boot, signed, tmp_path):
    run = start(boot, changed(signed, "/EFI/BOOT/BOOTX64.EFI", tmp_path), "secure")
    run.console.expect(r"Access Denied|Security Violation", timeout=60)
    run.stop()


@pytest.mark.parametrize("name", ["hello.elf", "bulkhead.elf", "test.conf", "SHA256SUMS", "default"])
def test_one_changed_bit_is_refused_by_name(boot, signed, tmp_path, name):
    """By the application itself, whatever the firmware does."""
    run = start(boot, changed(signed, f"/bulkhead/{name}", tmp_path), "secure" if name == "hello.elf" else "plain")
    said = refusal(run)
    assert said.startswith(f"\\bulkhead\\{name} was changed after it was signed"), said
    assert "sign the medium again" in said
    assert not run.events


def test_the_page_of_the_switch_may_run_and_nobody_may_write_it(boot):
    """With firmware that lets loader code be executed only when it is asked to (tests/efi/strict.c)."""
    subprocess.run(["make", "-s", "--no-print-directory", "efi-tests"], cwd=ROOT, check=True)
    run = boot(TEXT, firmware="protected", cpus=2, limit=60,
               files={"/EFI/BOOT/BOOTX64.EFI": boot.built / "tests/strict.efi",
                      "/EFI/bulkhead/loader.efi": boot.built / "bulkhead.efi"})
    run.console.expect(r"strict: (.*)\r", timeout=50)
    assert run.console.match.group(1) == "every page for code is read-only and can be executed"
    run.wait(30)
    assert run.outcome().ok
