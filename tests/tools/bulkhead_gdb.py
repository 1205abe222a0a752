# SPDX-License-Identifier: MIT
"""Commands for gdb, attached to a machine by QEMU's stub (`make gdb`):

    bulkhead-guests                  the guests: state, cores, memory, exits
    bulkhead-walk ADDRESS            the hypervisor's own tables, as the control core uses them
    bulkhead-walk ADDRESS GUEST      a guest's EPT or NPT

Only memory is read, and no code of the hypervisor runs: they also work on a machine that hangs. ADDRESS may be an
expression. Before the hypervisor has its own tables (phase "memory") there is nothing to show.
"""

import struct

import gdb

NAMES = {1: "PTE", 2: "PDE", 3: "PDPTE", 4: "PML4E", 5: "PML5E"}
ADDRESS_BITS = ((1 << 52) - 1) & ~0xfff
LARGE = 1 << 7  # in all formats (SDM 3A 4.5, 3C 29.3; APM 2 5.3)
LA57 = 1 << 12  # CR4
MASK = (1 << 64) - 1
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


def state(guest) -> str:
    for field in gdb.lookup_type("enum guest_state").fields():
        if field.enumval == int(guest["state"]):
            return field.name.removeprefix("GUEST_").lower()
    return f"?{int(guest['state'])}"


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
    """bulkhead-walk ADDRESS [GUEST]: follows an address through the hypervisor's tables, or a guest's EPT or NPT."""

    def __init__(self):
        super().__init__("bulkhead-walk", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) not in (1, 2):
            raise gdb.GdbError("bulkhead-walk ADDRESS [GUEST]")
        address = int(gdb.parse_and_eval(words[0])) & MASK
        with ControlCore():
            steps, found = host_walk(address) if len(words) == 1 else self.guest_walk(words[1], address)
        for level, at, entry in steps:
            gdb.write(f"  level {level} {NAMES[level]:6} at {at:#x} = {entry:#018x}\n")
        if found is None:
            gdb.write(f"nothing is mapped at {address:#x}\n")
        else:
            reached, level, rights = found
            words = " ".join(word for word in ("read", "write", "execute") if word in rights)
            gdb.write(f"reaches {reached:#x} ({SIZES[level]} page, {words})\n")

    @staticmethod
    def guest_walk(name: str, address: int):
        for guest in guests():
            if text(guest["name"]) == name:
                break
        else:
            raise gdb.GdbError(f"there is no guest {name}")
        tables = guest["memory"]
        if not int(tables["root"]):
            raise gdb.GdbError(f"{name} has no tables")
        kind = gdb.execute(f"info symbol {int(tables['format']):#x}", to_string=True).split()[0]
        rights_of = {"page_format_npt": npt_rights, "page_format_ept": ept_rights}[kind]
        levels = int(tables["levels"])
        if address >> 12 + 9 * levels:
            raise gdb.GdbError(f"{address:#x} is above what {levels} levels reach")
        return walk(to_physical(int(tables["root"])), levels, rights_of, address)


Guests()
Walk()
