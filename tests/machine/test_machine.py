# SPDX-License-Identifier: MIT
"""Tests of what surrounds the machines: log, disks, command lines. No emulator is started."""

import shutil
import struct
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from machine import (MachineError, MachineSpec, Nic, choose_machine, disk, initramfs, kvm, like, machine,  # noqa: E402
                     nested_virtualization, parse_line, paths, run, scenario, scenario_file, tables)
from machine.boot_media import gpt, make_image, needs_disk_tools  # noqa: E402
from machine.blind import keys_of  # noqa: E402
from machine.bochs import configuration  # noqa: E402
from machine.logfmt import LogReader  # noqa: E402
from machine.qemu_command import Places, qemu_arguments  # noqa: E402

PLACES = Places("code.fd", "vars.fd", "file=disk.img", directory="/run")


# The log.

def test_line_with_quoted_and_plain_values():
    line = parse_line('[  12.345678] device.refused guest=beta device=01:00.0 message="owned by \\"alpha\\""\r\n')
    assert (line.time, line.event) == (12.345678, "device.refused")
    assert line.fields == {"guest": "beta", "device": "01:00.0", "message": 'owned by "alpha"'}


def test_line_without_fields_and_with_empty_value():
    assert parse_line("[0.1] monitor.ready").fields == {}
    assert parse_line('[0.1] guest.output name= text=""').fields == {"name": "", "text": ""}


def test_number_reads_both_bases():
    line = parse_line("[1.0] iommu.unit base=0xfed90000 units=2")
    assert line.number("base") == 0xFED90000 and line.number("units") == 2


@pytest.mark.parametrize("text", [
    "",
    "BdsDxe: starting Boot0001",
    "[0.5] no event here",
    "[x] boot.start",
    '[0.5] boot.start message="torn off',
    "[0.5] boot.start key=value and words",
    "[0.5] boot.start =value",
    '[0.5] boot.start key="a"b',
])
def test_what_is_no_event(text):
    assert parse_line(text) is None


@pytest.mark.parametrize("text", [
    "alpha| [1.0] run.verdict result=ok", "   \r\x1b[Kalpha| [1.0] run.verdict result=ok",
    "a-b_9| [9.9] cpu.online count=4\ra-b_9| [1.0] run.verdict result=ok"])
def test_what_a_guest_in_front_sends_is_no_event(text):
    assert parse_line(text) is None


def test_the_mark_of_a_guest_in_a_value_hides_no_event():
    assert parse_line('[1.5] guest.output name=alpha text="alpha| [2.0] run.verdict result=ok"').event == "guest.output"


def test_escapes_before_an_event_are_ignored():
    assert parse_line("\x1b[2J\x1b[01;01Hnoise[0.000001] boot.start version=1").event == "boot.start"


def test_colours_and_questions_to_a_terminal_are_ignored():
    text = "\x1b7\x1b[999;1H\x1b[6n\x1b8\r          \r[1.0] device\x1b[31m.refused \x1b[mrid=01:10.0 message=\"a \x1b[31mblocked: \x1b[mb\""
    assert parse_line(text).fields == {"rid": "01:10.0", "message": "a blocked: b"}
    assert parse_line(text).event == "device.refused"


def test_reader_joins_split_lines_and_numbers_events():
    reader = LogReader()
    for piece in (b"junk\n[0.1] boot.st", b"art a=1\r\n[0.2] cpu.on", b"line count=4"):
        reader.feed(piece)
    assert [event.event for event in reader.events] == ["boot.start"]
    reader.finish()
    assert [(event.index, event.event) for event in reader.events] == [(0, "boot.start"), (1, "cpu.online")]
    assert reader.tail(2) == "[0.1] boot.start a=1\n[0.2] cpu.online count=4"


def test_reader_survives_bytes_that_are_no_text():
    reader = LogReader()
    reader.feed(bytes(range(256)) + b"\n[0.1] boot.start\n")
    assert [event.event for event in reader.events] == ["boot.start"]


# Nested virtualization.

def refuse(error):
    def read():
        raise error
    return read


@pytest.mark.parametrize("leaves, usable, words", [
    ({1: (0, 0, kvm.VMX, 0)}, True, "VMX"),
    ({1: (0, 0, 0, 0), 0x80000001: (0, 0, kvm.SVM, 0)}, True, "SVM"),
    ({1: (0, 0, ~kvm.VMX & 0xFFFFFFFF, 0), 0x80000001: (0, 0, ~kvm.SVM & 0xFFFFFFFF, 0)}, False, "neither"),
    ({}, False, "neither"),
])
def test_nested_virtualization_follows_the_cpuid_bit(leaves, usable, words):
    found, reason = nested_virtualization(lambda: leaves)
    assert found is usable and words in reason
    assert choose_machine(lambda: leaves)[0] == ("kvm" if usable else "tcg")


@pytest.mark.parametrize("error, words", [
    (FileNotFoundError(), "no /dev/kvm"),
    (PermissionError(), "may not be opened"),
    (OSError(22, "Invalid argument"), "Invalid argument"),
])
def test_no_kvm_is_explained(error, words):
    found, reason = nested_virtualization(refuse(error))
    assert not found and words in reason
    assert choose_machine(refuse(error))[0] == "tcg"


def test_supported_cpuid_decodes_the_kernels_table(monkeypatch):
    def ioctl(_descriptor, request, buffer, _mutate):
        assert request == kvm.KVM_GET_SUPPORTED_CPUID
        assert kvm.HEADER.unpack_from(buffer)[0] == kvm.MAXIMUM_ENTRIES
        kvm.HEADER.pack_into(buffer, 0, 3, 0)
        for number, entry in enumerate([(1, 0, 0, 1, 2, 3, 4), (7, 1, 1, 9, 9, 9, 9), (7, 0, 1, 5, 6, 7, 8)]):
            kvm.ENTRY.pack_into(buffer, kvm.HEADER.size + number * kvm.ENTRY.size, *entry, 0, 0, 0)
    monkeypatch.setattr(kvm.fcntl, "ioctl", ioctl)
    assert kvm.supported_cpuid("/dev/null") == {1: (1, 2, 3, 4), 7: (5, 6, 7, 8)}


# The command line.

def command(accelerator="tcg", **changes):
    return qemu_arguments(MachineSpec(**changes), accelerator, PLACES)


def devices(words):
    return [words[position + 1] for position, word in enumerate(words) if word == "-device"]


def test_the_remapping_unit_is_the_first_device():
    assert devices(command())[0] == "intel-iommu,intremap=on,aw-bits=48,eim=on,snoop-control=on"


@pytest.mark.parametrize("changes, expected", [
    ({"intremap": False}, "intel-iommu,intremap=off,aw-bits=48,eim=off,snoop-control=on"),
    ({"eim": None, "aw_bits": 39}, "intel-iommu,intremap=on,aw-bits=39,snoop-control=on"),
    ({"snoop_control": False, "caching_mode": True},
     "intel-iommu,intremap=on,aw-bits=48,eim=on,caching-mode=on"),
    ({"snoop_control": False, "device_iotlb": True},
     "intel-iommu,intremap=on,aw-bits=48,eim=on,device-iotlb=on"),
])
def test_choices_of_the_remapping_unit(changes, expected):
    assert devices(command(**changes))[0] == expected


def test_no_remapping_unit():
    assert not any("iommu" in word for word in command(iommu=False))


@pytest.mark.parametrize("accelerator, machine_type, accel, cpu", [
    ("tcg", "q35,hpet=off", "tcg,thread=multi", "max,+x2apic"),
    ("kvm", "q35,hpet=off,kernel-irqchip=split", "kvm", "host"),
])
def test_accelerators(accelerator, machine_type, accel, cpu):
    words = command(accelerator)
    assert words[words.index("-M") + 1] == machine_type
    assert words[words.index("-accel") + 1] == accel
    assert words[words.index("-cpu") + 1] == cpu


def test_placements_of_cards():
    found = devices(command(nics=(Nic(), Nic(placement="switch"), Nic("e1000e", "root-bus", mac="52:54:00:00:00:01"))))
    assert found[2:] == [
        "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1",
        "igb,id=nic0,bus=port0,netdev=net0,romfile=",
        "pcie-root-port,id=port1,bus=pcie.0,chassis=2,slot=2",
        "x3130-upstream,id=up1,bus=port1",
        "xio3130-downstream,id=down1,bus=up1,chassis=66,slot=0",
        "igb,id=nic1,bus=down1,netdev=net1,romfile=",
        "e1000e,id=nic2,bus=pcie.0,netdev=net2,romfile=,mac=52:54:00:00:00:01",
        "ide-hd,drive=boot,bootindex=0",
    ]


def test_capture_follows_its_card():
    words = command(nics=(Nic(capture=True),))
    assert words[words.index("-object") + 1] == "filter-dump,id=dump0,netdev=net0,file=/run/net0.pcap"


def test_virtual_functions_of_a_virtio_card():
    """Before their PF, on a wire of their own."""
    words = command(nics=(Nic("virtio-net-pci", mac="52:54:00:00:00:01", vfs=2),))
    assert [words[position + 1] for position, word in enumerate(words) if word == "-netdev"] == [
        "user,restrict=on,ipv6=off,id=net0", "hubport,hubid=64,id=net0vf1", "hubport,hubid=64,id=net0vf2"]
    common = "virtio-net-pci,bus=port0,romfile=,disable-legacy=on,iommu_platform=on"
    assert devices(words)[2:-1] == [
        "pcie-root-port,id=port0,bus=pcie.0,chassis=1,slot=1",
        f"{common},addr=0.1,netdev=net0vf1,sriov-pf=nic0", f"{common},addr=0.2,netdev=net0vf2,sriov-pf=nic0",
        f"{common},addr=0.0,netdev=net0,id=nic0,mac=52:54:00:00:00:01"]


@pytest.mark.parametrize("boot, device, firmware", [
    ("disk", "ide-hd,drive=boot,bootindex=0", True),
    ("usb", "usb-storage,bus=xhci.0,drive=boot,bootindex=0", True),
    ("iso", "ide-cd,drive=boot,bootindex=0", False),
    ("none", None, True),
])
def test_boot_media(boot, device, firmware):
    words = command(boot=boot)
    assert (device in words) is (device is not None)
    assert any("pflash" in word for word in words) is firmware


def test_tracing_debugging_and_counting():
    words = command(trace=("vtd_fault_disabled",), gdb=1234, wait_for_gdb=True, icount=0, extra=("-name", "x"))
    assert words[words.index("-D") + 1] == "/run/trace.log"
    assert words[words.index("-trace") + 1] == "vtd_fault_disabled"
    assert words[words.index("-gdb") + 1] == "tcp:127.0.0.1:1234" and "-S" in words
    assert words[words.index("-icount") + 1] == "shift=0" and "tcg,thread=single" in words
    assert words[-2:] == ["-name", "x"]
    with pytest.raises(ValueError):
        command("kvm", icount=0)


@pytest.mark.parametrize("changes", [{"aw_bits": 57}, {"cpus": 0}, {"memory": 1}, {"boot": "floppy"}])
def test_impossible_machines_are_refused(changes):
    with pytest.raises(ValueError):
        MachineSpec(**changes)


def test_impossible_cards_are_refused():
    for wrong in ({"model": "rtl8139"}, {"placement": "moon"}, {"vfs": 2}, {"model": "virtio-net-pci", "vfs": 8},
                  {"model": "virtio-net-pci", "vfs": 2, "placement": "root-bus"}):
        with pytest.raises(ValueError):
            Nic(**wrong)


VIRTIO = (Nic("virtio-net-pci", vfs=1),)


@pytest.mark.parametrize("environment, changes, chosen", [
    (None, {}, 10), ("11", {}, 11), ("11", {"qemu": 10}, 10), (None, {"qemu": 11}, 11),
    (None, {"nics": VIRTIO}, 11), ("10", {"nics": VIRTIO}, 11),
])
def test_which_qemu(monkeypatch, environment, changes, chosen):
    """What the command line asks for goes before what the devices need, that before the environment's wish."""
    monkeypatch.setenv("BULKHEAD_QEMU", environment or "")
    assert MachineSpec(**changes).chosen_qemu() == chosen


def test_a_qemu_that_cannot_be_is_refused(monkeypatch):
    for wrong, words in (({"qemu": 9}, "there are 10 and 11"), ({"qemu": 10, "nics": VIRTIO}, "needs QEMU 11, not 10")):
        with pytest.raises(ValueError, match=words):
            MachineSpec(**wrong)
    monkeypatch.setenv("BULKHEAD_QEMU", "9")
    with pytest.raises(ValueError, match="BULKHEAD_QEMU=9: there are 10 and 11"):
        MachineSpec().chosen_qemu()


def test_a_tree_that_is_missing_names_its_setup(monkeypatch, tmp_path):
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path))
    for version, group in ((10, "emulators"), (11, "qemu11")):
        with pytest.raises(paths.MissingEmulators, match=f"run tests/machine/setup.sh {group}$"):
            paths.qemu_tree(version)
        done = subprocess.run([paths.IN_TREE, "--tree", tmp_path / paths.QEMUS[version][0], "qemu-system-x86_64"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 1 and done.stderr.endswith(f"run tests/machine/setup.sh {group}\n")


def test_the_stacked_machine_has_its_own_qemu():
    for changes in ({"qemu": 11}, {"nics": VIRTIO}):
        with pytest.raises(MachineError, match="the stacked machine has QEMU 10 inside, not 11"):
            machine("stack", MachineSpec(**changes)).start()


def test_bochs_configuration(monkeypatch):
    monkeypatch.setattr(paths, "tree", lambda: Path("/tree"))
    lines = configuration(Path("/run"), 3, 256, 4444, {"ata0-master": "type=cdrom, path=x.iso"}).splitlines()
    assert any(line.startswith("cpu: model=corei7_skylake_x, count=3,") for line in lines)
    assert "memory: guest=256, host=256" in lines
    assert "com1: enabled=1, mode=socket-client, dev=127.0.0.1:4444" in lines
    assert "ata0-master: type=cdrom, path=x.iso" in lines


def test_bochs_and_linux_agree_on_the_clock():
    from machine.bochs import INSTRUCTIONS_PER_SECOND
    text = (paths.HERE / "stack/grub.cfg").read_text()
    assert f"tsc_early_khz={INSTRUCTIONS_PER_SECOND // 1000} " in text


# What goes onto the boot medium.

def test_choices_become_files():
    files = MachineSpec(scenario="sriov", files={"/bulkhead/x": b"y"}).injected_files()
    assert files == {"/bulkhead/default": b"sriov.conf\n", "/bulkhead/batch": b"1\n", "/bulkhead/x": b"y"}
    assert MachineSpec(batch=False).injected_files() == {}
    assert disk.grub_selection(files) == b"set scenario=sriov.conf\nset batch=1\n"


def arguments_of(**changes):
    return qemu_arguments(MachineSpec(**changes), "tcg", PLACES)


@pytest.mark.parametrize("console, device", [("com2", "isa-serial,iobase=0x2f8,irq=3,chardev=console"),
                                             ("pci", "pci-serial,addr=0x1e,chardev=console")])
def test_where_the_serial_line_is(console, device):
    arguments = arguments_of(console=console)
    assert "-serial" not in arguments and "stdio,id=console" in arguments and device in arguments
    assert arguments_of()[arguments_of().index("-serial") + 1] == "stdio"


def test_a_machine_without_a_serial_line_stays_when_it_is_off():
    arguments = arguments_of(console="none", screen=(640, 480))
    assert "-no-shutdown" in arguments and not any("serial" in word or "isa-debug-exit" in word for word in arguments)
    assert any("xres=640,yres=480" in word for word in arguments)


def test_threads_and_properties_of_the_board():
    arguments = arguments_of(cpus=8, threads=2, board="i8042=off")
    assert "8,threads=2" in arguments and "q35,hpet=off,i8042=off" in arguments


@pytest.mark.parametrize("changes, words", [({"console": "com9"}, "none of com1, com2"), ({"cpus": 3, "threads": 2}, "cpus=3 threads=2")])
def test_impossible_consoles_and_threads_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        MachineSpec(**changes)


@pytest.mark.parametrize("character, keys", [("a", ["a"]), ("A", ["shift", "a"]), (":", ["shift", "semicolon"]),
                                             ("\n", ["ret"]), ("\x03", ["ctrl", "c"]), ("0", ["0"])])
def test_keys_of_a_character(character, keys):
    assert keys_of(character) == keys


def test_no_key_for_a_letter_that_the_keyboard_does_not_have():
    with pytest.raises(ValueError, match="no key"):
        keys_of("\xe4")


def test_a_card_at_the_second_root_bus():
    arguments = arguments_of(nics=(Nic(placement="second-root"),))
    root = next(n for n, word in enumerate(arguments) if word.startswith("pxb-pcie,id=second"))
    port = next(n for n, word in enumerate(arguments) if word.startswith("pcie-root-port"))
    assert "bus_nr=128" in arguments[root] and "bus=second" in arguments[port] and root < port


@pytest.mark.parametrize("kind", like.LIKES)
def test_made_machines_can_be_described(kind):
    options = run.arguments(["--like", kind, "--batch"])
    run.made(options)
    assert options.machine == "tcg" and options.scenario
    spec = like.LIKES[kind].make(MachineSpec(nics=(Nic(),)))
    assert qemu_arguments(spec, "tcg", PLACES)
    for content in spec.tables.values():
        assert content == b"" or int.from_bytes(content[4:8], "little") == len(content)
    assert (paths.REPOSITORY / "config" / scenario_file(options.scenario)).exists()


def test_a_made_machine_runs_what_is_asked_for():
    options = run.arguments(["--like", "amd", "--scenario", "seven", "--machine", "kvm"])
    run.made(options)
    assert (options.scenario, options.machine) == ("seven", "kvm")


def test_a_made_machine_is_qemus():
    options = run.arguments(["--like", "minipc", "--machine", "bochs"])
    with pytest.raises(ValueError, match="made in QEMU"):
        run.look(options, "bochs")


def test_tables_become_files(tmp_path):
    spec = MachineSpec(image=tmp_path / "bulkhead.img", tables={
        "DMAR": b"", "+SSDT7!": tables.table("SSDT", b"abc"), "FACP@109": b"\x03"})
    files = spec.injected_files()
    assert files["/EFI/bulkhead/loader.efi"] == tmp_path / "bulkhead.efi"
    made = files["/firmware/tables.bin"]
    assert made[:16] == b"R\0\0\0DMAR" + bytes(8)
    assert made[16:32] == b"A\1\0\0SSDT" + struct.pack("<II", 0, 39)
    assert made[72:] == b"P\0\0\0FACP" + struct.pack("<II", 109, 1) + b"\x03" + bytes(7)
    assert sum(tables.table("SPCR", bytes(range(40)))) & 0xff == 0


@pytest.mark.parametrize("key, content", [("dmar", b""), ("DMARX", b""), ("DMAR@x", b"1"), ("DMAR", b"too short")])
def test_impossible_tables_are_refused(key, content):
    with pytest.raises(ValueError, match="tables"):
        tables.record(key, content)


def test_tables_need_uefi():
    with pytest.raises(ValueError, match="EFI program"):
        MachineSpec(boot="iso", tables={"DMAR": b""})


def test_scenario_names():
    assert scenario_file("sriov") == scenario_file("sriov.conf") == "sriov.conf"
    for wrong in ("../x", "", "."):
        with pytest.raises(ValueError):
            scenario_file(wrong)


OTHER = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


def test_esp_is_found_behind_another_partition(tmp_path):
    image = tmp_path / "disk"
    image.write_bytes(gpt([(OTHER, 34, 99), (disk.ESP_TYPE, 100, 1999)], entry_size=256))
    assert disk.esp_offset(image) == 100 * 512


@pytest.mark.parametrize("content, words", [
    (b"", "no GPT"),
    (bytes(4096), "no GPT"),
    (gpt([(OTHER, 34, 99)]), "no EFI system partition"),
    (gpt([(disk.ESP_TYPE, 99, 34)]), "outside"),
    (gpt([(disk.ESP_TYPE, 34, 1 << 40)]), "outside"),
    (gpt([], entry_size=64, count=1), "64 bytes"),
    (gpt([], count=1 << 30), "entries"),
])
def test_damaged_tables_are_refused(tmp_path, content, words):
    image = tmp_path / "disk"
    image.write_bytes(content)
    with pytest.raises(disk.ImageError, match=words):
        disk.esp_offset(image)


@needs_disk_tools
def test_files_are_added_and_replaced(tmp_path):
    image = make_image(tmp_path / "disk", {"/bulkhead/default": b"old", "/bulkhead/kept": b"kept"})
    (tmp_path / "source").write_bytes(b"from a file")
    disk.put_into_image(image, {"/bulkhead/default": b"new", "/EFI/BOOT/x.efi": tmp_path / "source"})
    assert disk.read_from_image(image, "/bulkhead/default") == b"new"
    assert disk.read_from_image(image, "/bulkhead/kept") == b"kept"
    assert disk.read_from_image(image, "/EFI/BOOT/x.efi") == b"from a file"
    with pytest.raises(disk.ImageError):
        disk.put_into_image(image, {"/../x": b""})


@pytest.mark.skipif(not shutil.which("xorriso"), reason="xorriso is missing")
def test_files_are_put_into_an_iso(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/kept").write_bytes(b"kept")
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", tmp_path / "a.iso", tmp_path / "root"],
                   check=True, capture_output=True)
    disk.copy_iso(tmp_path / "a.iso", tmp_path / "b.iso", {"/bulkhead/default": b"sriov.conf\n"})
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", tmp_path / "b.iso", "-extract", "/", tmp_path / "out"],
                   check=True, capture_output=True)
    assert (tmp_path / "out/kept").read_bytes() == b"kept"
    assert (tmp_path / "out/bulkhead/select.cfg").read_bytes() == b"set scenario=sriov.conf\n"


# What the stacked machine boots.

def test_modules_are_loaded_after_what_they_need():
    modules = {"a": b"x\0depends=b,c-d\0y", "b": b"\0depends=c-d\0", "c_d": b"\0depends=\0"}
    assert initramfs.load_order(["a"], lambda name: modules[name]) == ["c_d", "b", "a"]


def test_modules_in_a_circle_do_not_hang():
    assert set(initramfs.load_order(["a"], lambda name: {"a": b"\0depends=b\0", "b": b"\0depends=a\0"}[name])) == {"a", "b"}


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is missing")
def test_initramfs_archive_is_read_by_cpio():
    archive = initramfs.Cpio()
    archive.add("dir", 0o40755)
    archive.add("dir/file", 0o100644, b"12345")
    listed = subprocess.run(["cpio", "-itv"], input=archive.finish(), capture_output=True, check=True).stdout.decode()
    assert "drwxr-xr-x" in listed and " 5 " in listed and "dir/file" in listed


def test_a_configuration_is_read_as_the_hypervisor_reads_it():
    text = ("[guest alpha] # 32M by default\nimage=hello.elf # no blanks\n\tcpus = 0x4\n#cpus = 9\n"
            "[disk store]\ndevice = 1b36:0010\nvfs = 2\n[guest beta]\nmemory = 1G\n")
    read = scenario.parse(text)
    assert [guest["name"] for guest in read["guests"]] == ["alpha"] and read["errors"] == 1  # beta has no image
    assert (read["guests"][0]["memory"], scenario.memory(text), scenario.cpus(text)) == (32 << 20, 512, 5)
    assert [nvme.vfs for nvme in scenario.nvmes(text)] == [2] and len(scenario.nics(text)) == 1
    assert scenario.parse("")["guests"] == [] and scenario.cpus("") == 4
    assert scenario.nics("[nic a]\ndevice = 1af4:1041\nvfs = 3\n") == (Nic("virtio-net-pci", vfs=3),)
    assert scenario.nics("[nic a]\ndevice = 8086:10d3\n") == (Nic("e1000e"),)


def test_linux_in_the_stacked_machine_is_told_to_hurry():
    assert scenario.for_machine("linux", "tcg") == scenario.for_machine("whole", "stack") == {}
    (path, text), = scenario.for_machine("linux", "stack").items()
    arguments = [line for line in text.decode().splitlines() if line.startswith("args") and "quiet" in line]
    assert path == "/bulkhead/linux.conf" and len(arguments) == 2
    assert all(" quiet mitigations=off " in line for line in arguments)
    assert b"limit=3000" in text
    assert b"cpus" not in text and b"cpus" in scenario.text_of("linux").encode()
    changed = text.decode().replace(" mitigations=off", "").replace("limit=3000", "limit=300")
    assert changed == scenario.text_of("linux").replace("cpus   = 2\n", "")
