#!/bin/sh
# SPDX-License-Identifier: MIT
# Prepares a Debian 12 or 13 machine for Bulkhead:
#
#   setup.sh build       compilers, image tools and test runners, from the machine's own release
#   setup.sh clang       the other compiler, which lint, fuzzing and some tests build with
#   setup.sh tools       what judges texts (clang-format, clang-tidy, cppcheck, shellcheck, codespell) and proves (CBMC),
#                        from Debian 13 ("trixie")
#   setup.sh emulators   QEMU >= 10.0.7, OVMF, Bochs 3.0 and a Linux kernel, from Debian 13 ("trixie")
#   setup.sh qemu11      QEMU 11.1 beside the other, from Debian 13's backports: for `--qemu 11` and the scenario virtio
#   setup.sh guests      what Linux guests are made of: the stock kernels of Debian 12 and 13, busybox, iperf3, DPDK, and
#                        igb_uio, which is built here
#   setup.sh desk        what makes and shows the manual pages, and the other shell that completion is tested in
#   setup.sh site        mkdocs, which makes a site of docs/
#   setup.sh report      what `make report` draws with: Graphviz and Jinja2
#   setup.sh browser     a headless Chromium, which the tests look at the report with
#   setup.sh fresh       what makes a bare Debian in a directory, for `make test-fresh`
#
# The emulators and the tools are unpacked beside the system, never installed into it: Debian 12's QEMU has neither
# igb nor TCG x2APIC, its Bochs aborts without a display, and each release of a formatter or a linter has another opinion.
# They are fetched with this machine's own apt, so mirrors, proxies and credentials are those that apt already uses.
#
# On other systems the tools on PATH are used for `build` and `emulators`, or what is missing is named (onpath.py).
#
# Running it again is cheap: what is complete is left alone, and with --quiet before the groups not mentioned.
set -eu

cache=${BULKHEAD_CACHE:-/var/cache/bulkhead}
here=$(cd "$(dirname "$0")" && pwd)

# Raise this number whenever the content of the tree changes.
tree_version=1
tree_packages='qemu-system-x86 ovmf bochs bochsbios vgabios busybox-static'
tree_kernel=linux-image-cloud-amd64
qemu_minimum=10.0.7

# The newer QEMU's. Firmware and all else that a machine needs are the other tree's.
qemu11_version=1
qemu11_packages=qemu-system-x86
qemu11_minimum=11.1

# And the tools'.
tools_version=1
tools_packages='clang-format-19 clang-tidy-19 libclang-common-19-dev cppcheck shellcheck codespell cbmc minisat zlib1g'

build_packages='
    gcc libc6-dev nasm make binutils gnu-efi
    mtools gdisk fdisk dosfstools grub-efi-amd64-bin grub-pc-bin grub-common xorriso
    sbsigntool openssl libcmocka-dev python3 python3-pytest python3-pytest-timeout python3-pytest-xdist python3-pexpect
    python3-pyte
    acpica-tools gdb git cpio ca-certificates'
clang_packages='clang llvm lld libclang-rt-dev'
tools_host_packages='ca-certificates debian-archive-keyring python3 util-linux'
desk_packages='help2man mandoc man-db zsh'
site_packages=mkdocs
report_packages='graphviz python3 python3-jinja2'
browser_packages='chromium chromium-driver python3-selenium fonts-dejavu-core'
fresh_packages='debootstrap debian-archive-keyring python3 git mount util-linux'
emulator_host_packages='
    ca-certificates debian-archive-keyring python3 python3-pexpect python3-pyte mtools
    grub-pc-bin grub-common xorriso fdisk e2fsprogs util-linux binutils'

say() { printf 'setup: %s\n' "$*"; }
say_there() { [ -n "$quiet" ] || say "$*"; }
fail() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root: directly when already root, else through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "'$1' needs root, and there is no sudo on this machine: run this script as root once"
    fi
}

# Other systems than Debian have the tools on PATH, or onpath.py says what is missing. BULKHEAD_OS_RELEASE is for tests.
check_release() {
    file=${BULKHEAD_OS_RELEASE:-/etc/os-release}
    release='unknown ?'
    # shellcheck disable=SC1090 # whatever system this is
    [ -r "$file" ] && release=$(. "$file" && echo "${ID:-?} ${VERSION_ID:-?}")
    case $release in
    'debian 12' | 'debian 13') ;;
    'debian '*) say "warning: made for Debian 12 and 13, this is '$release'; package names may differ" ;;
    esac
    [ "${release% *}" = debian ] && command -v apt-get >/dev/null 2>&1 && return
    # The one that make takes.
    python=/usr/bin/python3
    [ -x "$python" ] || python=$(command -v python3) || fail "python3 3.11 or newer is required, and there is none on PATH: install it," \
        "or use the container: make container && make container-run (it needs podman or docker)"
    wanted=
    for group in "$@"; do
        case $group in
        emulators) is_complete trixie "$tree_version" || wanted="$wanted $group" ;;
        qemu11) is_complete qemu11 "$qemu11_version" || wanted="$wanted $group" ;;
        tools) is_complete tools "$tools_version" || wanted="$wanted $group" ;;
        guests) is_complete guest-packages "$guests_version" || wanted="$wanted $group" ;;
        *) wanted="$wanted $group" ;;
        esac
    done
    # shellcheck disable=SC2086 # one word for each group is meant
    [ -z "$wanted" ] || exec "$python" "$here/onpath.py" $wanted
    exit 0
}

# Prints those of the named packages that are not installed.
missing_packages() {
    for package in "$@"; do
        state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || printf '%s ' "$package"
    done
}

# Reads what apt writes to its status descriptor, and says each fifth of the downloads and of the installation. Fails
# when no line `installed` ends it.
show_progress() {
    phase='' last=0 ended=no
    while IFS=: read -r what _ percent _; do
        case $what in
        installed) ended=yes && continue ;;
        dlstatus) doing=downloaded ;;
        pmstatus) doing=installed ;;
        *) continue ;;
        esac
        [ "$phase" = "$what" ] || last=0
        phase=$what fifth=$((${percent%%.*} / 20 * 20))
        if [ "$fifth" -gt "$last" ]; then
            say "$group: $doing $fifth %"
            last=$fifth
        fi
    done
    [ "$ended" = yes ]
}

install_packages() {
    group=$1
    shift
    missing=$(missing_packages "$@")
    if [ -z "$missing" ]; then
        say_there "$group: packages are complete"
        return
    fi
    say "$group: reading the package lists"
    as_root apt-get -qq update || fail "apt-get update failed: check the network and /etc/apt/sources*"
    say "$group: installing $missing"
    # What packages say while they are installed is of interest only when that fails.
    noise=$(mktemp)
    # shellcheck disable=SC2086 # one word for each package is meant
    { # A descriptor that apt passes on to nobody, and that sudo would close: so a shell behind sudo opens it.
        # shellcheck disable=SC2016 # for that shell
        as_root env DEBIAN_FRONTEND=noninteractive sh -c 'exec "$@" 3>&1 >/dev/null' sh \
            apt-get -qq -y -o Dpkg::Use-Pty=0 -o Dpkg::Lock::Timeout=300 -o APT::Status-Fd=3 \
            install --no-install-recommends $missing 2>"$noise" && echo installed
    } | show_progress || {
        cat "$noise" >&2
        rm -f "$noise"
        fail "apt-get could not install: $missing"
    }
    rm -f "$noise"
    say "$group: packages are complete"
}

# Prints the base URI of the mirror that carries the given repository label, from apt's configuration.
mirror_of() {
    apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' -v label="$1" '$1 == label && $2 == "main" { print $3; exit }'
}

# apt with a state of its own: it sees trixie and an empty system.
tree_apt() {
    command=$1
    shift
    "$command" -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$partial/apt/sources" \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts="$partial/apt/preferences" \
        -o Dir::State="$partial/apt/state" -o Dir::State::status="$partial/apt/status" \
        -o Dir::Cache="$partial/apt/cache" -o APT::Sandbox::User="$(id -un)" \
        -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Install-Recommends=false \
        -o APT::Update::Error-Mode=any -o Acquire::Retries=3 -o Acquire::Languages=none -o Debug::NoLocking=true "$@"
}

# write_sources SUITE [backports]: where tree_apt looks: one release, and the security updates that this machine knows
# of. Backports, where they are required, go before the release.
write_sources() {
    suite=$1
    more=${2:+$suite-$2}
    mirror=$(mirror_of Debian)
    if [ -z "$mirror" ]; then
        say "$group: reading the package lists"
        as_root apt-get -qq update || fail "apt-get update failed: check the network and /etc/apt/sources*"
        mirror=$(mirror_of Debian)
    fi
    [ -n "$mirror" ] || fail "apt knows no Debian mirror on this machine (apt-get indextargets names none)"
    keyring=
    for candidate in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
        [ -r "$candidate" ] && keyring=$candidate && break
    done
    [ -n "$keyring" ] || fail "the Debian archive keyring is missing: install debian-archive-keyring"

    mkdir -p "$partial/apt/sources" "$partial/apt/preferences" "$partial/apt/state/lists/partial" \
        "$partial/apt/cache/archives/partial"
    : >"$partial/apt/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s %s-updates %s\nComponents: main\nSigned-By: %s\n' \
        "$mirror" "$suite" "$suite" "$more" "$keyring" >"$partial/apt/sources/debian.sources"
    if [ -n "$more" ]; then
        printf 'Package: *\nPin: release n=%s\nPin-Priority: 600\n' "$more" >"$partial/apt/preferences/backports"
    fi
    security=$(mirror_of Debian-Security)
    if [ -n "$security" ]; then
        printf 'Types: deb\nURIs: %s\nSuites: %s-security\nComponents: main\nSigned-By: %s\n' \
            "$security" "$suite" "$keyring" >"$partial/apt/sources/security.sources"
    fi
}

# The kernel alone: its dependencies would bring an initramfs generator and a boot loader.
fetch_kernel() {
    kernel=$(tree_apt apt-cache depends "$2" | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$kernel" ] || fail "$suite has no $2"
    say "$1: downloading $kernel"
    (cd "$partial/apt/cache/archives" && tree_apt apt-get download "$kernel") || fail "$kernel could not be downloaded"
}

# unpack DIRECTORY ARCHIVE...
unpack() {
    unpacked=$1
    shift
    mkdir -p "$unpacked"
    for archive in "$@"; do
        [ -e "$archive" ] || continue
        dpkg-deb --fsys-tarfile "$archive" | tar -C "$unpacked" --no-same-owner --keep-directory-symlink -xf - ||
            fail "cannot unpack $(basename "$archive")"
    done
}

# fetch_chosen GROUP PACKAGE...: the named packages with the libraries that they need. Their other dependencies are a
# build environment or a compiler; what is required of them are libraries, whose names end in the number of their interface.
fetch_chosen() {
    chosen_for=$1
    shift
    write_sources trixie
    say "$chosen_for: reading $suite's package lists"
    tree_apt apt-get update || fail "$suite's package lists could not be read from the mirror that apt uses here"
    libraries=$(tree_apt apt-get -s install "$@" |
        awk '$1 == "Inst" && $2 ~ /^lib.*[0-9](t64)?$/ { print $2 }')
    [ -n "$libraries" ] || fail "$suite cannot install one of '$*'"
    say "$chosen_for: downloading $* and what they need"
    # shellcheck disable=SC2086
    (cd "$partial/apt/cache/archives" && tree_apt apt-get download "$@" $libraries) ||
        fail "a package of $suite could not be downloaded: is one of '$*' gone?"
    unpack "$partial/tree" "$partial"/apt/cache/archives/*.deb
    (cd "$partial/apt/cache/archives" && ls -- *.deb) >"$partial/tree/packages.txt"
    rm -rf "$partial/apt"
}

fetch_tools() {
    # shellcheck disable=SC2086
    fetch_chosen tools $tools_packages
    # Where cppcheck looks: beside the loader that starts it.
    ln -s cppcheck/cfg cppcheck/platforms "$partial/tree/usr/lib/x86_64-linux-gnu"
}

check_tools() {
    for program in clang-format clang-tidy cppcheck shellcheck codespell cbmc; do
        version=$(BULKHEAD_TOOLS="$partial/tree" "$here/../lint/tool" $program --version 2>&1) ||
            fail "the unpacked $program does not run on this machine: $version"
        say "tools: $program $(echo "$version" | sed -n 's/[^0-9]*\([0-9][0-9.]*\).*/\1/p' | head -n 1)"
    done
}

fetch_tree() {
    write_sources trixie
    say "emulators: reading trixie's package lists"
    tree_apt apt-get update || fail "trixie's package lists could not be read from the mirror that apt uses here"

    say "emulators: downloading $tree_packages and what they need"
    # shellcheck disable=SC2086
    tree_apt apt-get -y --download-only install $tree_packages ||
        fail "a package of trixie could not be downloaded: is one of '$tree_packages' gone, or the network down?"

    fetch_kernel emulators "$tree_kernel"

    say "emulators: unpacking"
    mkdir -p "$partial/tree"
    # base-files first: its symbolic links (lib -> usr/lib) must exist before older packages use them.
    unpack "$partial/tree" "$partial"/apt/cache/archives/base-files_*.deb "$partial"/apt/cache/archives/*.deb
    (cd "$partial/apt/cache/archives" && ls -- *.deb) >"$partial/tree/packages.txt"
    rm -rf "$partial/apt"
}

check_tree() {
    version=$("$here/in-tree" --tree "$partial/tree" qemu-system-x86_64 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')
    [ -n "$version" ] || fail "the unpacked QEMU does not run on this machine"
    dpkg --compare-versions "$version" ge "$qemu_minimum" ||
        fail "trixie's QEMU is $version; $qemu_minimum or newer is needed (see docs on emulators for the fixes)"
    say "emulators: QEMU $version"
    for file in usr/share/OVMF/OVMF_CODE_4M.fd usr/share/OVMF/OVMF_VARS_4M.fd usr/bin/bochs \
        usr/share/OVMF/OVMF_CODE_4M.secboot.fd usr/share/OVMF/OVMF_CODE_4M.secboot.strictnx.fd \
        usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd usr/share/ovmf/PkKek-1-snakeoil.key \
        usr/share/bochs/BIOS-bochs-latest usr/share/bochs/VGABIOS-lgpl-latest usr/bin/busybox; do
        [ -e "$partial/tree/$file" ] || fail "trixie's packages no longer contain $file"
    done
}

# The newer QEMU with its libraries, most of which are the release's.
fetch_qemu11() {
    write_sources trixie backports
    say "qemu11: reading the package lists of trixie and its backports"
    tree_apt apt-get update ||
        fail "the package lists of trixie or trixie-backports could not be read from the mirror that apt uses here:" \
            "has it no backports? What does not need QEMU 11 works without them"
    offered=$(tree_apt apt-cache policy "$qemu11_packages" | sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}//p')
    dpkg --compare-versions "${offered:-0}" ge "$qemu11_minimum" ||
        fail "trixie-backports offers QEMU ${offered:-not at all}; $qemu11_minimum or newer is needed"
    say "qemu11: downloading $qemu11_packages $offered and what it needs"
    tree_apt apt-get -y --download-only install "$qemu11_packages" ||
        fail "a package of trixie or its backports could not be downloaded: is the network down?"
    say "qemu11: unpacking"
    unpack "$partial/tree" "$partial"/apt/cache/archives/base-files_*.deb "$partial"/apt/cache/archives/*.deb
    (cd "$partial/apt/cache/archives" && ls -- *.deb) >"$partial/tree/packages.txt"
    rm -rf "$partial/apt"
}

# What it is there for: a function that the command line can make the virtual function of another.
check_qemu11() {
    qemu11="$here/in-tree --tree $partial/tree qemu-system-x86_64"
    version=$($qemu11 --version | sed -n 's/.*version \([0-9.]*\).*/\1/p')
    [ -n "$version" ] || fail "the unpacked QEMU does not run on this machine"
    case $version in
    11.*) ;;
    *) say "qemu11: warning: trixie-backports have moved on to QEMU $version; the tests were written with 11.1" ;;
    esac
    $qemu11 -device virtio-net-pci,help | grep -q sriov-pf ||
        fail "QEMU $version from trixie-backports was built without SR-IOV for virtio-net (the property sriov-pf)"
    say "qemu11: QEMU $version"
}

# is_complete NAME VERSION: is the unpacked tree there, as this script makes it?
is_complete() { [ "$(cat "$cache/$1/version" 2>/dev/null)" = "$2" ]; }

# fetch GROUP NAME VERSION FUNCTION...: makes the tree by these functions and puts it in its place.
fetch() {
    group=$1 name=$2 version_wanted=$3
    shift 3
    if is_complete "$name" "$version_wanted"; then
        say_there "$group: $cache/$name is complete"
        return
    fi
    partial=$cache/$name.partial
    rm -rf "$partial"
    mkdir -p "$partial/tree"
    for function in "$@"; do
        "$function"
    done
    echo "$version_wanted" >"$partial/tree/version"
    chmod -R a+rX "$partial/tree"
    rm -rf "${cache:?}/$name"
    mv "$partial/tree" "$cache/$name"
    rm -rf "$partial"
    say "$group: $cache/$name is complete"
}

# lock_cache GROUP PACKAGE...: one set-up at a time on this machine, with these packages.
lock_cache() {
    install_packages "$@"
    if [ ! -d "$cache" ] || [ ! -w "$cache" ]; then
        as_root install -d -o "$(id -u)" -g "$(id -g)" "$cache"
    fi
    exec 9>"$cache/lock"
    flock -n 9 || {
        say "another set-up is running, waiting for it"
        flock -w 1800 9 || fail "the other set-up did not end in 30 minutes"
    }
}

setup_tools() {
    # shellcheck disable=SC2086
    lock_cache tools $tools_host_packages
    fetch tools tools "$tools_version" fetch_tools check_tools
}

setup_emulators() {
    # shellcheck disable=SC2086
    lock_cache emulators $emulator_host_packages
    fetch emulators trixie "$tree_version" fetch_tree check_tree
    "$here/stackdisk.py" ${quiet:+"$quiet"} || fail "the disks of the stacked machine could not be made"
}

setup_qemu11() {
    # shellcheck disable=SC2086
    lock_cache qemu11 $tools_host_packages
    fetch qemu11 qemu11 "$qemu11_version" fetch_qemu11 check_qemu11
}

# shellcheck source=tests/machine/setup_guests.sh
. "$here/setup_guests.sh"

quiet=
[ "${1-}" != --quiet ] || { quiet=$1 && shift; }
[ $# -gt 0 ] || set -- build emulators
case $1 in -h | --help) ;; *) check_release "$@" ;; esac
# shellcheck disable=SC2086 # one word for each package is meant
for group in "$@"; do
    case $group in
    build) install_packages build $build_packages ;;
    clang) install_packages clang $clang_packages ;;
    tools) setup_tools ;;
    emulators) setup_emulators ;;
    qemu11) setup_qemu11 ;;
    guests) setup_guests ;;
    desk) install_packages desk $desk_packages ;;
    site) install_packages site $site_packages ;;
    report) install_packages report $report_packages ;;
    browser) install_packages browser $browser_packages ;;
    fresh) install_packages fresh $fresh_packages ;;
    -h | --help) sed -n '2,/^set -eu/{/^set -eu/d;/SPDX/d;s/^# \{0,1\}//;p}' "$0" ;;
    *) fail "unknown group '$group' (there are: build, clang, tools, emulators, qemu11, guests, desk, site, report, browser, fresh)" ;;
    esac
done
