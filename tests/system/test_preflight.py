# SPDX-License-Identifier: MIT
"""\\bulkhead\\preflight.txt: what the loader writes about a machine is what the hypervisor finds in it, and nothing that
may be wrong with the stick or the machine keeps it from starting."""

import shutil

import pytest
from system.checks import of, one

from machine import MachineSpec, disk, dmar, preflight, preflight_machine, preflight_words
from machine.like import LIKES
from machine.tables import table
from mutations.scenarios_preflight import fill

pytestmark = [pytest.mark.tcg, pytest.mark.timeout(150)]

CARD = "[nic uplink]\ndevice = 8086:10c9\nvfs = 2\n"
GUEST = "[guest alpha]\nimage = hello.elf\nmemory = 4M\nargs = ticks=5\n"
TEXT = CARD + GUEST + "device = uplink.vf0\n"
# What a description that was made has of its own.
MADE = ("cpus", "threads", "memory", "nics", "nvmes", "iommu", "intremap", "eim", "aw_bits", "snoop_control", "screen", "console",
        "board", "tables", "extra")


def serial(run) -> str:
    return (run.directory / "serial.log").read_text(errors="replace")


def report_of(run) -> preflight.Report:
    """Off the stick, while the machine is on: its copy goes with it."""
    return preflight.load(run.directory / "bulkhead.img")


def fields(report: preflight.Report, event: str, *keys: str) -> list[tuple[str, ...]]:
    return sorted(tuple(line[key] for key in keys) for line in report.all(event))


def in_the_log(run, event: str, *keys: str) -> list[tuple[str, ...]]:
    return sorted(tuple(line[key] for key in keys) for line in of(run, event))


@pytest.fixture(scope="module")
def usual(boot):
    """The usual machine, run to its end, and its report."""
    run = boot(TEXT)
    run.wait_for("boot.start", timeout=60)
    report = report_of(run)
    run.wait()
    return run, report


def test_it_says_what_the_hypervisor_finds(usual):
    run, report = usual
    assert not report.remarks
    assert set(report.tables) == {"DMAR", "APIC", "MCFG", "FACP"}
    assert fields(report, "pci.function", "rid", "id", "class", "kind") == in_the_log(run, "pci.function", "rid", "id", "class",
                                                                                  "kind")
    assert fields(report, "iommu.unit", "base", "version", "cap", "ecap", "scope") == in_the_log(
        run, "iommu.unit", "base", "version", "cap", "ecap", "scope")
    assert fields(report, "acpi.table", "name", "length") == in_the_log(run, "acpi.table", "name", "length")
    enabled, card = one(run, "sriov.enabled"), report.one("pci.sriov")
    assert (card["pf"], card["total"], card["offset_ari"], card["stride_ari"], card["ari"]) == tuple(
        enabled[key] for key in ("pf", "total", "offset", "stride", "ari"))
    assert card["vf"] == "8086:10ca"
    assert report.one("cpu.threads")["enabled"] == one(run, "cpu.online")["count"] == "4"
    assert one(run, "cpu.backend")["name"] == preflight_words.Facts(report).backend.lower()
    assert {"io", "memory", "bus"} <= {line["kind"] for line in report.all("pci.aperture")}
    assert report.one("firmware.secure_boot")["state"] in ("off", "absent")
    # Each line of the configuration, and what became of it.
    assert fields(report, "config.can", "line") == [("1",), ("4",), ("8",)]
    assert not fields(report, "config.cannot", "line") and not fields(report, "config.unsure", "line")
    assert len(of(run, "device.assigned")) == 1
    assert one(run, "run.verdict")["result"] == "ok"


def test_the_same_machine_again(boot, usual):
    """What has not changed is not written again: the old file is a little different, and stays."""
    _, report = usual
    old = report.text.replace(b"name=free", b"name=FREE")
    files = {f"/bulkhead/tables/{name}.bin": content for name, content in report.tables.items()}
    run = boot(TEXT, files={"/bulkhead/preflight.txt": old, **files})
    run.wait_for("boot.start", timeout=60)
    assert "preflight.txt is as it was" in serial(run)
    assert disk.read_from_image(run.directory / "bulkhead.img", "/bulkhead/preflight.txt") == old
    run.stop()


def test_a_machine_made_from_the_report(boot, usual):
    """It says of itself what the first one said."""
    _, report = usual
    made = preflight_machine.make(report)
    run = boot(TEXT, **{key: getattr(made.spec, key) for key in MADE})
    run.wait_for("boot.start", timeout=60)
    again = report_of(run)
    for event, keys in (("pci.function", ("rid", "id", "class", "kind")), ("pci.sriov", ("pf", "total", "offset", "ari")),
                        ("cpu.threads", ("enabled", "cores")), ("iommu.dmar", ("remapping", "x2apic_opt_out")),
                        ("iommu.unit", ("base", "cap", "ecap")), ("config.can", ("line", "item"))):
        assert fields(again, event, *keys) == fields(report, event, *keys)
    run.wait_for("run.verdict", timeout=60, result="ok")
    run.stop()


def test_a_machine_that_cannot(boot):
    """No VT-d, two screens, a file that is missing, a key that is unknown: each is a line, and the hypervisor agrees."""
    text = TEXT + "[guest beta]\nimage = other.elf\nmemory = 4M\n[guest gamma]\nimage = hello.elf\nmemroy = 4M\n"
    run = boot(text, iommu=False, screen=(1280, 800), extra=("-device", "bochs-display"))
    run.wait_for("boot.start", timeout=60)
    report = report_of(run)
    screens = list(report.all("screen.gop"))
    assert len({screen["function"] for screen in screens if screen["function"] != "none"}) == 2
    assert any(screen["width"] == "1280" and screen["format"] == "bgrx" for screen in screens)
    assert any(screen["console"] == "yes" for screen in screens)
    modes = [mode for mode in report.all("screen.mode") if mode["gop"] == screens[0]["gop"]]
    assert len(modes) == screens[0].integer("modes")
    assert [line["line"] for line in report.all("config.cannot")] == ["1", "8", "10"]
    assert report.one("config.error")["line"] == "14"
    assert any("enable VT-d" in line["message"] for line in report.all("iommu.refused"))
    assert "switch on VT-d" in preflight_words.explain(report)
    run.wait()
    assert {event["guest"] for event in of(run, "guest.refused")} == {"alpha", "beta"}
    assert one(run, "nic.refused")["line"] == "1"


@pytest.mark.parametrize("clusters", (4, 8))
def test_a_full_stick(boot, tmp_path, clusters):
    """There is room for the configuration, and for half of the tables, or for all of them and not for the report: said on
    the screen and in the log, no half file is left, and the guest runs."""
    image = tmp_path / "bulkhead.img"
    shutil.copyfile(boot.built / "bulkhead.img", image)
    fill(image, clusters)
    run = boot(GUEST, image=image)
    message = one_message(run)
    assert "preflight.txt cannot be written: the volume is full" in message
    with pytest.raises(preflight.ReportError):
        report_of(run)
    run.wait_for("run.verdict", timeout=60, result="ok")
    run.stop()


def one_message(run) -> str:
    run.wait_for("boot.loader", timeout=60)
    message = one(run, "boot.loader")["message"]
    shown = serial(run).split("boot.start")[0].replace("\r", "").replace("\n", "").replace("\\", "")
    assert message.removeprefix("efi: ") in shown
    return message


def test_a_stick_that_is_write_protected(boot):
    run = boot(GUEST, boot="usb", extra=("-set", "drive.boot.readonly=on"))
    assert "preflight.txt cannot be written: the volume is write-protected" in one_message(run)
    run.wait_for("run.verdict", timeout=60, result="ok")
    run.stop()


def test_preflight_only(boot):
    """The entry of the menu: one screenful, the file, and the menu again."""
    run = boot(None, scenario=None, batch=False)
    run.console.expect("Preflight only", timeout=60)
    run.console.send("p")
    run.console.expect("Bulkhead preflight: .bulkhead.preflight.txt has ", timeout=60)
    run.console.expect("Press a key for the menu", timeout=60)
    shown = serial(run).split("Bulkhead preflight: ")[1].split("Press a key")[0].replace("\r", "").splitlines()
    assert len(shown) <= 24 and max(map(len, shown)) <= 79, shown
    assert "sriov.conf: 7 can, 0 unsure, 0 cannot" in "\n".join(shown)
    report = report_of(run)
    assert report.one("preflight.start")["config"] == "sriov.conf"
    run.console.send(" ")
    run.console.expect("Preflight only", timeout=60)
    assert not of(run, "boot.start")
    run.stop()


def test_firmware_that_lies(boot):
    """Registers where nothing is mapped, configuration space in RAM, blocks of impossible length: nothing faults, each is a
    line."""
    lies = {"DMAR": table("DMAR", dmar.body(dmar.drhd(0x3f00000000000), dmar.drhd(0xfed90000))),
            "+IVRS": table("IVRS", bytes(12) + b"\x10\0\1\0" + bytes(40)), "+WDAT": table("WDAT", bytes(3)),
            "+SPCR": table("SPCR", bytes(4)), "MCFG": table("MCFG", bytes(8) + (0x1000000).to_bytes(8, "little") + b"\0\0\0\xff" + bytes(4))}
    run = boot(TEXT, tables=lies)
    run.wait_for("boot.start", timeout=60)
    report = report_of(run)
    assert any("cannot be read now" in line["message"] for line in report.all("iommu.refused"))
    assert any(line["table"] == "IVRS" and line.get("value") == "0x1" for line in report.all("acpi.refused"))
    assert any("MCFG points configuration space at RAM" in line["message"] for line in report.all("pci.refused"))
    assert report.one("pci.summary")["functions"] == "0"
    assert report.one("watchdog.none")
    run.stop()


LIKE_FACTS = {
    "minipc": (("iommu.dmar", {"x2apic_opt_out": "yes"}), ("iommu.reserved", {"rid": "00:02.0"}),
               ("screen.gop", {"width": "2560", "height": "1440", "console": "yes"}), ("config.can", {"item": "device = left"})),
    "workstation": (("cpu.smt", {"threads": "8", "cores": "4"}), ("console.spcr", {"space": "io", "address": "0x2f8"})),
    "server": (("pci.aperture", {"root": "1", "kind": "bus", "base": "0x80"}), ("iommu.reserved", {"rid": "81:00.0"}),
               ("watchdog.wdat", {"running": "yes"}), ("firmware.erst", {}), ("memory.node", {"node": "1"}),
               ("pci.sriov", {"pf": "81:00.0", "ari": "yes"})),
    "desktop": (("acpi.checksum", {"table": "DMAR"}), ("acpi.skipped", {}), ("config.summary", {"errors": "0"})),
    "amd": (("iommu.amd", {}), ("iommu.refused", {"units": "1"}), ("config.cannot", {"item": "device = uplink.vf0"}),
            ("config.can", {"item": "guest", "name": "alpha"})),
}


@pytest.mark.parametrize("name", LIKE_FACTS)
def test_machines_like_those_in_laboratories(boot, name):
    """What each of them is made to show, its report shows; and a machine can be made from that report."""
    like = LIKES[name]
    spec = like.make(MachineSpec(cpus=4))
    run = boot(scenario=like.scenario, **{key: getattr(spec, key) for key in MADE})
    if spec.console == "none":
        run.wait_for("boot.start", timeout=60)
    else:
        run.console.expect("Bulkhead: starting with", timeout=60)
    report = report_of(run)
    run.stop()
    for event, wanted in LIKE_FACTS[name]:
        assert report.first(event, **wanted), (event, wanted)
    assert "What to buy" in preflight_words.explain(report)
    preflight_machine.make(report)
