#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the CPU does on the bare machine and as a guest: guest/architecture/, run twice in each lane.

A guest has to see what the bare machine shows, but for the rows of ALLOWED. docs/tests.md has them as a table."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests"))

# pylint: disable=wrong-import-position
from machine import PATIENCE, MachineSpec, choices, machine  # noqa: E402
from machine.machine import Machine, MachineError  # noqa: E402

BUILD = ROOT / "build"
DOCUMENT = ROOT / "docs/tests.md"
MARK, END_MARK = "<!-- make architecture-table writes this -->\n", "<!-- to here -->\n"
LANES = ("tcg", "bochs")
LEAST = 6500
# Microseconds for each probe, so that the log keeps up. In Bochs it is the line's own speed.
PACE = {"tcg": 600, "bochs": 7500}
TURNS = 4
BOCHS = {"ips": 2_000_000, "stepped": True}  # without its debugger Bochs 3.0 hangs at an instruction breakpoint
GRUB = b"multiboot2 /bulkhead/architecture.elf\nboot\n"


@dataclass(frozen=True)
class Row:
    """An allowed difference: regular expressions for the whole name and the whole of both results."""

    names: str
    bare: str
    guest: str
    reason: str
    lanes: tuple[str, ...] = LANES

    def covers(self, lane: str, name: str, bare: str, guest: str) -> bool:
        return lane in self.lanes and all(re.fullmatch(pattern, text) for pattern, text in (
            (self.names, name), (self.bare, bare), (self.guest, guest)))


ANY = r".*"
TCG, ON_BOCHS = ("tcg",), ("bochs",)


def _rows(reason: str, *rows: tuple[str, str, str], lanes: tuple[str, ...] = LANES) -> tuple[Row, ...]:
    return tuple(Row(names, bare, guest, reason, lanes) for names, bare, guest in rows)


FAULT, NONE = "13", "0{16}"
GP, UD = r"13\(0\) at=0 .*", r"6\(0\) at=0 .*"
RAN = r"done flags=.*|1 at=\d+ .*"
ZERO, EACH_BIT = "0{8}", "[0-9a-f]{16}"

ALLOWED: tuple[Row, ...] = (
    # --- CPUID: test_cpuid_policy says which bits of which leaf ---
    *_rows("only features that guests have; the core's own APIC id", (r"cpuid\.1\.0\.[bcd]", ANY, ANY),
           (r"cpuid\.7\.0\.b", ANY, ANY), (r"cpuid\.b\.\d\.[abd]", ANY, ANY)),
    *_rows("only features that guests have",
           (r"cpuid\.7\.[01]\.[ac]|cpuid\.d\.0\.[ac]|cpuid\.80000001\.0\.[cd]", ANY, ANY),
           (r"cpuid\.80000008\.0\.c", ANY, ANY), lanes=TCG),
    *_rows("only features that guests have", (r"cpuid\.80000008\.0\.b", ANY, ANY)),
    *_rows("only features that guests have", (r"cpuid\.d\.1\.a", "0000000f", "00000007"), lanes=ON_BOCHS),
    *_rows("the APIC's timer runs in HLT, and there is no other power management",
           (r"cpuid\.6\.0\.a", ANY, "00000004"), lanes=ON_BOCHS),
    *_rows("the frequency of the TSC, in a crystal's", (r"cpuid\.15\.0\.[abc]", ANY, ANY), lanes=ON_BOCHS),
    *_rows("Bulkhead's own leaves", (r"cpuid\.40000000\.0\.[abcd]", ANY, ANY)),
    *_rows("guests have no such leaf", (r"cpuid\.[0-9a-f]+\.\d+\.[abcd]", ANY, ZERO)),
    *_rows("what a guest is not told of, it does not have", (
        r"consistent\.(arch-capabilities|spec-ctrl)", "said=0 works=1", "said=0 works=0"), lanes=TCG),
    *_rows("what a guest is not told of, it does not have",
           (r"consistent\.tsc-adjust", "said=. works=1", "said=0 works=0")),
    *_rows("machine checks are the hypervisor's; Linux reads their registers unasked",
           (r"consistent\.mca", "said=1 works=.", "said=0 works=1")),
    *_rows("PKRU and MPX are not for guests", (r"consistent\.pke", ANY, "not tried"),
           (r"consistent\.area-.*", ANY, ANY), lanes=TCG),

    # --- MSRs: test_msr_policy ---
    *_rows("registers that no guest has", (
        r"msr\.(tsc-adjust|spec-ctrl|pred-cmd|mperf|arch-capabilities|flush-cmd|tsx-ctrl|mcg-ctl|perf-evtsel0|"
        r"mtrr-base0|mtrr-mask0|mtrr-fix64k|fixed-ctr-ctrl|perf-global-ctrl|mc0-ctl|mc0-status|vmx-basic|xss|pkrs|u-cet|"
        r"vm-cr|vm-hsave-pa)\.read", ANY, FAULT)),
    *_rows("registers that no guest has", (
        r"msr\.(spec-ctrl|pred-cmd|arch-capabilities|flush-cmd|tsx-ctrl|mcg-ctl|perf-evtsel0|mtrr-base0|mtrr-mask0|"
        r"fixed-ctr-ctrl|perf-global-ctrl|mc0-ctl|mc0-status|vmx-basic|xss|pkrs|u-cet)\.faults", EACH_BIT, "f{16}"),
        (r"msr\.(mtrr-base0|mtrr-mask0|mc0-status|pkrs)\.kept", EACH_BIT, NONE)),
    *_rows("fixed values, and writes that fault or do nothing, for what Linux reads unasked", (
        r"msr\.(feature-control|bios-sign-id|platform-info|mtrr-cap|mcg-cap|mcg-status|perf-status|misc-enable|"
        r"debugctl|mtrr-def-type|hwcr|syscfg)\.(read|faults|kept)", ANY, ANY)),
    *_rows("which MSRs guests have", (r"msr\.range\.[0-9a-f]+", EACH_BIT, EACH_BIT)),
    *_rows("Bochs resets SFMASK to something", (r"msr\.sfmask\.read", "20200", "0"), lanes=ON_BOCHS),
    *_rows("QEMU's EFER takes reserved bits", (r"efer\.bit\d+", "0 .*", "13 0"), lanes=TCG),
    *_rows("QEMU has MSRs everywhere",
           (r"([ku](64|32|16)\.)(rd|wr)msr-(nowhere|high|efer-reserved|pat-reserved).*", ANY, GP),
           (r"delivery\.k..\.gp-(np-)?absent", "done .*", ANY),
           (r"debug\.1-execute-on-rdmsr-fault|tail\.(step\.)?wrmsr-nowhere", ANY, GP),
           (r"real\.(step-)?(rd|wr)msr-nowhere", ANY, "13 .*"), lanes=TCG),

    # --- the local APIC ---
    *_rows("a guest's core is not core 0", (r"x2apic\.80[2d]\.read", ANY, ANY)),
    *_rows("the interrupt command register is emulated: it reads as 0", (r"x2apic\.830\.read", ANY, "0")),
    *_rows("firmware has used the APIC, a guest's is as after INIT",
           (r"x2apic\.(828|835|836)\.read", ANY, ANY), lanes=TCG),
    *_rows("QEMU's x2APIC has registers that are not there", (r"x2apic\.(809|80b|831)\.read", ANY, FAULT),
           (r"x2apic\.8([01][0-9a-f]|2[0-9a-e]|3[0189a-f])\.(bit\d+|write)", r"(?!13).*", FAULT), lanes=TCG),
    *_rows("what is not a fixed interrupt would reach the hypervisor: such an entry is written masked",
           (r"x2apic\.8(2f|3[3-7])\.bit(8|9|10)", ANY, "100ff")),
    *_rows("reserved bits of local vector table entries fault, which neither emulator knows",
           (r"x2apic\.8(2f|3[2-7])\.bit\d+", "(?!13).*", FAULT)),
    *_rows("vectors that the hypervisor itself refuses are not in the APIC's error status",
           (r"icr\.illegal-\d+", "0 0 esr=40", "0 0 esr=0"), lanes=ON_BOCHS),
    *_rows("lowest priority is not for guests: the SDM leaves it to the model",
           (r"icr\.lowest-.*", "0 pending=1", "0 pending=0"), (r"lowest-.*sti-nop", ANY, "not sent"),
           lanes=TCG),
    *_rows("lowest priority is not for guests: the SDM leaves it to the model",
           (r"icr\.lowest-logical", "0 pending=1", "0 pending=0"), (r"lowest-logicalsti-nop", ANY, "not sent"),
           lanes=ON_BOCHS),
    *_rows("Bochs looks at 8 bits of a destination", (r"icr\.nobody", "0 pending=1", "0 pending=0"),
           (r"nobodysti-nop", ANY, "not sent"), lanes=ON_BOCHS),
    *_rows("Bochs' INIT leaves no signature in EDX", (r"(init|again)\.edx", "0", "[0-9a-f]+"), lanes=ON_BOCHS),

    # --- instructions ---
    *_rows("guests have no performance counters: every index is out of range",
           (r".*\.rdpmc(-far)?(-step|-rf)?", ANY, GP)),
    *_rows("INS and OUTS fault: no port needs them", (r"k(64|32)\.(insb|outsb|rep-insb-none)(-step|-rf)?", RAN, GP)),
    *_rows("MONITOR is not for guests", (r"k(64|32)\.monitor(-step|-rf)?", RAN, UD)),
    *_rows("QEMU looks at CPL before CR4.OSXSAVE", (r"u(64|32)\.xsetbv(-step)?", GP, UD), lanes=TCG),
    *_rows("under SVM EFER.SVME is on, and #GP for CPL 3 goes before the exit", (
        r"u(64|32)\.(vmrun|vmload|vmsave|stgi|clgi|invlpga|skinit)(-step)?", UD, GP), lanes=TCG),
    *_rows("no I/O breakpoints on ports, which are all emulated", (r"debug\.1-port-.*", "1 at=2 .*", "done .*"),
           (r"debug\.2-port-.*", ANY, "ended before")),
    *_rows("CR4.VMXE is not for guests", (r"cr4\.bit13", "2000", FAULT), lanes=ON_BOCHS),
    *_rows("XCR0 has x87, SSE, AVX and AVX-512 for guests", (r"xcr0\..*", ANY, ANY), lanes=TCG),
    *_rows("QEMU's own CPUID keeps RF", (r"debug\.2-(execute|access-mov-ss)-cpuid", "done flags=10000", "done flags=0"),
           lanes=TCG),
    *_rows("QEMU reports the next instruction's breakpoint with a single step, and a data breakpoint before it",
           (r"debug\.1-execute-after-cpuid-tf", ".* dr6=4001", ".* dr6=4000"),
           (r"debug\.[1234]-access-tf", "1 in a handler", ANY), lanes=TCG),
    *_rows("a guest's APIC is in x2APIC mode from the start", (r"(init|again)\.apic-base", "fee00800", "fee00c00")),
    *_rows("an NMI that a guest sends itself comes before the single step behind WRMSR",
           (r"nmi\.wrmsr-tf", "2 in a handler", ANY), lanes=ON_BOCHS),
    *_rows("machine checks stay on, and QEMU's MOV from CR4 does not exit: MCE reads as set",
           (r"cr4\.bit6", "40", "0"), (r"(init|again)\.cr4", "0", "40"), lanes=TCG),
    *_rows("CR4.MCE is a guest's to set, but CPUID does not offer machine checks",
           (r"consistent\.mce", "said=1 works=1", "said=0 works=1|not tried")),
    *_rows("INT1 is delivered again behind the instruction",
           (r"delivery\....\.(int1|db)-absent", ".* at=0 .*", ".* at=1 .*"),
           lanes=ON_BOCHS),
)


@dataclass(frozen=True)
class Difference:
    lane: str
    name: str
    bare: str | None
    guest: str | None
    row: Row | None

    def __str__(self) -> str:
        said = "not said" if self.row is None else self.row.reason
        return f"{self.lane}: {self.name}: bare {self.bare!r}, guest {self.guest!r}; the table: {said}"


class Incomplete(MachineError):
    """It ended, and not all of what it said arrived."""


def parsed(text: str) -> dict[str, str]:
    """name -> result. Said twice is an error of the guest."""
    found: dict[str, str] = {}
    for name, result in re.findall(r"= (\S+): (.*?)(?= = |\s*$)", text, re.M):
        if name in found:
            raise MachineError(f"{name} is said twice")
        found[name] = result
    end = re.search(r"architecture: (\d+) probes", text)
    if not end:
        raise MachineError(f"the probes did not end; the last is {list(found)[-1:]}")
    if len(found) != int(end.group(1)):
        raise Incomplete(f"{len(found)} probes of {end.group(1)} arrived")
    return found


def bare_run(lane: str, build: Path, limit: float = 240) -> Machine:
    elf = build / "guest/architecture.elf"
    if lane == "tcg":
        spec = MachineSpec(cpus=2, memory=128, iommu=False, boot="none", nics=(), extra=("-kernel", str(elf)))
    else:
        # The hypervisor's ISO with another menu.
        spec = MachineSpec(cpus=2, memory=128, iso=build / "bulkhead.iso", batch=False, strict=True,
                           files={"/boot/grub/grub.cfg": GRUB, "/bulkhead/architecture.elf": elf}, **BOCHS)
    return machine(lane, spec, limit * PATIENCE)


def on_bare_machine(lane: str, build: Path = BUILD) -> dict[str, str]:
    with bare_run(lane, build) as run:
        run.wait()
    return parsed((run.directory / "serial.log").read_text(errors="replace").replace("\r", ""))


def guest_run(lane: str, pace: int, build: Path, directory: Path | None = None, limit: float = 300) -> Machine:
    text = ("[guest alpha]\nimage = architecture.elf\nmemory = 32M\ncpus = 2\nexpect = exit 0\n"
            f"args = pace={pace}\n")
    spec = MachineSpec(cpus=3, image=build / "bulkhead.img", iso=build / "bulkhead.iso", scenario="architecture",
                       files={"/bulkhead/architecture.conf": text.encode()}, **(BOCHS if lane == "bochs" else {}))
    return machine(lane, spec, limit * PATIENCE, directory)


def said_by(run: Machine) -> str:
    pieces = [line["text"] for line in run.events if line.event == "guest.output"]
    return "\n".join(pieces) + "\n"


def as_guest(lane: str, build: Path = BUILD, directory: Path | None = None) -> dict[str, str]:
    """A computer that is busy with other things may take the text too slowly: then once more, at half the pace."""
    for turn in range(TURNS):
        with guest_run(lane, PACE[lane] << turn, build, directory if turn == 0 else None) as run:
            run.wait()
        try:
            return parsed(said_by(run))
        except Incomplete as problem:
            lost = problem
        except MachineError as problem:
            raise MachineError(f"{problem}\n{run.explain('as a guest')}") from None
    raise lost


def compared(lane: str, bare: dict[str, str], guest: dict[str, str]) -> list[Difference]:
    found = []
    for name in list(bare) + [name for name in guest if name not in bare]:
        one, other = bare.get(name), guest.get(name)
        if one == other:
            continue
        row = next((row for row in ALLOWED if one is not None and other is not None
                    and row.covers(lane, name, one, other)), None)
        found.append(Difference(lane, name, one, other, row))
    return found


def mistakes(lane: str, differences: list[Difference]) -> list[str]:
    """Differences that no row allows, and rows that allow nothing any more."""
    wrong = [str(difference) for difference in differences if difference.row is None]
    used = {difference.row for difference in differences}
    wrong += [f"{lane}: no difference is left for the row {row.names!r} ({row.reason})" for row in ALLOWED
              if lane in row.lanes and row not in used]
    return wrong


def documentation() -> str:
    """The table of docs/tests.md."""
    lines = ["| probes | lanes | bare | guest | why |", "|---|---|---|---|---|"]
    for row in ALLOWED:
        cells = [f"`{text}`".replace("|", "\\|") for text in (row.names, " ".join(row.lanes), row.bare, row.guest)]
        lines.append("| " + " | ".join([*cells, row.reason]) + " |")
    return "\n".join(lines) + "\n"


def write_documentation() -> None:
    text = DOCUMENT.read_text()
    begin, end = text.index(MARK) + len(MARK), text.index(END_MARK)
    DOCUMENT.write_text(text[:begin] + documentation() + text[end:])


def main() -> int:
    failed = False
    if sys.argv[1:] == ["--write"]:
        write_documentation()
        return 0
    wanted = sys.argv[1:] or LANES
    unknown = [lane for lane in wanted if lane not in LANES]
    if unknown:
        print(f"architecture: error: {choices.unknown('lane', unknown[0], LANES)}", file=sys.stderr)
        return 2
    for lane in wanted:
        bare, guest = on_bare_machine(lane), as_guest(lane)
        differences = compared(lane, bare, guest)
        for difference in differences:
            print(difference)
        wrong = mistakes(lane, differences)
        for line in wrong:
            print(f"WRONG {line}")
        print(f"{lane}: {len(bare)} probes on the bare machine, {len(guest)} as a guest, {len(differences)} differ, "
              f"{len(wrong)} wrong", flush=True)
        failed = failed or bool(wrong) or len(bare) < LEAST
    return int(failed)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (MachineError, OSError, subprocess.SubprocessError) as problem:
        sys.exit(f"architecture: error: {problem}")
