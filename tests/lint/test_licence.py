# SPDX-License-Identifier: MIT
"""Every source says under which licence it is."""

from conftest import ROOT
from lint.test_lint import files

LINE = "SPDX-License-Identifier: MIT"
COMMENTS = {".c": "/* {} */", ".h": "/* {} */", ".ld": "/* {} */", ".asm": "; {}", ".py": "# {}", ".sh": "# {}", ".mk": "# {}"}


def comment(name: str, first: str) -> str | None:
    """The line that a source begins with, behind a shebang; None for what is not a source."""
    path = ROOT / name
    if path.name == "Makefile" or not path.suffix and first.startswith("#!"):
        return "# " + LINE
    form = COMMENTS.get(path.suffix)
    return form.format(LINE) if form is not None else None


def test_every_source_names_its_licence():
    missing = []
    for name in files("*"):
        text = (ROOT / name).read_bytes()
        lines = [line.decode(errors="replace") for line in text.split(b"\n", 2)[:2]]
        wanted = comment(name, lines[0])
        if wanted is not None and wanted != lines[1 if lines[0].startswith("#!") else 0]:
            missing.append(name)
    assert not missing, missing
