# SPDX-License-Identifier: MIT
"""The tool behind `make size`, on small objects made for it: what it must find is planted in them."""

import subprocess
from pathlib import Path

import pytest

from size import layers, measure, ratchet, roots, size, sources
from size.graph import Graph, Node, strongly_connected

C_SAMPLE = r"""/* A comment
 * of lines */
#include "a.h" // why

int one(void) /* behind */
{
    const char *text = "no /* comment */ // here";
    char slash = '/', quote = '"';

    // alone
    /* begins */ return text[0] == slash + quote; /* ends
    later */
}

#define TWO(x)   \
    do {         \
                 \
        x;       \
    } while (0)
/* one */ /* two */
"""
ASM_SAMPLE = """; a comment
bits 64
%define X 1 ; behind

start:
    mov eax, X      ; load
    ; alone
    ret
text: db "a", 0
"""
LAYERS = """
folder low  resident :      # below
folder high resident : low  # above
folder once boot     : high
boot low/early.c
resident once/late.c
optional red  : low/red
optional blue : low/blue.c
optional card : low/card.c
either red blue
ground low/log.c
"""
LINKER = """
SECTIONS {
    . = 0x100000;
    .red.text : { *red*(.text .text.*) }
    .blue.text : { *blue.o(.text .text.*) }
    .card.text : { *card.o(.text .text.*) }
    .text : { EXCLUDE_FILE(*once*) *(.text .text.*) }
    .rodata : { EXCLUDE_FILE(*once*) *(.rodata .rodata.* .data .data.* .bss .bss.*) }
    .boot.text : { *(.text .text.*) }
    .boot.rodata : { *(.rodata .rodata.* .data .data.* .bss .bss.*) }
}
"""


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def compile_all(root: Path, files: dict[str, str]) -> Path:
    """As `make graph` does."""
    lay(root, files)
    build = root / "build"
    for name in files:
        target = build / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".c"):
            command = ["gcc", "-std=gnu17", "-O1", "-g0", "-ffreestanding", "-fno-pic", "-fno-pie", "-mcmodel=kernel",
                       "-fno-inline", "-ffunction-sections", "-fdata-sections", "-fno-asynchronous-unwind-tables",
                       "-fcf-protection=none", "-I.", "-MMD", "-MP", "-c", name, "-o", str(target.with_suffix(".o"))]
        elif name.endswith(".asm"):
            command = ["nasm", "-f", "elf64", "-I.", name, "-o", f"{target}.o"]
        else:
            continue
        subprocess.run(command, cwd=root, check=True, timeout=60)
    return build


@pytest.fixture(name="build")
def _build(tmp_path):
    return lambda files: Graph.read(tmp_path, compile_all(tmp_path, files))


@pytest.fixture(autouse=True)
def _no_roots(monkeypatch):
    """Those of the hypervisor have no place here."""
    for name, value in {"GUEST": (), "CONTROL": (), "GUEST_CUTS": (), "BOOT_CUTS": (), "STORED": (), "COPIED": {},
                        "BOOT_POINTERS": {}}.items():
        monkeypatch.setattr(roots, name, value)


def names(nodes) -> set[str]:
    return {node.name for node in nodes}


def test_lines_are_counted_as_cloc_does(tmp_path):
    """cloc 1.96 counts 12 and 6."""
    lay(tmp_path, {"a.c": C_SAMPLE, "b.asm": ASM_SAMPLE})
    assert (sources.count(tmp_path / "a.c"), sources.count(tmp_path / "b.asm")) == (12, 6)


def test_functions_and_their_lines(tmp_path):
    lay(tmp_path, {"a.c": """#define READ(bits)                       \\
    int read##bits(void)                     \\
    {                                        \\
        return bits;                         \\
    }
READ(8)
READ(16)

static const struct thing *__attribute__((noinline)) find(int first,
                                                          int second)
{
    if (first) {

        return 0; /* a comment */
    }
    return 0;
}

static const int table[] = {
    1,
};
"""})
    found = sources.functions(tmp_path / "a.c")
    assert {name: len(lines) for name, lines in found.items()} == {"read*": 4, "find": 8}
    assert sources.function_of(tmp_path / "a.c", "read16") == "read*"
    assert sources.function_of(tmp_path / "a.c", "find.part.0") == "find"
    assert sources.function_of(tmp_path / "a.c", "table") is None


def test_calls_are_edges_and_tables_lead_on(build):
    graph = build({"a.c": """int far(void);
static int near(void)
{
    return 1;
}
static int never(void)
{
    return 2;
}
static int by_table(void)
{
    return 3;
}
static int by_table_too(void)
{
    return 4;
}
static int (*const table[])(void) = {by_table, by_table_too};
int entry(int i)
{
    return near() + far() + table[i]();
}
int other(void)
{
    return never();
}
""", "b.c": """int far(void)
{
    return 4;
}
"""})
    reached = graph.closure([graph.find("entry")])
    assert names(reached) == {"entry", "near", "far", "table", "by_table", "by_table_too"}
    assert graph.lines(reached) == 5 * 4
    assert names(graph.closure([graph.find("entry")], {(graph.find("entry"), graph.find("far"))})) == \
        {"entry", "near", "table", "by_table", "by_table_too"}


def test_members_lead_from_where_they_are_called(build):
    """The table of a driver is found at boot; its members run when and where they are called."""
    graph = build({"driver.h": "struct driver {\n    int (*probe)(void);\n    int (*serve)(void);\n};\n",
                   "a.c": """#include "driver.h"
static int probe(void)
{
    return 1;
}
static int serve(void)
{
    return 2;
}
const struct driver driver = {
    .probe = probe,
    .serve = serve,
};
""", "b.c": """#include "driver.h"
extern const struct driver driver;
static const struct driver *chosen;
void at_boot(void)
{
    if (driver.probe())
        chosen = &driver;
}
int later(void)
{
    return chosen->serve();
}
int by_variable(void)
{
    int (*serve)(void) = chosen->serve;
    return serve();
}
"""})
    assert names(graph.closure([graph.find("later")])) == {"later", "chosen", "serve", "driver"}
    assert names(graph.closure([graph.find("by_variable")])) == {"by_variable", "chosen", "serve", "driver"}
    assert "probe" in names(graph.closure([graph.find("at_boot")]))
    assert "serve" not in names(graph.closure([graph.find("at_boot")]))
    assert names(graph.members["serve"]) == {"serve"}


def test_assembly_jumps_and_falls_through(build):
    graph = build({"a.asm": """bits 64
extern outside
section .text
global entry, second, last
entry:
    call helper
    call outside
second:
    nop
    ret
last:
    ret
helper:
    ret
""", "b.c": """void outside(void)
{
}
"""})
    assert names(graph.closure([graph.find("entry")])) == {"entry", "helper", "outside", "second"}
    assert graph.lines([graph.find("second")]) == 3


def test_a_function_in_a_header_counts_once(build):
    text = '#include "h.h"\nint call_NAME(void)\n{\n    return shared();\n}\n'
    graph = build({"h.h": "int far(void);\nstatic inline int shared(void)\n{\n    return far();\n}\n",
                   "a.c": text.replace("NAME", "a"), "b.c": text.replace("NAME", "b"),
                   "c.c": "int far(void)\n{\n    return 1;\n}\n"})
    reached = graph.closure([graph.find("call_a"), graph.find("call_b")])
    assert graph.lines(reached) == 4 * 4
    assert Node("h.h", "shared") in reached
    # To files it is as if it stood in each of them.
    assert graph.files(graph.links) == {("a.c", "c.c"): ["call_a -> far"], ("b.c", "c.c"): ["call_b -> far"]}


def test_strongly_connected():
    edges = {1: {2}, 2: {3}, 3: {1, 4}, 4: {5}, 5: {4}, 6: {6}, 7: {1}}
    assert strongly_connected(edges) == [[1, 2, 3], [4, 5]]
    chain = {number: {number + 1} for number in range(5000)} | {5000: {0}}
    assert len(strongly_connected(chain)[0]) == 5001


# --- what lint must find ---

def call(name: str, *called: str) -> str:
    declared = "".join(f"void {one}(void);\n" for one in called)
    return declared + f"void {name}(void)\n{{\n" + "".join(f"    {one}();\n" for one in called) + "}\n"


def measured(root: Path, files: dict[str, str]) -> measure.Measure:
    """Linked as the hypervisor is, with what is in once/ where boot code goes."""
    lay(root, {"hypervisor/layers.txt": LAYERS, "linker.ld": LINKER})
    build = compile_all(root, files)
    objects = sorted(str(path.relative_to(root)) for path in build.glob("**/*.o"))
    subprocess.run(["ld", "-nostdlib", "-static", "-T", "linker.ld", "-e", "hypervisor_entry", "-Map=build/bulkhead.map",
                    *objects, "-o", "build/bulkhead.elf"], cwd=root, check=True, timeout=60, stderr=subprocess.DEVNULL)
    return measure.Measure.read(root, build)


ENTRY = {"low/entry.c": call("hypervisor_entry")}
ROUND = {f"low/{number}.c": call(f"f{number}", f"f{(number + 1) % 5}") for number in range(5)}


def test_a_circle_is_found(tmp_path):
    found = measured(tmp_path, ENTRY | ROUND)
    assert found.groups == [sorted(ROUND)]
    now, held = ratchet.of(found), ratchet.Ratchet(1000, 1000, [], set(), set())
    now.reachable = 0
    assert any("a group of 5 files" in one for one in ratchet.broken(now, held))
    held.groups.append(frozenset(ROUND))
    assert not ratchet.broken(now, held)
    now.groups = [frozenset(ROUND) | {"low/5.c"}]
    assert ratchet.broken(now, held)
    assert ratchet.loose(now, held)


def test_what_is_not_linked_any_more_is_not_read(tmp_path):
    compile_all(tmp_path, {"low/gone.c": call("hypervisor_entry", "nowhere")})
    subprocess.run(["mv", "build/low/gone.o", "build/low/kept"], cwd=tmp_path, check=True)
    found = measured(tmp_path, ENTRY)
    subprocess.run(["mv", "build/low/kept", "build/low/gone.o"], cwd=tmp_path, check=True)
    assert measure.Measure.read(tmp_path, tmp_path / "build").files == found.files == set(ENTRY)


def test_the_ground_makes_no_circle(tmp_path):
    found = measured(tmp_path, ENTRY | {"low/log.c": call("log", "sink"), "low/sink.c": call("sink", "log")})
    assert not found.groups


def test_an_arrow_upwards_is_found(tmp_path):
    found = measured(tmp_path, ENTRY | {"low/a.c": call("below", "above", "write"), "high/b.c": call("above", "fine"),
                                        "low/c.c": call("fine"), "low/log.c": call("write")})
    assert found.arrows == {("low/a.c", "high/b.c"): ["below -> above"]}
    held = ratchet.Ratchet(1000, 1000, [], set(), set())
    now = ratchet.Ratchet(0, 0, [], set(found.arrows), {("low/a.c", "high/b.h")})
    assert ratchet.broken(now, held) == ["an arrow upwards: low/a.c -> high/b.c",
                                         "an include upwards: low/a.c -> high/b.h"]
    assert ratchet.loose(held, now)[-2:] == ["an arrow is gone: low/a.c -> high/b.c",
                                             "an include is gone: low/a.c -> high/b.h"]


def test_an_include_upwards_is_found(tmp_path):
    table = layers.Layers.parse(LAYERS)
    lay(tmp_path, {"low/a.c": '#include "high/b.h"\n#include "low/c.h"\n', "high/b.c": '#include "low/c.h"\n'})
    assert table.includes_upwards(tmp_path, ["low/a.c", "high/b.c"]) == [("low/a.c", "high/b.h")]


def test_boot_code_is_not_resident(tmp_path):
    found = measured(tmp_path, {"low/entry.c": '#include "low/both.h"\n' + call("hypervisor_entry"),
                                "low/both.h": "extern int both;\n", "once/once.h": "extern int once;\n",
                                "once/a.c": '#include "once/once.h"\n#include "low/both.h"\n' + call("a")})
    assert found.resident == {"low/entry.c", "low/both.h"}
    assert found.files == found.resident | {"once/a.c", "once/once.h"}
    assert not found.lost_references()


def test_a_reference_to_boot_code_is_found(tmp_path):
    header = "static inline int shared(int value)\n{\n    return value + 1;\n}\n"
    found = measured(tmp_path, {
        "low/h.h": header, "low/entry.c": call("hypervisor_entry", "early"),
        "low/b.c": '#include "low/h.h"\nint b(int value)\n{\n    return shared(value);\n}\n',
        "once/a.c": '#include "low/h.h"\n' + call("early", "hypervisor_entry") + "int a(int value)\n{\n    return shared(value);\n}\n"})
    assert found.lost_references() == ["low/entry.c:hypervisor_entry -> once/a.c:early"]


GROUPS = {"low/entry.c": call("hypervisor_entry", "loop"), "low/loop.c": call("loop", "red", "blue", "card"),
          "low/red/a.c": '#include "low/red/a.h"\n' + call("red", "common"), "low/red/a.h": "extern int red_only;\n",
          "low/blue.c": call("blue"), "low/card.c": call("card"), "low/common.c": call("common")}


def test_a_machine_is_counted_without_what_it_does_not_use(tmp_path, monkeypatch):
    monkeypatch.setattr(roots, "GUEST", (("exits", ("loop",)),))
    monkeypatch.setattr(roots, "GUEST_CUTS", ())
    found = measured(tmp_path, GROUPS)
    assert found.layers.machines == [("red",), ("red", "card"), ("blue",), ("blue", "card")]
    stays = {"low/entry.c", "low/loop.c", "low/common.c"}
    assert found.resident_on(("red",)) == stays | {"low/red/a.c", "low/red/a.h"}
    assert found.resident_on(("blue", "card")) == stays | {"low/blue.c", "low/card.c"}
    assert found.resident == found.resident_on(("red", "card"))
    assert names(found.reachable_on(("blue",))) == {"loop", "blue"}
    assert names(found.reachable_on(("red", "card"))) == {"loop", "red", "card", "common"} == names(found.reachable)
    assert names(found.reachable_anywhere) == {"loop", "red", "blue", "card", "common"}


def test_a_reference_to_what_may_be_gone_is_found(tmp_path):
    """By name from what stays, or from another group; within a group and downwards all may refer."""
    found = measured(tmp_path, GROUPS | {"low/red/b.c": call("more_red", "red", "blue", "common")})
    assert found.lost_references() == [f"low/loop.c:loop -> {place}" for place in (
        "low/blue.c:blue", "low/card.c:card", "low/red/a.c:red")] + ["low/red/b.c:more_red -> low/blue.c:blue"]


def test_reached_by_a_guest_and_stored_pointers(tmp_path, monkeypatch):
    found = measured(tmp_path, {
        "low/entry.c": call("hypervisor_entry", "set_up", "loop"),
        "low/exit.c": call("on_exit", "policy"), "low/loop.c": call("loop", "prompt"), "low/prompt.c": call("prompt"),
        "low/policy.c": "void (*handler)(void);\n" + call("policy", "restart") + call("stored"),
        "low/early.c": "extern void (*handler)(void);\nvoid stored(void);\n"
                       "void set_up(void)\n{\n    handler = stored;\n}\n",
        "low/end.c": call("restart", "prompt")})
    monkeypatch.setattr(roots, "GUEST", (("exits", ("on_exit",)),))
    monkeypatch.setattr(roots, "CONTROL", ("loop",))
    monkeypatch.setattr(roots, "GUEST_CUTS", (("policy", "restart", "only the prompt"),))
    monkeypatch.setattr(roots, "BOOT_POINTERS", {"low/none.c:*": "nobody"})
    assert names(found.reachable) == {"on_exit", "policy"}
    assert names(found.after_start) == {"on_exit", "policy", "restart", "prompt", "loop"}
    assert names(found.boot_only) == {"hypervisor_entry", "set_up", "stored", "handler"}
    assert found.unexplained_pointers() == ["low/policy.c:stored"]
    assert found.stale_pointers() == ["low/none.c:*"]
    assert not found.not_boot()
    assert {what: [node.name for node in way] for what, way in found.why("policy").items()} == \
        {"a guest": ["on_exit", "policy"], "the control loop": []}
    assert {what: [node.name for node in way] for what, way in found.why("prompt").items()} == \
        {"a guest": [], "the control loop": ["loop", "prompt"]}
    monkeypatch.setattr(roots, "GUEST_CUTS", (("policy", "prompt", "no such edge"),))
    with pytest.raises(LookupError, match="which is not there"):
        found._cuts(roots.GUEST_CUTS)
    with pytest.raises(LookupError, match="no such function"):
        found._nodes("gone")


def test_stored_pointers_and_copied_tables_are_declared(tmp_path, monkeypatch):
    monkeypatch.setattr(roots, "STORED", (("loop", "stored", "set_up()"),))
    files = {"low/entry.c": call("hypervisor_entry"), "low/stored.c": call("stored"),
             "low/t.h": "struct table {\n    void (*run)(void);\n};\n",
             "low/loop.c": '#include "low/t.h"\nstatic struct table copy;\nvoid take(const struct table *table)\n{\n    copy = *table;\n}\n'
                           "void loop(void)\n{\n    copy.run();\n}\n",
             "low/early.c": '#include "low/t.h"\nvoid take(const struct table *table);\nvoid stored(void);\n'
                            "void early(void)\n{\n    static const struct table mine = {.run = stored};\n    take(&mine);\n}\n"}
    monkeypatch.setattr(roots, "CONTROL", ("loop",))
    assert [one.partition(".c:")[2].partition(".")[0] for one in measured(tmp_path, files).not_boot()] == ["mine"]
    monkeypatch.setattr(roots, "COPIED", {"low/early.c:mine*": "take()"})
    found = measured(tmp_path, files)
    assert not found.not_boot()
    assert "stored" in names(found.after_start)


def test_boot_only_files_that_run_later_are_found(tmp_path, monkeypatch):
    found = measured(tmp_path, {"low/entry.c": call("hypervisor_entry"), "low/loop.c": call("loop", "late"),
                                "low/early.c": call("late")})
    monkeypatch.setattr(roots, "CONTROL", ("loop",))
    assert found.not_boot() == ["low/early.c:late"]


def test_what_could_be_boot_only(tmp_path, monkeypatch):
    """A file for boot only is held by a file that stays, unless it is called boot-only itself."""
    found = measured(tmp_path, {
        "low/entry.c": call("hypervisor_entry", "loop", "first", "held", "early"), "low/early.c": call("early", "second"),
        "low/loop.c": call("loop"), "low/first.c": call("first"), "low/second.c": call("second", "third"),
        "low/third.c": call("third"), "low/held.c": call("held", "behind"), "low/behind.c": call("behind"),
        "low/stays.c": call("stays"), "low/both.c": call("held_by_both")})
    monkeypatch.setattr(roots, "CONTROL", ("loop", "hypervisor_entry"))
    monkeypatch.setattr(roots, "BOOT_CUTS", tuple(("hypervisor_entry", name, "boot") for name in ("first", "held", "early")))
    free, held = found.could_be_boot()
    assert free == {"low/second.c", "low/third.c"}
    assert held == {"low/first.c": {"low/entry.c"}, "low/held.c": {"low/entry.c"}, "low/behind.c": {"low/held.c"}}


# --- tables and pages ---

def test_the_table_of_folders():
    table = layers.Layers.parse(LAYERS)
    assert table.folder_of("low/a.c") == "low"
    assert table.allowed("once") == {"once", "high", "low"}
    assert table.may_use("high/a.c", "low/b.c") and not table.may_use("low/a.c", "once/b.c")
    assert table.may_use("low/a.c", "low/log.c")
    assert table.is_boot("low/early.c") and table.is_boot("once/a.c")
    assert not table.is_boot("low/a.c") and not table.is_boot("once/late.c")
    assert table.groups == {"red": ("low/red",), "blue": ("low/blue.c",), "card": ("low/card.c",)}
    for wrong in ("folder low resident : nowhere", "folder low always :", "boot", "folder low", "optional red low/red",
                  "optional red :", "either red blue", "either"):
        with pytest.raises(ValueError):
            layers.Layers.parse(wrong)
    with pytest.raises(LookupError):
        table.folder_of("elsewhere/a.c")


def test_the_ratchet_reads_what_it_writes():
    held = ratchet.Ratchet(12, 7, [frozenset({"b.c", "a.c"})], {("a.c", "c.c")}, {("a.c", "c.h")})
    assert ratchet.Ratchet.parse(held.text()) == held
    grown = ratchet.Ratchet(13, 8, held.groups, held.arrows, held.includes)
    assert ratchet.broken(grown, held) == ["resident: 13 lines, 12 at most", "reachable: 8 lines, 7 at most"]
    assert not ratchet.broken(held, grown)


def test_figures_in_pages():
    counts = {"total": 25_149, "resident": 5_000}
    page = "about <!-- size total -->24,000<!-- --> lines, <!-- size resident -->4,990<!-- --> stay"
    assert size.outdated(page, counts) == ["total: 24,000, now 25149"]
    filled = size.fill(page, counts)
    assert filled == "about <!-- size total -->25,100<!-- --> lines, <!-- size resident -->5,000<!-- --> stay"
    assert not size.outdated(filled, counts)
    assert size.outdated("<!-- size gone -->1<!-- -->", counts) == ["gone: 1, now no such figure"]


def test_the_table_in_a_page():
    now = "| a | of a | 1,050 | 50 |\n| b | of b | 100 | 0 |\n"
    assert not size.table_outdated("| a | of a | 900 | 50 |\n| b | of b | 100 | 100 |\n", now)
    assert len(size.table_outdated("| a | of a | 850 | 50 |\n| b | of b | 100 | 200 |\n", now)) == 2
    assert len(size.table_outdated("| a | of a | 1,050 | 50 |\n", now)) == 1
    assert len(size.table_outdated("| a | of c | 1,050 | 50 |\n| b | of b | 100 | 0 |\n", now)) == 1
    assert (size.rounded(3, 50), size.rounded(0, 50), size.rounded(124, 50)) == ("50", "0", "100")
