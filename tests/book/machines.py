# SPDX-License-Identifier: MIT
"""The machines that the book's blocks are about. Each is booted once for all blocks that only look at it; an item that
changes something has one of its own (`own=NAME`)."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from labs import lab00, lab11
from machine import PATIENCE, Machine, MachineSpec, machine, run as runner, scenario, scenario_file

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 110


@dataclass(frozen=True)
class Moment:
    """A machine and how far it has come.

    scenario, flags: as `make run SCENARIO= RUN_FLAGS=` has them.
    text:  a configuration of its own, instead of the scenario's.
    edits: what is changed in the scenario's configuration.
    ready: events that the log must have before anything is asked, as "NAME KEY=VALUE ...".
    batch: it runs until it powers off; only its log can be looked at.
    spec:  what `make run` has no flag for (tests/machine/spec.py).
    slow:  not part of `make test`: `make book-all` runs it.
    """

    scenario: str = "sriov"
    flags: str = ""
    text: str = ""
    edits: tuple[tuple[str, str], ...] = ()
    ready: tuple[str, ...] = ("run.verdict",)
    on: str = "tcg"
    batch: bool = False
    slow: bool = False
    spec: tuple[tuple[str, object], ...] = ()
    limit: float = LIMIT


TALK = (("count=1000", "count=400000"),)
TALKING = ("guest.stopped name=rogue", "guest.output name=alpha", "guest.output name=beta")

MOMENTS: dict[str, Moment] = {
    # `make run`, until the machine is off.
    "run": Moment(batch=True),
    # The same at the prompt, when all guests have ended.
    "ended": Moment(),
    # alpha and beta exchange more echoes than anybody waits for; rogue has been stopped.
    "talking": Moment(edits=TALK, ready=TALKING),
    "many": Moment(edits=(("count=1000", "count=20000"),), batch=True),
    "threads": Moment(flags="--cpus 8", spec=(("threads", 2),), batch=True),
    "bochs": Moment("bochs", on="bochs", batch=True, limit=170),
    # Guests that go on: `make demo` without its guide.
    "demo": Moment("demo", ready=("dma.fault guest=rogue",)),
    # The course's first lab with its own functions: tour has ended, beside runs.
    "tour": Moment(text=lab00.config(0), ready=("guest.stopped name=tour", "guest.event name=beside")),
    # The course's last lab with its own functions.
    "nvme": Moment(text=lab11.config(0), batch=True),
    # The two guests of config/bochs.conf in QEMU.
    "bochs-tcg": Moment("bochs", batch=True),
    "no-iommu": Moment(flags="--no-iommu", batch=True),
    "linux": Moment("linux", batch=True, slow=True, limit=400),
    **{name: Moment(name, batch=True, slow=True, limit=900) for name in ("passthrough", "dpdk", "dpdk-pf", "large")},
    "linux-prompt": Moment("linux", slow=True, limit=400),
    "storage": Moment("storage", slow=True, limit=400),
    "virtio": Moment("virtio", batch=True, slow=True, limit=400),
}


def event_of(words: str) -> tuple[str, dict[str, str]]:
    """"NAME KEY=VALUE ..." in two."""
    name, *pairs = words.split()
    return name, dict(pair.split("=", 1) for pair in pairs)


def configuration(moment: Moment, root: Path = ROOT) -> str:
    """What the machine reads; every edit of the moment has to fit."""
    if moment.text:
        return moment.text
    text = (root / "config" / scenario_file(moment.scenario)).read_text()
    for old, new in moment.edits:
        if old not in text:
            raise ValueError(f"config/{moment.scenario}.conf has no {old!r} (tests/book/machines.py)")
        text = text.replace(old, new)
    return text


def command(moment: Moment) -> str:
    """What somebody types to have it."""
    return " ".join(["make run"] + [f"MACHINE={moment.on}"] * (moment.on != "tcg") +
                    [f"SCENARIO={moment.scenario}"] * (moment.scenario not in ("sriov", moment.on)) +
                    [f"RUN_FLAGS='{moment.flags}'"] * bool(moment.flags))


def options_of(moment: Moment, root: Path) -> list[str]:
    """The words that tests/machine/run.py takes for it."""
    name = "sriov" if moment.text else moment.scenario  # what has a text of its own is not a file of config/
    return ["--scenario", name, "--image", str(root / "build/bulkhead.img"), "--iso",
            str(root / "build/bulkhead.iso"), *shlex.split(moment.flags)]


def start(moment: Moment, root: Path = ROOT, **changes) -> Machine:
    """Boots it, with the images of that tree, and waits for its moment."""
    text = configuration(moment, root)
    options = runner.arguments(options_of(moment, root))
    runner.made(options)
    spec: MachineSpec = runner.specification(options, moment.batch, moment.on)
    if moment.text or moment.edits:
        spec = spec.but(scenario=moment.scenario, cpus=options.cpus or scenario.cpus(text), nvmes=scenario.nvmes(text),
                        files={**spec.files, f"/bulkhead/{scenario_file(moment.scenario)}": text.encode()})
    run = machine(moment.on, spec.but(**{**dict(moment.spec), **changes}), moment.limit * PATIENCE).start()
    try:
        if moment.batch:
            run.wait()
        for words in () if moment.batch else moment.ready:
            name, wanted = event_of(words)
            run.wait_for(name, timeout=moment.limit, **wanted)
    except BaseException:
        run.stop()
        raise
    return run


def asked(command: str) -> Moment:
    """What `make run ...` or `tests/machine/run.py ...` boots."""
    words = shlex.split(command.split("<")[0])
    if words[0] == "make":
        given = dict(word.split("=", 1) for word in words[2:])
        unknown = given.keys() - {"MACHINE", "SCENARIO", "QEMU", "LIKE", "RUN_FLAGS"}
        if words[1] != "run" or unknown:
            raise ValueError(f"{command!r} is not `make run` with what that takes")
        flags = " ".join([given.get("RUN_FLAGS", ""), *(f"--{name.lower()} {given[name]}" for name in ("LIKE", "QEMU") if name in given)])
        on = given.get("MACHINE", "tcg")
        return Moment(given.get("SCENARIO", {"bochs": "bochs"}.get(on, "sriov")), flags, on=on, batch=True, limit=170)
    options = runner.arguments(words[1:])
    rest = [word for at, word in enumerate(words[1:], 1) if not {word, words[at - 1]} & {"--machine", "--scenario"}]
    return Moment(options.scenario or "sriov", shlex.join(rest), on=options.machine or "tcg", batch=True, limit=170)


def printed(run: Machine) -> list[str]:
    """Its log so far."""
    return [line.text for line in run.events]
