# SPDX-License-Identifier: MIT
"""Commands for gdb, attached to a machine by QEMU's stub (`make debug`, `make gdb`):

    bulkhead-help                    this list
    bulkhead-log [N|WORD]            the newest lines of the log, or those with a word in them: they are in memory
    bulkhead-guests                  the guests: state, cores, memory, exits
    bulkhead-guest NAME              one guest: its memory, functions and vCPUs, with their exits by kind
    bulkhead-devices                 the PCI functions: requester id, owner, state
    bulkhead-walk ADDRESS            the hypervisor's own tables, as the control core uses them
    bulkhead-walk ADDRESS GUEST      a guest's EPT or NPT
    bulkhead-walk ADDRESS GUEST dma  the tables that its devices' accesses go through (VT-d)
    print $guest("NAME")             the structure, with its members: print $guest("NAME").memory

Only memory is read, and no code of the hypervisor runs: they also work on a machine that hangs. ADDRESS may be an
expression. Before the hypervisor has its own tables (phase "memory") there is nothing to show.
"""

import re
import struct

import gdb
import gdb.printing

NAMES = {1: "PTE", 2: "PDE", 3: "PDPTE", 4: "PML4E", 5: "PML5E"}
ADDRESS_BITS = ((1 << 52) - 1) & ~0xfff
LARGE = 1 << 7  # in all formats (SDM 3A 4.5, 3C 29.3; APM 2 5.3)
LA57 = 1 << 12  # CR4
MASK = (1 << 64) - 1
RECORD_MARK, LONGEST_LINE = 0xb1c5e9a7d3f80000, 512  # hypervisor/base/log_ring.h
FIRST_GUEST = 16  # OWNER_GUEST(0), hypervisor/memory/frames.h
NEWEST = 20
SIZES = {1: "4K", 2: "2M", 3: "1G"}


class ControlCore:
    """Looks through core 0, which never runs a guest; whatever was selected comes back."""

    def __enter__(self):
        self.selected = gdb.selected_thread()
        if self.selected is None:
            raise gdb.GdbError("there is no machine: target remote :1234 first")
        min(gdb.selected_inferior().threads(), key=lambda thread: thread.num).switch()

    def __exit__(self, *_exception):
        self.selected.switch()


def physical(address: int, size: int) -> bytes:
    gdb.execute("maintenance packet Qqemu.PhyMemMode:1", to_string=True)
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    finally:
        gdb.execute("maintenance packet Qqemu.PhyMemMode:0", to_string=True)


def cpu_rights(entry: int) -> set[str]:
    """SDM 3A 4.5; APM 2 15.25 for nested tables, where every level needs U as well."""
    return ({"read"} | ({"write"} if entry & 2 else set()) | (set() if entry >> 63 else {"execute"})) if entry & 1 else set()


def npt_rights(entry: int) -> set[str]:
    return cpu_rights(entry) if entry & 4 else set()


def ept_rights(entry: int) -> set[str]:
    """SDM 3C 29.3.2."""
    return {name for bit, name in enumerate(("read", "write", "execute")) if entry >> bit & 1}


def dma_rights(entry: int) -> set[str]:
    """Second-level tables, VT-d 9.8."""
    return {name for bit, name in enumerate(("read", "write")) if entry >> bit & 1}


def walk(root: int, levels: int, rights_of, address: int):
    """(level, entry's address, entry) from the root down, then where it leads: (physical, level, rights) or None."""
    steps, rights = [], {"read", "write", "execute"}
    table = root
    for level in range(levels, 0, -1):
        at = table + 8 * (address >> 12 + 9 * (level - 1) & 511)
        entry = struct.unpack("<Q", physical(at, 8))[0]
        steps.append((level, at, entry))
        rights &= rights_of(entry)
        if not rights:
            return steps, None
        if level == 1 or level <= 3 and entry & LARGE:
            offset = (1 << 12 + 9 * (level - 1)) - 1
            return steps, (entry & ADDRESS_BITS & ~offset | address & offset, level, rights)
        table = entry & ADDRESS_BITS
    return steps, None


def host_walk(address: int):
    """Address bits above the tables' reach are copies of the highest one below."""
    frame = gdb.newest_frame()
    root = int(frame.read_register("cr3")) & ADDRESS_BITS
    return walk(root, 5 if int(frame.read_register("cr4")) & LA57 else 4, cpu_rights, address)


def to_physical(pointer: int) -> int:
    found = host_walk(pointer)[1]
    if found is None:
        raise gdb.GdbError(f"the hypervisor has nothing mapped at {pointer:#x}")
    return found[0]


def text(value) -> str:
    return value.string()


def guests() -> list:
    symbol = gdb.lookup_global_symbol("guest_table")
    if symbol is None:
        raise gdb.GdbError("no symbols: start gdb with build/bulkhead.elf")
    table = symbol.value()
    every = (table["guests"][index].dereference() for index in range(int(table["count"])))
    return [guest for guest in every if state(guest) != "empty"]


def find_guest(name: str):
    for guest in guests():
        if text(guest["name"]) == name:
            return guest
    raise gdb.GdbError(f"there is no guest {name}: bulkhead-guests lists them")


def word(enumeration: str, value, prefix: str) -> str:
    """What the sources call a value, in lower case."""
    for field in gdb.lookup_type(f"enum {enumeration}").fields():
        if field.enumval == int(value):
            return field.name.removeprefix(prefix).lower().replace("_", "-")
    return f"?{int(value)}"


def state(guest) -> str:
    return word("guest_state", guest["state"], "GUEST_")


def rid(value) -> str:
    number = int(value)
    name = f"{number >> 8 & 0xff:02x}:{number >> 3 & 0x1f:02x}.{number & 7}"
    return f"{number >> 16:04x}:{name}" if number >> 16 else name


def owner(value) -> str:
    """hypervisor/memory/frames.h."""
    number = int(value)
    if number < FIRST_GUEST:
        return ("nobody", "hypervisor", "firmware", "mmio", "loader", "none")[number] if number < 6 else f"?{number}"
    return next((text(guest["name"]) for guest in guests() if int(guest["owner"]) == number), f"?{number}")


def vcpus_of(guest) -> list:
    every = (guest["vcpus"][index] for index in range(int(guest["cpu_count"])))
    return [vcpu for vcpu in every if int(vcpu)]


def functions_of(guest) -> list:
    return [guest["assignments"][index]["function"] for index in range(int(guest["assignment_count"]))]


def log_lines() -> list[str]:
    """The log's history, oldest line first: records of which the first may be cut (hypervisor/base/log_ring.h)."""
    symbol = gdb.lookup_global_symbol("log_history")
    if symbol is None:
        raise gdb.GdbError("no symbols: start gdb with build/bulkhead.elf")
    history = symbol.value()
    count, written = int(history["count"]), int(history["written"])
    if not 0 < count <= 1 << 20:
        return []
    raw = gdb.selected_inferior().read_memory(int(history["words"]), 8 * count).tobytes()
    words = struct.unpack(f"<{count}Q", raw)
    lines, at = [], max(0, written - count)
    while at < written:
        size = words[at % count] ^ RECORD_MARK
        if not 0 < size <= LONGEST_LINE:
            at += 1
            continue
        record = [words[(at + index) % count] for index in range(2, 2 + (size + 7) // 8)]
        lines.append(struct.pack(f"<{len(record)}Q", *record)[:size].decode("ascii", "replace").rstrip("\r\n"))
        at += 3 + len(record)
    return lines


class Help(gdb.Command):
    """Lists Bulkhead's commands."""

    def __init__(self):
        super().__init__("bulkhead-help", gdb.COMMAND_SUPPORT)

    def invoke(self, _argument, _from_tty):
        gdb.write(__doc__ + """
The machine stands while gdb has its prompt. `continue` lets it run, Ctrl-C stops it again, `detach` leaves it running.
`hbreak NAME` stops at a function of the hypervisor (`hbreak guest_start`), `backtrace` shows how it came there,
`info threads` lists the cores: core 0 is the control core, the others belong to guests and the hypervisor's exits.
A core that runs a guest has the guest's page tables: print the hypervisor's variables on core 0 (`thread 1`).
""")


class Log(gdb.Command):
    """bulkhead-log [N|WORD]: the newest lines of the log (20), or those with WORD in them. Read from memory."""

    def __init__(self):
        super().__init__("bulkhead-log", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) > 1:
            raise gdb.GdbError("bulkhead-log [N|WORD]")
        with ControlCore():
            lines = log_lines()
        if words and not words[0].isdigit():
            lines = [line for line in lines if words[0] in line]
        else:
            number = int(words[0]) if words else NEWEST
            lines = lines[-number:] if number else []
        gdb.write("".join(f"{line}\n" for line in lines) or "no such line is in the log's memory\n")


class Devices(gdb.Command):
    """Lists the PCI functions: requester id, vendor and device, owner, state."""

    def __init__(self):
        super().__init__("bulkhead-devices", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        if argument:
            raise gdb.GdbError("bulkhead-devices takes nothing")
        with ControlCore():
            table = gdb.lookup_global_symbol("pci_functions").value()
            for index in range(int(table["count"])):
                gdb.write(f"{describe_function(table['order'][index].dereference())}\n")


def describe_function(function) -> str:
    kind = "bridge" if function["is_bridge"] else "vf" if function["is_vf"] else "function"
    return (f"{rid(function['rid']):12} {int(function['vendor']):04x}:{int(function['device']):04x} {kind:8} "
            f"owner {owner(function['owner']):16} {word('pci_life', function['life'], 'PCI_')}")


class Guest(gdb.Command):
    """bulkhead-guest NAME: its memory, functions and vCPUs."""

    def __init__(self):
        super().__init__("bulkhead-guest", gdb.COMMAND_STATUS)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 1:
            raise gdb.GdbError("bulkhead-guest NAME")
        with ControlCore():
            guest = find_guest(words[0])
            gdb.write(f"{words[0]}: {state(guest)}, owner {int(guest['owner'])}, {int(guest['faults'])} DMA faults\n")
            for index in range(int(guest["piece_count"])):
                piece = guest["pieces"][index]
                gdb.write(f"  memory   {int(piece['physical']):#x}, {int(piece['size']) >> 10}K\n")
            for function in functions_of(guest):
                gdb.write(f"  function {describe_function(function.dereference())}\n")
            for vcpu in vcpus_of(guest):
                core = int(vcpu["cpu"]["index"]) if int(vcpu["cpu"]) else "-"
                kinds = ", ".join(f"{word('exit_kind', kind, 'EXIT_')} {int(vcpu['exits'][kind])}"
                                  for kind in range(vcpu["exits"].type.range()[1] + 1) if int(vcpu["exits"][kind]))
                gdb.write(f"  vcpu {int(vcpu['index'])}   core {core}, {'in guest mode' if int(vcpu['in_guest']) else 'outside'}, "
                          f"exits: {kinds or 'none'}\n")


class Guests(gdb.Command):
    """Lists the guests: state, cores, memory, exits."""

    def __init__(self):
        super().__init__("bulkhead-guests", gdb.COMMAND_STATUS)

    def invoke(self, _argument, _from_tty):
        with ControlCore():
            for guest in guests():
                vcpus = [guest["vcpus"][index] for index in range(int(guest["cpu_count"]))]
                cores = ",".join(str(int(vcpu["cpu"]["index"])) if int(vcpu) and int(vcpu["cpu"]) else "-" for vcpu in vcpus)
                gdb.write(f"{text(guest['name']):16} {state(guest):9} cores {cores or '-':8} "
                          f"memory {int(guest['pieces'][0]['physical']):#x} {int(guest['memory_size']) >> 10}K "
                          f"exits {sum(exits(vcpu) for vcpu in vcpus if int(vcpu))}\n")


def exits(vcpu) -> int:
    low, high = vcpu["exits"].type.range()
    return sum(int(vcpu["exits"][kind]) for kind in range(low, high + 1))


class Walk(gdb.Command):
    """bulkhead-walk ADDRESS [GUEST [dma]]: follows an address through the hypervisor's tables, a guest's EPT or NPT, or the
tables of its devices."""

    def __init__(self):
        super().__init__("bulkhead-walk", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2, 3) or words[2:] not in ([], ["dma"]):
            raise gdb.GdbError("bulkhead-walk ADDRESS [GUEST [dma]]")
        address = int(gdb.parse_and_eval(words[0])) & MASK
        with ControlCore():
            steps, found = host_walk(address) if len(words) == 1 else self.guest_walk(address, *words[1:])
        for level, at, entry in steps:
            gdb.write(f"  level {level} {NAMES[level]:6} at {at:#x} = {entry:#018x}\n")
        if found is None:
            gdb.write(f"nothing is mapped at {address:#x}\n")
        else:
            reached, level, rights = found
            words = " ".join(word for word in ("read", "write", "execute") if word in rights)
            gdb.write(f"reaches {reached:#x} ({SIZES[level]} page, {words})\n")

    @staticmethod
    def guest_walk(address: int, name: str, dma: str = ""):
        guest = find_guest(name)
        tables = guest["domain"]["table"] if dma else guest["memory"]
        if not int(tables["root"]):
            raise gdb.GdbError(f"{name} has no {'devices' if dma else 'tables'}")
        kind = gdb.execute(f"info symbol {int(tables['format']):#x}", to_string=True).split()[0]
        rights_of = {"page_format_npt": npt_rights, "page_format_ept": ept_rights, "page_format_vtd": dma_rights}[kind]
        levels = int(tables["levels"])
        if address >> 12 + 9 * levels:
            raise gdb.GdbError(f"{address:#x} is above what {levels} levels reach")
        return walk(to_physical(int(tables["root"])), levels, rights_of, address)


class GuestFunction(gdb.Function):
    """$guest("NAME"): the guest's structure."""

    def __init__(self):
        super().__init__("guest")

    def invoke(self, name):
        return find_guest(name.string())


class Printer:
    """A structure in one line, before its members."""

    def __init__(self, value):
        self.value = value

    def children(self):
        return ((field.name, self.value[field]) for field in self.value.type.fields() if field.name)


class GuestPrinter(Printer):
    def to_string(self):
        return f"guest {text(self.value['name'])}, {state(self.value)}, {sum(map(exits, vcpus_of(self.value)))} exits"


class FunctionPrinter(Printer):
    def to_string(self):
        return re.sub(" +", " ", describe_function(self.value))


class TablePrinter(Printer):
    def to_string(self):
        kind = gdb.execute(f"info symbol {int(self.value['format']):#x}", to_string=True).split()[0]
        return f"{kind.removeprefix('page_format_')} of {int(self.value['levels'])} levels, {int(self.value['table_pages'])} pages"


def printers():
    every = gdb.printing.RegexpCollectionPrettyPrinter("bulkhead")
    for name, printer in (("guest", GuestPrinter), ("pci_function", FunctionPrinter), ("page_table", TablePrinter)):
        every.add_printer(name, f"^{name}$", printer)
    return every


gdb.execute("set print pretty on")
gdb.execute("set print null-stop on")
for command in (Help, Log, Guests, Guest, Devices, Walk, GuestFunction):
    command()
gdb.printing.register_pretty_printer(gdb.current_objfile(), printers(), replace=True)
