# SPDX-License-Identifier: MIT
"""What mkdocs does not do by itself: hooks of mkdocs.yml, for mkdocs 1.4 (Debian 12) and newer.

Pages are written for GitHub and read there as well: links lead to files above docs/, and marks of figures that tools
fill in are comments."""

import json
import re
import shutil
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
# Files above docs/ that are pages of the site, and what they are called there. SECURITY.md would meet security.md on a
# disk that ignores case.
PROJECT = {"CHANGES.md": "project/changes.md", "CONTRIBUTING.md": "project/contributing.md",
           "SECURITY.md": "project/reporting.md", "LICENSE": "project/licence.md"}
CODE = re.compile(r"(^```.*?^```[^\n]*$|``.+?``|`[^`\n]*`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def outside_code(text: str, change) -> str:
    """The text with everything but its code changed."""
    return "".join(part if number % 2 else change(part) for number, part in enumerate(CODE.split(text)))


def without_escapes(text: str) -> str:
    """GitHub wants a pipe in a cell's code escaped, Python-Markdown shows the escape."""
    return re.sub(r"^\|.*$", lambda row: re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), row[0]), text, flags=re.M)


def without_marks(text: str) -> str:
    return outside_code(text, lambda part: re.sub(r"<!--.*?-->", "", part, flags=re.DOTALL))


def target_on_site(page: str, target: str) -> str:
    """Where a page's link leads on the site."""
    if "://" in target:
        return target
    folder = Path(page).parent
    depth = len(folder.parts)
    if page.startswith("project/"):
        named = target  # written in the repository's root
    elif target.startswith("../" * (depth + 1)):
        named = target[3 * (depth + 1):]
    else:
        return target
    if named in PROJECT:
        return "../" * depth + PROJECT[named]
    if named.startswith("docs/"):
        return "../" * depth + named.removeprefix("docs/")
    return "../" * depth + "README.md" if named == "README.md" else target


def on_files(files, config, **_):
    staged = Path(config["site_dir"]).parent / "site-project"
    shutil.rmtree(staged, ignore_errors=True)
    for name, page in PROJECT.items():
        text = (ROOT / name).read_text()
        (staged / page).parent.mkdir(parents=True, exist_ok=True)
        (staged / page).write_text(text if name.endswith(".md") else f"# Licence\n\n```\n{text}```\n")
        files.append(File(page, str(staged), config["site_dir"], config["use_directory_urls"]))
    return files


def on_page_markdown(markdown, page, **_):
    def led(part: str) -> str:
        return LINK.sub(lambda link: f"]({target_on_site(page.file.src_path, link[1])}{link[2] or ''})", part)

    return outside_code(without_escapes(without_marks(markdown)), led)


def mend_scripts(site: Path) -> None:
    """Debian 12's theme asks for another jQuery than it has, and for scripts that it does not have."""
    there = sorted((site / "js").glob("jquery-*.min.js"))

    def script(tag: re.Match) -> str:
        name = tag[1].removeprefix("../").removeprefix("../").removeprefix("./")
        if "://" in name or (site / name).exists():
            return tag[0]
        if name.startswith("js/jquery-") and there:
            shutil.copyfile(there[0], site / name)
            return tag[0]
        return ""

    for path in site.rglob("*.html"):
        text = re.sub(r"<!--\[if lt IE 9\]>.*?<!\[endif\]-->", "", path.read_text(), flags=re.S)
        path.write_text(re.sub(r'<script src="([^"]+)"[^>]*></script>', script, text))


def name_sections(index: dict) -> dict:
    """Sections are found by their titles, which say little without the page: "Step by step"."""
    titles = {page["location"]: page["title"] for page in index["docs"] if "#" not in page["location"]}
    begun = set()
    for section in index["docs"]:
        page, _, anchor_name = section["location"].partition("#")
        if anchor_name and page in begun:
            section["title"] = f"{section['title']} ({titles[page]})"
        elif anchor_name:
            begun.add(page)  # the page's own heading comes first
    return index


def on_post_build(config, **_):
    """The index with better titles, and once more as a script: a page from disk may load that and no JSON."""
    site = Path(config["site_dir"])
    mend_scripts(site)
    file = site / "search/search_index.json"
    text = json.dumps(name_sections(json.loads(file.read_text())), ensure_ascii=False)
    file.write_text(text)
    file.with_suffix(".js").write_text(f"var searchIndex = {text};\n")
