/* SPDX-License-Identifier: MIT */
#include "guest/runtime/runtime.h"

#include <stdarg.h>

#include "hypervisor/abi/calls.h"

struct start_info { /* PVH, version 1 */
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
};

struct memory_map_entry {
    uint64_t base, size;
    uint32_t type, reserved;
};

struct gate { /* SDM 3A 6.14.1 */
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "64-bit interrupt gate");

extern char image_end[];
extern const uint64_t interrupt_stubs[256];
static const struct start_info *start;
static uint32_t call_instruction; /* ABI_CALL_*, 0 on the bare machine */
static uint64_t tsc_khz = 1000000;
static uint64_t tsc_start;
static uintptr_t next_free;
static struct gate gates[256];
static void (*handlers[256])(void);

uint64_t runtime_rsdp(void); /* kept for pci.c */

uint64_t runtime_rsdp(void)
{
    return start->rsdp;
}

/* --- the few instructions C cannot say --- */

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]),
                       "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

static uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

uint64_t time_stamp(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t port_read(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static int64_t guest_call(uint64_t number, uint64_t first, uint64_t second)
{
    int64_t result = (int64_t)number;
    if (call_instruction == ABI_CALL_VMCALL)
        __asm__ volatile("vmcall" : "+a"(result) : "D"(first), "S"(second) : "memory");
    else if (call_instruction == ABI_CALL_VMMCALL)
        __asm__ volatile("vmmcall" : "+a"(result) : "D"(first), "S"(second) : "memory");
    else
        result = ABI_NO_SUCH_CALL;
    return result;
}

/* --- what the compiler may call --- */

void *memcpy(void *restrict destination, const void *restrict source, size_t size)
{
    void *result = destination;
    __asm__ volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(size) : : "memory");
    return result;
}

void *memset(void *destination, int value, size_t size)
{
    void *result = destination;
    __asm__ volatile("rep stosb" : "+D"(destination), "+c"(size) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const uint8_t *a = left, *b = right;
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* --- console --- */

static char line[512];
static size_t line_used;

static void put(char character)
{
    if (line_used < sizeof line)
        line[line_used++] = character;
}

static void put_number(uint64_t value, unsigned base, unsigned width, char fill)
{
    char digits[24];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    for (unsigned i = count; i < width; i++)
        put(fill);
    while (count != 0)
        put(digits[--count]);
}

static void flush(void)
{
    if (call_instruction != 0) {
        (void)guest_call(ABI_CONSOLE_WRITE, (uint64_t)(uintptr_t)line, line_used);
    } else {
        for (size_t i = 0; i < line_used; i++) {
            for (unsigned wait = 0; (port_read(0x3fd) & 0x20) == 0 && wait < 100000; wait++)
                ;
            port_write(0x3f8, (uint8_t)line[i]);
        }
    }
    line_used = 0;
}

static const char *put_conversion(const char *format, va_list *arguments)
{
    unsigned width = 0, longs = 0;
    char fill = ' ';
    if (*format == '0') {
        fill = '0';
        format++;
    }
    while (*format >= '0' && *format <= '9')
        width = width * 10 + (unsigned)(*format++ - '0');
    while (*format == 'l') {
        longs++;
        format++;
    }
    uint64_t value;
    switch (*format) {
    case 'd': {
        int64_t number = longs != 0 ? va_arg(*arguments, long long) : va_arg(*arguments, int);
        if (number < 0)
            put('-');
        put_number(number < 0 ? (uint64_t)-number : (uint64_t)number, 10, width, fill);
        break;
    }
    case 'u':
    case 'x':
        value =
            longs != 0 ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned int);
        put_number(value, *format == 'u' ? 10 : 16, width, fill);
        break;
    case 's':
        for (const char *text = va_arg(*arguments, const char *); *text != '\0'; text++)
            put(*text);
        break;
    case 'c':
        put((char)va_arg(*arguments, int));
        break;
    default:
        put(*format);
        break;
    }
    return format;
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    for (; *format != '\0'; format++) {
        if (*format == '%' && format[1] != '\0')
            format = put_conversion(format + 1, &arguments);
        else
            put(*format);
    }
    va_end(arguments);
    flush();
}

void event(uint64_t value)
{
    (void)guest_call(ABI_EVENT, value, 0);
}

void guest_exit(int status)
{
    (void)guest_call(ABI_EXIT, (uint64_t)status, 0);
    if (call_instruction == 0)
        port_write(0xf4, (uint8_t)status);
    for (;;)
        __asm__ volatile("cli; hlt");
}

bool on_bare_machine(void)
{
    return call_instruction == 0;
}

/* --- arguments --- */

uint64_t number_parse(const char *text)
{
    uint64_t value = 0;
    unsigned base = 10;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    for (;; text++) {
        unsigned digit;
        if (*text >= '0' && *text <= '9')
            digit = (unsigned)(*text - '0');
        else if (*text >= 'a' && *text <= 'f')
            digit = (unsigned)(*text - 'a') + 10;
        else
            break;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    return value;
}

/* The text after "key=", up to the next blank. */
static const char *find(const char *key)
{
    const char *word = (const char *)(uintptr_t)start->command_line;
    while (word != NULL && *word != '\0') {
        size_t i = 0;
        while (key[i] != '\0' && word[i] == key[i])
            i++;
        if (key[i] == '\0' && word[i] == '=')
            return word + i + 1;
        while (*word != '\0' && *word != ' ')
            word++;
        while (*word == ' ')
            word++;
    }
    return NULL;
}

bool argument(const char *key, char *value, size_t size)
{
    const char *text = find(key);
    size_t i = 0;
    if (text == NULL)
        return false;
    for (; text[i] != '\0' && text[i] != ' '; i++) {
        if (i + 1 >= size)
            return false;
        value[i] = text[i];
    }
    value[i] = '\0';
    return true;
}

uint64_t argument_number(const char *key, uint64_t otherwise)
{
    const char *text = find(key);
    return text != NULL ? number_parse(text) : otherwise;
}

bool argument_item(const char *key, unsigned index, uint64_t *value)
{
    const char *text = find(key);
    for (; text != NULL && index != 0; index--) {
        while (*text != '\0' && *text != ' ' && *text != ',')
            text++;
        if (*text++ != ',')
            return false;
    }
    if (text == NULL)
        return false;
    *value = number_parse(text);
    return true;
}

/* --- memory --- */

uint64_t memory_size(void)
{
    const struct memory_map_entry *map =
        (const struct memory_map_entry *)(uintptr_t)start->memory_map;
    uint64_t end = 0;
    for (uint32_t i = 0; i < start->memory_map_count; i++)
        if (map[i].type == 1 && map[i].base < UINT64_C(0xb0000000) &&
            map[i].base + map[i].size > end)
            end = map[i].base + map[i].size;
    return end;
}

void *memory_take(size_t size)
{
    uintptr_t taken = (next_free + 0xfff) & ~(uintptr_t)0xfff;
    if (size > memory_size() || taken > memory_size() - size) {
        print("out of memory: %u bytes asked for\n", (unsigned)size);
        guest_exit(90);
    }
    next_free = taken + size;
    return memset((void *)taken, 0, size);
}

/* --- time --- */

uint64_t microseconds(void)
{
    return (time_stamp() - tsc_start) * 1000 / tsc_khz;
}

void wait_microseconds(uint64_t time)
{
    uint64_t end = microseconds() + time;
    while (microseconds() < end)
        __asm__ volatile("pause");
}

/* --- interrupts --- */

#define MSR_APIC_BASE      0x1b
#define MSR_APIC_ID        0x802
#define MSR_APIC_EOI       0x80b
#define MSR_APIC_SPURIOUS  0x80f
#define MSR_APIC_LVT_TIMER 0x832
#define MSR_APIC_INITIAL   0x838
#define MSR_APIC_CURRENT   0x839
#define MSR_APIC_DIVIDE    0x83e
#define VECTOR_SPURIOUS    0xff
#define GATE_INTERRUPT     0x8e00
#define SELECTOR_CODE      8

void runtime_interrupt(uint64_t vector);
void runtime_exception(uint64_t vector, uint64_t error, uint64_t rip);

void runtime_interrupt(uint64_t vector)
{
    if (handlers[vector & 0xff] != NULL)
        handlers[vector & 0xff]();
    if (vector != VECTOR_SPURIOUS)
        msr_write(MSR_APIC_EOI, 0);
}

void runtime_exception(uint64_t vector, uint64_t error, uint64_t rip)
{
    print("exception %u, error code 0x%llx, at 0x%llx\n", (unsigned)vector,
          (unsigned long long)error, (unsigned long long)rip);
    guest_exit(91);
}

static void interrupts_init(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t stub = interrupt_stubs[vector];
        gates[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SELECTOR_CODE,
            .attributes = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {sizeof gates - 1, (uint64_t)(uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
    uint64_t base = msr_read(MSR_APIC_BASE);
    if ((base & 0xc00) != 0xc00) /* the bare machine starts in xAPIC mode */
        msr_write(MSR_APIC_BASE, base | 0xc00);
    msr_write(MSR_APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
}

void interrupt_handle(uint8_t vector, void (*handler)(void))
{
    handlers[vector] = handler;
}

void interrupts_on(void)
{
    __asm__ volatile("sti" : : : "memory");
}

void interrupts_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

void interrupt_wait(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

uint32_t own_apic_id(void)
{
    return (uint32_t)msr_read(MSR_APIC_ID);
}

/* The APIC timer's frequency is measured once, against the TSC. */
static uint64_t timer_khz(void)
{
    static uint64_t khz;
    if (khz == 0) {
        msr_write(MSR_APIC_DIVIDE, 0xb); /* by 1 */
        msr_write(MSR_APIC_LVT_TIMER, 0x10000);
        uint64_t from = microseconds();
        msr_write(MSR_APIC_INITIAL, UINT32_MAX);
        wait_microseconds(2000);
        /* An emulator's core may be held up here: what counts is the time that really passed. */
        khz = (UINT32_MAX - msr_read(MSR_APIC_CURRENT)) * 1000 / (microseconds() - from);
        khz += khz == 0;
    }
    return khz;
}

void timer_once(uint8_t vector, uint64_t time)
{
    uint64_t count = timer_khz() * time / 1000;
    if ((uint8_t)msr_read(MSR_APIC_LVT_TIMER) != vector) { /* of this core; only writing exits */
        msr_write(MSR_APIC_DIVIDE, 0xb);
        msr_write(MSR_APIC_LVT_TIMER, vector);
    }
    msr_write(MSR_APIC_INITIAL, count == 0 ? 1 : count > UINT32_MAX ? UINT32_MAX : count);
}

#define VECTOR_SLEEP 0xfe

static void wake(void)
{
}

void sleep_microseconds(uint64_t time)
{
    uint64_t end = microseconds() + time;
    interrupt_handle(VECTOR_SLEEP, wake);
    for (uint64_t now; (now = microseconds()) < end;) {
        timer_once(VECTOR_SLEEP, end - now);
        interrupt_wait();
    }
}

/* --- start --- */

void runtime_main(const struct start_info *info);

void runtime_main(const struct start_info *info)
{
    static const char signature[12] = ABI_SIGNATURE;
    uint32_t registers[4];
    start = info;
    tsc_start = time_stamp();
    next_free = (uintptr_t)image_end;
    cpuid(ABI_CPUID_SIGNATURE, registers);
    if (memcmp(&registers[1], signature, sizeof signature) == 0) {
        cpuid(ABI_CPUID_FEATURES, registers);
        call_instruction = registers[2];
        if (registers[1] != 0)
            tsc_khz = registers[1];
    }
    interrupts_init();
    if (on_bare_machine()) { /* firmware's timer would come as exception 8: mask both 8259A */
        port_write(0x21, 0xff);
        port_write(0xa1, 0xff);
    }
    guest_exit(guest_main());
}
