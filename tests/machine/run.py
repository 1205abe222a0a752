#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs Bulkhead in an emulated machine.

With a terminal: interactive; the serial line is on the terminal, Ctrl-C goes to the machine, Ctrl-] leaves.
Without: prints the log, powers off when the guests have ended, and succeeds only if the hypervisor says so
(`run.verdict result=ok`, and status 33 from QEMU)."""

import argparse
import os
import select
import signal
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import (MACHINES, MachineError, MachineSpec, Nic, before, choices, choose_machine, like, machine, paths, report,  # noqa: E402
                     scenario, trial, vmentry)
from machine.disk import ImageError  # noqa: E402
from machine.spec import NIC_MODELS, PLACEMENTS  # noqa: E402

LEAVE = b"\x1d"  # Ctrl-]
DEFAULT_LIMIT = {"tcg": 120, "kvm": 120, "bochs": 180, "stack": 1500}
INTERACTIVE_LIMIT = 7 * 24 * 3600


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str):
        say(f"error: {message.splitlines()[0]}; --help lists what there is")
        sys.exit(2)


def given(check):
    """An argument's type: what the check makes of it, or the check's words."""
    def convert(text: str):
        try:
            return check(text)
        except choices.Refused as refused:
            raise argparse.ArgumentTypeError(str(refused)) from None
    return convert


def named(what: str, there) -> dict:
    """An argument that is one of a few words or numbers."""
    words = {str(one): one for one in there}
    return {"choices": tuple(there), "type": given(lambda text: words[choices.one_of(what, text, words)])}


def number(low: int, high: int):
    return given(lambda text: choices.number(text, low, high))


def seconds(text: str) -> float:
    try:
        if 0 < float(text) <= INTERACTIVE_LIMIT:
            return float(text)
    except ValueError:
        pass
    raise choices.Refused(f"{choices.shown(text)} is not a time in seconds, {INTERACTIVE_LIMIT} at most")


def card(text: str) -> tuple[Nic, ...]:
    """MODEL[@PLACE]; none for none."""
    if text == "none":
        return ()
    model, _, placement = text.partition("@")
    return (Nic(choices.one_of("card", model, NIC_MODELS), choices.one_of("place", placement or "root-port", PLACEMENTS)),)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = paths.REPOSITORY / "build"
    parser.add_argument("--machine", **named("machine", sorted(MACHINES)),
                        help="default: kvm where nested virtualization is really offered and the machine comes up "
                             f"(the prompt within {' + '.join(str(seconds) for _, seconds in trial.MILESTONES)} s), else tcg")
    parser.add_argument("--like", **named("kind of machine", like.LIKES), metavar="KIND",
                        help="a machine like one of a laboratory (tcg): " +
                             "; ".join(f"{name}, {kind.summary}" for name, kind in like.LIKES.items()))
    parser.add_argument("--scenario", metavar="NAME", help="configuration to boot, such as sriov or passthrough")
    parser.add_argument("--qemu", **named("QEMU", paths.QEMUS),
                        help="which QEMU (tcg, kvm); default: what the scenario needs (11 for SR-IOV with virtio), else what "
                             f"BULKHEAD_QEMU says in the environment, else {min(paths.QEMUS)}")
    parser.add_argument("--cpus", type=number(1, 4096), help="default: 4, or what the scenario's guests need")
    parser.add_argument("--memory", type=number(64, 1 << 30), metavar="MIB", help="default: 512, or what the scenario's guests need")
    parser.add_argument("--image", type=Path, default=build / "bulkhead.img", help="UEFI disk image (tcg, kvm, stack)")
    parser.add_argument("--iso", type=Path, default=build / "bulkhead.iso", help="GRUB ISO (bochs, --boot iso)")
    parser.add_argument("--boot", **named("way to boot", ("disk", "usb", "iso")), default="disk", help="default: %(default)s")
    parser.add_argument("--firmware", **named("firmware", paths.FIRMWARE), default="plain",
                        help="UEFI with Secure Boot (secure), NX (protected) or both (strict); tcg, kvm; default: %(default)s")
    parser.add_argument("--nic", action="append", type=given(card), metavar="MODEL[@PLACE]",
                        help="igb or e1000e, at root-port, switch or root-bus; may be repeated; 'none' for no card "
                             "(default: igb@root-port, or what the scenario's [nic] sections name)")
    parser.add_argument("--no-iommu", action="store_true", help="a machine without VT-d")
    parser.add_argument("--no-intremap", action="store_true", help="VT-d without interrupt remapping")
    parser.add_argument("--scalable", action="store_true", help="VT-d with scalable mode (what SCALABLE=1 builds needs it)")
    parser.add_argument("--aw-bits", **named("width", (39, 48)), default=48, help="width of VT-d's addresses")
    parser.add_argument("--file", action="append", default=[], metavar="TARGET=FILE",
                        help="put FILE onto the boot medium at TARGET, such as /bulkhead/sriov.conf=my.conf")
    parser.add_argument("--trace", action="append", default=[], metavar="EVENT", help="QEMU trace event, into trace.log")
    parser.add_argument("--gdb", type=number(1, 65535), metavar="PORT", help="wait for a debugger on this TCP port")
    parser.add_argument("--timeout", type=given(seconds), metavar="S", help="time limit (default without a terminal: %s, and %d for each GiB that guests have)" % (
        " ".join(f"{name} {limit}" for name, limit in DEFAULT_LIMIT.items()), scenario.OVERWRITING))
    parser.add_argument("--anyway", action="store_true",
                        help="boot an image that is older than its sources, or a configuration with errors")
    parser.add_argument("--batch", action="store_true", help="as without a terminal")
    parser.add_argument("--extra", nargs=argparse.REMAINDER, default=[], help="the rest goes to QEMU")
    return parser.parse_args(argv)


def text_of(options: argparse.Namespace) -> tuple[str, str]:
    """Where the configuration that is booted is, and its text. Other media than make's have others on them."""
    build = paths.REPOSITORY / "build"
    own = (options.image.resolve(), options.iso.resolve()) != (build / "bulkhead.img", build / "bulkhead.iso")
    return before.configuration_of(options.scenario, before.own_files(options.file), own)


def look(options: argparse.Namespace, name: str) -> None:
    """Raises Refused unless machine, image and configuration are such that a start makes sense."""
    place, text = text_of(options)
    if options.like and name not in ("tcg", "kvm"):
        raise choices.Refused(f"--like {options.like}: such a machine is made in QEMU (tcg, kvm), not in {name}")
    if not options.anyway:
        before.check_image(options.iso if name == "bochs" or options.boot == "iso" else options.image)
        before.check_configuration(place, text)


def specification(options: argparse.Namespace, batch: bool, name: str = "tcg") -> MachineSpec:
    text = text_of(options)[1]
    spec = MachineSpec(
        cpus=options.cpus or scenario.cpus(text), memory=options.memory or scenario.memory(text),
        iommu=not options.no_iommu, intremap=not options.no_intremap,
        aw_bits=options.aw_bits, scalable=options.scalable, nics=scenario.nics(text) if options.nic is None else sum(options.nic, ()),
        nvmes=scenario.nvmes(text), memories=scenario.memories(text), image=options.image.resolve(),
        iso=options.iso.resolve(), boot=options.boot, scenario=options.scenario, batch=batch,
        files={**scenario.files(text), **scenario.for_machine(options.scenario, name), **before.own_files(options.file)},
        trace=tuple(options.trace), gdb=options.gdb,
        wait_for_gdb=options.gdb is not None, qemu=options.qemu, firmware=options.firmware,
        extra=(*(scenario.usb(text, options.boot) if name in ("tcg", "kvm") else ()), *options.extra))
    if not options.like:
        return spec
    return like.LIKES[options.like].make(spec)


def made(options: argparse.Namespace) -> None:
    """What a made machine decides unless it was asked for otherwise."""
    if options.like:
        options.machine = options.machine or "tcg"
        options.scenario = options.scenario or like.LIKES[options.like].scenario


def say(text: str) -> None:
    print(f"run: {text}", file=sys.stderr, flush=True)


class Listener:
    """Standard output. It may be closed while a machine runs, as by `| head`: `gone` then."""

    gone = False

    def __call__(self, data: bytes) -> None:
        while data and not self.gone:
            try:
                data = data[os.write(1, data):]
            except OSError:
                self.gone = True
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


to_stdout = Listener()


def interact(run) -> None:
    """Joins the terminal and the serial line until the machine ends or the user leaves."""
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        while run.running:
            readable, _, _ = select.select([0], [], [], 0.2)
            if not readable:
                continue
            typed = os.read(0, 1024)
            if not typed or LEAVE in typed:
                break
            run.write(typed)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
        print()


def run_batch(run, limit: float, typed: str) -> None:
    while run.running and not to_stdout.gone:
        time.sleep(0.05)
        if typed and any(line.event == "guest.output" and ": a keyboard (" in line["text"] for line in run.events):
            say(f"typing on the USB keyboard: {typed.split(chr(13))[:-1]}")
            run.press(typed)
            typed = ""
    if run.expired:
        # The log has been printed as it came; what counts is where it stopped.
        print(run.explain(f"the time limit of {limit:g} s is over"), file=sys.stderr)


def started(name: str, reason: str, options: argparse.Namespace, interactive: bool, limit: float, batch: bool | None = None,
            show=to_stdout):
    """The machine, running; `show` gets its log. One that was chosen rather than asked for and that does not come up makes
    way for tcg. Without a terminal it switches itself off after the guests, unless `batch` says otherwise."""
    look(options, name)
    spec = specification(options, not interactive if batch is None else batch, name)
    run = machine(name, spec, limit)
    qemu = f" qemu={spec.chosen_qemu()}" if name in ("tcg", "kvm") else ""
    say(f"machine={name} ({reason}){qemu} {f'like={options.like} ' if options.like else ''}scenario={options.scenario or 'default'} log={run.directory}/serial.log")
    if options.gdb is not None and name in ("tcg", "kvm"):
        say(f"waiting for a debugger: gdb -ex 'target remote :{options.gdb}' build/bulkhead.elf")
    on_trial = name == "kvm" and options.machine is None and options.gdb is None
    if on_trial:
        run.on_data = trial.Held(show)
        run.start()
        failure = trial.failure(run, more=scenario.overwriting(text_of(options)[1]))
        if failure:
            run.stop()
            say(f"kvm did not come up: {failure}")
            return started("tcg", "since kvm did not come up; MACHINE=kvm takes kvm and nothing else", options, interactive,
                           limit, batch, show)
    if interactive:
        say("Ctrl-] leaves; everything else goes to the machine")
    if on_trial:
        run.on_data.release()
        return run
    run.on_data = show
    return run.start()


def judged(run) -> int:
    """Says how a run without a terminal ended, and why; the exit status."""
    outcome = run.outcome()
    errors = run.emulator_messages(all_went_well=outcome.ok)
    if errors and not run.expired:
        say(f"the emulator says: {errors}")
    lacking = {event: what for event, what in run.lacks.items() if any(line.event == event for line in run.events)}
    if outcome.ok and lacking:
        say(f"{' and '.join(lacking)} above: {run.name} has no {' and no '.join(lacking.values())}, which this scenario does "
            "without")
    left_out = dict.fromkeys(line["guest"] for line in run.events if line.event == "guest.refused" and line.get("guest"))
    if outcome.ok and left_out:
        say(f"guest.refused above: {', '.join(left_out)}, as the configuration expects")
    say(f"{'succeeded' if outcome.ok else 'FAILED'} after {run.seconds:.1f} s: {outcome.reason}")
    if run.expired:
        say("  --timeout gives it more seconds")
    for cause in () if outcome.ok else outcome.causes[0 if outcome.verdict is None or run.expired else 1:]:
        say(f"  {cause}")
    refused_entries(run)
    return 0 if outcome.ok else 1


def refused_entries(run) -> None:
    for sentence in vmentry.explained(run.events):
        say(f"VM entry was refused: {sentence}")


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    made(options)
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and not options.batch
    name, reason = options.machine, "as asked"
    if name is None:
        name, reason = choose_machine()
    try:
        text = text_of(options)[1]
        limit = options.timeout or (INTERACTIVE_LIMIT if interactive else DEFAULT_LIMIT[name] + scenario.overwriting(text))
        with started(name, reason, options, interactive, limit) as run:
            if interactive:
                interact(run)
            else:
                run_batch(run, limit, scenario.typed(text))
    except (MachineError, ImageError, paths.MissingEmulators, OSError, ValueError, subprocess.SubprocessError) as error:
        first, *rest = str(error).splitlines() or [type(error).__name__]
        say(f"error: {first}")
        print("".join(f"{line}\n" for line in rest), end="", file=sys.stderr)
        return 2
    if to_stdout.gone:
        say("stopped, since nobody reads standard output any more")
        return 1
    print(report.text(run.events), end="")
    if (run.directory / "screen.png").exists():
        say(f"the screen at the end: {run.directory}/screen.png")
    if interactive:
        outcome = run.outcome()
        if outcome.verdict not in (None, "ok"):
            say(outcome.reason)
        refused_entries(run)
        return 0
    return judged(run)


if __name__ == "__main__":
    # So that the machine is stopped in good order.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
