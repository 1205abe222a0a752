/* SPDX-License-Identifier: MIT */
#include "hypervisor/config/config_parser.h"

#include "hypervisor/base/string.h"

/* A tool for people shows all (tests/tools/build.mk). */
#ifndef MAX_COMPLAINTS
#define MAX_COMPLAINTS 32
#endif

static void add(struct message *message, const char *text, size_t length)
{
    for (size_t i = 0; i < length && message->length + 1 < sizeof message->text; i++) {
        char c = text[i];
        message->text[message->length++] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    message->text[message->length] = '\0';
}

void message_add(struct message *message, const char *text)
{
    add(message, text, strlen(text));
}

void complain_at(struct config_parser *parser, struct config_place place, const char *message)
{
    parser->failed = true;
    parser->config->errors++;
    if (parser->config->errors < MAX_COMPLAINTS)
        parser->complain(parser->context, place, message);
    else if (parser->config->errors == MAX_COMPLAINTS)
        parser->complain(parser->context, place, "too many errors; the rest is not reported");
}

struct config_place place_of(const struct config_parser *parser, const char *at)
{
    return (struct config_place){.line = parser->line,
                                 .column = (uint32_t)(at - parser->line_start) + 1};
}

/* `before` 'word' `after`; long words are cut. */
bool complain_word(struct config_parser *parser, struct word word, const char *before,
                   const char *after)
{
    struct message message = {.length = 0};
    message_add(&message, before);
    message_add(&message, "'");
    add(&message, word.start, MIN(word.length, (size_t)48));
    message_add(&message, word.length > 48 ? "...'" : "'");
    message_add(&message, after);
    complain_at(parser, place_of(parser, word.start), message.text);
    return false;
}

bool word_is(struct word word, const char *text)
{
    return word.length == strlen(text) && memcmp(word.start, text, word.length) == 0;
}

bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct word word_trim(struct word word)
{
    while (word.length > 0 && is_blank(word.start[0])) {
        word.start++;
        word.length--;
    }
    while (word.length > 0 && is_blank(word.start[word.length - 1]))
        word.length--;
    return word;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool word_digits(struct word word, unsigned base, uint64_t *value)
{
    uint64_t result = 0;
    for (size_t i = 0; i < word.length; i++) {
        unsigned digit = (unsigned)digit_value(word.start[i]);
        if (digit >= base || result > (UINT64_MAX - digit) / base)
            return false;
        result = result * base + digit;
    }
    *value = result;
    return word.length > 0;
}

bool word_number(struct word word, uint64_t *value)
{
    if (word.length > 2 && word.start[0] == '0' && (word.start[1] == 'x' || word.start[1] == 'X'))
        return word_digits((struct word){word.start + 2, word.length - 2}, 16, value);
    return word_digits(word, 10, value);
}

bool word_size(struct word word, uint64_t *bytes)
{
    unsigned shift = 0;
    uint64_t value;
    if (word.length > 0) {
        char unit = word.start[word.length - 1];
        if (unit == 'K' || unit == 'k')
            shift = 10;
        else if (unit == 'M' || unit == 'm')
            shift = 20;
        else if (unit == 'G' || unit == 'g')
            shift = 30;
        word.length -= shift != 0;
    }
    if (!word_number(word, &value) || value > UINT64_MAX >> shift)
        return false;
    *bytes = value << shift;
    return true;
}
