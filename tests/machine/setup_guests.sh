#!/bin/sh
# SPDX-License-Identifier: MIT
# Part of setup.sh: what Linux guests are made of. The variables and functions that are not here are its own.
# shellcheck disable=SC2154

# Raise such a number whenever the content of its tree changes.
guests_version=1
guest_tools='busybox-static iperf3'
guest_kernel=linux-image-amd64
dpdk_version=1
dpdk_packages='dpdk-dev ibverbs-providers librte-net-e1000-25 librte-mempool-ring25'
modules_version=1
modules_source=dpdk-kmods-dkms
guest_host_packages="$emulator_host_packages gcc libc6-dev make"

# One kernel of each release, and the programs that run under both.
fetch_guests() {
    for release in 12:bookworm 13:trixie; do
        rm -rf "$partial/apt"
        write_sources "${release#*:}"
        say "guests: reading $suite's package lists"
        tree_apt apt-get update || fail "$suite's package lists could not be read from the mirror that apt uses here"
        fetch_kernel guests "$guest_kernel"
        unpack "$partial/tree/${release%%:*}" "$partial"/apt/cache/archives/linux-image-*.deb
        (cd "$partial/apt/cache/archives" && ls -- *.deb) >>"$partial/tree/packages.txt"
        rm -f "$partial"/apt/cache/archives/*.deb
    done
    say "guests: downloading $guest_tools and what they need"
    # shellcheck disable=SC2086
    tree_apt apt-get -y --download-only install $guest_tools || fail "a package of $suite could not be downloaded"
    unpack "$partial/tree/tools" "$partial"/apt/cache/archives/base-files_*.deb "$partial"/apt/cache/archives/*.deb
    (cd "$partial/apt/cache/archives" && ls -- *.deb) >>"$partial/tree/packages.txt"
    rm -rf "$partial/apt"
}

# testpmd and the drivers that it loads.
fetch_dpdk() {
    # shellcheck disable=SC2086
    fetch_chosen guests $dpdk_packages
}

# modules_wanted: the version of the tree of modules, which fit one kernel only.
modules_wanted() {
    kernel=$(cd "$cache/guest-packages/13/boot" && echo vmlinuz-*)
    kernel=${kernel#vmlinuz-}
    echo "$modules_version $kernel"
}

# DPDK's own driver for a card that it owns whole, the only one in a stock kernel's reach that has MSI-X and makes VFs.
# It is built against the headers of Debian 13's guest kernel, with this machine's compiler.
fetch_modules() {
    write_sources trixie
    say "guests: reading $suite's package lists"
    tree_apt apt-get update || fail "$suite's package lists could not be read from the mirror that apt uses here"
    if ! tree_apt apt-cache show "linux-headers-${version_wanted#* }" >"$partial/headers" 2>&1; then
        say "guests: $suite has no headers for ${version_wanted#* } any more, the guests' kernels are fetched anew"
        rm -f "$cache/guest-packages/version"
        (fetch guests guest-packages "$guests_version" fetch_guests)
        version_wanted=$(modules_wanted)
    fi
    kernel=${version_wanted#* }
    headers="linux-headers-$kernel linux-headers-${kernel%-amd64}-common linux-kbuild-${kernel%-amd64}"
    say "guests: downloading $modules_source and $headers"
    # shellcheck disable=SC2086
    (cd "$partial/apt/cache/archives" && tree_apt apt-get download $modules_source $headers) ||
        fail "a package of $suite could not be downloaded: is one of '$modules_source $headers' gone?"
    unpack "$partial/modules" "$partial"/apt/cache/archives/*.deb
    (cd "$partial/apt/cache/archives" && ls -- *.deb) >"$partial/tree/packages.txt"
    build_modules
    rm -rf "$partial/apt" "$partial/modules" "$partial/headers"
}

# The programs of the kernel's build want the release's own C library; the tree of DPDK has it, with libelf.
build_modules() {
    say "guests: building igb_uio for $kernel"
    libraries=$cache/dpdk-packages/usr/lib/x86_64-linux-gnu
    programs=$partial/modules/usr/lib/linux-kbuild-${kernel%-amd64}
    for program in tools/objtool/objtool:objtool.real-x86 scripts/mod/modpost:modpost.real-lsb-64 \
        scripts/basic/fixdep:fixdep.real; do
        wrapper=$programs/${program%:*}
        real=$(dirname "$wrapper")/${program#*:}
        [ -e "$real" ] || mv "$wrapper" "$real"
        rm -f "$wrapper"
        printf '#!/bin/sh\nexec %s --library-path %s:%s %s "$@"\n' "$libraries/ld-linux-x86-64.so.2" "$libraries" \
            "$cache/guest-packages/tools/usr/lib/x86_64-linux-gnu" "$real" >"$wrapper"
        chmod 755 "$wrapper"
    done
    build=$partial/modules/usr/src/linux-headers-$kernel
    # Where the package would have been installed.
    sed -i 's,^include /usr/src/,include ../,' "$build/Makefile"
    mv "$partial"/modules/usr/src/dpdk-kmods-* "$partial/modules/igb_uio"
    # Without what this machine's compiler may not have (GCC 12 lacks the option) and what needs pahole.
    make -s -C "$build" M="$partial/modules/igb_uio" CC=gcc CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= \
        CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$partial/log" 2>&1 || {
        tail -n 20 "$partial/log" >&2
        fail "igb_uio could not be built for $kernel: see the compiler's words above"
    }
    mv "$partial/modules/igb_uio/igb_uio.ko" "$partial/tree"
}

setup_guests() {
    # shellcheck disable=SC2086
    lock_cache guests $guest_host_packages
    fetch guests guest-packages "$guests_version" fetch_guests
    fetch guests dpdk-packages "$dpdk_version" fetch_dpdk
    fetch guests module-packages "$(modules_wanted)" fetch_modules
    "$here/linuxguest.py" || fail "the Linux guests could not be made"
}
