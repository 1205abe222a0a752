/* SPDX-License-Identifier: MIT */
#include "hypervisor/x86/exceptions.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/machine_check.h"

#define MAX_FRAMES 16

extern const uint8_t msr_read_safe_access[], msr_write_safe_access[], memory_read_safe_access[];
extern const uint8_t safe_access_failed[];
extern const uint8_t cpu_wait_window[], cpu_wait_window_end[];

static const struct {
    const char *name;
    const char *meaning;
} exceptions[FIRST_INTERRUPT_VECTOR] = {
    [0] = {"#DE", "division error"},
    [1] = {"#DB", "debug"},
    [3] = {"#BP", "breakpoint"},
    [4] = {"#OF", "overflow"},
    [5] = {"#BR", "bound range exceeded"},
    [6] = {"#UD", "undefined instruction"},
    [7] = {"#NM", "floating point is not available"},
    [8] = {"#DF", "double fault"},
    [10] = {"#TS", "invalid task state"},
    [11] = {"#NP", "segment not present"},
    [12] = {"#SS", "stack segment"},
    [13] = {"#GP", "general protection"},
    [14] = {"#PF", "page fault"},
    [16] = {"#MF", "floating point"},
    [17] = {"#AC", "alignment check"},
    [18] = {"#MC", "machine check: the hardware reports an error of its own"},
    [19] = {"#XM", "SIMD floating point"},
    [20] = {"#VE", "virtualization"},
    [21] = {"#CP", "control protection"},
    [29] = {"#VC", "VMM communication"},
    [30] = {"#SX", "security"},
};

/* Instructions that may fault: they continue at safe_access_failed. */
static const uint8_t *const safe_accesses[] = {
    msr_read_safe_access,
    msr_write_safe_access,
    memory_read_safe_access,
};

struct nmi_window nmi_windows[NMI_WINDOWS] = {
    {(uintptr_t)cpu_wait_window, (uintptr_t)cpu_wait_window_end, (uintptr_t)cpu_wait_window_end},
};

bool (*exceptions_is_guard)(uintptr_t address);
void (*exceptions_report)(void);
/* Faults of each core so far: the second may come from what shows the log, the third then does. */
static volatile uint8_t faults[CPU_MAX];

/* Nothing in here may fault: an exception's IRET would let the next NMI in on this very stack. */
static void nmi_handle(struct trap_frame *frame)
{
    cpu_current()->nmi_count++;
    for (size_t i = 0; i < NMI_WINDOWS; i++)
        if (frame->rip >= nmi_windows[i].begin && frame->rip < nmi_windows[i].end)
            frame->rip = nmi_windows[i].resume;
}

static bool continue_safe_access(struct trap_frame *frame)
{
    if (frame->vector != VECTOR_GENERAL_PROTECTION && frame->vector != VECTOR_PAGE_FAULT)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(safe_accesses); i++) {
        if (frame->rip != (uintptr_t)safe_accesses[i])
            continue;
        frame->rip = (uintptr_t)safe_access_failed;
        return true;
    }
    return false;
}

/* SDM 3A 5.7 Page-Fault Error Code. */
static void describe_page_fault(char *text, size_t size, uint64_t error, bool guard)
{
    const char *access = (error & BIT(4)) != 0 ? "fetch" : (error & BIT(1)) != 0 ? "write" : "read";
    const char *page = (error & BIT(3)) != 0   ? "reserved-bits"
                       : (error & BIT(0)) != 0 ? "protected"
                                               : "not-present";
    format_text(text, size, " access=%s page=%s guard=%s", access, page, guard ? "yes" : "no");
}

static void log_backtrace(const struct trap_frame *frame)
{
    char text[MAX_FRAMES * 20 + 1] = "";
    size_t used = 0;
    uint64_t base = frame->rbp;
    for (unsigned i = 0; i < MAX_FRAMES && base != 0; i++) {
        uint64_t next, address;
        if (!IS_ALIGNED(base, 8) || !memory_read_safe(base + 8, &address) ||
            !memory_read_safe(base, &next))
            break;
        used += format_text(text + used, sizeof text - used, "%s%#lx", i == 0 ? "" : ",", address);
        /* Callers' frames lie at higher addresses; anything else is not a stack. */
        if (next <= base)
            break;
        base = next;
    }
    log_panic("cpu.backtrace", "core=%u frames=%s", cpu_current()->index, text);
}

static void log_registers(const struct trap_frame *frame)
{
    const struct {
        const char *name;
        uint64_t value;
    } registers[] = {
        {"rax", frame->rax}, {"rbx", frame->rbx}, {"rcx", frame->rcx},       {"rdx", frame->rdx},
        {"rsi", frame->rsi}, {"rdi", frame->rdi}, {"rbp", frame->rbp},       {"rsp", frame->rsp},
        {"r8", frame->r8},   {"r9", frame->r9},   {"r10", frame->r10},       {"r11", frame->r11},
        {"r12", frame->r12}, {"r13", frame->r13}, {"r14", frame->r14},       {"r15", frame->r15},
        {"cr3", cr3_read()}, {"cr4", cr4_read()}, {"rflags", frame->rflags},
    };
    char text[ARRAY_SIZE(registers) * 24];
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
        used += format_text(text + used, sizeof text - used, " %s=%#lx", registers[i].name,
                            registers[i].value);
    log_panic("cpu.registers", "core=%u%s", cpu_current()->index, text);
}

static NO_RETURN void exception_panic(const struct trap_frame *frame)
{
    struct cpu *cpu = cpu_current();
    const char *name = exceptions[frame->vector].name;
    const char *meaning = exceptions[frame->vector].meaning;
    uint64_t address = cr2_read();
    cpu->state = CPU_FAILED;
    if (faults[cpu->index] == 2)
        cpu_halt_forever();
    bool nested = faults[cpu->index]++ != 0;

    char page_fault[64] = "";
    bool guard = false;
    /* A stack overflow becomes a double fault; CR2 still tells where. */
    if (!nested && (frame->vector == VECTOR_PAGE_FAULT || frame->vector == VECTOR_DOUBLE_FAULT)) {
        guard = exceptions_is_guard != NULL && exceptions_is_guard(address);
        describe_page_fault(page_fault, sizeof page_fault,
                            frame->vector == VECTOR_PAGE_FAULT ? frame->error : BIT(1), guard);
    }
    const char *what = guard ? "stack overflow" : meaning != NULL ? meaning : "unnamed exception";
    log_panic("cpu.exception",
              "core=%u vector=%u name=%s error=%#lx rip=%#lx rsp=%#lx cr2=%#lx%s message=\"%s in "
              "the hypervisor; %s\"",
              cpu->index, (unsigned)frame->vector, name != NULL ? name : "reserved", frame->error,
              frame->rip, frame->rsp, address, page_fault, what,
              cpu->index == 0 ? "the control core stops and the monitor with it: reset the machine"
                              : "this core stops, the others go on");
    if (cpu->index == 0)
        machine_check_report(true);
    if (!nested) {
        log_registers(frame);
        log_backtrace(frame);
        if (exceptions_report != NULL)
            exceptions_report();
    }
    cpu_halt_forever();
}

/* Called by vectors.asm. */
void trap_handle(struct trap_frame *frame);
void trap_handle(struct trap_frame *frame)
{
    if (frame->vector == VECTOR_NMI)
        nmi_handle(frame);
    else if (frame->vector >= FIRST_INTERRUPT_VECTOR)
        interrupt_handle(frame);
    else if (frame->vector == VECTOR_MACHINE_CHECK
                 ? machine_check_take(MACHINE_CHECK_IN_HYPERVISOR) != MACHINE_CHECK_HARMLESS
                 : !continue_safe_access(frame))
        exception_panic(frame);
}
