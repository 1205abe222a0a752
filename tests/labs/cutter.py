# SPDX-License-Identifier: MIT
"""Takes functions out of today's sources and puts them back. The formatter puts a function's braces in column 0."""

import re
from pathlib import Path

from .kinds import Lab, Step

HEADER_TEXT = """/* SPDX-License-Identifier: MIT */
/* What a lab has not filled in yet says so, once for each place; in a check, whose log is cleared
 * from one question to the next, each time. */
#pragma once

%s

#define LAB_TODO(lab, step, hint)                                                                  \\
    do {                                                                                           \\
        static bool said;                                                                          \\
        if (!said || __STDC_HOSTED__) {                                                            \\
            said = true;                                                                           \\
            %s \\
        }                                                                                          \\
    } while (0)
"""
# Where a macro is that says so, for the hypervisor and for guests, which have no log of their own: theirs is a line of
# guest.output.
HEADERS = {
    "hypervisor/base/lab.h": HEADER_TEXT % (
        '#include "hypervisor/base/log.h"',
        'log_event("lab.todo", "lab=%s step=%u message=\\"%s\\"", lab, (unsigned)(step), hint);'),
    "guest/runtime/lab.h": HEADER_TEXT % (
        '#include "guest/runtime/runtime.h"', "print(\"lab.todo lab=%s step=%u message='%s'\\n\", lab, (unsigned)(step), hint);"),
}


def header_of(file: str) -> str:
    return "guest/runtime/lab.h" if file.startswith("guest/") else "hypervisor/base/lab.h"


class DoesNotFit(ValueError):
    """The manifest names what the sources do not have."""


def definition(text: str, function: str, file: str = "") -> re.Match:
    """The definition of a function: groups `head` (up to the opening brace) and `body`."""
    found = list(re.finditer(rf"^(?P<head>[A-Za-z][^\n;{{}}]*?\b{re.escape(function)}\([^;{{}}]*?\)\n)\{{\n(?P<body>(?:.*\n)*?)\}}\n",
                             text, re.MULTILINE))
    if len(found) != 1:
        raise DoesNotFit(f"{file}: {function}() is defined {len(found)} times, not once")
    return found[0]


def body_of(text: str, function: str, file: str = "") -> str:
    return definition(text, function, file)["body"]


def lines_of(text: str, function: str, file: str = "") -> int:
    """Lines that are to be written: those of the body which are not blank."""
    return sum(bool(line.strip()) for line in body_of(text, function, file).splitlines())


def with_body(text: str, function: str, body: str, file: str = "") -> str:
    found = definition(text, function, file)
    return text[:found.start("body")] + body + text[found.end("body"):]


def mark(lab: Lab, step: Step) -> str:
    return f'LAB_TODO("{lab.name}", {step.number},'


def c_string(text: str) -> str:
    """In as many literals as lines of 100 columns take."""
    parts, line = [], ""
    for word in re.findall(r"\S+\s*", text):
        if line and len(line) + len(word) > 80:
            parts.append(line)
            line = ""
        line += word
    parts.append(line)
    return "\n             ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


def stub_body(lab: Lab, step: Step) -> str:
    lines = [f"    {mark(lab, step)}", f"             {c_string(step.hint.replace(chr(34), chr(39)))});"]
    lines += [f"    {line}" if line else "" for line in step.stub.strip().splitlines()]
    return "\n".join(lines) + "\n"


def cut(text: str, lab: Lab, step: Step) -> str:
    text = with_body(text, step.function, stub_body(lab, step), step.file)
    include = f'#include "{header_of(step.file)}"\n'
    if include not in text:
        first = re.search(r'^#include "[^"]+"\n', text, re.MULTILINE)
        if first is None:
            raise DoesNotFit(f"{step.file}: no #include to put another one behind")
        text = text[:first.end()] + include + text[first.end():]
    return text


def is_stub(text: str, lab: Lab, step: Step) -> bool:
    """Whether that step is still to be done: asked of the function alone, so that a copied text elsewhere does not count."""
    try:
        return mark(lab, step) in body_of(text, step.function, step.file)
    except DoesNotFit:
        return False


def cut_files(lab: Lab) -> list[str]:
    """In the order of the steps, each once."""
    return list(dict.fromkeys(step.file for step in lab.steps))


def cut_all(lab: Lab, root: Path) -> dict[str, str]:
    """The texts of the lab's files without the functions that it asks for."""
    texts = {file: (root / file).read_text() for file in cut_files(lab)}
    for step in lab.steps:
        texts[step.file] = cut(texts[step.file], lab, step)
    return texts


def others_filled(texts: dict[str, str], originals: dict[str, str], lab: Lab, step: Step | None) -> dict[str, str]:
    """The student's files with all functions but one step's as they were, so that a step is judged by itself. What the
    student added to the files stays."""
    texts = dict(texts)
    for other in lab.steps:
        if other is not step:
            body = body_of(originals[other.file], other.function, other.file)
            texts[other.file] = with_body(texts[other.file], other.function, body, other.file)
    return texts
