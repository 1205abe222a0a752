# SPDX-License-Identifier: MIT
"""A preflight report in plain words: what the machine can do, what to set in its firmware, what to buy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .preflight import Line, Report

NETWORK, STORAGE, DISPLAY = 0x02, 0x01, 0x03


def base_class(function: Line) -> int:
    return int(function["class"], 16) >> 16


@dataclass(frozen=True)
class Facts:
    """What several sentences need."""

    report: Report

    @property
    def backend(self) -> str:
        """"VMX", "SVM", or "" where no guest can run."""
        refused = {line.get("name") for line in self.report.all("cpu.refused")}
        features = self.report.one("cpu.features")
        for name in ("vmx", "svm"):
            if features.has(name) and name not in refused:
                return name.upper()
        return ""

    @property
    def x2apic(self) -> bool:
        return self.report.one("cpu.features").has("x2apic")

    @property
    def locked(self) -> bool:
        lock = self.report.first("cpu.lock")
        return lock is not None and lock.has("locked") and not lock.has("vmx")

    @property
    def units(self) -> list[Line]:
        return list(self.report.all("iommu.unit"))

    @property
    def remapping(self) -> bool:
        dmar = self.report.first("iommu.dmar")
        return dmar is not None and dmar.has("remapping") and all(unit.has("ir") for unit in self.units)

    @property
    def functions(self) -> list[Line]:
        return list(self.report.all("pci.function"))

    @property
    def cards(self) -> list[Line]:
        """The SR-IOV capabilities of network and storage functions."""
        wanted = {function["rid"] for function in self.functions if base_class(function) in (NETWORK, STORAGE)}
        return [card for card in self.report.all("pci.sriov") if card["pf"] in wanted]

    @property
    def screens(self) -> list[Line]:
        return [screen for screen in self.report.all("screen.gop") if screen["format"] in ("rgbx", "bgrx", "masks")]

    def function(self, rid: str) -> Line | None:
        return self.report.first("pci.function", rid=rid)


def _machine(facts: Facts) -> Iterator[str]:
    report, name = facts.report, facts.report.one("cpu.name")
    system, firmware = report.first("machine.system"), report.first("machine.firmware")
    yield f"Machine: {system.get('vendor')} {system.get('product')}" if system else "Machine: its maker is not known"
    if firmware:
        yield f"Firmware: {firmware.get('vendor')} {firmware.get('version')} of {firmware.get('date')}"
    threads = report.one("cpu.threads")
    yield (f"CPU: {name['brand'] or name['vendor']}; {threads['enabled']} logical CPUs on {threads['cores']} cores, microcode "
           f"{name['microcode']}")
    memory = sum(line.integer("kib") for line in report.all("memory.type")
                 if line["name"] in ("free", "boot-code", "boot-data", "loader-code", "loader-data"))
    yield f"Memory: {memory >> 10} MiB that firmware leaves"
    start = report.one("preflight.start")
    yield f"Written by Bulkhead {start['version']} ({start['commit']}) for {start['config']}"


def _abilities(facts: Facts) -> Iterator[str]:
    if facts.backend and facts.x2apic:
        yield f"Guests: yes, by {facts.backend}"
    else:
        yield "Guests: no" + (", VMX is locked off by firmware" if facts.locked else "" if facts.backend else ", no usable VMX or SVM")
    if facts.units:
        yield (f"Devices for guests: yes, {len(facts.units)} VT-d unit(s)"
               + ("" if facts.remapping else ", but interrupts are not remapped: only with unsafe_interrupts = yes"))
    else:
        yield "Devices for guests: no, there is no VT-d unit"
    for card in facts.cards:
        yield f"Card {card['pf']}: {card['total']} virtual functions, {_reach(card)}"
    whole = [function["rid"] for function in facts.functions
             if base_class(function) == NETWORK and not function.has("sriov")]
    if whole:
        yield f"Network cards to give away whole: {', '.join(whole)}"
    yield "Screen: " + (", ".join(f"{screen['width']}x{screen['height']} on {screen['function']}" for screen in facts.screens)
                        or "none that Bulkhead can draw on")


def _reach(card: Line) -> str:
    if card.has("ari"):
        return f"reached with ARI (offset {card['offset_ari']}, stride {card['stride_ari']})"
    if card.integer("offset") < 256:
        return f"on the card's own bus without ARI (offset {card['offset']}, stride {card['stride']})"
    return f"on another bus, as the port above forwards no ARI (offset {card['offset']}, stride {card['stride']})"


def _settings(facts: Facts) -> Iterator[str]:
    report = facts.report
    if facts.locked:
        yield ("switch on Intel Virtualization Technology (VT-x, VMX), under Advanced, CPU or Security; then power off and on")
    svm = report.first("cpu.svm")
    if svm is not None and svm.has("off"):
        yield "switch on SVM (AMD-V), under CPU"
    if not facts.x2apic:
        yield "switch on x2APIC, under CPU or Northbridge"
    if not facts.units and not report.first("iommu.amd"):
        yield "switch on VT-d (Intel VT for Directed I/O), under Chipset or System Agent"
    elif facts.units and not facts.remapping:
        yield "look for interrupt remapping, near VT-d"
    secure = report.first("firmware.secure_boot")
    if secure is not None and secure["state"] == "on":
        yield "Secure Boot is on: sign the stick with a key of yours that is enrolled, or switch it off"
    if report.first("cpu.smt"):
        yield ("switch hyper-threading off unless guests have several vCPUs: a core's threads have one owner (smt = apart), so "
               "they are no more cores")
    for line in report.all("config.unsure"):
        if "VF BAR" in line.get("message"):
            yield "switch on SR-IOV support (and decoding above 4G), under PCI: it reserves room for the card's VFs"
            break
    if any(line["rid"] != "absent" and _is_usb(facts, line["rid"]) for line in report.all("iommu.reserved")):
        yield "legacy USB support keeps memory for USB controllers: switch it off if one is to go to a guest"
    watchdog = report.first("watchdog.wdat")
    if watchdog is not None and watchdog.has("running"):
        yield "a watchdog is running, which Bulkhead stops: switch the OS watchdog off if watchdog.stopped says that it did not"


def _is_usb(facts: Facts, rid: str) -> bool:
    function = facts.function(rid)
    return function is not None and function["class"].startswith("0c03")


def _purchases(facts: Facts) -> Iterator[str]:
    report = facts.report
    if not facts.backend and not facts.locked:
        yield "a machine whose CPU has VMX with EPT and unrestricted guest (Intel, from 2010 on)"
    if report.first("iommu.amd"):
        yield "for devices in guests, a machine with Intel VT-d: this one has AMD-Vi"
    if not any(base_class(function) == NETWORK and function.has("sriov") for function in facts.functions):
        yield "for VFs, a network card with SR-IOV: Intel's I350 (8086:1521) and 82576 (8086:10c9) need no guest to drive the PF"
    if not facts.screens and not report.first("console.spcr"):
        yield "for the log, a serial card where there is no COM1 to COM4: firmware drives no screen"


def _verdicts(facts: Facts) -> Iterator[str]:
    words = {"config.can": "can", "config.unsure": "perhaps", "config.cannot": "cannot", "config.error": "error"}
    for line in facts.report.lines:
        if line.event not in words:
            continue
        what = f"{line.get('section')} {line.get('name')}: {line.get('item')}" if line.get("section") else line.get("file")
        message = line.get("message")
        yield f"{words[line.event]:8}line {line['line']:>3}  {what}" + (f"\n{'':17}{message}" if message else "")


def _refusals(facts: Facts) -> Iterator[str]:
    for line in facts.report.lines:
        if line.event.endswith(".refused") and line.get("message"):
            what = line.get("table") or line.get("rid") or line.get("base") or line.get("name")
            yield f"{line.event}{f' {what}' if what else ''}: {line['message']}"


CHAPTERS: tuple[tuple[str, Callable[[Facts], Iterator[str]], str], ...] = (
    ("The machine", _machine, ""),
    ("What it can do", _abilities, ""),
    ("What to set in the firmware", _settings, "nothing"),
    ("What to buy", _purchases, "nothing"),
    ("The configuration, line by line", _verdicts, "it names nothing"),
    ("What was refused", _refusals, "nothing"),
)


def explain(report: Report) -> str:
    facts = Facts(report)
    text = []
    for title, chapter, otherwise in CHAPTERS:
        sentences = list(chapter(facts)) or [otherwise]
        text += [title, *(f"  {sentence}" for sentence in sentences), ""]
    if report.remarks:
        text += ["About this copy of the report", *(f"  {remark}" for remark in report.remarks), ""]
    return "\n".join(text)
