# SPDX-License-Identifier: MIT
"""What the mutation tests run in QEMU. Each scenario returns None when every protection held, else the symptom:
one line that says what was seen. A sound tree gives None; a mutated one has to give its symptom."""

import re
import subprocess
import time
from pathlib import Path

from machine import PATIENCE, Machine, MachineEnded, MachineSpec, MachineTimeout, dmar, gdb, machine
from machine.machine import MachineError
from system import architecture as differential

LIMIT = 60 * PATIENCE
FATAL = ("cpu.exception", "cpu.panic", "boot.failed", "guest.lost")

NIC = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"


def guest(name: str, image: str = "probe.elf", **keys) -> str:
    keys = {"image": image, "memory": "32M"} | keys
    return "\n".join([f"[guest {name}]"] + [f"{key} = {value}" for key, value in keys.items()]) + "\n"


def booted(image: Path, directory: Path, config: str, batch: bool = True, **options) -> Machine:
    files = {"/bulkhead/mutation.conf": config.encode(), **options.pop("files", {})}
    spec = MachineSpec(image=image, scenario="mutation", batch=batch, files=files, **options)
    return machine("tcg", spec, LIMIT, directory)


def violations(run: Machine) -> str | None:
    for line in run.events:
        if line.event == "audit.violation":
            return f"audit.violation {line['invariant']} {line['subject']}: {line['message']}"
    return None


def unexpected(run: Machine) -> str | None:
    """What is wrong with a run that has ended or given its verdict."""
    found = violations(run)
    if found:
        return found
    for line in run.events:
        if line.event in ("run.unexpected", "guest.lost", "boot.failed"):
            return line.text.split("] ", 1)[-1]
    if not run.running and not run.outcome().ok:
        return run.outcome().reason
    return None


def to_the_end(run: Machine) -> str | None:
    """Runs in batch mode; the hypervisor's verdict and its audit decide."""
    with run:
        while run.running:
            time.sleep(0.05)
            for line in run.events:
                if line.event in FATAL:
                    return line.text.split("] ", 1)[-1]
    return unexpected(run)


def hello(image: Path, directory: Path) -> str | None:
    """A guest with a VF starts and ends: the audit before and after finds everything in order."""
    return to_the_end(booted(image, directory, NIC + guest("alpha", "hello.elf", device="uplink.vf0", args="ticks=2",
                                                           expect="exit 0")))


def sriov(image: Path, directory: Path) -> str | None:
    """The main job: two guests talk with MSI-X, a third one's attacks are answered as configured."""
    run = machine("tcg", MachineSpec(image=image, scenario="sriov"), LIMIT, directory)
    symptom = to_the_end(run)
    if symptom:
        return symptom
    if not any(line.matches("dma.fault", {"guest": "rogue", "action": "disable-device"}) for line in run.events):
        return "the attacker's device is never taken off the bus"
    return None


def threads(image: Path, directory: Path) -> str | None:
    """Two guests on four cores of two threads, core 0's among them: each has a core of its own."""
    run = booted(image, directory, "".join(guest(name, "hello.elf", memory="4M", args="ticks=2", expect="exit 0")
                                           for name in ("one", "two")), cpus=8, threads=2, nics=())
    symptom = to_the_end(run)
    if symptom:
        return symptom
    owners = {0: "the hypervisor"}
    for line in run.events:
        if line.event == "guest.created":
            core = line.number("cores") // 2
            if core in owners:
                return f"{line['name']} and {owners[core]} have threads of one core"
            owners[core] = line["name"]
    return None


def hole(image: Path, directory: Path) -> str | None:
    """A guest touches the byte behind its memory and is stopped for it."""
    return to_the_end(booted(image, directory, guest("alpha", args="do=hole", expect="stopped")))


def loop(image: Path, directory: Path) -> str | None:
    """A guest that never leaves guest mode is stopped when its time is over."""
    return to_the_end(booted(image, directory, guest("alpha", args="do=loop", time_limit=1, expect="stopped")))


def two_machine_checks(image: Path, directory: Path) -> str | None:
    """Two in a row hit the control core and a guest that never heard of them; the machine lives."""
    with booted(image, directory, guest("alpha", "witness.elf", args="ticks=1000000"), batch=False) as run:
        try:
            run.wait_for("vcpu.entered", timeout=40, core=1)
            for _turn in range(2):
                last = run.events[-1]
                for core in (0, 1):
                    run.qmp("human-monitor-command", **{"command-line": f"mce {core} 0 0xb000000000000000 5 0 0"})
                    run.wait_for("cpu.machine_check", timeout=30, after=last, core=core)
                # QEMU hands #MC to the guest itself, which has no handler.
                run.wait_for("guest.stopped", timeout=30, after=last, name="alpha")
                last = run.events[-1]
                run.send("start alpha")
                run.wait_for("vcpu.entered", timeout=40, after=last, core=1)
        except (MachineTimeout, MachineEnded, OSError) as error:
            return f"the machine is gone: {type(error).__name__}"
    return None


def stuck_core(image: Path, directory: Path) -> str | None:
    """A core that comes, and then is held in boot code for ever."""
    config, elf = guest("alpha", "witness.elf", args="ticks=2", expect="exit 0"), image.with_name("bulkhead.elf")
    with booted(image, directory, config, batch=False, cpus=2, extra=gdb.ARGUMENTS) as run:
        with gdb.Debugger(run) as debugger:
            debugger.go_to(gdb.symbol(elf, "smp_core_main"))
            debugger.go_to(gdb.symbol(elf, "core_state_load"))
            loop = gdb.symbol(elf, "multiboot2_convert")
            start = run.wait_for("boot.start").number("image") - gdb.symbol(elf, "image_start")
            debugger.write(start + loop, b"\xeb\xfe")
            debugger.jump(1, loop)
            debugger.go()
            online = run.wait_for("cpu.online", timeout=60)
    return None if online["count"] == "1" else online.text


def late_core(image: Path, directory: Path) -> str | None:
    """A core that was given up comes through the trampoline after all, once the guests run."""
    config = guest("alpha", "witness.elf", args="ticks=2", expect="exit 0")
    with booted(image, directory, config, batch=False, cpus=2, extra=gdb.ARGUMENTS) as run:
        try:
            with gdb.Debugger(run) as debugger:
                debugger.go()
                run.wait_for("run.verdict", timeout=40)
                debugger.stop()
                debugger.jump(1, gdb.symbol(image.parent / "bulkhead.elf", "core_gate"))
                debugger.go()
                run.send("start alpha")
                run.wait_for("guest.started", timeout=20, after=run.wait_for("run.verdict"))
                time.sleep(1)
                run.send("cores")
                time.sleep(1)
        except (MachineTimeout, MachineEnded) as error:
            return str(error).splitlines()[0]
        return next((line.text.split("] ", 1)[-1] for line in run.events if line.event in FATAL), None)


def lives(image: Path, directory: Path) -> str | None:
    """A guest that leaves something in every register it can write finds none of it when it is started again."""
    config = guest("alpha", "registers.elf", memory="4M", expect="exit 0")
    with booted(image, directory, config, batch=False, cpus=2) as run:
        try:
            last = run.wait_for("run.verdict", timeout=60)
            run.send("start alpha")
            run.wait_for("guest.stopped", timeout=60, after=last)
        except (MachineTimeout, MachineEnded) as error:
            return str(error).splitlines()[0]
        said = "\n".join(line["text"] for line in run.events if line.event == "guest.output").split("that is all")
    found = [dict(line.rsplit(" ", 1) for line in life.splitlines() if " " in line) for life in said[:2]]
    left = [name for name in found[0] if found[1].get(name) != found[0][name]]
    return f"left by the life before: {', '.join(left)}" if left else None


def live_audit(image: Path, directory: Path) -> str | None:
    """The audit, asked for while a guest has a device with an interrupt."""
    config = NIC + guest("alpha", args="do=linger seconds=30", device="uplink.vf0")
    with booted(image, directory, config, batch=False) as run:
        try:
            event = run.wait_for("guest.event", timeout=40, name="alpha")
            run.send("audit")
            run.wait_for("audit.ok", timeout=10, after=event, interrupts="1")
        except (MachineTimeout, MachineEnded):
            return violations(run) or "no audit.ok with one interrupt entry"
    return violations(run)


def overreach(image: Path, directory: Path) -> str | None:
    """A device writes to the page behind its guest's memory; the unit must block and report it."""
    config = NIC + guest("rogue", "rogue.elf", args="targets=0x2000000 rounds=1", device="uplink.vf0",
                         fault_action="log", expect="exit 0", expect_faults=1)
    return to_the_end(booted(image, directory, config))


def aim(image: Path, directory: Path) -> str | None:
    """A guest routes its device's interrupt to the control core; that has to be refused."""
    config = NIC + guest("alpha", args="do=aim core=0", device="uplink.vf0", expect="exit 0")
    run = booted(image, directory, config)
    symptom = to_the_end(run)
    if symptom or any(line.event == "irq.refused" for line in run.events):
        return symptom
    return "an interrupt for the control core's APIC id was not refused"


def call(image: Path, directory: Path) -> str | None:
    """A guest call names a buffer behind the guest's memory."""
    return to_the_end(booted(image, directory, guest("alpha", args="do=call at=0x1fffff0", expect="exit 0")))


def contended(image: Path, directory: Path) -> str | None:
    """Two guests ask for the same function: the second is refused, and told who has it."""
    config = (NIC + guest("alpha", "hello.elf", device="uplink.vf0", args="ticks=2", expect="exit 0") +
              guest("beta", "hello.elf", device="uplink.vf0", expect="refused"))
    run = booted(image, directory, config)
    symptom = to_the_end(run)
    if symptom:
        return symptom
    if not any(line.matches("device.refused", {"guest": "beta", "owner": "alpha"}) for line in run.events):
        return "the second owner of a function is not refused by name"
    return None


def typing(image: Path, directory: Path) -> str | None:
    """A guest without the grant types `stop alpha`, while another has the grant."""
    return to_the_end(booted(image, directory, guest("granted", "hello.elf", console_input="yes", args="ticks=2000", memory="4M") +
                             guest("alpha", "hello.elf", args="ticks=2000", memory="4M", expect="exit 0") +
                             guest("intruder", "typist.elf", args="stop=alpha seconds=2", memory="4M")))


def firmware_masters(image: Path, directory: Path) -> str | None:
    """Firmware leaves its boot devices as bus masters (a stick on XHCI, a card it has a driver for)."""
    config = guest("alpha", "hello.elf", args="ticks=2", expect="exit 0")
    return to_the_end(booted(image, directory, config, boot="usb"))


def reserved(image: Path, directory: Path) -> str | None:
    """Firmware keeps memory for a device that the memory map calls usable, where a guest would lie."""
    base, size = 0x10000000, 1 << 20
    directory.mkdir(parents=True, exist_ok=True)
    table = directory / "dmar"
    table.write_bytes(dmar.body(dmar.drhd(0xfed90000), dmar.rmrr(base, base + size - 1, (2, 0))))
    config = guest("alpha", "hello.elf", args="ticks=2", expect="exit 0").replace("32M", "240M")
    return to_the_end(booted(image, directory, config, iommu=False,
                             extra=("-acpitable", f"sig=DMAR,data={table.resolve()}")))


def wild_segment(image: Path, directory: Path) -> str | None:
    """An image with a segment far beyond its guest's memory, beside a guest with a sound one."""
    wild = bytearray((image.parent / "guest/hello.elf").read_bytes())
    second = int.from_bytes(wild[0x20:0x28], "little") + 56
    wild[second + 24:second + 32] = (0x50000000).to_bytes(8, "little")  # p_paddr
    config = guest("alpha", "wild.elf", expect="refused") + guest("beta", "hello.elf", args="ticks=2", expect="exit 0")
    run = booted(image, directory, config, files={"/bulkhead/wild.elf": bytes(wild)})
    symptom = to_the_end(run)
    if not any(line.matches("guest.stopped", {"name": "beta", "reason": "exit", "status": "0"}) for line in run.events):
        return "the neighbour of a guest with a bad image did not end as it should"
    return symptom


def _words(run: Machine, address: int) -> str:
    return run.qmp("human-monitor-command", **{"command-line": f"xp /4gx {address:#x}"})


def remains(image: Path, directory: Path) -> str | None:
    """The memory of a guest that has ended, seen from outside: nothing of it is left, with no start in between."""
    config = guest("alpha", args="do=remember", expect="exit 0")
    with booted(image, directory, config, batch=False) as run:
        try:
            base = run.wait_for("guest.created", timeout=40).number("base")
            run.wait_for("run.verdict", timeout=20)
            words = _words(run, base + (16 << 20))
        except (MachineTimeout, MachineEnded) as error:
            return str(error).splitlines()[0]
    if set(re.findall(r"0x([0-9a-f]{16})", words)) != {"0" * 16}:
        return "an ended guest's memory still holds what it wrote"
    return violations(run)


def restart(image: Path, directory: Path) -> str | None:
    """A guest that is started again finds nothing of its former life."""
    config = guest("alpha", args="do=remember", expect="exit 0")
    with booted(image, directory, config, batch=False) as run:
        try:
            first = run.wait_for("guest.stopped", timeout=40)
            run.wait_for("run.verdict", timeout=10)
            run.send("start alpha")
            second = run.wait_for("guest.stopped", timeout=20, after=first)
        except (MachineTimeout, MachineEnded) as error:
            return str(error).splitlines()[0]
    if second["status"] != "0":
        return f"the second life ended with status {second['status']}: it found the first one's memory"
    return violations(run)


def residue(image: Path, directory: Path) -> str | None:
    """A VF's registers as its second owner finds them, after a first one that wrote them all."""
    config = NIC + guest("alpha", "residue.elf", device="uplink.vf0", fault_action="log", expect="exit 0")
    with booted(image, directory, config, batch=False) as run:
        try:
            run.wait_for("run.verdict", timeout=40, result="ok")
            first = [line["text"] for line in run.events if line.event == "guest.output"]
            run.send("start alpha")
            run.wait_for("guest.stopped", timeout=20, after=run.events[-1])
        except (MachineTimeout, MachineEnded) as error:
            return str(error).splitlines()[0]
    second = [line["text"] for line in run.events if line.event == "guest.output"][len(first):]
    left = [line for line in second if line not in first]
    return f"the last owner's: {', '.join(left)}" if left else violations(run)


TRACED = ("vtd_inv_desc_iotlb_domain", "vtd_inv_desc_cc_device", "vtd_inv_desc_iec", "vtd_inv_desc_wait_sw")


def invalidations(image: Path, directory: Path) -> str | None:
    """What the unit is told when a function is given and when it is taken back, as the unit itself records it: its
    context entry, its domain, and a wait behind them."""
    config = NIC + guest("alpha", "hello.elf", device="uplink.vf0", args="ticks=2", expect="exit 0")
    run = booted(image, directory, config, trace=TRACED)
    symptom = to_the_end(run)
    if symptom:
        return symptom
    trace = (directory / "trace.log").read_text(errors="replace")
    for event, what in ((TRACED[0], "its domain's IOTLB entries"), (TRACED[1], "its context entry")):
        count = len(re.findall(event, trace))
        if count < 2:
            return f"{what} are invalidated {count} times, not when given and when taken back"
    if len(re.findall(TRACED[3], trace)) < 2:
        return "invalidations are not waited for"
    return None


def events(image: Path, directory: Path) -> str | None:
    """What guests with two vCPUs see of exceptions, NMIs and local vectors: guest/programs/events.c."""
    kinds = {"lvt": 1, "flags": 1, "nmi": 2, "unmap": 2}
    config = "".join(guest(kind, "events.elf", cpus=cpus, args=f"what={kind}", time_limit=90, expect="exit 0")
                     for kind, cpus in kinds.items())
    return to_the_end(booted(image, directory, config, cpus=1 + sum(kinds.values())))


def _architecture(lane: str, image: Path, directory: Path) -> str | None:
    """The differential test: what a guest sees that the bare machine does not show."""
    build = image.parent
    subprocess.run(["make", "--no-print-directory", "build/bulkhead.iso"], cwd=build.parent, check=True,
                   stdout=subprocess.DEVNULL)
    bare = differential.on_bare_machine(lane, build)
    try:
        guest_text = differential.as_guest(lane, build, directory)
    except MachineError as error:
        return str(error).splitlines()[0]
    wrong = differential.mistakes(lane, differential.compared(lane, bare, guest_text))
    return "; ".join(wrong)[:20000] if wrong else None


def architecture(image: Path, directory: Path) -> str | None:
    return _architecture("tcg", image, directory)


def architecture_vmx(image: Path, directory: Path) -> str | None:
    return _architecture("bochs", image, directory)


def exits_vmx(image: Path, directory: Path) -> str | None:
    """A guest makes exits of all kinds, one after the other."""
    subprocess.run(["make", "--no-print-directory", "build/bulkhead.iso"], cwd=image.parents[1], check=True,
                   stdout=subprocess.DEVNULL)
    config = guest("alpha", "exits.elf", memory="4M", args="count=2 batches=1 settle=100000", time_limit=20,
                   expect="exit 0")
    spec = MachineSpec(iso=image.with_name("bulkhead.iso"), cpus=2, scenario="mutation",
                       files={"/bulkhead/mutation.conf": config.encode()})
    return to_the_end(machine("bochs", spec, LIMIT, directory))
