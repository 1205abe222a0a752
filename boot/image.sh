#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds boot media without root:
#
#   image.sh disk   OUT.img HYPERVISOR.elf APPLICATION.efi FILE...   GPT, one FAT32 ESP, GRUB for UEFI
#   image.sh signed OUT.img HYPERVISOR.elf APPLICATION.efi FILE...   the same with the application, signed by KEY and
#                                                                    CERT, in GRUB's place: for Secure Boot
#   image.sh net    FOLDER  HYPERVISOR.elf APPLICATION.efi FILE...   a folder for a TFTP server; signed if KEY is set
#   image.sh iso    OUT.iso HYPERVISOR.elf FILE...                   BIOS, GRUB, multiboot2
#
# FILEs (scenarios and guest images) go into \bulkhead. From the environment: DEFAULT, the configuration that starts
# without a question; HOSTS, for `net`, a file with lines `MAC-ADDRESS CONFIGURATION` for single machines. The disk
# image's bytes depend on its input only; the ISO holds the time of its making.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# Where distributions have GRUB's modules; some call its programs grub2-*.
grub_places='/usr/lib/grub /usr/share/grub2 /usr/lib64/grub /usr/share/grub /usr/local/lib/grub'
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1767225600}"
PATH=$PATH:/usr/sbin:/sbin

# The ESP: FAT32, since some firmware boots sticks with nothing else, at 1 MiB. FAT32 has 65525 clusters at least, which
# with 4 KiB each are 256 MiB; smaller ones are slow to read. The file is sparse: it takes what its files take.
esp_start=2048
esp_sectors=532480
image_sectors=$((esp_start + esp_sectors + 2048))
esp_type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b
disk_guid=6b1d5b2e-3f0a-4c58-9c7e-b01c4ead0001
esp_guid=6b1d5b2e-3f0a-4c58-9c7e-b01c4ead0002
volume_id=b01c4ead
grub_modules='part_gpt part_msdos fat iso9660 normal configfile search search_fs_file regexp test echo
    serial terminal all_video efi_gop chain multiboot2 boot ls cat halt reboot sleep efifwsetup minicmd true'

stage=
fail() {
    printf 'image: error: %s\n' "$*" >&2
    exit 1
}
cleanup() { [ -z "$stage" ] || rm -rf "$stage"; }
trap cleanup EXIT
trap 'exit 1' INT TERM

# Sets grub_lib and grub: where the modules for a platform are, and how the names of GRUB's programs begin.
find_grub() {
    grub_lib=${GRUB_LIB:-}
    for place in $grub_places; do
        [ -z "$grub_lib" ] && [ -d "$place/$1" ] && grub_lib=$place
    done
    [ -d "${grub_lib:=${grub_places%% *}}/$1" ] || fail "$grub_lib/$1 is missing: run 'make setup'"
    grub=grub
    command -v grub-mkimage >/dev/null 2>&1 || ! command -v grub2-mkimage >/dev/null 2>&1 || grub=grub2
}

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || fail "'$tool' is missing: run 'make setup'"
    done
}

# Gives everything below the staging directory one time stamp.
settle() { find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# The folder \bulkhead: collect FOLDER HYPERVISOR FILE...
collect() {
    folder=$1 hypervisor=$2
    shift 2
    mkdir -p "$folder"
    cp "$hypervisor" "$folder/bulkhead.elf"
    for file in "$@"; do
        [ -f "$file" ] || fail "there is no file '$file'"
        cp "$file" "$folder/"
    done
    if [ -n "${DEFAULT:-}" ]; then
        [ -f "$folder/$DEFAULT" ] || fail "DEFAULT=$DEFAULT is not among the files; FILES= adds it"
        printf '%s\n' "$DEFAULT" >"$folder/default"
    fi
}

stage_grub() {
    find_grub x86_64-efi
    need "$grub-mkimage"
    mkdir -p "$stage/EFI/BOOT" "$stage/EFI/bulkhead"
    # early.cfg has no comments: GRUB reads it before it knows what they are. The prefix names the volume that GRUB was
    # loaded from, in 2.06 and 2.12; $cmdpath would only in 2.06.
    # shellcheck disable=SC2086 # one word for each module is meant
    "$grub-mkimage" -O x86_64-efi -d "$grub_lib/x86_64-efi" -p /EFI/bulkhead -c "$here/grub/early.cfg" \
        -o "$stage/EFI/BOOT/BOOTX64.EFI" $grub_modules
    cp "$here/grub/disk.cfg" "$stage/EFI/bulkhead/grub.cfg"
    cp "$1" "$stage/EFI/bulkhead/bulkhead.efi"
}

# No GRUB: it would have to be signed as well, and under Secure Boot it loads no hypervisor by itself.
stage_signed() {
    mkdir -p "$stage/EFI/BOOT"
    "$here/sign.sh" seal "$stage/bulkhead" "$1" "$stage/EFI/BOOT/BOOTX64.EFI" "${KEY:-}" "${CERT:-}"
}

make_disk() {
    kind=$1 out=$2 hypervisor=$3 application=$4
    shift 4
    need sfdisk mformat mcopy
    stage=$(mktemp -d)
    collect "$stage/bulkhead" "$hypervisor" "$@"
    case $kind in
    disk) stage_grub "$application" ;;
    signed) stage_signed "$application" ;;
    esac
    settle

    rm -f "$out.new"
    truncate -s $((image_sectors * 512)) "$out.new"
    printf 'label: gpt\nlabel-id: %s\nstart=%s, size=%s, type=%s, uuid=%s, name=BULKHEAD\n' "$disk_guid" \
        "$esp_start" "$esp_sectors" "$esp_type" "$esp_guid" | sfdisk -q "$out.new"
    TZ=UTC mformat -i "$out.new@@$((esp_start * 512))" -F -T "$esp_sectors" -h 64 -s 32 -c 8 -H "$esp_start" \
        -N "$volume_id" -v BULKHEAD ::
    TZ=UTC mcopy -s -m -Q -i "$out.new@@$((esp_start * 512))" "$stage/EFI" "$stage/bulkhead" ::/
    mv "$out.new" "$out"
}

# default-MAC files of the machines that HOSTS names.
write_hosts() {
    [ -r "$HOSTS" ] || fail "HOSTS=$HOSTS cannot be read"
    number=0
    while read -r mac name rest || [ -n "$mac" ]; do
        number=$((number + 1))
        case $mac in '' | '#'*) continue ;; esac
        mac=$(printf '%s' "$mac" | tr 'ABCDEF:' 'abcdef-')
        printf '%s\n' "$mac" | grep -Eqx '([0-9a-f]{2}-){5}[0-9a-f]{2}' ||
            fail "$HOSTS, line $number: '$mac' is not a MAC address such as 52:54:00:12:34:56"
        case $rest in '' | '#'*) ;; *) fail "$HOSTS, line $number: '$rest' is too much: MAC-ADDRESS CONFIGURATION" ;; esac
        [ -n "$name" ] && [ -f "$1/$name" ] ||
            fail "$HOSTS, line $number: '$name' is not among the files; FILES= adds it"
        printf '%s\n' "$name" >"$1/default-$mac"
    done <"$HOSTS"
}

make_net() {
    out=$1 hypervisor=$2 application=$3
    shift 3
    stage=$(mktemp -d)
    collect "$stage/bulkhead" "$hypervisor" "$@"
    [ -z "${HOSTS:-}" ] || write_hosts "$stage/bulkhead"
    if [ -n "${KEY:-}${CERT:-}" ]; then
        "$here/sign.sh" seal "$stage/bulkhead" "$application" "$stage/bulkhead.efi" "${KEY:-}" "${CERT:-}"
    else
        "$here/sign.sh" list "$stage/bulkhead"
        cp "$application" "$stage/bulkhead.efi"
    fi
    cp "$here/netboot.txt" "$stage/README.txt"
    chmod -R a+rX "$stage"
    settle
    # Nothing but what was made here before is removed.
    if [ -e "$out" ]; then
        [ -f "$out/bulkhead.efi" ] && [ -d "$out/bulkhead" ] || [ -z "$(ls -A "$out")" ] ||
            fail "'$out' exists and is not a folder of this kind: give another one with TO="
        rm -rf "$out/bulkhead" "$out/bulkhead.efi" "$out/README.txt"
    fi
    mkdir -p "$out"
    cp -a "$stage/." "$out/"
    printf 'netboot: %s is complete; %s/README.txt says how to serve it\n' "$out" "$out"
}

make_iso() {
    out=$1 hypervisor=$2
    shift 2
    find_grub i386-pc
    need "$grub-mkrescue" xorriso
    stage=$(mktemp -d)
    mkdir -p "$stage/boot/grub" "$stage/bulkhead"
    cp "$here/grub/iso.cfg" "$stage/boot/grub/grub.cfg"
    cp "$hypervisor" "$stage/boot/bulkhead.elf"
    [ $# -eq 0 ] || cp "$@" "$stage/bulkhead/"
    settle
    log=$stage.log
    "$grub-mkrescue" -d "$grub_lib/i386-pc" --fonts= --locales= --themes= --compress=no \
        --install-modules='biosdisk iso9660 normal regexp test echo serial terminal multiboot2 boot configfile true' \
        -o "$out.new" "$stage" -volid BULKHEAD >"$log" 2>&1 || {
        cat "$log" >&2
        rm -f "$log"
        fail "$grub-mkrescue failed"
    }
    rm -f "$log"
    mv "$out.new" "$out"
}

kind=${1:-}
[ $# -ge 3 ] || fail "usage: $0 disk|signed|net|iso OUT HYPERVISOR.elf [APPLICATION.efi] FILE..."
shift
case $kind in
disk | signed) make_disk "$kind" "$@" ;;
net) make_net "$@" ;;
iso) make_iso "$@" ;;
*) fail "unknown kind of medium '$kind'" ;;
esac
