/* SPDX-License-Identifier: MIT */
#include "tests/labs/checks/check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/support/host.h"

static char question[200] = "the check";
static unsigned seed;

void asking(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(question, sizeof question, format, arguments);
    va_end(arguments);
    printf("asked: %s\n", question); /* for what a sanitizer finds: it does not say in which call */
}

/* A verdict is a line. Of a log in it, the first and the last say most. */
static void print_in_one_line(char *text)
{
    size_t length = strlen(text);
    while (length != 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    char *last = strrchr(text, '\n');
    text[strcspn(text, "\n")] = '\0';
    printf("wrong: %s", text);
    if (last != NULL && strncmp(last + 1, "lab.todo", 8) != 0)
        printf(" ... %s", last + 1);
}

_Noreturn void is_wrong(const char *format, ...)
{
    static char text[1 << 16];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_in_one_line(text);
    const char *missing = strstr(host_log_text(), "lab.todo");
    if (missing != NULL)
        printf(" [%.*s]", (int)strcspn(missing, "\n"), missing);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

unsigned seeded(const char *name, unsigned least, unsigned most, unsigned usual)
{
    if (seed == 0)
        return usual;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ seed; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    hash ^= hash >> 29;
    return least + (unsigned)(hash % (most - least + 1u));
}

static void out_of_time(int number)
{
    (void)number;
    static const char begin[] = "wrong: ", end[] = " does not return: a loop that never ends\n";
    ssize_t written = write(1, begin, sizeof begin - 1);
    written += write(1, question, strlen(question));
    written += write(1, end, sizeof end - 1);
    _exit(written > 0);
}

int main(void)
{
    char nonce[80] = "";
    const char *given = getenv("LAB_NONCE"), *limit = getenv("LAB_LIMIT"),
               *number = getenv("LAB_SEED");
    if (given != NULL)
        snprintf(nonce, sizeof nonce, "%s", given);
    if (number != NULL)
        seed = (unsigned)strtoul(number, NULL, 10);
    signal(SIGALRM, out_of_time);
    alarm(limit != NULL ? (unsigned)atoi(limit) : 60);
    clearenv();
    setvbuf(stdout, NULL, _IOLBF, 0);
    lab_check();
    printf("right %s\n", nonce);
    return 0;
}
