#!/bin/sh
# SPDX-License-Identifier: MIT
# Writes the disk image to a USB stick and reads it back: usb.sh /dev/sdX IMAGE [FORCE]
#
# Refused unless told twice: a device that is in use (mounted, swap, below a loop or mapped device) or
# not removable. FORCE=yes asks for the device's name to be typed; FORCE=yes-really does not ask.
set -eu

device=${1:-} image=${2:-} force=${3:-}
sys=${SYS_ROOT:-}/sys proc=${SYS_ROOT:-}/proc

fail() {
    printf 'usb: error: %s\n' "$*" >&2
    exit 1
}

[ -n "$device" ] || fail "no device given: make usb DEVICE=/dev/sdX (lsblk lists them)"
[ -f "$image" ] || fail "'$image' is not there: run 'make all'"
case $force in '' | no | yes | yes-really) ;; *) fail "FORCE is '$force'; allowed: yes, yes-really" ;; esac
device=$(readlink -f "$device") || fail "'$1' is not there"
[ -b "$device" ] || fail "'$device' is not a block device"
name=${device##*/}
block=$sys/block/$name
[ -d "$block" ] || fail "'$device' is a partition or no disk: give the whole disk, such as /dev/sdX"

bytes=$(stat -c %s "$image")
room=$(($(cat "$block/size") * 512))
[ "$room" -ge "$bytes" ] || fail "'$device' has $room bytes; the image needs $bytes"
[ "$(cat "$block/ro")" = 0 ] || fail "'$device' is write-protected"

# Everything of this disk: itself, its partitions, and what is stacked on them.
parts_of() {
    printf '%s\n' "$1"
    for part in "$sys/block/$name/$1"?*/partition; do
        [ -e "$part" ] && basename "$(dirname "$part")"
    done
    return 0
}

problems=
problem() { problems="$problems
  - $*"; }

[ "$(cat "$block/removable")" = 1 ] || problem "$device is not removable: it may be a fixed disk"
case $name in loop* | dm-* | md* | zram* | ram* | nbd*) problem "$device is not a physical disk" ;; esac
for part in $(parts_of "$name"); do
    where=$block
    [ "$part" = "$name" ] || where=$block/$part
    # /proc/mounts may name the device by a link, so device numbers are compared as well.
    number=$(cat "$where/dev")
    mounts=$(awk -v number="$number" '$3 == number { print $5 }' "$proc/self/mountinfo" | tr '\n' ' ')
    [ -n "$mounts" ] || mounts=$(awk -v device="/dev/$part" '$1 == device { print $2 }' "$proc/mounts" | tr '\n' ' ')
    [ -z "$mounts" ] || problem "/dev/$part is mounted at ${mounts% }"
    while read -r swap _; do
        [ "$(readlink -f "$swap" 2>/dev/null)" != "/dev/$part" ] || problem "/dev/$part is swap space"
    done <"$proc/swaps"
    for holder in "$where/holders"/*; do
        [ -e "$holder" ] && problem "/dev/$part is part of /dev/${holder##*/}"
    done
    for backing in "$sys"/block/loop*/loop/backing_file; do
        [ -e "$backing" ] || continue
        [ "$(cat "$backing")" != "/dev/$part" ] || problem "/dev/$part is behind a loop device"
    done
done

if [ -n "$problems" ]; then
    printf 'usb: %s\n' "this is a reason to stop:$problems" >&2
    case $force in
    yes-really) ;;
    yes)
        printf 'usb: everything on %s will be lost. Type its name to go on: ' "$name" >&2
        read -r answer || answer=
        [ "$answer" = "$name" ] || [ "$answer" = "$device" ] || fail "'$answer' is not '$name'; nothing was written"
        ;;
    *) fail "refused; nothing was written (FORCE=yes asks, FORCE=yes-really does not)" ;;
    esac
fi
[ -w "$device" ] || fail "'$device' cannot be written: run this as root"

printf 'usb: writing %s bytes to %s\n' "$bytes" "$device"
dd if="$image" of="$device" bs=1M conv=fsync status=progress || fail "writing failed: '$device' may be broken"

# Read back from the stick and not from the page cache.
blockdev --flushbufs "$device" 2>/dev/null || true
printf 'usb: verifying\n'
written=$(dd if="$device" bs=1M iflag=fullblock,count_bytes count="$bytes" 2>/dev/null | sha256sum)
wanted=$(sha256sum <"$image")
[ "$written" = "$wanted" ] || fail "what was read back differs from the image: '$device' is broken or fake"
printf 'usb: done; %s can be removed\n' "$device"
