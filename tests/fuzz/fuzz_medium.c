/* SPDX-License-Identifier: MIT */
// SOURCES: boot/efi/list.c boot/efi/dhcp.c hypervisor/base/text.c
/* Any bytes as a boot medium's list of files (first byte even) or as a DHCP answer (odd). */
#include <string.h>
#include <strings.h>

#include "boot/efi/dhcp.h"
#include "boot/efi/list.h"
#include "tests/fuzz/fuzz.h"

static bool same(const char *left, const char *right)
{
    return strcasecmp(left, right) == 0;
}

/* The entries are the text again, and each name is one that stays in its folder. */
static void check_list(const uint8_t *bytes, size_t size)
{
    struct file_list list;
    struct list_entry entry, other;
    if (list_read(bytes, size, &list) != STATUS_OK) {
        fuzz_check(list.problem != NULL && list.line > 0 && list.count == 0);
        return;
    }
    fuzz_check(list.count > 0 && list.count <= LIST_MAX_FILES);
    size_t length = 0;
    for (uint32_t i = 0; i < list.count; i++) {
        fuzz_check(list_entry(&list, i, &entry));
        fuzz_check(entry.name[0] != '\0' && entry.name[0] != '.');
        fuzz_check(strpbrk(entry.name, "/\\: \r\n") == NULL);
        length += 2 * SHA256_SIZE + 2 + strlen(entry.name) + 1;
        fuzz_check(list_find(&list, entry.name, &other));
        fuzz_check(memcmp(&entry.digest, &other.digest, sizeof entry.digest) == 0);
        for (uint32_t n = 0; n < i && n < 8; n++) {
            fuzz_check(list_entry(&list, n, &other));
            fuzz_check(!same(entry.name, other.name));
        }
    }
    fuzz_check(length == size && !list_entry(&list, list.count, &entry));
}

static void check_dhcp(const uint8_t *bytes, size_t size)
{
    struct dhcp_boot boot;
    uint8_t address[6];
    enum status status = dhcp_read(bytes, size, &boot);
    fuzz_check(memchr(boot.path, '\0', sizeof boot.path) != NULL);
    for (const char *c = boot.path; *c != '\0'; c++)
        fuzz_check(*c > ' ' && *c < 0x7f);
    if (status == STATUS_OK)
        fuzz_check((boot.server[0] | boot.server[1] | boot.server[2] | boot.server[3]) != 0);
    if (dhcp_client(bytes, size, address))
        fuzz_read(address, sizeof address);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        check_list(data + 1, size - 1);
    else
        check_dhcp(data + 1, size - 1);
    return 0;
}
