# SPDX-License-Identifier: MIT
"""README and the book as pages: they lead to each other, and a site can be made of them."""

import importlib.util
import json
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from conftest import PATIENCE, ROOT
from lint.test_lint import files
from machine import run as runner
from machine.qemu_command import Places, qemu_arguments

MOST_WORDS = 700
PAGES = files("*.md")
BOOK = [name for name in PAGES if name.startswith("docs/")]
CODE = re.compile(r"^```.*?^```|`[^`]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]*)\)")


def links(page: str) -> list[tuple[str, str]]:
    """(page or file, anchor) of each link inside the repository."""
    text = CODE.sub("", (ROOT / page).read_text())
    targets = [target.partition("#") for target in LINK.findall(text) if "://" not in target]
    return [(str((ROOT / page).parent.joinpath(path).resolve().relative_to(ROOT)) if path else page, anchor)
            for path, _, anchor in targets]


def anchor(heading: str) -> str:
    """What GitHub makes of a heading."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(text: str) -> set[str]:
    found: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6} (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M):
        name = anchor(heading)
        found[name if name not in found else f"{name}-{found[name]}"] = 0
        found[name] += 1
    return set(found)


def test_readme_is_short():
    """It is read in three minutes; what is longer has a page."""
    words = len(re.sub(r"<!--.*?-->", "", (ROOT / "README.md").read_text(), flags=re.S).split())
    assert words <= MOST_WORDS, f"README.md has {words} words: {MOST_WORDS} are the most. Move something to docs/"


def test_links_lead_to_a_heading():
    """Files are looked at by test_lint.py."""
    broken = [f"{page}: {target}#{name}" for page in PAGES for target, name in links(page)
              if name and target.endswith(".md") and name not in anchors((ROOT / target).read_text())]
    assert not broken, broken


def test_anchors_are_those_of_github():
    page = "# A\n## `why`: what, for 82576?\n```\n# not one\n```\n## A\n### [x](y.md) and z\n"
    assert anchors(page) == {"a", "why-what-for-82576", "a-1", "x-and-z"}


def test_every_page_can_be_reached():
    """From the list of chapters."""
    seen, left = set(), ["docs/README.md"]
    while left:
        page = left.pop()
        if page not in seen and page.startswith("docs/") and page.endswith(".md"):
            seen.add(page)
            left += [target for target, _ in links(page)]
    unseen = sorted(set(BOOK) - seen)
    assert not unseen, f"no way from docs/README.md: {unseen}"
    listed = {target for page in PAGES if page.startswith("docs/") and page.endswith("/README.md") for target, _ in links(page)}
    assert not sorted(set(BOOK) - listed - {"docs/README.md"}), "not in the list of chapters of its folder's README.md or of docs/README.md"


def test_the_command_line_of_the_lanes():
    """Words that docs/lanes shows of QEMU's command line are there, in this order."""
    spec = runner.specification(runner.arguments(["--scenario", "sriov"]), batch=True)
    shown = re.findall(r"^```\n(-M .*?)^```", (ROOT / "docs/lanes/tcg.md").read_text(), re.M | re.S)
    assert len(shown) == 1
    real = iter(qemu_arguments(spec, "tcg", Places("code", "variables", None)))
    missing = [word for word in shown[0].split() if word not in real]
    assert not missing, f"not in QEMU's command line, or not in this order: {missing[0]}"
    kvm = " ".join(qemu_arguments(spec, "kvm", Places("code", "variables", None)))
    assert "-accel kvm" in kvm and "-cpu host" in kvm and "kernel-irqchip=split" in kvm


# --- the site ---

class Page(HTMLParser):
    """What a browser would fetch, what a reader can click, and what can be pointed at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a":
            self.links.append(values.get("href") or "")
        elif tag == "link":
            if values.get("rel") not in ("canonical", "next", "prev"):
                self.fetched.append(values.get("href") or "")
        elif values.get("src"):
            self.fetched.append(values["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if importlib.util.find_spec("mkdocs") is None:
        pytest.fail("mkdocs is not installed: tests/machine/setup.sh site")
    folder = tmp_path_factory.mktemp("book") / "site"
    done = subprocess.run(["/usr/bin/python3", "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder],
                          cwd=ROOT, text=True, capture_output=True, timeout=120 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def built(site) -> dict[str, Page]:
    return {str(path.relative_to(site)): Page(path.read_text()) for path in site.rglob("*.html")}


def test_every_page_is_on_the_site(built):
    """And in its navigation, which mkdocs' strict mode does not ask for."""
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    named = set(re.findall(r": ([\w/.-]+\.md)$", navigation, re.M))
    missing = sorted({name.removeprefix("docs/") for name in BOOK} - named)
    assert not missing, f"not in the navigation of mkdocs.yml: {missing}"
    page = {name: re.sub(r"\bREADME\.md$", "index.md", name)[:-3] + ".html" for name in named}
    assert set(page.values()) <= set(built), set(page.values()) - set(built)


def test_the_site_needs_no_network(site, built):
    """Pages, scripts and styles fetch nothing from elsewhere."""
    outside = [f"{name}: {address}" for name, page in built.items() for address in page.fetched
               if urlsplit(address).scheme not in ("", "data") or address.startswith("//")]
    assert not outside, outside
    for style in site.rglob("*.css"):
        asked = re.findall(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)", style.read_text())
        assert not asked, (style.name, asked)


def test_links_of_the_site_lead_somewhere(site, built):
    broken = []
    for name, page in built.items():
        for link in [*page.links, *page.fetched]:
            place = urlsplit(link)
            if place.scheme or name == "404.html":
                continue
            target = str((site / name).parent.joinpath(unquote(place.path)).resolve().relative_to(site)) if place.path else name
            target = "index.html" if target == "." else target
            if not (site / target).exists():
                broken.append(f"{name}: {link}")
            elif place.fragment and target in built and unquote(place.fragment) not in built[target].ids:
                broken.append(f"{name}: {link}")
    assert not broken, broken


def test_headings_have_the_anchors_of_github(built):
    """The same link works in both; a title whose punctuation mkdocs treats otherwise needs other words."""
    missing = [f"{page}: #{name}" for page in BOOK for name in anchors((ROOT / page).read_text())
               if name not in built[re.sub(r"\bREADME\.md$", "index.md", page)[5:-3] + ".html"].ids]
    assert not missing, missing


def test_marks_of_tools_are_not_on_the_site(site):
    """Figures that tools fill in stand between comments."""
    assert "<!-- exit cpuid-1 -->" in (ROOT / "docs/performance.md").read_text()
    marked = [str(path) for path in site.rglob("*.html")
              if "<!--" in path.read_text().partition('itemprop="articleBody">')[2].partition("<footer>")[0]]
    assert not marked, marked


def test_the_index_of_the_search(site):
    """From disk a page may load a script and no JSON, so the index is there as both."""
    index = json.loads((site / "search/search_index.json").read_text())
    assert (site / "search/search_index.js").read_text() == f"var searchIndex = {(site / 'search/search_index.json').read_text()};\n"
    assert (site / "search/lunr.js").exists()
    text = " ".join(f"{page['title']} {page['text']}" for page in index["docs"] if page["location"].startswith("iommu.html"))
    assert "context entry" in text and "<!--" not in text


# --- troubleshooting ---

TROUBLE = "docs/troubleshooting.md"
# How an event is called that refuses something or reports a failure, and those that are called so and are neither.
FAILURE = re.compile(r"(refused|failed|lost|fault|violation|quarantined|dropped|denied|dead|unexpected|exception|"
                     r"machine_check|checksum|errors?|spoof|mailbox|blocked|doubt|hidden|overlap|queue|corrected|quirk|"
                     r"command|skipped|cannot|unsure|far|taken)$")
NO_FAILURES = {"boot.dropped"}  # memory that is given back
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"(?:\s*"((?:[^"\\\n]|\\.)*)")*')
EVENT = re.compile(r"[a-z]+\.[a-z0-9_]+")


def sources() -> list[str]:
    return [(ROOT / name).read_text() for name in files("boot/*.[ch]", "hypervisor/*.[ch]", "drivers/*.[ch]")]


def strings(text: str) -> list[str]:
    """Literals, neighbours joined as the compiler does."""
    return ["".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', match[0])).replace('\\"', '"') for match in STRING.finditer(text)]


def entries(page: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", page, flags=re.M)
    return {title: body for title, body in zip(parts[1::2], parts[2::2]) if EVENT.fullmatch(title)}


def logged() -> set[str]:
    """Names of events at the beginning of a literal; file names look alike."""
    names = {literal.removeprefix("[0.000000] ").partition(" ")[0] for text in sources() for literal in strings(text)}
    return {name for name in names if EVENT.fullmatch(name) and not name.endswith((".elf", ".conf", ".asm", ".log", ".txt"))}


def events_of(page: str) -> set[str]:
    """What looks like an event at the beginning of code in a line, or of a line of a block."""
    blocks = re.findall(r"^```\n(.*?)^```", page, re.M | re.S)
    code = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", page, flags=re.M | re.S))
    code += [re.sub(r"^\[[\d.]+\] ", "", line) for block in blocks for line in block.splitlines()]
    return {match[1] for text in code if (match := re.match(r"([a-z]+\.[a-z_][a-z0-9_]+)(?= \w+=|$)", text))}


def test_events_that_pages_name_exist():
    events = logged()
    subsystems = {name.partition(".")[0] for name in events}
    unknown = [f"{page}: {name}" for page in PAGES for name in sorted(events_of((ROOT / page).read_text()) - events)
               if name.partition(".")[0] in subsystems and not re.search(r"\.(c|h|conf|elf|asm|log|txt|py|efi|md|img|iso|csv|bin|vf\d)$", name)]
    assert not unknown, unknown
    assert events_of("`dma.nosuch rid=`, `dma.fault`\n```\n[0.1] iommu.gone units=1\n```\n") == {"dma.nosuch", "dma.fault", "iommu.gone"}


def test_every_failure_has_an_entry():
    """What the sources log as refused or failed is in docs/troubleshooting.md, in order, with something to do."""
    events = logged()
    page = (ROOT / TROUBLE).read_text()
    known = entries(page)
    missing = sorted(name for name in events if FAILURE.search(name) and name not in NO_FAILURES | set(known))
    assert not missing, f"no entry in {TROUBLE}: {missing}"
    assert not sorted(set(known) - events), "entries for events that nothing logs"
    assert list(known) == sorted(known), "entries are in the order of the alphabet"
    assert len(known) >= 60
    idle = [name for name, body in known.items() if "**Do:**" not in body and "| do |" not in body]
    assert not idle, f"nothing to do: {idle}"


def test_messages_of_the_entries_are_those_of_the_sources():
    literals = " ".join(literal for text in sources() for literal in strings(text))
    wrong = []
    for name, body in entries((ROOT / TROUBLE).read_text()).items():
        rows = re.search(r"^\| message \| do \|\n\|---\|---\|\n((?:\|.*\n)+)", body, re.M)
        for row in rows[1].splitlines() if rows else []:
            for message in row.split("|")[1].split(";"):
                if not message.strip().startswith("about ") and message.strip() not in literals:
                    wrong.append(f"{name}: {message.strip()}")
    assert not wrong, wrong


# --- glossary ---

def terms() -> dict[str, str]:
    """Each term of the glossary and the page that its row leads to."""
    rows = re.findall(r"^\| ([^|]+?) \| .* \| \[[^]]*\]\(([\w/.-]+)\) \|$", (ROOT / "docs/glossary.md").read_text(), re.M)
    return {name: page for names, page in rows for name in names.split(", ")}


def test_terms_are_used_in_their_chapters():
    found = terms()
    assert len(found) >= 70 and list(found) == sorted(found, key=str.lower)
    unused = []
    for term, page in found.items():
        text = re.sub(r"\s+", " ", (ROOT / "docs" / page).read_text())
        if not re.search(rf"(?<!\w){re.escape(term)}(?:e?s|ped|ing|ed)?(?!\w)", text, re.I):
            unused.append(f"{term}: not in {page}")
    assert not unused, unused


def test_terms_can_be_searched(site):
    index = json.loads((site / "search/search_index.json").read_text())
    text = " ".join(page["text"] for page in index["docs"] if page["location"].startswith("glossary.html"))
    missing = [term for term in terms() if term not in text]
    assert not missing, missing
