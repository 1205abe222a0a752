/* SPDX-License-Identifier: MIT */
// clang-format off
// SOURCES: hypervisor/config/config_words.c hypervisor/base/string.c
// UNWIND: 16
// BOUND: any hexadecimal word with up to 12 characters behind its 0x
// PLANT: hypervisor/config/config_words.c ==> value > UINT64_MAX >> shift) ==> value > UINT64_MAX >> (shift + 1))
// clang-format on
/* A size is its number times its unit, or refused: never a wrapped value. */
#include "hypervisor/config/config_parser.h"
#include "tests/prove/prove.h"

int main(void)
{
    char text[14];
    size_t length = nondet_size();
    uint64_t bytes, number;
    ANY(text);
    text[0] = '0';
    text[1] = 'x';
    ASSUME(length > 2 && length <= sizeof text);
    bool taken = word_size((struct word){text, length}, &bytes);
    char unit = text[length - 1];
    unsigned shift = unit == 'K' || unit == 'k'   ? 10
                     : unit == 'M' || unit == 'm' ? 20
                     : unit == 'G' || unit == 'g' ? 30
                                                  : 0;
    bool is_number = word_number((struct word){text, length - (shift != 0)}, &number);
    CLAIM(taken == (is_number && number <= UINT64_MAX >> shift));
    CLAIM(!taken || bytes >> shift == number);
    return 0;
}
