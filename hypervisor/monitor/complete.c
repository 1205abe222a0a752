/* SPDX-License-Identifier: MIT */
#include "hypervisor/monitor/complete.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/string.h"
#include "hypervisor/monitor/commands.h"
#include "hypervisor/monitor/console.h"
#include "hypervisor/monitor/names.h"
#include "hypervisor/monitor/usage.h"

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
    char text[EDITOR_SIZE] = "";
    memcpy(text, word->text, MIN(word->size, sizeof text - 1));
    if (text_equal(text, "RID") || text_equal(text, "DEVICE"))
        offer_devices(editor);
    else if (text_equal(text, "COMMAND"))
        offer_commands(editor);
    else if (text_equal(text, "GUEST") || text_equal(text, "FROM") || text_equal(text, "TO"))
        for (unsigned i = 0; guest_at(i) != NULL; i++)
            editor_offer(editor, guest_at(i)->name);
    else if (text[0] != '\0' && (text[0] < 'A' || text[0] > 'Z'))
        editor_offer(editor, text);
}

void complete_word(struct editor *editor, const char *before)
{
    char text[EDITOR_SIZE], *words[COMMAND_WORDS + 1], **word = words;
    (void)text_copy(text, sizeof text, before);
    unsigned count = split_words(text, words, ARRAY_SIZE(words));
    if (count != 0 && text_equal(*word, "more"))
        word++, count--;
    const struct command *command = count != 0 ? command_find(*word) : NULL;
    const char *form = command != NULL ? command->arguments : NULL;
    struct usage_word next;
    if (count == 0)
        offer_commands(editor);
    while (count != 0 && usage_next(&form, word + 1, count - 1, &next))
        offer(editor, &next);
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
