#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds boot media without root:
#
#   image.sh disk OUT.img HYPERVISOR.elf APPLICATION.efi FILE...   GPT, one FAT32 ESP, GRUB for UEFI
#   image.sh iso  OUT.iso HYPERVISOR.elf FILE...                   BIOS, GRUB, multiboot2
#
# FILEs (scenarios and guest images) go into \bulkhead. The disk image's bytes depend on its
# input only; the ISO holds the time of its making.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
grub_lib=${GRUB_LIB:-/usr/lib/grub}
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

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 || fail "'$tool' is missing: run 'make setup'"
    done
}

# Gives everything below the staging directory one time stamp.
settle() { find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

make_disk() {
    out=$1 hypervisor=$2 application=$3
    shift 3
    need grub-mkimage sfdisk mformat mcopy
    [ -d "$grub_lib/x86_64-efi" ] || fail "$grub_lib/x86_64-efi is missing: run 'make setup'"
    stage=$(mktemp -d)
    mkdir -p "$stage/EFI/BOOT" "$stage/EFI/bulkhead" "$stage/bulkhead"
    # early.cfg has no comments: GRUB reads it before it knows what they are. The prefix names the volume that GRUB was
    # loaded from, in 2.06 and 2.12; $cmdpath would only in 2.06.
    # shellcheck disable=SC2086 # one word for each module is meant
    grub-mkimage -O x86_64-efi -d "$grub_lib/x86_64-efi" -p /EFI/bulkhead -c "$here/grub/early.cfg" \
        -o "$stage/EFI/BOOT/BOOTX64.EFI" $grub_modules
    cp "$here/grub/disk.cfg" "$stage/EFI/bulkhead/grub.cfg"
    cp "$application" "$stage/EFI/bulkhead/bulkhead.efi"
    cp "$hypervisor" "$stage/bulkhead/bulkhead.elf"
    [ $# -eq 0 ] || cp "$@" "$stage/bulkhead/"
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

make_iso() {
    out=$1 hypervisor=$2
    shift 2
    need grub-mkrescue xorriso
    [ -d "$grub_lib/i386-pc" ] || fail "$grub_lib/i386-pc is missing: run 'make setup'"
    stage=$(mktemp -d)
    mkdir -p "$stage/boot/grub" "$stage/bulkhead"
    cp "$here/grub/iso.cfg" "$stage/boot/grub/grub.cfg"
    cp "$hypervisor" "$stage/boot/bulkhead.elf"
    [ $# -eq 0 ] || cp "$@" "$stage/bulkhead/"
    settle
    log=$stage.log
    grub-mkrescue -d "$grub_lib/i386-pc" --fonts= --locales= --themes= --compress=no \
        --install-modules='biosdisk iso9660 normal regexp test echo serial terminal multiboot2 boot configfile true' \
        -o "$out.new" "$stage" -volid BULKHEAD >"$log" 2>&1 || {
        cat "$log" >&2
        rm -f "$log"
        fail "grub-mkrescue failed"
    }
    rm -f "$log"
    mv "$out.new" "$out"
}

kind=${1:-}
[ $# -ge 3 ] || fail "usage: $0 disk|iso OUT HYPERVISOR.elf [APPLICATION.efi] FILE..."
shift
case $kind in
disk) make_disk "$@" ;;
iso) make_iso "$@" ;;
*) fail "unknown kind of medium '$kind'" ;;
esac
