/* SPDX-License-Identifier: MIT */
#include "boot/efi/seal.h"

#include "hypervisor/base/string.h"

static bool digest_of(const struct seal *seal, const struct file_list *list, const char *name,
                      uint8_t digest[SHA256_SIZE])
{
    struct list_entry entry;
    const uint8_t *found = NULL;
    if (text_equal(name, HYPERVISOR_FILE))
        found = seal->hypervisor;
    else if (text_equal(name, LIST_FILE))
        found = seal->list;
    else if (list_find(list, name, &entry))
        found = entry.digest;
    if (found != NULL)
        memcpy(digest, found, SHA256_SIZE);
    return found != NULL;
}

bool seal_names(const struct seal *seal, const struct file_list *list, const char *name)
{
    uint8_t digest[SHA256_SIZE];
    return digest_of(seal, list, name, digest);
}

const char *seal_problem(const struct seal *seal, const struct file_list *list, const char *name,
                         const void *bytes, size_t size)
{
    uint8_t signed_digest[SHA256_SIZE], digest[SHA256_SIZE];
    if (!digest_of(seal, list, name, signed_digest))
        return "is not one of the files that were signed";
    sha256(bytes, size, digest);
    if (memcmp(digest, signed_digest, SHA256_SIZE) != 0)
        return "was changed after it was signed: its SHA-256 is another";
    return NULL;
}
