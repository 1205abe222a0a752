/* SPDX-License-Identifier: MIT */
/* A command's arguments, as its usage writes them: what may be typed is what help shows.
 *
 *     RID ADDRESS | cpu GUEST GPA     two forms, of words divided by blanks
 *     cpu, -v                         a word that begins with neither a capital nor a bracket is
 * typed as it stands RID, ADDRESS                    one in capitals stands for something [N] may
 * be missing, and so may what follows [COMMAND...]                    any number of words
 */
#pragma once

#include "hypervisor/base/core.h"

/* A word of a usage without its brackets and dots; size 0: no word. */
struct usage_word {
    const char *text;
    size_t size;
    bool optional, rest;
};
/* The first form from *form on that begins like these words; *form moves behind it, and is NULL
 * behind the last. `next` is what may follow the words. False when there is no such form. */
bool usage_next(const char **form, char *const words[], unsigned count, struct usage_word *next);
/* Cuts a line at its blanks; how many words there are, at most `limit`. */
unsigned split_words(char *line, char *words[], unsigned limit);
/* Whether these words are all that one of the forms asks for, and no more. */
bool usage_fits(const char *usage, char *const words[], unsigned count);
