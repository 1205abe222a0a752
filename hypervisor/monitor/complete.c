/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/complete.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/names.h"

static void offer_commands(struct editor *editor)
{
    for (const struct command *command = monitor_commands; command->name != NULL; command++)
        editor_offer(editor, command->name);
}

static void offer_devices(struct editor *editor)
{
    const struct pci_function *function;
    for (size_t i = 0; (function = pci_function_at(i)) != NULL; i++) {
        if (!text_equal(function->name, "-"))
            editor_offer(editor, function->name);
        editor_offer(editor, rid_text(function->rid).text);
    }
}

/* What a word of a usage stands for, or it itself. */
static void offer(struct editor *editor, const struct usage_word *word)
{
    if (!word->stands)
        editor_offer(editor, word->text);
    else if (text_equal(word->text, "RID") || text_equal(word->text, "DEVICE"))
        offer_devices(editor);
    else if (text_equal(word->text, "COMMAND"))
        offer_commands(editor);
    else if (text_equal(word->text, "GUEST") || text_equal(word->text, "FROM") ||
             text_equal(word->text, "TO"))
        for (unsigned i = 0; guest_at(i) != NULL; i++)
            editor_offer(editor, guest_at(i)->name);
}

void complete_word(struct editor *editor, const char *before)
{
    char text[EDITOR_SIZE], *words[COMMAND_WORDS + 1], **word = words;
    (void)text_copy(text, sizeof text, before);
    unsigned count = split_words(text, words, ARRAY_SIZE(words));
    if (count != 0 && text_equal(*word, "more"))
        word++, count--;
    const struct command *command = count != 0 ? command_find(*word) : NULL;
    const struct usage *usage =
        command != NULL ? &command_usages[command - monitor_commands] : NULL;
    if (count == 0)
        offer_commands(editor);
    for (unsigned i = 0; usage != NULL && i < usage->forms; i++) {
        const struct usage_word *next = usage_next(usage->form[i], word + 1, count - 1);
        if (next != NULL && next->text[0] != '\0')
            offer(editor, next);
    }
}

/* Four in a row. */
void complete_show(const char *word)
{
    static unsigned shown;
    if (word != NULL)
        console_printf("%-18s %s", word, ++shown % 4 == 0 ? "\n" : "");
    else if (shown % 4 != 0)
        console_printf("\n");
    shown = word != NULL ? shown : 0;
}
