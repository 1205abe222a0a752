/* SPDX-License-Identifier: MIT */
#include "guest/multiboot/talk.h"

#include <stdbool.h>
#include <stddef.h>

#define PORT_SERIAL 0x3f8
#define LINE_STATUS 5
#define RECEIVED    0x01
#define TRANSMITTER 0x20

#define LINE_SIZE 80
#define KEY_ERASE 0x7f
#define KEY_KILL  0x15 /* Ctrl-U */

/* The local APIC, in x2APIC mode from the start (SDM 3A 11.12.1.2) */
#define APIC_END      0x80bu
#define APIC_SPURIOUS 0x80fu
#define APIC_TIMER    0x832u
#define APIC_INITIAL  0x838u
#define APIC_DIVIDE   0x83eu
#define APIC_ENABLED  0x1ffu
#define DIVIDE_BY_1   0xbu
#define VECTOR_TICK   0x40u
#define TICK          20000000u /* bus clocks: 20 ms where there are 1000 in a microsecond */

#define CODE_SELECTOR  8
#define INTERRUPT_GATE 0x8e00u

struct gate {             /* SDM 3A 6.11 */
    uint16_t offset_low;  /* 0x0 */
    uint16_t selector;    /* 0x2 */
    uint16_t attributes;  /* 0x4 */
    uint16_t offset_high; /* 0x6 */
};
_Static_assert(sizeof(struct gate) == 8, "32-bit interrupt gate");

struct table {      /* SDM 3A 2.4.1, 2.4.3 */
    uint16_t limit; /* 0x0 */
    uint32_t base;  /* 0x2 */
} __attribute__((packed));
_Static_assert(sizeof(struct table) == 6, "operand of LGDT and LIDT");

struct interrupt_frame;

static struct gate gates[VECTOR_TICK + 1];
static const uint64_t segments[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff}; /* flat */

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void msr_write(uint32_t msr, uint32_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0));
}

void put(char character)
{
    while ((in8(PORT_SERIAL + LINE_STATUS) & TRANSMITTER) == 0)
        ;
    out8(PORT_SERIAL, (uint8_t)character);
}

void say(const char *text)
{
    while (*text != '\0')
        put(*text++);
}

void say_number(uint32_t value)
{
    char digits[10];
    unsigned count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (count > 0)
        put(digits[--count]);
}

/* --- a clock that ends HLT --- */

__attribute__((interrupt)) static void tick(volatile struct interrupt_frame *frame)
{
    (void)frame;
    __asm__ volatile("wrmsr" : : "c"(APIC_END), "a"(0), "d"(0));
}

static void clock_start(void)
{
    struct table gdt = {sizeof segments - 1, (uint32_t)(uintptr_t)segments};
    struct table idt = {sizeof gates - 1, (uint32_t)(uintptr_t)gates};
    uint32_t handler = (uint32_t)(uintptr_t)tick;
    gates[VECTOR_TICK] =
        (struct gate){(uint16_t)handler, CODE_SELECTOR, INTERRUPT_GATE, (uint16_t)(handler >> 16)};
    __asm__ volatile("lgdt %0; ljmp %2, $1f; 1: lidt %1"
                     :
                     : "m"(gdt), "m"(idt), "i"(CODE_SELECTOR)
                     : "memory");
    msr_write(APIC_SPURIOUS, APIC_ENABLED);
    msr_write(APIC_DIVIDE, DIVIDE_BY_1);
    msr_write(APIC_TIMER, VECTOR_TICK);
}

static char key(void)
{
    while ((in8(PORT_SERIAL + LINE_STATUS) & RECEIVED) == 0) {
        msr_write(APIC_INITIAL, TICK);
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    }
    return (char)in8(PORT_SERIAL);
}

/* --- lines --- */

static void read_line(char *line)
{
    size_t used = 0;
    say("> ");
    for (;;) {
        char typed = key();
        if (typed == '\r' || typed == '\n')
            break;
        if (typed >= ' ' && typed <= '~' && used + 1 < LINE_SIZE) {
            line[used++] = typed;
            put(typed);
        }
        for (; used > 0 && (typed == '\b' || typed == KEY_ERASE || typed == KEY_KILL); used--) {
            say("\b \b");
            if (typed != KEY_KILL)
                typed = 0;
        }
    }
    line[used] = '\0';
    say("\n");
}

/* What stands behind the word `name`, NULL if the line begins with another. */
static const char *after(const char *line, const char *name)
{
    for (; *name != '\0'; name++, line++)
        if (*line != *name)
            return NULL;
    if (*line != ' ' && *line != '\0')
        return NULL;
    while (*line == ' ')
        line++;
    return line;
}

/* Decimal, or hexadecimal behind 0x; false for anything else, and for what 32 bits do not hold. */
static bool number(const char *text, uint32_t *value)
{
    uint32_t base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    uint64_t sum = 0;
    text += base == 16 ? 2 : 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint32_t digit = *text >= '0' && *text <= '9'   ? (uint32_t)(*text - '0')
                         : *text >= 'a' && *text <= 'f' ? (uint32_t)(*text - 'a') + 10
                                                        : base;
        sum = sum * base + digit;
        if (digit >= base || sum > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)sum;
    return true;
}

static void read_byte(const char *text)
{
    uint32_t address;
    if (!number(text, &address)) {
        say("usage: read ADDRESS, decimal or 0x and hexadecimal digits, below 4 GiB\n");
        return;
    }
    say("the byte at ");
    say(text);
    say(" is ");
    say_number(*(const volatile uint8_t *)(uintptr_t)address);
    say("\n");
}

static void answer(const char *line)
{
    const char *rest = after(line, "read");
    size_t length = 0;
    if (rest != NULL) {
        read_byte(rest);
        return;
    }
    while (line[length] != '\0')
        length++;
    if (length != 0) {
        say("you typed ");
        say_number((uint32_t)length);
        say(length == 1 ? " character: " : " characters: ");
        say(line);
        say("\n");
    }
}

uint32_t talk(void)
{
    char line[LINE_SIZE];
    uint32_t status;
    clock_start();
    say("type to me: `read ADDRESS` reads a byte, `exit STATUS` ends me\n");
    for (;;) {
        read_line(line);
        const char *rest = after(line, "exit");
        if (rest != NULL && number(*rest != '\0' ? rest : "0", &status))
            return status;
        if (rest != NULL)
            say("usage: exit [STATUS]\n");
        else
            answer(line);
    }
}
