# SPDX-License-Identifier: MIT
"""The marks of the book, and that a page which says something else than is printed does not pass."""

import re

import pytest
from book import book, machines, marks, match, numbers, texts, tree, tries
from book.marks import Shown
from book.match import Hidden, Rules, check_hidden, selection, transcript

from conftest import ROOT

LOG = ["[0.5] sriov.enabled pf=01:00.0 vfs=3 total=8", "[0.6] device.assigned guest=alpha rid=01:10.0 vectors=3",
       '[0.7] guest.output name=alpha text="1000 of 1000 echoes answered"',
       "[0.8] dma.fault rid=01:10.4 guest=rogue address=0x1c000000 access=read reason=0x6",
       "[0.9] dma.fault rid=01:10.4 guest=rogue address=0x1c001000 access=write reason=0x5"]
WALK = ["bulkhead> walk 01:10.0 0x200000", "  domain 2, 4 levels from 0x1fc5b000", "  level 4 at 0x1fc5b000 = 0x1fc5c003",
        "  level 3 at 0x1fc5c000 = 0x1fc5d003", "reaches 0x1c200000"]


def block(lines: list[str], mark: str = "", item: bool = False) -> Shown:
    return Shown("docs/page.md", 1, lines, marks.read_mark(f"<!-- {mark} -->", "docs/page.md:1") if mark else None, "", item)


def test_every_block_has_a_mark_that_is_understood():
    """`make book` runs them; this looks at nothing but the pages."""
    wrong = [problem for one in marks.all_shown() if (problem := book.problem_of_mark(one))]
    assert not wrong, "\n".join(wrong)


def test_a_block_without_a_mark_is_an_error():
    page = "# Page\n\n```\nbulkhead> help\n```\n\n## Things to try\n\n- At the prompt: `help`.\n"
    wrong = [book.problem_of_mark(one) for one in marks.shown("docs/page.md", page)]
    assert len(wrong) == 2 and wrong[0].startswith("docs/page.md:4: the block has no mark")
    assert wrong[1].startswith("docs/page.md:9: the item to try has no mark")


@pytest.mark.parametrize("mark, says", [
    ("not run: no", "gives no reason"), ("run: machine=run", "names no kind"), ("run: log 'machine", "in the mark")])
def test_a_mark_that_says_nothing_is_an_error(mark, says):
    with pytest.raises(marks.MarkError, match=says):
        block(["text"], mark)


@pytest.mark.parametrize("mark, says", [
    ("run: film", "there is no kind 'film'"), ("run: log machine=nosuch", "there is no machine 'nosuch'"), ("run: log", "wants machine="),
    ("run: log machine=run colour=red", "knows no colour"), ("run: try machine=run", "for items under")])
def test_a_mark_that_cannot_be_followed_is_an_error(mark, says):
    assert says in book.problem_of_mark(block(["text"], mark))


def test_a_reason_names_a_test_that_is_there():
    """`not run: tests/system/test_x.py does it` names a file."""
    for one in marks.all_shown():
        for name in re.findall(r"tests/[\w/]+\.py", one.mark.reason if one.mark else ""):
            assert (ROOT / name).exists(), f"{one.name}: there is no {name}"


def test_lines_of_a_log():
    shown = ["sriov.enabled pf=01:00.0 vfs=3 total=8", "dma.fault rid=01:10.4 ... address=0x1a000000 access=read ...",
             "[4.123] dma.fault rid=01:10.4 guest=rogue address=0x1a001000 access=write reason=0x5"]
    assert selection(shown, LOG, Rules()) == [
        "sriov.enabled pf=01:00.0 vfs=3 total=8", "dma.fault rid=01:10.4 ... address=0x1c000000 access=read ...", LOG[4]]


@pytest.mark.parametrize("shown", [
    ["sriov.enabled pf=01:00.0 vfs=4 total=8"],                                     # a value that does not vary
    ["sriov.enabled pf=01:00.1 vfs=3 total=8"],
    ["sriov.enabled pf=01:00.0 vfs=3"],                                             # a part, without `...`
    ["device.assigned guest=alpha rid=01:10.0 vectors=3", "sriov.enabled pf=01:00.0 vfs=3 total=8"],   # the order
    ["dma.fault ... address=0x1c000000 access=read ...", "dma.fault ... address=0x1c000000 access=write ..."],  # another page
    ["dma.fault ... address=0x1c000004 access=read ..."],                           # within the page
    ["sriov.enabled pf=01:00.0 vfs=3 total=8"] * 2])
def test_a_log_that_was_not_printed(shown):
    assert selection(shown, LOG, Rules()) is None


def test_lines_of_different_guests_have_no_order():
    assert selection([LOG[2], LOG[0]], LOG, Rules()) == [LOG[0], LOG[2]]


def test_a_transcript():
    typed = Rules(typed={"0x200000"})
    other = [line.replace("1fc5b", "7aa0b").replace("1fc5c", "7aa0c").replace("1fc5d", "7aa0d").replace("1c200", "1b200") for line in WALK]
    assert transcript(WALK, other, typed) == other
    assert transcript([WALK[0], "...", WALK[4]], other, typed) == [WALK[0], "...", other[4]]
    assert transcript(WALK, [*other[:2], LOG[3], *other[2:]], typed) == other, "the log may speak between the lines"


@pytest.mark.parametrize("old, new", [
    ("domain 2", "domain 1"), ("4 levels", "3 levels"), ("0x1fc5c003", "0x1fc5c001"), ("level 3 at 0x1fc5c000", "level 3 at 0x1fc5e000"),
    ("0x200000", "0x201000"), ("reaches", "blocked")])
def test_a_transcript_that_was_not_printed(old, new):
    other = "\n".join(WALK).replace(old, new).split("\n")
    assert transcript(WALK, other, Rules(typed={"0x200000"})) is None
    assert transcript(WALK, WALK[:-1], Rules()) is None and transcript(WALK, [*WALK, "and more"], Rules()) is None


def test_named_values_vary_and_nothing_else():
    line = "audit.ok ranges=51 leaves=691 contexts=65536"
    rules = Rules(["ranges", "leaves"])
    assert selection([line], ["[1.0] audit.ok ranges=70 leaves=534 contexts=65536"], rules)
    assert not selection([line], ["[1.0] audit.ok ranges=70 leaves=534 contexts=65535"], rules)
    assert not selection([line], ["[1.0] audit.ok ranges=many leaves=534 contexts=65536"], rules), "digits vary, letters do not"
    row = "alpha.0   cpuid       2          0.7"
    assert selection([row], ["alpha.0   cpuid       2         10.7"], Rules([r"/ ([\d.]+)$/"])) == ["alpha.0   cpuid       2         10.7"]
    assert not selection([row], ["alpha.0   cpuid       3          0.7"], Rules([r"/ ([\d.]+)$/"]))
    text = r"/(\d+) frames out/"
    assert selection(["2002 frames out, 3 lost"], ["2004 frames out, 3 lost"], Rules([text]))
    assert not selection(["2002 frames out, 3 lost"], ["2002 frames out, 4 lost"], Rules([text]))


@pytest.mark.parametrize("lines, vary", [
    (["audit.ok ranges=51", "..."], ["leaves"]),        # a name that no line has
    (["a=12345 b=678"], ["a", "b"]),                    # nothing left to compare
    (["x ... y"], []), (["[0.5] 0x12345000"], []), (["..."], ["time"])])
def test_what_hides_too_much_is_an_error(lines, vary):
    with pytest.raises(Hidden):
        check_hidden(lines, Rules(vary))


def test_a_block_that_is_wrong_says_where(monkeypatch):
    """From the page to the difference, with what the machine printed put in its place."""
    monkeypatch.setattr(machines, "printed", lambda run: LOG)
    pages = book.Book([])
    monkeypatch.setattr(pages.machines, "get", lambda name: None)
    right, wrong = (block([f"sriov.enabled pf=01:00.0 vfs={vfs} total=8"], "run: log machine=run") for vfs in (3, 4))
    assert pages.problems(right) == []
    text, = pages.problems(wrong)
    assert text.startswith("docs/page.md:1: something else was printed") and "-sriov.enabled pf=01:00.0 vfs=4" in text
    assert "+sriov.enabled pf=01:00.0 vfs=3" in text


def test_accepting_writes_the_page(tmp_path):
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/page.md"
    page.write_text("# Page\n\n<!-- run: log machine=run -->\n```\none\ntwo\n```\n\n- item\n\n  ```\n  three\n  ```\n")
    first, second = marks.shown("docs/page.md", page.read_text())
    assert second.lines == ["three"]
    marks.replace(tmp_path, [(first, ["1"]), (second, ["3", "4"])])
    assert page.read_text() == "# Page\n\n<!-- run: log machine=run -->\n```\n1\n```\n\n- item\n\n  ```\n  3\n  4\n  ```\n"


def test_what_replaces_lines_is_what_is_most_like_them():
    shown = ["dma.fault rid=01:10.4 guest=rogue address=0x1a001000 access=write reason=0x7"]
    assert match.renewed(shown, LOG, Rules()) == ["dma.fault rid=01:10.4 guest=rogue address=0x1c001000 access=write reason=0x5"]


class Answers:
    """A machine that answers from a table."""

    running = True
    events = ()

    def stop(self):
        pass


@pytest.mark.parametrize("text, problem", [
    ("- At the prompt: `stop`: `usage: stop GUEST`.", None), ("- At the prompt: `stop`: `usage: stop NAME`.", "usage: stop NAME"),
    ('- At the prompt: `stop`: "usage: ...GUEST".', None), ('- At the prompt: `stop`: "no such guest".', "no such guest"),
    ("- At the prompt: `halt`: `usage: stop GUEST`.", "`halt`"), ("- See `docs/nosuch.md`, then `stop`: `usage`.", "`docs/nosuch.md`")])
def test_what_an_item_shows_has_to_be_seen(monkeypatch, text, problem):
    monkeypatch.setattr(tries, "ask", lambda run, command: {"stop": "usage: stop GUEST\n"}[command])
    item = block([text], "run: try machine=talking type=stop", item=True)
    shared = type("Shared", (), {"get": lambda self, name: Answers(), "stop": lambda self: None})()
    problems = tries.attempt(item, shared, tree.Tree())
    assert (problems == []) if problem is None else (problem in "\n".join(problems)), problems


@pytest.mark.parametrize("kind, lines, mark, says", [
    (texts.events, ['acpi.refused table=MCFG message="no memory-mapped PCI ...'], "events", None),
    (texts.events, ['acpi.refused table=MCFG message="nothing is wrong here at all"'], "events", "no source says"),
    (texts.events, ["acpi.denied table=MCFG"], "events", "no source has the event"),
    (texts.events, ["acpi.refused tbl=MCFG"], "events", "no source prints tbl="),
    (texts.commands, ["make run SCENARIO=sriov   the usual"], "commands", None),
    (texts.commands, ["make run SCENARIO=nosuch"], "commands", "no config/nosuch.conf"),
    (texts.commands, ["make rnu"], "commands", "no goal 'rnu'"),
    (texts.commands, ["tests/machine/run.py --colour"], "commands", "does not take"),
    (texts.paths, ["hypervisor/   base/, acpi/"], "paths", None), (texts.paths, ["hypervizor/   x"], "paths", "no hypervizor/"),
    (texts.source, ["image  = ping.elf", "memory = 32M"], "source file=config/sriov.conf", None),
    (texts.source, ["image  = ping.elf", "memory = 64M"], "source file=config/sriov.conf", "does not have next")])
def test_texts(kind, lines, mark, says, capfd):
    problems = kind(block(lines, f"run: {mark}"))
    assert (problems == []) if says is None else (says in "\n".join(problems)), problems


def test_numbers_in_pages_are_those_of_the_sources():
    wrong = [f"{page}: {text}" for page in marks.pages() for text in numbers.outdated(page, (ROOT / page).read_text())]
    assert not wrong, "\n".join(wrong) + "\n`make book-numbers` writes them"


PAGE = """
```
root table 0x1fc17000, then 0x1fc7c001
```
The table is at <!-- above /table (0x\\w+)/ -->0x0<!-- -->, the second <!-- above 2 /0x(\\w+)/ -->`1`<!-- -->;
<!-- constant PAGE_SIZE in KiB -->5<!-- --> KiB, <!-- count proofs -->0<!-- --> proofs.
""".replace("\\\\", "\\")


def test_numbers_are_filled_in():
    new = numbers.filled("page", PAGE)
    proofs = len(list((ROOT / "tests/prove").glob("prove_*.c")))
    assert "-->0x1fc17000<!--" in new and "-->`1fc7c001`<!--" in new and "-->4<!-- --> KiB" in new and f"-->{proofs}<!--" in new
    assert len(numbers.outdated("page", PAGE)) == 4 and not numbers.outdated("page", new)
    assert numbers.bench("CPUID leaf 1") == "124" if "CPUID leaf 1" in numbers._table() else True


@pytest.mark.parametrize("name", ["constant NO_SUCH_NUMBER", "constant PAGE_SIZE in MiB", "count stars", "bench nothing", "above /x/"])
def test_a_number_from_nowhere_is_an_error(name):
    text, = numbers.outdated("docs/page.md", f"\n\n<!-- {name} -->1<!-- -->")
    assert text.startswith("docs/page.md:3: ")
