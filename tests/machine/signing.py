# SPDX-License-Identifier: MIT
"""A boot medium that is signed with the test key that the emulated firmware trusts, as `make usb KEY= CERT=` signs one
with the user's (boot/sign.sh)."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from . import disk, paths

BOOT = paths.REPOSITORY / "boot"
TOOLS = ("sbsign", "openssl")


def missing_tools() -> list[str]:
    return [tool for tool in TOOLS if not shutil.which(tool)]


def _run(*command) -> None:
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise disk.ImageError(f"{Path(str(command[0])).name} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def open_key(folder: Path) -> tuple[Path, Path]:
    """The test key without its pass phrase, in that folder, and its certificate."""
    if missing_tools():
        raise disk.ImageError(f"{' and '.join(missing_tools())} cannot be found: run tests/machine/setup.sh build")
    key, certificate = paths.test_key()
    opened = folder / "key.pem"
    _run("openssl", "rsa", "-passin", "pass:snakeoil", "-in", key, "-out", opened)
    return opened, certificate


def sign_medium(image: Path, build: Path, first: Path | None = None) -> None:
    """Everything that is on it now is in the signed list. There is no GRUB on it any more. first: an EFI program that
    starts \\EFI\\bulkhead\\loader.efi, to stand before Bulkhead's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key, certificate = open_key(folder)
        listed, application = folder / "bulkhead", folder / "application.efi"
        _run("env", "MTOOLS_SKIP_CHECK=1", "mcopy", "-s", "-Q", "-i", f"{image}@@{disk.esp_offset(image)}", "::/bulkhead",
             folder)
        _run(BOOT / "sign.sh", "seal", listed, build / "bulkhead.efi", application, key, certificate)
        files: dict[str, bytes | Path] = {"/bulkhead/SHA256SUMS": listed / "SHA256SUMS",
                                          "/EFI/BOOT/BOOTX64.EFI": application}
        if first:
            program = folder / "first.efi"
            shutil.copyfile(first, folder / "unsigned.efi")
            _run(BOOT / "application.py", "nx", folder / "unsigned.efi")
            _run("sbsign", "--key", key, "--cert", certificate, "--output", program, folder / "unsigned.efi")
            files |= {"/EFI/BOOT/BOOTX64.EFI": program, "/EFI/bulkhead/loader.efi": application}
        disk.put_into_image(image, files)
