/* SPDX-License-Identifier: MIT */
/* A command's arguments as they may be typed: what its usage says, read at boot (setup/usage.h). */
#pragma once

#include "hypervisor/base/core.h"

#define USAGE_FORMS 3
#define USAGE_WORDS 5

struct usage {
    unsigned forms;
    struct usage_word {
        char text[12]; /* "" behind a form's last */
        bool stands;   /* for something; else it is typed as it is */
        bool optional, rest;
    } form[USAGE_FORMS][USAGE_WORDS + 1];
};
/* What may follow these words in a form; NULL when it does not begin so. */
const struct usage_word *usage_next(const struct usage_word *form, char *const words[],
                                    unsigned count);
/* Cuts a line at its blanks; how many words there are, at most `limit`. */
unsigned split_words(char *line, char *words[], unsigned limit);
/* Whether these words are all that one of the forms asks for, and no more. */
bool usage_fits(const struct usage *usage, char *const words[], unsigned count);
