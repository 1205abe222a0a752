/* SPDX-License-Identifier: MIT */
/* Helpers on top of string.c, in a file of their own: host tests link these with libc's memcpy. */
#include "hypervisor/base/string.h"

bool text_copy(char *destination, size_t size, const char *source)
{
    if (size == 0)
        return false;
    size_t length = strlen(source);
    size_t copied = MIN(length, size - 1);
    memcpy(destination, source, copied);
    destination[copied] = '\0';
    return copied == length;
}

bool text_equal(const char *left, const char *right)
{
    return strcmp(left, right) == 0;
}

bool text_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}
