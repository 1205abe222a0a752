#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bounded proofs with CBMC: each tests/prove/prove_*.c says in its head what it is about.

  // SOURCES:   the files that are proved, as they are built
  // UNWIND:    how often a loop is followed; that this is enough is proved as well
  // UNWINDSET: the same for single loops
  // DEFINES:   for all runs
  // VARIANTS:  one run for each, separated by |
  // FLAGS:     further flags of cbmc
  // BOUND:     what the proof holds for
  // PLANT:     file ==> what stands there ==> an error instead, which the proof has to find

Memory safety, overflow and shifts are checked beside what the proof itself claims."""

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "build/prove"
CBMC = ROOT / "tests/lint/tool"
DOCUMENT = ROOT / "docs/security.md"
MARK, END_MARK = "<!-- make prove-table writes this -->\n", "<!-- to here: proofs -->\n"
LIMIT = 600  # seconds of CPU time for one run; the longest take a fifth of it
CHECKS = ["--bounds-check", "--pointer-check", "--pointer-overflow-check", "--signed-overflow-check",
          "--div-by-zero-check", "--undefined-shift-check", "--unwinding-assertions"]


class Broken(RuntimeError):
    """Neither proved nor refuted."""


@dataclass(frozen=True)
class Proof:
    name: str
    path: Path
    sources: tuple[str, ...]
    unwind: int
    unwindset: str
    flags: tuple[str, ...]
    variants: tuple[tuple[str, ...], ...]
    bound: str
    claim: str
    plant: tuple[str, str, str]


@dataclass(frozen=True)
class Answer:
    proof: Proof
    variant: tuple[str, ...]
    planted: bool
    holds: bool
    properties: int
    seconds: float
    failed: str  # the first property that does not hold

    @property
    def name(self) -> str:
        formats = [word.removeprefix("-DFORMAT=page_format_") for word in self.variant if "page_format_" in word]
        return " ".join([self.proof.name, *formats])

    @property
    def good(self) -> bool:
        return self.holds is not self.planted


def read(path: Path) -> Proof:
    head = {}
    for key, value in re.findall(r"^// ([A-Z]+): (.*)$", path.read_text(), re.MULTILINE):
        head[key] = f"{head[key]} {value}" if key in head else value
    claim = re.search(r"^/\* (?!SPDX)(.*?) \*/$", path.read_text(), re.MULTILINE | re.DOTALL)
    missing = {"SOURCES", "UNWIND", "BOUND", "PLANT"} - set(head)
    plant = tuple(part.strip() for part in head.get("PLANT", "").split(" ==> "))
    if missing or claim is None or len(plant) != 3:
        raise Broken(f"{path.name}: its head lacks {', '.join(sorted(missing)) or 'a claim, or a PLANT of three parts'}")
    variants = tuple(tuple(text.split()) for text in head.get("VARIANTS", "").split("|"))
    return Proof(path.stem.removeprefix("prove_").replace("_", "-"), path, tuple(head["SOURCES"].split()),
                 int(head["UNWIND"]), head.get("UNWINDSET", ""),
                 tuple(head.get("DEFINES", "").split() + head.get("FLAGS", "").split()), variants, head["BOUND"],
                 re.sub(r"\s*\n \* ", " ", claim[1]).strip(), plant)


def proofs() -> list[Proof]:
    return [read(path) for path in sorted((ROOT / "tests/prove").glob("prove_*.c"))]


def documentation() -> str:
    """The table of docs/security.md."""
    rows = [f"| `{proof.name}` | {proof.claim} | {proof.bound} |\n" for proof in proofs()]
    return "| proof | what holds | for |\n|---|---|---|\n" + "".join(rows)


def document() -> None:
    text = DOCUMENT.read_text()
    begin, end = text.index(MARK) + len(MARK), text.index(END_MARK)
    DOCUMENT.write_text(text[:begin] + documentation() + text[end:])


def sources(proof: Proof, planted: bool) -> list[str]:
    """The files to prove; with the error planted, a changed copy in the place of one."""
    if not planted:
        return list(proof.sources)
    name, old, new = proof.plant
    text = (ROOT / name).read_text()
    if text.count(old) != 1:
        raise Broken(f"{proof.name}: {old!r} stands {text.count(old)} times in {name}, not once: mend its PLANT")
    copy = WORK / proof.name / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(text.replace(old, new))
    return [str(copy) if source == name else source for source in proof.sources]


_running: set[subprocess.Popen] = set()


def stop() -> None:
    """Ends what still runs."""
    for child in list(_running):
        child.kill()


def limited(lowest: bool):
    """For the child: a limit of CPU time, and its priority."""
    def prepare() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        if lowest:
            os.nice(19)
    return prepare


def run(proof: Proof, variant: tuple[str, ...], planted: bool, lowest: bool = False) -> Answer:
    command = [str(CBMC), "cbmc", "-I.", *CHECKS, *proof.flags, *variant, "--unwind", str(proof.unwind)]
    if proof.unwindset:
        command += ["--unwindset", proof.unwindset]
    command += [str(proof.path.relative_to(ROOT)), "tests/prove/support.c", *sources(proof, planted)]
    log = WORK / ("-".join([proof.name, *re.findall(r"page_format_(\w+)", " ".join(variant)), *["planted"] * planted]) + ".log")
    with log.open("w") as output:
        child = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, preexec_fn=limited(lowest))
        _running.add(child)
        _, status, used = os.wait4(child.pid, 0)
        _running.discard(child)
        child.returncode = code = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    counts = re.search(r"\*\* (\d+) of (\d+) failed", text)
    if code not in (0, 10) or counts is None:
        why = f"no answer in {LIMIT} s of CPU time" if code == -signal.SIGKILL else f"cbmc ended with {code}"
        raise Broken(f"{proof.name}: {why}, see {log.relative_to(ROOT)}:\n" + "\n".join(text.splitlines()[-10:]))
    failed = re.search(r"^(\[.*): FAILURE$", text, re.MULTILINE)
    return Answer(proof, variant, planted, code == 0, int(counts[2]), used.ru_utime + used.ru_stime,
                  failed[1] if failed else "")


def jobs(chosen: list[Proof]) -> list[tuple[Proof, tuple[str, ...], bool]]:
    """Every variant is proved; the error is planted in the first one."""
    return [(proof, variant, planted) for proof in chosen for n, variant in enumerate(proof.variants)
            for planted in ((False, True) if n == 0 else (False,))]


def line(answer: Answer) -> str:
    said = ("error found" if not answer.holds else "ERROR NOT FOUND") if answer.planted else \
        ("holds" if answer.holds else "DOES NOT HOLD")
    tail = answer.proof.bound if answer.holds else answer.failed
    return f"{answer.name:22} {said:15} {answer.properties:5} properties {answer.seconds:6.0f} s  {tail}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="what is proved, and for what")
    parser.add_argument("--document", action="store_true", help="write the table of docs/security.md")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="runs at a time (each up to 4 GB)")
    parser.add_argument("names", nargs="*", metavar="PROOF", help="default: all")
    options = parser.parse_args()
    try:
        known = {proof.name: proof for proof in proofs()}
        unknown = sorted(set(options.names) - set(known))
        if unknown:
            parser.error(f"no proof is called {', '.join(unknown)}; there are: {', '.join(known)}")
        chosen = [known[name] for name in options.names or known]
        if options.list:
            for proof in chosen:
                print(f"{proof.name:22} {proof.bound}")
            return 0
        if options.document:
            document()
            return 0
        WORK.mkdir(parents=True, exist_ok=True)
        bad = 0
        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            for future in [pool.submit(run, *job) for job in jobs(chosen)]:
                answer = future.result()
                bad += not answer.good
                print(line(answer), flush=True)
    except Broken as problem:
        print(f"prove: {problem}", file=sys.stderr)
        return 2
    print(f"{len(jobs(chosen)) - bad} passed, {bad} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
