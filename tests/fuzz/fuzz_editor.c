/* SPDX-License-Identifier: MIT */
// Any bytes at the prompt's line editor, and what is made of the lines that come out.
// SOURCES: hypervisor/monitor/editor.c hypervisor/monitor/usage.c hypervisor/base/text.c
// SOURCES: hypervisor/setup/usage.c
#include <string.h>

#include "hypervisor/monitor/editor.h"
#include "hypervisor/setup/usage.h"
#include "tests/fuzz/fuzz.h"

static const char *const usages[] = {"",
                                     "GUEST",
                                     "[N|WORD]",
                                     "[COMMAND...]",
                                     "DEVICE FROM TO",
                                     "RID ADDRESS | cpu GUEST GPA | irq INDEX",
                                     "[-v]"};
static const char *const words[] = {"alpha", "alphabet", "beta", "01:10.0", "uplink.vf0"};

static void candidates(struct editor *editor, const char *before)
{
    fuzz_check(strlen(before) <= editor->cursor);
    fuzz_check(strncmp(before, editor->line, strlen(before)) == 0);
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
        editor_offer(editor, words[i]);
}

static void show(const char *word)
{
    fuzz_read(word != NULL ? word : "", 1);
}

static void check_line(const struct editor *editor)
{
    fuzz_check(editor->used < EDITOR_SIZE && editor->cursor <= editor->used);
    fuzz_check(editor->line[editor->used] == '\0' && strlen(editor->line) == editor->used);
    for (size_t i = 0; i < editor->used; i++)
        fuzz_check(editor->line[i] >= ' ' && editor->line[i] <= '~');
}

/* What becomes of a complete line: its words, and whether they fit any usage. */
static void run(const char *line)
{
    char text[EDITOR_SIZE], *found[7];
    memcpy(text, line, sizeof text);
    unsigned count = split_words(text, found, ARRAY_SIZE(found));
    fuzz_check(count <= ARRAY_SIZE(found));
    for (unsigned i = 0; i < count; i++)
        fuzz_check(*found[i] != '\0' && strchr(found[i], ' ') == NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(usages); i++) {
        struct usage usage;
        bool could = false;
        fuzz_check(usage_read(usages[i], &usage) == STATUS_OK);
        for (unsigned form = 0; form < usage.forms; form++) {
            const struct usage_word *next = usage_next(usage.form[form], found, count);
            fuzz_check(next == NULL ||
                       (next >= usage.form[form] && next <= &usage.form[form][USAGE_WORDS]));
            could = could || next != NULL;
        }
        fuzz_check(could || !usage_fits(&usage, found, count));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* On the heap, so that the sanitizer sees its ends. */
    struct editor *editor = calloc(1, sizeof *editor);
    editor->candidates = candidates;
    editor->show = show;
    for (size_t i = 0; i < size; i++) {
        char before[EDITOR_SIZE];
        memcpy(before, editor->line, sizeof before);
        bool text = editor->state == EDITOR_TEXT && data[i] >= ' ' && data[i] <= '~';
        size_t used = editor->used, cursor = editor->cursor;
        enum editor_event event = editor_key(editor, (char)data[i]);
        check_line(editor);
        if (text && used + 1 < EDITOR_SIZE) {
            fuzz_check(editor->used == used + 1 && editor->cursor == cursor + 1);
            fuzz_check(memcmp(editor->line, before, cursor) == 0);
            fuzz_check(editor->line[cursor] == (char)data[i]);
            fuzz_check(memcmp(editor->line + cursor + 1, before + cursor, used - cursor) == 0);
        }
        /* Enter is Enter, whatever came before it. */
        fuzz_check((event == EDITOR_ENTER) == (data[i] == '\r' || data[i] == '\n'));
        if (event != EDITOR_ENTER)
            continue;
        fuzz_check(strcmp(editor->line, before) == 0);
        fuzz_check(used == 0 || strcmp(editor->history[1], before) == 0);
        run(editor->line);
        editor_clear(editor);
        check_line(editor);
    }
    free(editor);
    return 0;
}
