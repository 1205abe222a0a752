/* SPDX-License-Identifier: MIT */
/*
 * The functions that compilers call on their own. The bulk is done by string instructions, eight
 * bytes at a time: emulators count each repetition. Loops carry an empty asm statement, because
 * GCC would otherwise recognise them and turn the function into a call of itself.
 */
#include "hypervisor/base/string.h"

#define KEEP_LOOP() __asm__ volatile("" ::: "memory")

void *memcpy(void *restrict destination, const void *restrict source, size_t size)
{
    void *to = destination;
    size_t words = size / 8;
    size_t rest = size % 8;
    __asm__ volatile("rep movsq\n\t"
                     "mov %[rest], %%rcx\n\t"
                     "rep movsb"
                     : "+&D"(to), "+&S"(source), "+&c"(words)
                     : [rest] "r"(rest)
                     : "memory");
    return destination;
}

void *memmove(void *destination, const void *source, size_t size)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    /* Forwards is right unless the destination begins inside the source. */
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(destination, source, size);
    while (size-- > 0) {
        to[size] = from[size];
        KEEP_LOOP();
    }
    return destination;
}

void *memset(void *destination, int value, size_t size)
{
    void *to = destination;
    uint64_t pattern = UINT64_C(0x0101010101010101) * (uint8_t)value;
    size_t words = size / 8;
    size_t rest = size % 8;
    __asm__ volatile("rep stosq\n\t"
                     "mov %[rest], %%rcx\n\t"
                     "rep stosb"
                     : "+&D"(to), "+&c"(words)
                     : "a"(pattern), [rest] "r"(rest)
                     : "memory");
    return destination;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const uint8_t *a = left;
    const uint8_t *b = right;
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return a[i] - b[i];
        KEEP_LOOP();
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
        KEEP_LOOP();
    }
    return length;
}

int strncmp(const char *left, const char *right, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t a = (uint8_t)left[i];
        uint8_t b = (uint8_t)right[i];
        if (a != b || a == '\0')
            return a - b;
        KEEP_LOOP();
    }
    return 0;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}
