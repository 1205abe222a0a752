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

const struct usage_word *usage_next(const struct usage_word *form, char *const words[],
                                    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (form->text[0] == '\0' || (!form->stands && !text_equal(form->text, words[i])))
            return NULL;
        form += form->rest ? 0 : 1;
    }
    return form;
}

bool usage_fits(const struct usage *usage, char *const words[], unsigned count)
{
    for (unsigned i = 0; i < usage->forms; i++) {
        const struct usage_word *next = usage_next(usage->form[i], words, count);
        if (next != NULL && (next->text[0] == '\0' || next->optional))
            return true;
    }
    return false;
}
