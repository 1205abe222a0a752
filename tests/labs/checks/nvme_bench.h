/* SPDX-License-Identifier: MIT */
/* The driver of NVMe against the model of tests/unit, which minds what the specification forbids:
 * here that is said, and what was being done. Static on purpose. */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/nvme/setup/nvme_setup.h"
#include "tests/labs/checks/check.h"
#include "tests/labs/checks/order.h"
#include "tests/unit/support/host.h"

static char doing[120] = "the check";

__attribute__((format(printf, 1, 2))) static _Noreturn void minds(const char *format, ...)
{
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    is_wrong("%s: the controller minds: %s", doing, text);
}

#define NVME_FORBIDDEN(...) minds(__VA_ARGS__)
#undef assert_true
#undef assert_int_equal
#undef assert_ptr_equal
#undef assert_ptr_not_equal
#undef assert_in_range
#undef fail_msg
#define fail_msg(...)              minds(__VA_ARGS__)
#define holds(condition, text)     expect(condition, "%s: this does not hold: %s", doing, text)
#define assert_true(condition)     holds(condition, #condition)
#define assert_int_equal(a, b)     holds((uint64_t)(a) == (uint64_t)(b), #a " == " #b)
#define assert_ptr_equal(a, b)     holds((a) == (b), #a " is " #b)
#define assert_ptr_not_equal(a, b) holds((a) != (b), #a " is not " #b)
#define assert_in_range(value, a, b)                                                               \
    holds((value) >= (a) && (value) <= (b), #value " is a register")
#include "tests/unit/support/nvme_model.h"

__attribute__((format(printf, 1, 2), unused)) static void now(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(doing, sizeof doing, format, arguments);
    va_end(arguments);
    asking("%s", doing);
}

/* The last message="..." that was logged. */
__attribute__((unused)) static const char *reason(void)
{
    static char text[300];
    const char *last = NULL;
    for (const char *at = host_log_text(); (at = strstr(at, "message=\"")) != NULL; at++)
        last = at + 9;
    snprintf(text, sizeof text, "%.*s", last != NULL ? (int)strcspn(last, "\"") : 7,
             last != NULL ? last : "nothing");
    return text;
}

__attribute__((unused)) static const char *kind_name(unsigned kind)
{
    return kind == NVME_QUEUES       ? "VQ (queues)"
           : kind == NVME_INTERRUPTS ? "VI (interrupts)"
                                     : "a reserved type";
}

/* What was asked of the PF's controller since trace_begin(), but for lists of namespaces. */
static char trace[1000];

static void note(const struct nvme_command *command)
{
    size_t used = strlen(trace);
    char text[80] = "";
    unsigned action = command->dword10 & 0xf, kind = command->dword10 >> 8 & 7,
             id = command->dword10 >> 16, count = command->dword11;
    const char *what = kind == NVME_QUEUES       ? "queues"
                       : kind == NVME_INTERRUPTS ? "interrupts"
                                                 : "reserved resources";
    if (command->opcode == NVME_VIRTUALIZATION_MANAGEMENT && action == NVME_SECONDARY_OFFLINE)
        snprintf(text, sizeof text, "offline %u", id);
    else if (command->opcode == NVME_VIRTUALIZATION_MANAGEMENT && action == NVME_SECONDARY_ONLINE)
        snprintf(text, sizeof text, "online %u", id);
    else if (command->opcode == NVME_VIRTUALIZATION_MANAGEMENT)
        snprintf(text, sizeof text, "%s %u %s to %u",
                 action == NVME_SECONDARY_ASSIGN   ? "assign"
                 : action == NVME_PRIMARY_ALLOCATE ? "allocate"
                                                   : "a reserved action with",
                 count, what, id);
    else if (command->opcode == NVME_NAMESPACE_ATTACHMENT)
        snprintf(text, sizeof text, "%s namespace %u", action == NVME_ATTACH ? "attach" : "detach",
                 command->namespace);
    else if ((command->dword10 & 0xff) == NVME_ID_SECONDARIES)
        snprintf(text, sizeof text, "list");
    else
        return;
    snprintf(trace + used, sizeof trace - used, "%s%s", used != 0 ? ", " : "", text);
}

__attribute__((unused)) static void trace_begin(void)
{
    trace[0] = '\0';
    wrong.meanwhile = note;
}

/* Why the latest action was refused, if it was. */
__attribute__((unused)) static const char *refused_action(void)
{
    static char text[300];
    static const struct {
        unsigned code;
        const char *name;
    } codes[] = {
        {0x11f, "Invalid Controller Identifier: of a secondary controller, or for action 1h the "
                "primary's own"},
        {0x120, "Invalid Secondary Controller State: resources are assigned while it is offline, "
                "and it goes online with "
                "at least two queue pairs and an interrupt"},
        {0x121, "Invalid Number of Controller Resources: no more than VQFRSM or VIFRSM, nor than "
                "are left"},
        {0x122, "Invalid Resource Identifier: 0 is VQ, 1 is VI"},
        {0x002, "Invalid Field in Command"},
    };
    const struct managed *last =
        managements != 0 ? &managed[(managements - 1) % ARRAY_SIZE(managed)] : NULL;
    if (last == NULL || last->code == 0)
        return "";
    const char *name = "a status of its own";
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
        if (codes[i].code == last->code)
            name = codes[i].name;
    snprintf(
        text, sizeof text,
        "; Virtualization Management, action %xh, %s, controller %u, count %u, got status %#x, %s "
        "(5.39, 8.26.3)",
        last->action, kind_name(last->kind), last->id, last->count, last->code, name);
    return text;
}

/* Compares the trace with the commands that are wanted, and says the rule of the first that
 * differs. */
__attribute__((unused)) static void expect_trace(const char *wanted)
{
    static const char *const rules[][2] = {
        {"offline",
         "resources are assigned to an offline controller, and 7h takes what it had (8.26.3)"},
        {"detach", "what the last guest attached to it goes while nobody runs there, its own "
                   "namespace as well"},
        {"assign", "queues, then interrupts, before it goes online (8.26.1, 8.26.2)"},
        {"allocate",
         "action 1h with 0: what the primary controller keeps no secondary one can get (8.26.1)"},
        {"online", "9h comes when both kinds of resources are assigned (8.26.3)"},
        {"list",
         "the Secondary Controller List is read again: a status of success is not what it has"},
        {"attach",
         "the namespace comes last: a controller that did not come online as it should gets none"},
    };
    if (strcmp(trace, wanted) == 0)
        return;
    const char *at = first_difference(wanted, trace);
    const char *why = "nothing more is to be asked here";
    for (size_t i = 0; i < ARRAY_SIZE(rules) && *at != '\0'; i++)
        if (strncmp(at, rules[i][0], strlen(rules[i][0])) == 0)
            why = rules[i][1];
    is_wrong("%s: wanted [%s], got [%s]; %.*s%s%s%s", doing, wanted, trace, (int)strcspn(at, ","),
             at, what_became_of(at, trace), why, refused_action());
}
