# SPDX-License-Identifier: MIT
"""A machine of emulated parts that is as much like the one of a preflight report as they allow; and what it is not."""

import struct
from dataclasses import dataclass, field

from . import dmar
from .preflight import Line, Report
from .preflight_words import NETWORK, STORAGE, Facts, base_class
from .scenario import MODELS
from .spec import MachineSpec, Nic, Nvme
from .tables import HEADER, table

RESERVED = 0x7800000  # memory that QEMU's firmware leaves
MIB = 1 << 20
MOST_CPUS, MOST_MEMORY, MOST_CARDS, MOST_CONTROLLERS, MOST_REGIONS = 8, 1024, 4, 2, 16
SPCR_PORTS = {0x3f8: "com1", 0x2f8: "com2", 0x3e8: "com3", 0x2e8: "com4"}


@dataclass
class Made:
    """The machine, and each thing of the report that it does not have."""

    spec: MachineSpec
    missing: list[str] = field(default_factory=list)


def _cpus(report: Report, made: Made) -> None:
    threads = report.one("cpu.threads")
    enabled, cores = threads.integer("enabled"), threads.integer("cores")
    per_core = 2 if 0 < cores < enabled else 1
    count = max(4, min(enabled, MOST_CPUS)) // per_core * per_core
    made.spec = made.spec.but(cpus=count, threads=per_core)
    if count != enabled:
        made.missing.append(f"{enabled} logical CPUs: there are {count}")
    made.missing.append(f"the CPU ({report.one('cpu.name')['brand']}): its features and VMX capabilities are the emulator's")


def _memory(report: Report, made: Made) -> None:
    total = sum(line.integer("kib") for line in report.all("memory.type", name="free")) >> 10
    made.spec = made.spec.but(memory=max(512, min(total, MOST_MEMORY)))
    if total > MOST_MEMORY:
        made.missing.append(f"{total} MiB of memory: there are {made.spec.memory}")
    if report.first("memory.node"):
        made.missing.append("nodes of memory (table SRAT)")


def _placement(facts: Facts, function: Line) -> str:
    port = facts.function(function["port"]) if function.get("port") else None
    if port is None:
        return "root-bus"
    if port["kind"] == "downstream-port":
        return "switch"
    roots = sorted(line.integer("base") for line in facts.report.all("pci.aperture", kind="bus"))
    bus = int(function["rid"].split(":")[-2], 16)
    return "second-root" if len(roots) > 1 and bus >= roots[1] > 0 else "root-port"


def _cards(facts: Facts, made: Made) -> None:
    nics = []
    for function in facts.functions:
        if base_class(function) != NETWORK:
            continue
        model = MODELS.get(function["id"], "igb" if function.has("sriov") else "e1000e")
        if len(nics) == MOST_CARDS:
            made.missing.append(f"network card {function['rid']} ({function['id']})")
            continue
        if MODELS.get(function["id"]) != model:
            made.missing.append(f"network card {function['rid']} ({function['id']}): in its place is an {model}")
        nics.append(Nic(model, _placement(facts, function)))
    alone = len(nics) < 2
    made.spec = made.spec.but(nics=tuple(nic if alone or nic.model == "igb" else
                                         Nic(nic.model, nic.placement, netdev="hubport,hubid=0") for nic in nics))
    sriov = {line["pf"]: line for line in facts.report.all("pci.sriov")}
    disks = [sriov[function["rid"]] for function in facts.functions
             if base_class(function) == STORAGE and function["class"] == "010802" and function["rid"] in sriov]
    made.spec = made.spec.but(nvmes=tuple(Nvme(max(1, min(line.integer("total"), 8))) for line in disks[:MOST_CONTROLLERS]))
    for line in facts.report.all("pci.sriov"):
        if not line.has("ari"):
            made.missing.append(f"{line['pf']}: a port without ARI (VFs at offset {line['offset']}, stride {line['stride']})")


def _regions(report: Report, made: Made) -> list[bytes]:
    """RMRRs: for the functions that they name, where these are on bus 0; the memory is elsewhere."""
    regions = []
    for number, line in enumerate(list(report.all("iommu.reserved"))[:MOST_REGIONS]):
        if line["rid"] == "absent" or not line["rid"].startswith("00:"):
            made.missing.append(f"memory that firmware keeps for {line['rid']} (RMRR)")
            continue
        slot, function = line["rid"][3:].split(".")
        base = RESERVED + number * MIB
        regions.append(dmar.rmrr(base, base + MIB - 1, (int(slot, 16), int(function, 16))))
    return regions


def _iommu(facts: Facts, made: Made) -> None:
    report = facts.report
    table_line = report.first("iommu.dmar")
    if table_line is None:
        amd = report.first("iommu.amd") is not None
        made.spec = made.spec.but(iommu=False, extra=(*made.spec.extra, *(("-device", "amd-iommu") if amd else ())))
        return
    remapping = facts.remapping
    eim = remapping and all(unit.has("eim") for unit in facts.units)
    wide = any(unit.has("levels4") for unit in facts.units)
    made.spec = made.spec.but(iommu=True, intremap=remapping, eim=eim, aw_bits=48 if wide or not facts.units else 39,
                              snoop_control=all(unit.has("snoop") for unit in facts.units))
    flags = table_line.has("remapping") | table_line.has("x2apic_opt_out") << 1 | table_line.has("dma_opt_in") << 2
    regions = _regions(report, made)
    body = dmar.body(dmar.drhd(dmar.UNIT, scopes=dmar.IO_APIC if remapping else b""), *regions, flags=flags)
    made.spec.tables["DMAR"] = table("DMAR", body)
    if len(facts.units) > 1:
        made.missing.append(f"{len(facts.units)} VT-d units: one has all functions")
    if "DMAR" in report.tables and regions:
        made.missing.append("the place of the memory that firmware keeps: the made machine has it elsewhere")


def _watchdog(report: Report, made: Made) -> None:
    """As it is, where all its registers are I/O ports (WDAT: entries of 24 bytes, the address space at 4)."""
    content = report.tables.get("WDAT")
    if content is None or len(content) < 68:
        return
    count, = struct.unpack_from("<I", content, 64)
    spaces = {content[at + 4] for at in range(68, min(68 + 24 * count, len(content) - 23), 24)}
    if spaces == {1}:
        made.spec.tables["+WDAT"] = content
    else:
        made.missing.append("the watchdog: its registers are in memory")


def _console(report: Report, made: Made) -> None:
    spcr, content = report.first("console.spcr"), report.tables.get("SPCR")
    if spcr is None:
        return
    port = spcr.integer("address") if spcr["space"] == "io" else 0
    if port in SPCR_PORTS and content is not None and len(content) >= HEADER:
        made.spec = made.spec.but(console=SPCR_PORTS[port])
        made.spec.tables["+SPCR"] = content
    else:
        made.missing.append(f"the serial line that SPCR names ({spcr['space']} {spcr['address']})")


def _screen(facts: Facts, made: Made) -> None:
    for screen in facts.screens[:1]:
        width, height = screen.integer("width"), screen.integer("height")
        if 640 <= width <= 2560 and 480 <= height <= 1600 and width % 8 == 0:
            made.spec = made.spec.but(screen=(width, height))
        else:
            made.missing.append(f"a screen of {width}x{height}")
    if len(facts.screens) > 1:
        made.missing.append(f"{len(facts.screens)} screens: there is one")


def _rest(facts: Facts, made: Made) -> None:
    report = facts.report
    secure = report.first("firmware.secure_boot")
    if secure is not None and secure["state"] == "on":
        made.missing.append("Secure Boot")
    others = [function for function in facts.functions if base_class(function) not in (NETWORK, 0x06)]
    if others:
        made.missing.append(f"{len(others)} functions that are neither network cards nor bridges")
    for name in ("MADT", "MCFG", "FACP", "SRAT", "ERST", "DBG2", "IVRS", "SLIT", "HMAT"):
        name = "APIC" if name == "MADT" else name
        if name in report.tables:
            made.missing.append(f"table {name}: the emulator's own describes the made machine")


def make(report: Report, base: MachineSpec | None = None) -> Made:
    """The machine. `base`: what it boots, and other things that no report tells of."""
    facts, made = Facts(report), Made((base or MachineSpec()).but(tables={}))
    _cpus(report, made)
    _memory(report, made)
    _cards(facts, made)
    _iommu(facts, made)
    _watchdog(report, made)
    _console(report, made)
    _screen(facts, made)
    _rest(facts, made)
    return made
