# SPDX-License-Identifier: MIT
"""Mutation scenarios of the EFI application; see scenarios.py."""

import subprocess
from pathlib import Path

from machine import Machine, MachineEnded, MachineSpec, MachineTimeout, disk, machine

from .scenarios import LIMIT, guest, unexpected

CONFIG = guest("alpha", "hello.elf", args="ticks=2", expect="exit 0").encode()
LOADER = "/EFI/BOOT/BOOTX64.EFI"  # in GRUB's place


def sealed_files(image: Path, stage: Path) -> dict[str, bytes | Path]:
    """A medium whose application has digests: not signed, which is the firmware's part."""
    folder = stage / "bulkhead"
    folder.mkdir(parents=True)
    build = image.parent
    contents = {"bulkhead.elf": disk.read_from_image(image, "/bulkhead/bulkhead.elf"), "test.conf": CONFIG,
                "hello.elf": disk.read_from_image(image, "/bulkhead/hello.elf"), "default": b"test.conf\n", "batch": b"1\n"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    tools = build.parent / "boot"
    subprocess.run([tools / "sign.sh", "list", folder], check=True)
    subprocess.run([tools / "application.py", "seal", build / "bulkhead.efi", stage / "sealed.efi", folder / "bulkhead.elf",
                    folder / "SHA256SUMS"], check=True)
    contents["SHA256SUMS"] = (folder / "SHA256SUMS").read_bytes()
    return {LOADER: stage / "sealed.efi", **{f"/bulkhead/{name}": content for name, content in contents.items()}}


def started(image: Path, directory: Path, **options) -> Machine:
    return machine("tcg", MachineSpec(image=image, batch=False, cpus=2, **options), LIMIT, directory)


def changed_image(image: Path, directory: Path) -> str | None:
    """One byte of a guest's image is another than when the application got its digests: nothing is started."""
    files = sealed_files(image, directory / "stage")
    files["/bulkhead/hello.elf"] = files["/bulkhead/hello.elf"][:-1] + b"x"
    with started(image, directory / "run", files=files) as run:
        try:
            found = run.console.expect_exact(["Bulkhead cannot start: \\bulkhead\\hello.elf was changed", "boot.start"],
                                             timeout=40)
        except (MachineTimeout, MachineEnded, EOFError) as error:
            return f"nothing is said of the changed file: {type(error).__name__}"
    return "the hypervisor is started from a medium with a changed file" if found else None


def strict(image: Path, directory: Path) -> str | None:
    """Firmware that lets no page be executed before it is asked to (tests/efi/strict.c)."""
    subprocess.run(["make", "--no-print-directory", "build/tests/strict.efi"], cwd=image.parents[1], check=True,
                   stdout=subprocess.DEVNULL)
    files = {LOADER: image.parent / "tests/strict.efi", "/EFI/bulkhead/loader.efi": image.parent / "bulkhead.efi",
             "/bulkhead/test.conf": CONFIG, "/bulkhead/default": b"test.conf\n", "/bulkhead/batch": b"1\n"}
    with started(image, directory, files=files, firmware="protected") as run:
        try:
            run.wait_for("boot.start", timeout=15)
            run.wait(30)
        except (MachineTimeout, MachineEnded):
            return "the switch to the hypervisor does not run"
    if "every page for code is read-only" not in (run.directory / "serial.log").read_text(errors="replace"):
        return "the page of the switch can be written"
    return unexpected(run)
