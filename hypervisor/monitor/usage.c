/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/usage.h"

#include "hypervisor/base/string.h"

unsigned split_words(char *line, char *words[], unsigned limit)
{
    unsigned count = 0;
    for (char before = ' '; *line != '\0'; line++) {
        if (before == ' ' && *line != ' ' && count < limit)
            words[count++] = line;
        before = *line;
        if (*line == ' ')
            *line = '\0';
    }
    return count;
}

/* The next word of a form; size 0 at its end. */
static struct usage_word read_word(const char **form)
{
    const char *start = *form, *end;
    while (*start == ' ')
        start++;
    for (end = start; *end != '\0' && *end != ' ';)
        end++;
    struct usage_word word = {start, (size_t)(end - start), false, false};
    if (word.size == 1 && *start == '|')
        word.size = 0;
    else
        *form = end;
    if (word.size > 2 && *start == '[') {
        word = (struct usage_word){start + 1, word.size - 2, true, false};
        word.rest = word.size > 3 && memcmp(end - 4, "...", 3) == 0;
        word.size -= word.rest ? 3 : 0;
    }
    return word;
}

static bool stands_for(const struct usage_word *word, const char *typed)
{
    bool capital = word->text[0] >= 'A' && word->text[0] <= 'Z';
    return word->size != 0 &&
           (capital || (strlen(typed) == word->size && memcmp(word->text, typed, word->size) == 0));
}

bool usage_next(const char **form, char *const words[], unsigned count, struct usage_word *next)
{
    while (*form != NULL) {
        bool fits = true;
        *next = read_word(form);
        for (unsigned i = 0; i < count && fits; i++) {
            fits = stands_for(next, words[i]);
            if (fits && !next->rest)
                *next = read_word(form);
        }
        struct usage_word left = *next;
        while (left.size != 0)
            left = read_word(form);
        while (**form == ' ')
            ++*form;
        *form = **form == '|' ? *form + 1 : NULL;
        if (fits)
            return true;
    }
    return false;
}

bool usage_fits(const char *usage, char *const words[], unsigned count)
{
    struct usage_word next;
    while (usage_next(&usage, words, count, &next))
        if (next.size == 0 || next.optional)
            return true;
    return false;
}
