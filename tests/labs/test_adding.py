# SPDX-License-Identifier: MIT
"""docs/course/adding.md makes a lab: what stands there is laid into a copy of this tree and carried out."""

import os
import re
import subprocess

import pytest

from conftest import ROOT
from labs.building import ended
from labs.tree import listed, update

ALL = os.environ.get("LAB_TESTS") == "all"
PAGE = (ROOT / "docs/course/adding.md").read_text()
pytestmark = pytest.mark.timeout(1800)


def block(language: str, begins: str) -> str:
    """The page's block in that language that begins with this."""
    found = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if text.startswith(begins)]
    assert len(found) == 1, (language, begins, len(found))
    return found[0]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """This tree with the page's lab in it, as somebody has it who followed the page to section 6."""
    root = tmp_path_factory.mktemp("adding") / "bulkhead"
    for name in listed(ROOT):
        update(ROOT / name, root / name)
    lab = block("python", "# SPDX")
    more = block("python", "        Mistake(")
    assert lab.endswith("        Mistake(\"last-bus-left-out\"" + lab.rpartition("        Mistake(\"last-bus-left-out\"")[2])
    lab = lab.replace("    ),\n)\n", more + "    ),\n)\n")
    (root / "tests/labs/lab20.py").write_text(lab)
    (root / "tests/labs/checks/l20_locate.c").write_text(block("c", "/* SPDX"))
    (root / "docs/course/l20.md").write_text(block("markdown", "# L20"))
    return root


def run(tree, *command, limit=900):
    return subprocess.run(command, cwd=tree, text=True, capture_output=True, timeout=limit, check=False)


def test_the_check_builds_and_the_solution_is_right(tree):
    status, output = ended(["make", "--no-print-directory", "build/labs/l20_locate"], tree, 600)
    assert status == 0, output
    for seed in ("0", "7"):
        done = subprocess.run([tree / "build/labs/l20_locate"], env={"LAB_SEED": seed}, text=True, capture_output=True, timeout=60, check=False)
        assert done.stdout.splitlines()[-1].startswith("right"), done.stdout
    formatted = run(ROOT, "tests/lint/tool", "clang-format", str(tree / "tests/labs/checks/l20_locate.c"))
    assert formatted.stdout == (tree / "tests/labs/checks/l20_locate.c").read_text()


def test_the_page_is_filled_in(tree):
    assert run(tree, "tests/labs/lab.py", "pages", "--write").returncode == 0
    assert "| 1 | `locate()` | `hypervisor/pci/config_access.c` | 11 |" in (tree / "docs/course/l20.md").read_text()
    assert "| [L20](l20.md) | ECAM: where a register lies | 1 | 1 | 11 | 5 |" in (tree / "docs/course/README.md").read_text()
    assert run(tree, "tests/labs/lab.py", "pages").returncode == 0


@pytest.mark.skipif(not ALL, reason="part of make test-labs")
def test_its_own_tests_pass(tree):
    done = run(tree, "env", "LAB_TESTS=all", "/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/labs/test_labs.py", "-k", "L20", limit=1700)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
