/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/config/config_words.c hypervisor/base/string.c
// UNWIND: 20
// VARIANTS: -DBASE=16 -DLONGEST=18 | -DBASE=10 -DLONGEST=4
// BOUND: any word of up to 18 characters in base 16, of up to 4 in base 10
// PLANT: hypervisor/config/config_words.c ==> result > (UINT64_MAX - digit) / base ==> result > UINT64_MAX / base + 1
// clang-format on
/* A word is taken for a number exactly when it is one of 64 bits, and for the right one. */
#include "hypervisor/config/config_parser.h"
#include "tests/prove/prove.h"

static unsigned digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    return c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10 : BASE;
}

int main(void)
{
    char text[LONGEST];
    size_t length = nondet_size();
    ANY(text);
    ASSUME(length <= sizeof text);
    unsigned __int128 expected = 0;
    bool number = length > 0;
    for (size_t i = 0; i < length; i++) {
        number = number && digit_of(text[i]) < BASE;
        expected = expected * BASE + digit_of(text[i]);
    }
    uint64_t value;
    bool taken = word_digits((struct word){text, length}, BASE, &value);
    CLAIM(taken == (number && expected <= UINT64_MAX));
    CLAIM(!taken || value == (uint64_t)expected);
    return 0;
}
