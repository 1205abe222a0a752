#!/bin/sh
# SPDX-License-Identifier: MIT
# The two commands in a container, with podman or docker, whichever is here:
#
#   container.sh build                 the image, from the Containerfile
#   container.sh base                  an image of Debian 13 to build it from where no registry can be reached (root)
#   container.sh run GOAL [NAME=VALUE...]      a goal of the Makefile in it, with this tree mounted where it is here
#
# From the environment: CONTAINER, the program with its global options (default: podman, else docker); IMAGE, the image's
# name (bulkhead); BASE, what it is built from (debian:13); CONTAINER_BUILD_FLAGS and CONTAINER_FLAGS, more options of
# the program's `build` and `run`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$here/../.." && pwd)
IMAGE=${IMAGE:-bulkhead}
BASE=${BASE:-debian:13}
made_base=bulkhead-base:13

say() { printf 'container: %s\n' "$*"; }
fail() {
    printf 'container: error: %s\n' "$*" >&2
    exit 1
}

# Sets CONTAINER, and `kind`, whose options it takes.
choose() {
    if [ -z "${CONTAINER:-}" ]; then
        for program in podman docker; do
            command -v "$program" >/dev/null 2>&1 && CONTAINER=$program && break
        done
        [ -n "${CONTAINER:-}" ] || fail "there is neither podman nor docker here: install one of them"
    fi
    program=${CONTAINER%% *}
    command -v "$program" >/dev/null 2>&1 || fail "CONTAINER=$CONTAINER: there is no $program here"
    kind=${program##*/}
    case $kind in
    podman | docker) ;;
    *) fail "CONTAINER=$CONTAINER: give podman or docker, with its global options" ;;
    esac
}

has_image() { $CONTAINER image inspect "$1" >/dev/null 2>&1; }

build() {
    choose
    say "building the image $IMAGE from $BASE with $kind: ten minutes, and 4 GB"
    # shellcheck disable=SC2086 # one word for each option is meant
    $CONTAINER build -t "$IMAGE" --build-arg "BASE=$BASE" ${CONTAINER_BUILD_FLAGS:-} -f "$tree/Containerfile" "$tree" || fail \
        "$kind could not build the image; if $BASE cannot be fetched: make container-base, then make container BASE=$made_base"
    say "the image $IMAGE is complete: make container-run GOAL=run"
}

base() {
    choose
    archive=${TMPDIR:-/var/tmp}/bulkhead-base.$$.tar
    trap 'rm -f "$archive"' EXIT
    trap 'exit 1' INT TERM
    "$here/setup.sh" fresh
    /usr/bin/python3 "$here/fresh.py" 13 --root "${TMPDIR:-/var/tmp}/bulkhead-base" --archive "$archive"
    $CONTAINER import "$archive" "$made_base" >/dev/null || fail "$kind could not import Debian's root"
    say "the image $made_base is complete: make container BASE=$made_base"
}

run() {
    choose
    has_image "$IMAGE" || fail "there is no image $IMAGE: make container"
    set -- "$IMAGE" make --no-print-directory "$@"
    # The history of a tree whose .git is elsewhere.
    common=$(git -C "$tree" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || true)
    case $common in
    '' | "$tree"/*) ;;
    *) set -- -v "$common:$common:ro" "$@" ;;
    esac
    for name in BULKHEAD_QEMU BULKHEAD_LONG TEST_JOBS; do
        eval "[ -z \"\${$name:-}\" ]" || set -- -e "$name" "$@"
    done
    [ ! -w /dev/kvm ] || set -- --device /dev/kvm "$@"
    # What is built belongs to whoever asked. Root in a container of podman's that root did not start is this user anyway.
    [ "$kind" = podman ] || set -- --user "$(id -u):$(id -g)" -e HOME=/tmp "$@"
    if [ -t 0 ] && [ -t 1 ]; then
        set -- -t -e "TERM=${TERM:-dumb}" "$@"
    fi
    # shellcheck disable=SC2086 # one word for each option is meant
    exec $CONTAINER run --rm -i --security-opt label=disable -v "$tree:$tree" -w "$tree" ${CONTAINER_FLAGS:-} "$@"
}

command=${1:-}
[ $# -eq 0 ] || shift
case $command in
build) build ;;
base) base ;;
run)
    [ $# -gt 0 ] || fail "name a goal: make container-run GOAL=run"
    run "$@"
    ;;
-h | --help) sed -n '3,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p}' "$0" ;;
*) fail "unknown command '$command' (there are: build, base, run)" ;;
esac
