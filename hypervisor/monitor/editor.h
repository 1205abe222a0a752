/* SPDX-License-Identifier: MIT */
/* A line that somebody types: keys go in, text and cursor come out. It draws nothing and knows no
 * commands. */
#pragma once

#include "hypervisor/base/core.h"

#define EDITOR_SIZE    128 /* with the NUL at the end */
#define EDITOR_HISTORY 16  /* lines that are kept */

/* ENTER: the line is complete, and editor_clear() begins the next; CLEAR: the screen is to be
 * cleared; REPORT: the terminal gave its cursor's row, in `number`. */
enum editor_event { EDITOR_NONE, EDITOR_ENTER, EDITOR_CLEAR, EDITOR_REPORT };

struct editor {
    char line[EDITOR_SIZE]; /* printable ASCII */
    size_t used, cursor;
    unsigned number; /* the control sequence's first, at most 999 */
    /* Tab: calls editor_offer() with each word that may follow `before`. */
    void (*candidates)(struct editor *editor, const char *before);
    /* Gets those that begin like the word at the cursor, then NULL, when there are several and
     * nothing can be added. */
    void (*show)(const char *word);

    /* --- the editor's own --- */
    enum { EDITOR_TEXT, EDITOR_ESCAPED, EDITOR_NUMBER, EDITOR_REST } state; /* of a sequence */
    unsigned back;                                 /* how old the line is; 0: being typed */
    char history[1 + EDITOR_HISTORY][EDITOR_SIZE]; /* what was being typed, then the latest first */
    unsigned offers;
    bool showing;
    char common[EDITOR_SIZE]; /* what all offers begin with */
};

/* A byte from a keyboard or terminal. */
enum editor_event editor_key(struct editor *editor, char key);
void editor_clear(struct editor *editor);
void editor_offer(struct editor *editor, const char *word);
