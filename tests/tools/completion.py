#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the completion of the host's programs and of make (`make completion`).

For bash, and for zsh by its bashcompinit. Nothing is run when a key is pressed: the words stand in the file, and the
scenarios are the files of config/. (Debian 12's shtab offers only the first of several choices.)"""

import argparse
import shlex
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "machine"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import choices  # noqa: E402
import option_tables  # noqa: E402
import variables  # noqa: E402

FILES, FOLDERS, SCENARIOS = "<files>", "<folders>", "<scenarios>"
PASS_ON = ("debug.py", "demo.py")  # what they do not know goes to run.py
VALUES = {"MACHINE": choices.MACHINES, "QEMU": choices.QEMUS, "LIKE": choices.LIKES, "RELEASE": choices.RELEASES,
          "SCENARIO": SCENARIOS, "CONTAINER": ("podman", "docker"), "CC": ("gcc", "clang"), "GOAL": ("run", "test"), "DEVICE": FILES, "FILES": FILES,
          **{name: FOLDERS if name == "TO" else FILES for name in variables.PATHS}}

HEAD = '''\
# Completion for Bulkhead's programs and for make in its tree: source this file in bash or zsh.
# Made by `make completion`; do not edit.

if [ -n "${ZSH_VERSION-}" ]; then
    autoload -Uz compinit bashcompinit
    type compdef >/dev/null 2>&1 || compinit -u
    bashcompinit
fi

# Sets COMPREPLY: what begins with $1, of the words $2, or of the files, folders or scenarios of the tree $3.
_bulkhead_reply() {
    COMPREPLY=()
    case $2 in
    '<files>') compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$1") ;;
    '<folders>') compopt -o filenames 2>/dev/null; while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -d -- "$1") ;;
    '<scenarios>')
        for word in $(cd "$3/config" 2>/dev/null && ls); do
            case $word in "$1"*.conf) COMPREPLY+=("${word%.conf}") ;; esac
        done
        ;;
    *) for word in $(printf '%s' "$2"); do case $word in "$1"*) COMPREPLY+=("$word") ;; esac; done ;;
    esac
}

# Sets current, before and prefix: what is being typed, the option or variable that it is the value of, and how a reply
# has to begin. bash cuts words at =, zsh does not.
_bulkhead_where() {
    current=${COMP_WORDS[COMP_CWORD]} before= prefix=
    [ "$COMP_CWORD" -lt 1 ] || before=${COMP_WORDS[COMP_CWORD-1]}
    case $current in
    =) current= ;;
    ?*=*) before=${current%%=*} prefix=$before= current=${current#*=} ;;
    *)
        if [ "$before" = = ] && [ "$COMP_CWORD" -ge 2 ]; then
            before=${COMP_WORDS[COMP_CWORD-2]}
        elif [ "${before%=}" != "$before" ]; then
            before=
        fi
        ;;
    esac
}

_bulkhead_program() {
    local current before prefix word words= tree=.
    case $1 in */*) tree=${1%/*}/../.. ;; esac
    _bulkhead_where
'''

TAIL = '''\
    local current before prefix word words= goal
    if [ ! -e tests/machine/run.py ] || [ ! -e Makefile ]; then
        # Another tree: what make's completion is without us.
        if [ -n "${BASH_VERSION-}" ]; then
            declare -F _make >/dev/null || { declare -F _completion_loader >/dev/null && _completion_loader make; }
            complete -F _bulkhead_make make
            ! declare -F _make >/dev/null || _make "$@"
        fi
        return 0
    fi
    _bulkhead_where
'''


def words_of(action: argparse.Action) -> str | None:
    """What can stand behind an option, None for one that takes nothing."""
    if action.nargs == 0:
        return None
    if action.choices:
        return " ".join(map(str, action.choices))
    if action.dest == "scenario":
        return SCENARIOS
    if action.type is Path or action.metavar in ("FILE", "DIR"):
        return FOLDERS if action.metavar == "DIR" else FILES
    return ""


def program_cases(program: Path, parser: argparse.ArgumentParser, other: argparse.ArgumentParser | None) -> list[str]:
    """The lines of a case that say what comes where. other: the parser of what it does not know."""
    lines = []
    rest, options, positional = [], [], ""
    for action in (*parser._actions, *(other._actions if other else ())):
        words = words_of(action)
        if not action.option_strings:
            positional = positional or words or FILES
            continue
        options += [name for name in action.option_strings if name not in options]
        if action.nargs == argparse.REMAINDER:
            rest += action.option_strings
        elif words is not None:
            pattern = "|".join(f"{program.name}:{name}" for name in action.option_strings)
            lines.append(f"    {pattern}) words={shlex.quote(words)} ;;")
    lines.append(f"    {program.name}:*) words={shlex.quote(positional or ' '.join(options))}; "
                 f"case $current in -*) words={shlex.quote(' '.join(options))} ;; esac ;;")
    lines[:0] = [f"    {program.name}:{name}) words={shlex.quote(FILES)} ;;" for name in rest]
    return lines


def make_cases() -> list[str]:
    goals = option_tables.goals()
    lines = ["    case $before in"]
    every = list(dict.fromkeys(name for _, text in goals for name in option_tables.variables(text)))
    for name in every:
        values = VALUES.get(name, "")
        lines.append(f"    {name}) words={shlex.quote(values if isinstance(values, str) else ' '.join(values))} ;;")
    lines += ["    *)", f"        words={shlex.quote(' '.join(name for name, _ in goals))}", "        for goal in \"${COMP_WORDS[@]}\"; do",
              "            case $goal in"]
    for name, text in goals:
        named = option_tables.variables(text)
        if named:
            lines.append(f"            {name}) words=\"$words {' '.join(f'{one}=' for one in named)}\" ;;")
    lines += ["            esac", "        done", "        ;;", "    esac"]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", type=Path, metavar="FILE", help="what is written")
    target = parser.parse_args().target
    parsers = option_tables.parsers()
    passed_on = next((parser for program, parser in parsers.items() if program.name == "run.py"), None)
    lines = [HEAD, "    case ${1##*/}:$before in"]
    for program, one in parsers.items():
        lines += program_cases(program, one, passed_on if program.name in PASS_ON else None)
    lines += ["    esac", '    _bulkhead_reply "$current" "$words" "$tree"', '    [ -z "$prefix" ] || COMPREPLY=("${COMPREPLY[@]/#/$prefix}")', "}", "",
              "_bulkhead_make() {", TAIL.rstrip("\n"), *make_cases(), '    _bulkhead_reply "$current" "$words" .',
              '    [ -z "$prefix" ] || COMPREPLY=("${COMPREPLY[@]/#/$prefix}")',
              '    case ${COMPREPLY[*]-} in *=) compopt -o nospace 2>/dev/null ;; esac', "    return 0", "}", "",
              f"complete -F _bulkhead_program {' '.join(program.name for program in parsers)}",
              'if [ -n "${ZSH_VERSION-}" ]; then', "    complete -o nospace -F _bulkhead_make make", "else",
              "    complete -F _bulkhead_make make", "fi", ""]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as problem:
        sys.exit(f"completion: error: {problem}")
