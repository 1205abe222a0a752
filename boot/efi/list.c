/* SPDX-License-Identifier: MIT */
#include "boot/efi/list.h"

#include "hypervisor/base/string.h"

#define DIGITS   (2 * SHA256_SIZE)
#define BEFORE   (DIGITS + 2) /* characters in front of the name */
#define MAX_LINE (BEFORE + BOOT_NAME_SIZE)

static enum status refuse(struct file_list *list, uint32_t line, const char *problem)
{
    *list = (struct file_list){.problem = problem, .line = line};
    return STATUS_INVALID;
}

static int digit(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

static char lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

static bool same_file(const char *left, const char *right)
{
    while (*left != '\0' && lower(*left) == lower(*right))
        left++, right++;
    return lower(*left) == lower(*right);
}

static bool plain(char character)
{
    static const char special[] = "\\/:\"*?<>|";
    for (size_t i = 0; i < sizeof special - 1; i++) {
        if (character == special[i])
            return false;
    }
    return character > ' ' && character < 0x7f;
}

/* Takes one line apart; NULL when it has the right form. */
static const char *read_line(const char *line, size_t length, struct list_entry *entry)
{
    if (length <= BEFORE)
        return "is shorter than a digest, two blanks and a name";
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        int high = digit(line[2 * i]), low = digit(line[2 * i + 1]);
        if (high < 0 || low < 0)
            return "does not begin with 64 lower-case hexadecimal digits";
        entry->digest[i] = (uint8_t)(high << 4 | low);
    }
    if (line[DIGITS] != ' ' || line[DIGITS + 1] != ' ')
        return "has no two blanks behind the digest";
    size_t name = length - BEFORE;
    if (name >= sizeof entry->name)
        return "has a name of more than 63 characters";
    if (line[BEFORE] == '.')
        return "has a name that begins with a dot";
    for (size_t i = 0; i < name; i++) {
        if (!plain(line[BEFORE + i]))
            return "has a name with a character that no plain name has";
        entry->name[i] = line[BEFORE + i];
    }
    entry->name[name] = '\0';
    return NULL;
}

/* The length of the line that begins at `at`, without its newline; more than MAX_LINE when none
 * follows in time. */
static size_t line_length(const struct file_list *list, size_t at)
{
    size_t length = 0;
    while (length <= MAX_LINE && at + length < list->size && list->text[at + length] != '\n')
        length++;
    return at + length < list->size ? length : MAX_LINE + 1;
}

static size_t next_entry(const struct file_list *list, size_t at, struct list_entry *entry,
                         const char **problem)
{
    size_t length = line_length(list, at);
    *problem = length > MAX_LINE ? "does not end where a line has to"
                                 : read_line(list->text + at, length, entry);
    return at + length + 1;
}

/* Is the name of line `number` that of a line before it? */
static bool repeated(const struct file_list *list, uint32_t number, const char *name)
{
    struct list_entry other;
    const char *problem;
    size_t at = 0;
    for (uint32_t i = 0; i < number; i++) {
        at = next_entry(list, at, &other, &problem);
        if (same_file(other.name, name))
            return true;
    }
    return false;
}

enum status list_read(const void *bytes, size_t size, struct file_list *list)
{
    *list = (struct file_list){.text = bytes, .size = size};
    if (size == 0)
        return refuse(list, 1, "is not there: the list is empty");
    for (size_t at = 0; at < size; list->count++) {
        struct list_entry entry;
        const char *problem;
        uint32_t line = list->count + 1;
        if (list->count == LIST_MAX_FILES)
            return refuse(list, line, "is one more than fit");
        at = next_entry(list, at, &entry, &problem);
        if (problem == NULL && repeated(list, list->count, entry.name))
            problem = "has a name that an earlier line has";
        if (problem != NULL)
            return refuse(list, line, problem);
    }
    return STATUS_OK;
}

bool list_entry(const struct file_list *list, uint32_t number, struct list_entry *entry)
{
    const char *problem;
    size_t at = 0;
    if (number >= list->count)
        return false;
    for (uint32_t i = 0; i <= number; i++)
        at = next_entry(list, at, entry, &problem);
    return true;
}

bool list_find(const struct file_list *list, const char *name, struct list_entry *entry)
{
    const char *problem;
    size_t at = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        at = next_entry(list, at, entry, &problem);
        if (text_equal(entry->name, name))
            return true;
    }
    return false;
}
