# SPDX-License-Identifier: MIT
"""What is looked at before a machine starts: is there such a scenario, is its configuration right, and is the image what
the sources make?"""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import choices, configuration
from .choices import REPOSITORY, Refused

SOURCES = ("boot", "config", "drivers", "guest", "hypervisor", "linker.ld", "Makefile", "VERSION")
SHOWN_ERRORS = 20
MAKE_SECONDS = 120


def own_files(texts: Iterable[str]) -> dict[str, Path]:
    """TARGET=FILE words: where on the medium -> which file here."""
    files: dict[str, Path] = {}
    for text in texts:
        target, separator, source = text.partition("=")
        target = "/" + target.strip("/")
        if not separator or not source or target == "/":
            raise Refused(f"--file {choices.shown(text)}: give TARGET=FILE, such as /bulkhead/my.conf=my.conf")
        if not target.isascii() or not target.isprintable() or re.search(r'[\\:*?"<>|]', target) or ".." in target.split("/"):
            raise Refused(f"--file {choices.shown(text)}: {choices.shown(target)} is not a name that a boot medium can have")
        path = Path(source)
        if not path.is_file():
            raise Refused(f"--file {choices.shown(text)}: {choices.shown(source)} is "
                          f"{'not a file' if os.path.exists(path) else 'not there'}")
        files[target] = path
    return files


def configuration_of(name: str | None, files: dict[str, Path], any_name: bool) -> tuple[str, str]:
    """Where the configuration that starts is, and its text: one of --file, or that of config/. any_name: it may be on the
    medium alone, and then nothing is known of it ("", "")."""
    name = "sriov" if name is None else name
    own = {target.removeprefix("/bulkhead/").removesuffix(".conf"): path for target, path in files.items()
           if re.fullmatch(r"/bulkhead/[^/]+\.conf", target)}
    bare = name.removesuffix(".conf")
    if bare in own:
        return str(own[bare]), configuration.text_of(own[bare])
    if any_name and "/" not in name and bare not in choices.scenarios():
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", bare) or not bare.strip("."):
            raise choices.unknown("scenario", name, choices.scenarios())
        return "", ""
    path = REPOSITORY / "config" / f"{choices.scenario(name)}.conf"
    return str(path.relative_to(REPOSITORY)), configuration.text_of(path)


def check_configuration(place: str, text: str) -> None:
    """Raises Refused with all errors that the hypervisor would find."""
    found = configuration.complaints(text)
    if found:
        lines = [f"{place}:{one}" for one in found[:SHOWN_ERRORS]]
        more = f" (the first {SHOWN_ERRORS} are shown)" if len(found) > SHOWN_ERRORS else ""
        count = f"{len(found)} error{'s' if len(found) > 1 else ''}"
        raise Refused("\n".join([f"{place} has {count}{more}: correct what is said below, or --anyway boots without the "
                                 "sections that have one", *lines]))


def newest_source(than: float) -> str:
    """The source that was changed last, if that was after `than`."""
    newest, name = than, ""
    for part in SOURCES:
        top = REPOSITORY / part
        for path in top.rglob("*") if top.is_dir() else (top,):
            if path.is_file() and path.stat().st_mtime > newest:
                newest, name = path.stat().st_mtime, str(path.relative_to(REPOSITORY))
    return name


def built_commit() -> list[str]:
    """For make, so that a commit or a changed page alone makes no image old."""
    try:
        found = re.search(r"BULKHEAD_COMMIT='\"([0-9a-z-]+)\"'", (REPOSITORY / "build/flags/version").read_text())
    except OSError:
        return []
    return [f"COMMIT={found[1]}"] if found else []


def make_environment() -> dict[str, str]:
    """What a make around us was told on its command line, but none of its options, such as -B or -k."""
    told = os.environ.get("MAKEFLAGS", "").partition(" -- ")[2]
    return {**os.environ, "MAKEFLAGS": f" -- {told}" if told else ""}


def check_image(image: Path) -> None:
    """Raises Refused when make would make this image anew: a source has changed, or a build did not end. An image that make
    does not make is not judged."""
    made = (REPOSITORY / "build/bulkhead.img", REPOSITORY / "build/bulkhead.iso")
    if image.resolve() not in [path.resolve() for path in made]:
        return
    if not image.exists():
        raise Refused(f"there is no {image}: run make all")
    try:
        asked = subprocess.run(["make", "-q", *built_commit(), str(image.resolve().relative_to(REPOSITORY))], cwd=REPOSITORY,
                               env=make_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               errors="replace", timeout=MAKE_SECONDS, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return  # nobody here can make another one
    if asked.returncode == 0:
        return
    if asked.returncode != 1:
        words = (asked.stderr.strip().splitlines() or ["no reason"])[-1]
        raise Refused(f"make cannot say whether {image.name} is up to date ({words[:200]}): run make all, or --anyway boots it "
                      "as it is")
    source = newest_source(image.stat().st_mtime)
    why = (f"older than its sources ({source} has changed)" if source else
           "not what make would make now: a build failed, or had other options")
    raise Refused(f"{image.name} is {why}: run make all, or --anyway boots it as it is")
