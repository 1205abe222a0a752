#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Says what is wrong with a variable that make was given, in one line on standard output; nothing when all are right.
The Makefile asks this before anything is built, and puts what it was given into recipes only then.

    variables.py MAKEFILES GOALS ORIGIN:NAME=VALUE...    ORIGIN: command, environment

A variable of the environment counts where a goal uses it: HOSTS or NAME are set for other purposes as well."""

import glob
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))
import choices  # noqa: E402
from choices import Refused, shown  # noqa: E402

LONGEST = 4000
LONGEST_FLAGS = 60000  # lists of tests
PATHS = ("FILE", "KEY", "CERT", "LOG", "TO", "HOSTS", "REPORT", "SUBMISSION", "SUBMISSIONS", "STUDENTS", "CSV", "HELDOUT")
# What a recipe has in quotes must not end them, what is a list cannot have blanks in a name.
QUOTING = "\"'`\\$"
SPECIAL = QUOTING + ";&|<>(){}#!~"
# Their text is a part of a command, with quotes.
FLAGS = re.compile(r".*FLAGS")


def path(value: str) -> str:
    for character in value:
        if character in QUOTING:
            raise Refused(f"{shown(value)} contains {character}, which a file name may not contain here; rename the file or copy it elsewhere")
    return value


def existing(value: str) -> None:
    if not os.path.exists(path(value)):
        raise Refused(f"there is no file {shown(value)}")


def file(value: str) -> None:
    existing(value)
    if not os.path.isfile(value):
        raise Refused(f"{shown(value)} is not a file")
    if not os.access(value, os.R_OK):
        raise Refused(f"{shown(value)} cannot be read: check its permissions")


def words(value: str) -> list[str]:
    for character in value:
        if character in SPECIAL:
            raise Refused(f"{shown(value)} contains {character}, which the shell would interpret")
    return value.split()


def files(value: str) -> None:
    for word in words(value):
        for name in glob.glob(word) or [word]:
            file(name)


def one_or_more_files(value: str) -> None:
    """A report, folder or image for `preflight`, configurations for `check-config`."""
    if not os.path.exists(path(value)):
        for word in value.split():
            existing(word)


def folder_to_make(value: str) -> None:
    if os.path.exists(path(value)) and not os.path.isdir(value):
        raise Refused(f"{shown(value)} exists and is not a folder")


def folder_or_page(value: str) -> None:
    """What netboot makes, or a page that report writes."""
    if not value.lower().endswith((".html", ".htm")):
        folder_to_make(value)
    elif os.path.isdir(path(value)):
        raise Refused(f"{shown(value)} is a folder: name a file")
    elif not os.path.isdir(os.path.dirname(value) or "."):
        raise Refused(f"there is no folder {shown(os.path.dirname(value))}: make it first")


def device(value: str) -> None:
    if not path(value).startswith("/dev/"):
        raise Refused(f"{shown(value)} is not a device: give /dev/sdX; lsblk lists them")
    if not os.path.exists(value):
        raise Refused(f"there is no {shown(value)}; lsblk lists them")


def matching(pattern: str, wanted: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise Refused(f"{shown(value)} is not {wanted}")
    return check


def choice(what: str, there: tuple[str, ...]) -> Callable[[str], None]:
    return lambda value: choices.one_of(what, value, there) and None


def number(low: int, high: int) -> Callable[[str], None]:
    return lambda value: choices.number(value, low, high) and None


def flags(value: str) -> None:
    """Words and quotes; nothing that would make another command of it."""
    if "`" in value or "$" in value:
        raise Refused(f"{shown(value)} contains a backquote or '$': give options")
    lexer = shlex.shlex(value, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        raise Refused(f"{shown(value)} has an unmatched quotation mark") from None
    for token in tokens:
        if token[0] in "();<>|&#":
            raise Refused(f"{shown(value)} has {token[0]} outside quotation marks: give options")


def scenario(value: str, given: dict[str, str]) -> None:
    also = re.findall(r"/bulkhead/([^/=\s]+)\.conf=", given.get("RUN_FLAGS", ""))
    own_image = "--image" in given.get("RUN_FLAGS", "")
    choices.scenario(value, [*also, *([value.removesuffix(".conf")] if own_image else [])])


NAMES = matching(r"[A-Za-z0-9_.:\[\] -]+", "a list of names")
PROGRAM = matching(r"[A-Za-z0-9_./+=@: -]+", "a program")
CONTAINER_IMAGE = matching(r"[A-Za-z0-9][A-Za-z0-9_./:-]*", "the name of a container's image")
FOLDER = matching(r"[A-Za-z0-9_./+@:-]+", "a folder name that make can handle: use letters, digits and ./+@:_-")
CHECKS: dict[str, Callable] = {
    "MACHINE": choice("machine", choices.MACHINES), "QEMU": choice("QEMU", choices.QEMUS),
    "LIKE": choice("kind of machine", choices.LIKES), "SCENARIO": scenario,
    "TEST_JOBS": number(1, 64), "BUSY": number(1, 256), "RELEASE": choice("release of Debian", choices.RELEASES),
    "GDB_PORT": number(1, 65535), "LIFE_ROUNDS": number(1, 10**7), "CONFIG_ACCESSES": number(1, 10**10),
    "FUZZ_SECONDS": number(1, 10**6), "FUZZ_RUNS": number(1, 10**12), "SOURCE_DATE_EPOCH": number(0, 2**40),
    "DEVICE": device, "FORCE": choice("answer", ("yes", "yes-really", "no")), "KEY": file, "CERT": file, "HOSTS": file,
    "LOG": file, "REPORT": existing, "FILES": files, "TO": folder_or_page, "FOR": number(1, 86399), "FILE": one_or_more_files,
    "DEFAULT": matching(r"[A-Za-z0-9_.-]+", "the name of a configuration, such as sriov.conf"),
    "NAME": matching(r"[a-z0-9][a-z0-9-]{0,40}", "a name: use at most 41 lower-case letters, digits and -"),
    "LANES": matching(r"(tcg|bochs)( +(tcg|bochs))*", "a list of tcg and bochs"),
    "PROOFS": NAMES, "MUTATIONS": NAMES, "ATTACKS": NAMES, "WHY": NAMES, "DETAIL": NAMES, "V": NAMES, "COMMIT": NAMES,
    "BUILD": FOLDER, "OWN_IMAGE": FOLDER, "EFI_INCLUDE": FOLDER, "EFI_LIB": FOLDER, "DMAR_CORPUS": existing,
    "AUDIT": choice("audit mode", ("enforce", "warn")),
    "SCALABLE": choice("value", ("1",)),
    "SITE_PORT": number(1, 65535), "CONTAINER": PROGRAM, "BASE": CONTAINER_IMAGE, "IMAGE": CONTAINER_IMAGE,
    "PAGE": matching(r"[a-z][a-z-]{0,39}", "the name of a page, such as run"),
    "DEMO": choice("value", ("check",)),
    "GOAL": matching(r"[a-z][a-z-]*( +[a-z][a-z-]*)*", "a goal of make, such as run,"),
    "L": matching(r"[lL]?[0-9]{1,2}", "the number of a lab, such as 7"), "STEP": number(1, 20), "SEED": number(0, 2**31 - 1),
    "SUBMISSION": existing, "SUBMISSIONS": existing, "HELDOUT": existing, "STUDENTS": file, "JOBS": number(1, 256), "LIMIT": number(1, 86400),
    "CSV": matching(r"[^\"'`\\$]+\.csv", "a file whose name ends in .csv"),
    "CC": PROGRAM, "HOST_CC": PROGRAM, "FUZZ_CC": PROGRAM, "NASM": PROGRAM, "LD": PROGRAM, "OBJCOPY": PROGRAM, "PYTHON": PROGRAM,
}
# Which goals use one that the environment may have for another reason.
MEDIA = ("usb", "netboot")
RUNS = ("run", "debug", "report")
BOOTS = (*RUNS, "demo")
CONTAINERS = ("container", "container-base", "container-run")
GOALS: dict[str, tuple[str, ...]] = {
    "MACHINE": BOOTS, "QEMU": BOOTS, "LIKE": RUNS, "SCENARIO": (*RUNS, "check-config"), "RELEASE": ("test-fresh",),
    "PAGE": ("man",), "DEMO": ("demo",),
    "DEVICE": ("usb",), "FORCE": ("usb",), "KEY": MEDIA, "CERT": MEDIA, "FILES": MEDIA, "DEFAULT": MEDIA, "HOSTS": ("netboot",),
    "TO": ("netboot", "report", "lab", "labs-for"), "FILE": ("preflight", "check-config"), "REPORT": ("check-config",), "LOG": ("symbols", "report"),
    "NAME": (), "TEST_JOBS": ("test",), "BUSY": ("test", "test-busy"), "GDB_PORT": ("gdb", "debug"), "LIFE_ROUNDS": ("test-life",),
    "SITE_PORT": ("site-serve",), "CONTAINER": CONTAINERS, "BASE": CONTAINERS, "IMAGE": CONTAINERS, "GOAL": CONTAINERS,
    "L": ("lab", "labs-for", "lab-costs", "grade", "grade-all", "test-labs"), "STEP": ("lab-check", "lab-hint", "lab-fill"), "SEED": ("lab", "grade"),
    "SUBMISSION": ("grade",), "CSV": ("grade", "grade-all"), "HELDOUT": ("grade", "grade-all"), "SUBMISSIONS": ("grade-all",),
    "STUDENTS": ("labs-for", "grade-all"), "JOBS": ("grade-all",), "LIMIT": ("grade-all",),
    "CONFIG_ACCESSES": ("test-config",), "LANES": ("architecture",), "RUN_FLAGS": BOOTS, "PYTEST_FLAGS": ("test", "lint", "test-fresh"),
}


def mentioned(name: str, makefiles: list[str]) -> set[str]:
    """All names that the makefiles have, if `name` is none of them."""
    text = "\n".join(Path(makefile).read_text(errors="replace") for makefile in makefiles)
    names = set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", text))
    return set() if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) else names


def check(name: str, value: str, given: dict[str, str]) -> None:
    """Raises Refused. What is in no table has only to be text."""
    flag = FLAGS.fullmatch(name)
    if len(value) > (LONGEST_FLAGS if flag else LONGEST):
        raise Refused(f"{shown(value)} is too long")
    if any(ord(character) < 32 or ord(character) == 127 or 0xdc80 <= ord(character) <= 0xdcff for character in value):
        raise Refused(f"{shown(value)} is not text: it has control characters, or bytes that are not UTF-8")
    if flag:
        flags(value)
        return
    if not value.strip():
        raise Refused("the value is empty; leave it out for the default")
    if name not in CHECKS:
        words(value)
        return
    if value != value.strip():
        raise Refused(f"{shown(value)} begins or ends with a space")
    if value.startswith("-"):
        raise Refused(f"{shown(value)} looks like an option{'; a file of that name is ./-...' if name in PATHS else ''}")
    wanted = CHECKS[name]
    if wanted is scenario:
        wanted(value, given)
    else:
        wanted(value)


def problem(makefiles: list[str], goals: list[str], given: list[tuple[str, str, str]]) -> str:
    """One line, or ""."""
    values = {name: value for _, name, value in given}
    for origin, name, value in given:
        if origin == "environment" and (not value or not set(goals) & set(GOALS.get(name, ()))):
            continue
        names = mentioned(name, makefiles) if origin == "command" and name not in CHECKS else set()
        if names:
            return f"{name}: make has no such variable{choices.nearest(name, names)}; make help lists what there is"
        try:
            check(name, value, values)
        except (Refused, OSError) as error:
            return f"{name}: {error}"
    return ""


def main(argv: list[str]) -> int:
    makefiles, goals, *rest = argv
    given = []
    for word in rest:
        origin, _, assignment = word.partition(":")
        name, _, value = assignment.partition("=")
        given.append((origin, name, value))
    found = problem(makefiles.split(), goals.split(), given)
    if found:
        print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
