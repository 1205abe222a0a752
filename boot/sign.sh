#!/bin/sh
# SPDX-License-Identifier: MIT
# Binds the EFI application to the files of a medium:
#
#   sign.sh list FOLDER                          writes FOLDER/SHA256SUMS, the list of what is in FOLDER (\bulkhead)
#   sign.sh seal FOLDER IN.efi OUT.efi KEY CERT  the same; puts that list's and the hypervisor's digest into the
#                                                application and signs it (docs/boot.md)
#
# KEY and CERT are PEM files; a key with a pass phrase is asked for it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

fail() {
    printf 'sign: error: %s\n' "$*" >&2
    exit 1
}

# The list's names are what boot/efi/list.c takes, and what every file system and TFTP server can hold.
write_list() {
    for file in "$1"/*; do
        name=${file##*/}
        [ -f "$file" ] || fail "'$file' is not an ordinary file"
        case $name in
        .* | *[!A-Za-z0-9._-]*) fail "'$name' cannot be on the medium: letters, digits and . _ - make a name" ;;
        esac
        [ ${#name} -le 63 ] || fail "'$name' cannot be on the medium: its name has more than 63 characters"
    done
    twice=$(cd "$1" && for name in *; do echo "$name"; done | tr '[:upper:]' '[:lower:]' | sort | uniq -d | tr '\n' ' ')
    [ -z "$twice" ] || fail "two files are called ${twice% }: FAT does not tell upper from lower case"
    (cd "$1" && for name in *; do
        case $name in bulkhead.elf | SHA256SUMS*) ;; *) sha256sum "$name" ;; esac
    done) >"$1/SHA256SUMS.new"
    mv "$1/SHA256SUMS.new" "$1/SHA256SUMS"
}

seal() {
    folder=$1 application=$2 out=$3 key=$4 certificate=$5
    for tool in sbsign sbverify; do
        command -v "$tool" >/dev/null 2>&1 || fail "'$tool' is missing: run 'make setup' (package sbsigntool)"
    done
    [ -n "$key" ] && [ -n "$certificate" ] || fail "a key and a certificate belong together: KEY=key.pem CERT=cert.pem"
    [ -r "$key" ] || fail "the key '$key' cannot be read"
    [ -r "$certificate" ] || fail "the certificate '$certificate' cannot be read"
    grep -q 'PRIVATE KEY-----' "$key" || fail "'$key' is not a private key in PEM form"
    grep -q 'BEGIN CERTIFICATE-----' "$certificate" ||
        fail "'$certificate' is not a certificate in PEM form; openssl x509 -inform DER -in FILE -out cert.pem makes one"
    write_list "$folder"
    "$here/application.py" seal "$application" "$out.sealed" "$folder/bulkhead.elf" "$folder/SHA256SUMS"
    # It complains about each section that is followed by a gap, which all of objcopy's are.
    said=$(sbsign --key "$key" --cert "$certificate" --output "$out.new" "$out.sealed" 2>&1) ||
        fail "sbsign failed: $said"
    rm -f "$out.sealed"
    sbverify --cert "$certificate" "$out.new" >/dev/null 2>&1 ||
        fail "the signature does not fit: '$certificate' is not the certificate of '$key'"
    mv "$out.new" "$out"
}

case ${1:-}:$# in
list:2) write_list "$2" ;;
seal:6) seal "$2" "$3" "$4" "$5" "$6" ;;
*) fail "usage: $0 list FOLDER | seal FOLDER IN.efi OUT.efi KEY CERT" ;;
esac
