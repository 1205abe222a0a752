/* SPDX-License-Identifier: MIT */
#include "hypervisor/setup/usage.h"

#include "hypervisor/base/string.h"

/* A word without its brackets and dots; false when it is too long. */
static bool read_word(const char *text, size_t size, struct usage_word *word)
{
    *word = (struct usage_word){.optional = size > 2 && *text == '['};
    if (word->optional) {
        text++;
        size -= 2;
        word->rest = size > 3 && memcmp(text + size - 3, "...", 3) == 0;
        size -= word->rest ? 3 : 0;
    }
    if (size >= sizeof word->text)
        return false;
    memcpy(word->text, text, size);
    word->stands = *text >= 'A' && *text <= 'Z';
    return true;
}

enum status usage_read(const char *text, struct usage *usage)
{
    *usage = (struct usage){.forms = 0};
    unsigned form = 0, count = 0;
    while (*text != '\0') {
        size_t size = 0;
        while (text[size] != '\0' && text[size] != ' ')
            size++;
        if (size == 1 && *text == '|') {
            count = 0;
            if (++form == USAGE_FORMS)
                return STATUS_FULL;
        } else if (size != 0 &&
                   (count == USAGE_WORDS || !read_word(text, size, &usage->form[form][count++]))) {
            return STATUS_FULL;
        }
        text += size + (text[size] == ' ');
    }
    usage->forms = form + 1;
    return STATUS_OK;
}
