# SPDX-License-Identifier: MIT
"""What VS Code is told (.vscode/): valid, and in step with what it names."""

import json
import re
import shutil

import pytest

from conftest import ROOT, make

FOLDER = ROOT / ".vscode"
FILES = sorted(path.name for path in FOLDER.glob("*.json"))
VARIABLE = "${workspaceFolder}/"


def read(name: str) -> dict:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def tasks() -> dict:
    return {task["label"]: task for task in read("tasks.json")["tasks"]}


@pytest.mark.parametrize("name", FILES)
def test_strict_json(name):
    """Also what is not VS Code reads it."""
    assert isinstance(read(name), dict)


def test_all_are_there():
    assert FILES == ["c_cpp_properties.json", "extensions.json", "launch.json", "settings.json", "tasks.json"]


def test_the_goals_exist():
    goals = {line.split()[0] for line in make("help").stdout.splitlines()}
    for label, task in tasks().items():
        assert shutil.which(task["command"]), label
        assert task["command"] != "make" or task["args"][0] in goals, label


def test_the_scenarios_are_those_that_there_are():
    chosen = next(one for one in read("tasks.json")["inputs"] if one["id"] == "scenario")
    assert chosen["options"] == sorted(path.stem for path in (ROOT / "config").glob("*.conf"))
    assert chosen["default"] in chosen["options"]


def test_the_files_exist(built):
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in FILES)
    named = set(re.findall(re.escape(VARIABLE) + r'([\w./-]+)', text))
    assert {"build/bulkhead.elf", "build/compile_commands.json", "tests/tools/bulkhead_gdb.py"} <= named
    assert all((ROOT / name).exists() for name in named), named


def test_the_debugger_finds_the_machine():
    """The task that is started first, its port, and the words that say that it waits."""
    for launch in read("launch.json")["configurations"]:
        task = tasks()[launch["preLaunchTask"]]
        port = launch["miDebuggerServerAddress"].rpartition(":")[2]
        assert f"RUN_FLAGS=--gdb {port}" in task["args"] and task["isBackground"]
        background = task["problemMatcher"]["background"]
        said = re.search(r'say\(f?"(waiting for a debugger[^"]*)', (ROOT / "tests/machine/run.py").read_text()).group(1)
        assert re.search(background["endsPattern"], f"run: {said}") and re.search(background["endsPattern"], "run: error: no")
        assert re.search(background["beginsPattern"], "setup: build: packages are complete")
