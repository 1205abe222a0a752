/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/editor.h"

#include "hypervisor/base/string.h"

#define CONTROL(letter) ((letter) & 0x1f)
#define KEY_ESCAPE      0x1b
#define KEY_ERASE       0x7f
#define NUMBER_LIMIT    999

/* Takes a terminal's control sequences (ESC [, and ESC O; ECMA-48 5.4) and gives what their keys
 * stand for as a control character, any other byte as it is, 0 for nothing. A sequence that breaks
 * off takes no byte but its own. */
static char plain_key(struct editor *editor, char key)
{
    static const char keys[][2] = {
        {'A', CONTROL('p')}, {'B', CONTROL('n')}, {'C', CONTROL('f')}, {'D', CONTROL('b')},
        {'H', CONTROL('a')}, {'F', CONTROL('e')}, {'1', CONTROL('a')}, {'3', CONTROL('d')},
        {'4', CONTROL('e')}, {'7', CONTROL('a')}, {'8', CONTROL('e')},
    };
    unsigned before = editor->state;
    bool digit = key >= '0' && key <= '9';
    if (key == KEY_ESCAPE)
        editor->state = EDITOR_ESCAPED;
    else if ((before == EDITOR_ESCAPED && (key == '[' || key == 'O')) ||
             (before == EDITOR_NUMBER && digit))
        editor->state = EDITOR_NUMBER;
    else
        editor->state =
            before >= EDITOR_NUMBER && key >= ' ' && key < '@' ? EDITOR_REST : EDITOR_TEXT;
    if (editor->state == EDITOR_NUMBER)
        editor->number = digit ? MIN(editor->number * 10 + (unsigned)(key - '0'), NUMBER_LIMIT) : 0;
    if (editor->state != EDITOR_TEXT)
        return '\0';
    if (before < EDITOR_NUMBER || key < '@' || key > '~')
        return key;
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
        if (keys[i][0] == (key == '~' ? (char)('0' + editor->number) : key))
            return keys[i][1];
    return '\0';
}

/* Leaves out what is between the cursor and a place. */
static void cut(struct editor *editor, size_t place)
{
    size_t from = MIN(editor->cursor, place), to = MAX(editor->cursor, place);
    memmove(editor->line + from, editor->line + to, editor->used - to + 1);
    editor->used -= to - from;
    editor->cursor = from;
}

/* All of it or nothing. */
static void insert(struct editor *editor, const char *text, size_t size)
{
    char *at = editor->line + editor->cursor;
    if (editor->used + size >= EDITOR_SIZE)
        return;
    memmove(at + size, at, editor->used - editor->cursor + 1);
    memcpy(at, text, size);
    editor->used += size;
    editor->cursor += size;
}

/* Where the word ends, or with `blanks` begins, that is left of a place. */
static size_t left_of(const struct editor *editor, size_t place, bool blanks)
{
    while (place > 0 && (editor->line[place - 1] == ' ') == blanks)
        place--;
    return place;
}

static void recall(struct editor *editor, unsigned back)
{
    if (back > EDITOR_HISTORY || (back != 0 && editor->history[back][0] == '\0'))
        return;
    if (editor->back == 0)
        memcpy(editor->history[0], editor->line, EDITOR_SIZE);
    memcpy(editor->line, editor->history[back], EDITOR_SIZE);
    editor->back = back;
    editor->used = editor->cursor = strlen(editor->line);
}

static void save(struct editor *editor)
{
    if (editor->used == 0 || text_equal(editor->history[1], editor->line))
        return;
    memmove(editor->history[2], editor->history[1],
            (EDITOR_HISTORY - 1) * sizeof editor->history[1]);
    memcpy(editor->history[1], editor->line, EDITOR_SIZE);
}

void editor_clear(struct editor *editor)
{
    editor->used = editor->cursor = editor->back = 0;
    editor->line[0] = '\0';
}

void editor_offer(struct editor *editor, const char *word)
{
    size_t start = left_of(editor, editor->cursor, false), same = 0;
    if (strncmp(word, editor->line + start, editor->cursor - start) != 0)
        return;
    if (editor->showing)
        editor->show(word);
    else if (editor->offers++ == 0)
        (void)text_copy(editor->common, EDITOR_SIZE, word);
    while (editor->common[same] != '\0' && editor->common[same] == word[same])
        same++;
    editor->common[same] = '\0';
}

static void complete(struct editor *editor)
{
    char before[EDITOR_SIZE];
    size_t start = left_of(editor, editor->cursor, false), typed = editor->cursor - start;
    memcpy(before, editor->line, start);
    before[start] = '\0';
    editor->offers = 0;
    editor->candidates(editor, before);
    size_t known = editor->offers != 0 ? strlen(editor->common) : typed;
    if (editor->offers > 1 && known == typed) {
        editor->showing = true;
        editor->candidates(editor, before);
        editor->show(NULL);
        editor->showing = false;
    }
    insert(editor, editor->common + typed, known - typed);
    if (editor->offers == 1)
        insert(editor, " ", 1);
}

enum editor_event editor_key(struct editor *editor, char key)
{
    size_t cursor = editor->cursor;
    bool report = editor->state >= EDITOR_NUMBER && key == 'R';
    key = plain_key(editor, key);
    if (key >= ' ' && key <= '~')
        insert(editor, &key, 1);
    else if (key == '\t')
        complete(editor);
    else if (key == CONTROL('a'))
        editor->cursor = 0;
    else if (key == CONTROL('e'))
        editor->cursor = editor->used;
    else if (key == CONTROL('b'))
        editor->cursor -= MIN(cursor, 1);
    else if (key == CONTROL('f'))
        editor->cursor = MIN(cursor + 1, editor->used);
    else if (key == '\b' || key == KEY_ERASE)
        cut(editor, cursor - MIN(cursor, 1));
    else if (key == CONTROL('d'))
        cut(editor, MIN(cursor + 1, editor->used));
    else if (key == CONTROL('k'))
        cut(editor, editor->used);
    else if (key == CONTROL('w'))
        cut(editor, left_of(editor, left_of(editor, cursor, true), false));
    else if (key == CONTROL('c') || key == CONTROL('u'))
        editor_clear(editor);
    else if (key == CONTROL('p'))
        recall(editor, editor->back + 1);
    else if (key == CONTROL('n'))
        recall(editor, editor->back - 1);
    else if (key == '\r' || key == '\n')
        save(editor);
    return report                       ? EDITOR_REPORT
           : key == '\r' || key == '\n' ? EDITOR_ENTER
           : key == CONTROL('l')        ? EDITOR_CLEAR
                                        : EDITOR_NONE;
}
