/* SPDX-License-Identifier: MIT */
/*
 * Instructions in each mode: as they are, with single-stepping, and with RF set and a breakpoint on
 * what follows. Whatever they end with is a line.
 */
#include "guest/architecture/probes.h"

#define K64  1u
#define U64  2u
#define K32  4u
#define U32  8u
#define K16  16u
#define LONG (K64 | U64)
#define FLAT (K32 | U32)
#define KERN (K64 | K32)
#define USER (U64 | U32)
#define ALL  (LONG | FLAT)
#define EACH (ALL | K16)

#define LOOK 1u /* print RAX, RCX, RDX, RSI, RDI */
#define ONCE 2u /* not with TF or RF: it changes what the probe stands on */
#define CARE 4u /* not in QEMU, which lets the machine end that way */

struct instruction {
    const char *name;
    uint32_t modes;
    const char *code;
    uint8_t length;
    uint8_t options;
    uint64_t rax, rcx, rdx;
    uint64_t rsi; /* 0: the data page of the mode */
    uint64_t rbp;
};

#define MSR_EFER 0xc0000080

#define CODE(bytes) .code = bytes, .length = sizeof(bytes) - 1

/* clang-format off */
static const struct instruction instructions[] = {
    /* interrupts and exceptions by instruction */
    {"nop", EACH, CODE("\x90")},
    {"int3", EACH, CODE("\xcc")},
    {"int1", EACH, CODE("\xf1")},
    {"into-clear", EACH, CODE("\xce")},
    {"into-set", FLAT | K16, CODE("\xb0\x7f\xfe\xc0\xce")},
    {"int-21", EACH, CODE("\xcd\x21")},
    {"int-2", EACH, CODE("\xcd\x02")},
    {"int-3", EACH, CODE("\xcd\x03")},
    {"int-8", EACH, CODE("\xcd\x08")},
    {"int-d", EACH, CODE("\xcd\x0d")},
    {"int-e", EACH, CODE("\xcd\x0e")},
    {"int-80", EACH, CODE("\xcd\x80")},
    {"int-ff", EACH, CODE("\xcd\xff")},
    {"bound-in", FLAT, CODE("\x62\x06")},
    {"bound-out", FLAT, CODE("\x62\x06"), .rax = 0x80000000},
    {"ud2", EACH, CODE("\x0f\x0b")},
    {"ud0", EACH, CODE("\x0f\xff\xc0")},
    {"ud1", EACH, CODE("\x0f\xb9\xc0")},
    {"lock-nop", EACH, CODE("\xf0\x90")},
    {"lock-add-register", EACH, CODE("\xf0\x01\xc0")},
    {"lock-add-memory", ALL, CODE("\xf0\x01\x06")},
    {"aaa", ALL, CODE("\x37")},
    {"push-cs", ALL, CODE("\x0e")},
    {"salc", ALL, CODE("\xd6")},
    {"far-jump-direct", LONG, CODE("\xea\x00\x00\x00\x00\x08\x00")},
    {"div-zero", EACH, CODE("\xf6\xf1")},
    {"div-overflow", EACH, CODE("\xf6\xf1"), .rax = 0x1000, .rcx = 1},
    {"idiv-overflow", ALL, CODE("\xf7\xf9"), .rax = 0x80000000, .rcx = 0xffffffff, .rdx = 0xffffffff},
    {"aam-zero", FLAT, CODE("\xd4\x00")},

    /* flags */
    {"pushf-pop", EACH, CODE("\x9c\x58"), .options = LOOK},
    {"popf-nothing", EACH, CODE("\x6a\x02\x9d")},
    {"popf-if", ALL, CODE("\x68\x02\x32\x00\x00\x9d\x9c\x58\xfa"), .options = LOOK},
    {"popf-tf", LONG | FLAT, CODE("\x68\x02\x01\x00\x00\x9d\x90\x90")},
    {"popf-rf", ALL, CODE("\x68\x02\x00\x01\x00\x9d\x9c\x58"), .options = LOOK},
    {"popf-id", ALL, CODE("\x68\x02\x00\x20\x00\x9d\x9c\x58"), .options = LOOK},
    {"popf-all", LONG, CODE("\x68\xd7\xfe\x7f\x7f\x9d\x9c\x58"), .options = LOOK},
    {"popf-nt", ALL, CODE("\x68\x02\x40\x00\x00\x9d\x9c\x58"), .options = LOOK},
    {"popf-vm", ALL, CODE("\x68\x02\x00\x02\x00\x9d\x9c\x58"), .options = LOOK},
    {"popf-ac", ALL, CODE("\x68\x02\x00\x04\x00\x9d\x9c\x58"), .options = LOOK},
    {"popf16", ALL, CODE("\x66\x68\x02\x01\x66\x9d\x90\x90")},
    {"cli", EACH, CODE("\xfa")},
    {"sti-cli", EACH, CODE("\xfb\xfa")},
    {"std-cld", EACH, CODE("\xfd\xfc")},
    {"lahf", ALL, CODE("\x9f"), .options = LOOK},
    {"iret-nt", LONG, CODE("\x68\x02\x40\x00\x00\x9d\x48\xcf")},
    {"mov-ss-nop", KERN | K16, CODE("\x8c\xd0\x8e\xd0\x90\x90")},
    {"mov-ss-cpuid", KERN, CODE("\x8c\xd0\x8e\xd0\x31\xc0\x0f\xa2")},
    {"mov-ss-then-cpuid", KERN, CODE("\x8c\xd3\x8e\xd3\x0f\xa2\x90")},
    {"mov-ss-then-rdmsr", KERN, CODE("\x8c\xd3\x8e\xd3\x0f\x32\x90"), .rcx = 0xc0000080},
    {"mov-ss-then-in", KERN, CODE("\x8c\xd3\x8e\xd3\xe4\x80\x90")},
    {"mov-ss-int3", KERN, CODE("\x8c\xd0\x8e\xd0\xcc")},
    {"mov-ss-int21", KERN, CODE("\x8c\xd0\x8e\xd0\xcd\x21")},
    {"mov-ss-ud2", KERN, CODE("\x8c\xd0\x8e\xd0\x0f\x0b")},
    {"mov-ss-mov-ss", KERN, CODE("\x8c\xd0\x8e\xd0\x8e\xd0\x90\x90")},
    {"sti-then-cpuid", KERN, CODE("\xfb\x0f\xa2\xfa")},
    {"sti-then-in", KERN, CODE("\xfb\xe4\x80\xfa")},

    /* x87 and SSE as reset leaves CR0 and CR4 */
    {"fninit", EACH, CODE("\xdb\xe3")},
    {"fwait", EACH, CODE("\x9b")},
    {"emms", ALL, CODE("\x0f\x77")},
    {"fnstsw", ALL, CODE("\xdf\xe0"), .options = LOOK},
    {"movups", ALL, CODE("\x0f\x10\x06")},
    {"fxsave-unaligned", ALL, CODE("\x0f\xae\x46\x01")},
    {"ldmxcsr-reserved", ALL, CODE("\x0f\xae\x16")},
    {"vzeroupper", ALL, CODE("\xc5\xf8\x77")},
    {"xgetbv-0", ALL, CODE("\x0f\x01\xd0"), .options = LOOK},
    {"xgetbv-1", ALL, CODE("\x0f\x01\xd0"), .rcx = 1},
    {"xgetbv-2", ALL, CODE("\x0f\x01\xd0"), .rcx = 2},
    {"xsetbv", ALL, CODE("\x0f\x01\xd1"), .rax = 1},
    {"xsave", ALL, CODE("\x0f\xae\x26"), .rax = 1},
    {"xrstor-unaligned", ALL, CODE("\x0f\xae\x6e\x04"), .rax = 1},
    {"xsaveopt", ALL, CODE("\x0f\xae\x36"), .rax = 1},
    {"xsaves", ALL, CODE("\x0f\xc7\x2e"), .rax = 1},
    {"xrstors", ALL, CODE("\x0f\xc7\x1e"), .rax = 1},

    /* what only ring 0 may do, or what exits */
    {"hlt", USER, CODE("\xf4")},
    {"cpuid-0", EACH, CODE("\x0f\xa2")},
    {"cpuid-80000000", ALL, CODE("\x0f\xa2"), .rax = 0x80000000},
    {"cpuid-66", ALL, CODE("\x66\x0f\xa2")},
    {"cpuid-rex", LONG, CODE("\x48\x0f\xa2")},
    {"cpuid-rep", ALL, CODE("\xf3\x0f\xa2")},
    {"cpuid-lock", ALL, CODE("\xf0\x0f\xa2")},
    {"cpuid-cpuid", ALL, CODE("\x0f\xa2\x31\xc0\x0f\xa2")},
    {"rdtsc", EACH, CODE("\x0f\x31")},
    {"rdtscp", ALL, CODE("\x0f\x01\xf9")},
    {"rdpid", ALL, CODE("\xf3\x0f\xc7\xf8")},
    {"rdpmc", ALL, CODE("\x0f\x33")},
    {"rdpmc-far", ALL, CODE("\x0f\x33"), .rcx = 0x40000010},
    {"in-8-immediate", EACH, CODE("\xe4\x80")},
    {"in-16", ALL, CODE("\x66\xed"), .rdx = 0x80},
    {"in-32", EACH, CODE("\xed"), .rdx = 0x80},
    {"in-rex", LONG, CODE("\x48\xed"), .rdx = 0x80},
    {"out-8", EACH, CODE("\xe6\x80")},
    {"out-32", ALL, CODE("\xef"), .rdx = 0x80},
    {"in-in", ALL, CODE("\xe4\x80\xe4\x80")},
    {"insb", ALL, CODE("\x6c"), .rdx = 0x80},
    {"outsb", ALL, CODE("\x6e"), .rdx = 0x80},
    {"rep-insb-none", ALL, CODE("\xf3\x6c"), .rdx = 0x80},
    {"rdmsr-efer", EACH, CODE("\x0f\x32"), .rcx = 0xc0000080},
    {"rdmsr-pat", ALL, CODE("\x0f\x32"), .rcx = 0x277, .options = LOOK},
    {"rdmsr-nowhere", EACH, CODE("\x0f\x32"), .rcx = 0xdeadbeef},
    {"rdmsr-high", ALL, CODE("\x0f\x32"), .rcx = 0x5fff},
    {"wrmsr-nowhere", EACH, CODE("\x0f\x30"), .rcx = 0xdeadbeef},
    {"wrmsr-efer-reserved", ALL, CODE("\x0f\x30"), .rcx = 0xc0000080, .rax = 0xffffffff},
    {"wrmsr-lstar", ALL, CODE("\x0f\x30"), .rcx = 0xc0000082},
    {"wrmsr-pat-reserved", ALL, CODE("\x0f\x30"), .rcx = 0x277, .rax = 0x02020202},
    {"mov-from-cr0", ALL, CODE("\x0f\x20\xc0")},
    {"mov-from-cr1", ALL, CODE("\x0f\x20\xc8")},
    {"mov-from-cr2", ALL, CODE("\x0f\x20\xd0")},
    {"mov-from-cr3", ALL, CODE("\x0f\x20\xd8")},
    {"mov-from-cr4", ALL, CODE("\x0f\x20\xe0")},
    {"mov-from-cr5", ALL, CODE("\x0f\x20\xe8")},
    {"mov-from-cr7", ALL, CODE("\x0f\x20\xf8")},
    {"mov-from-cr8", LONG, CODE("\x44\x0f\x20\xc0"), .options = LOOK},
    {"mov-from-cr9", LONG, CODE("\x44\x0f\x20\xc8")},
    {"mov-from-cr15", LONG, CODE("\x44\x0f\x20\xf8")},
    {"mov-to-cr0", USER, CODE("\x0f\x22\xc0")},
    {"mov-to-cr1", ALL, CODE("\x0f\x22\xc8")},
    {"mov-to-cr2", ALL, CODE("\x0f\x22\xd0"), .rax = 0x1234567},
    {"mov-to-cr3", USER, CODE("\x0f\x22\xd8")},
    {"mov-to-cr3-same", KERN, CODE("\x0f\x20\xd8\x0f\x22\xd8")},
    {"mov-to-cr4", USER, CODE("\x0f\x22\xe0")},
    {"mov-to-cr4-same", KERN, CODE("\x0f\x20\xe0\x0f\x22\xe0")},
    {"mov-to-cr0-same", KERN, CODE("\x0f\x20\xc0\x0f\x22\xc0")},
    {"mov-to-cr5", ALL, CODE("\x0f\x22\xe8")},
    {"mov-to-cr8", LONG, CODE("\x44\x0f\x22\xc0")},
    {"mov-to-cr8-reserved", LONG, CODE("\x44\x0f\x22\xc0"), .rax = 0x10},
    {"mov-to-cr9", LONG, CODE("\x44\x0f\x22\xc8")},
    {"mov-from-dr0", ALL, CODE("\x0f\x21\xc0")},
    {"mov-from-dr4", ALL, CODE("\x0f\x21\xe0"), .options = LOOK | ONCE},
    {"mov-from-dr6", ALL, CODE("\x0f\x21\xf0")},
    {"mov-from-dr7", ALL, CODE("\x0f\x21\xf8"), .options = LOOK | ONCE},
    {"mov-to-dr6-same", USER, CODE("\x0f\x23\xf0")},
    {"mov-from-dr8", LONG, CODE("\x44\x0f\x21\xc0")},
    {"clts", ALL, CODE("\x0f\x06")},
    {"smsw", ALL, CODE("\x0f\x01\xe0"), .options = LOOK},
    {"lmsw", ALL, CODE("\x0f\x01\xf0"), .rax = 1},
    {"sgdt", ALL, CODE("\x0f\x01\x06")},
    {"sidt", ALL, CODE("\x0f\x01\x0e")},
    {"sldt", ALL, CODE("\x0f\x00\xc0"), .options = LOOK},
    {"str", ALL, CODE("\x0f\x00\xc8"), .options = LOOK},
    {"lgdt-user", USER, CODE("\x0f\x01\x16")},
    {"lidt-user", USER, CODE("\x0f\x01\x1e")},
    {"lldt-null", ALL, CODE("\x0f\x00\xd0")},
    {"lldt-data", ALL, CODE("\x0f\x00\xd0"), .rax = DATA},
    {"lldt-beyond", ALL, CODE("\x0f\x00\xd0"), .rax = BEYOND},
    {"lldt", ALL, CODE("\x0f\x00\xd0"), .rax = LOCAL_TABLE},
    {"ltr-null", ALL, CODE("\x0f\x00\xd8"), .options = CARE},
    {"ltr-busy", ALL, CODE("\x0f\x00\xd8"), .rax = TASK},
    {"ltr-data", ALL, CODE("\x0f\x00\xd8"), .rax = DATA},
    {"invlpg", ALL, CODE("\x0f\x01\x3e")},
    {"invlpg-register", ALL, CODE("\x0f\x01\xf8")},
    {"invd", ALL, CODE("\x0f\x08")},
    {"wbinvd", ALL, CODE("\x0f\x09")},
    {"wbnoinvd", ALL, CODE("\xf3\x0f\x09")},
    {"swapgs", USER | K32, CODE("\x0f\x01\xf8")},
    {"swapgs-twice", K64, CODE("\x0f\x01\xf8\x0f\x01\xf8")},
    {"syscall-off", ALL, CODE("\x0f\x05")},
    {"sysret-off", ALL, CODE("\x0f\x07")},
    {"sysenter-off", ALL, CODE("\x0f\x34")},
    {"sysexit-off", ALL, CODE("\x0f\x35")},
    {"rsm", ALL, CODE("\x0f\xaa")},
    {"monitor", ALL, CODE("\x0f\x01\xc8")},
    {"mwait", USER, CODE("\x0f\x01\xc9")},
    {"monitorx", ALL, CODE("\x0f\x01\xfa")},
    {"mwaitx", USER, CODE("\x0f\x01\xfb")},
    {"getsec", ALL, CODE("\x0f\x37")},
    {"vmxon", ALL, CODE("\xf3\x0f\xc7\x36")},
    {"vmptrld", ALL, CODE("\x0f\xc7\x36")},
    {"vmclear", ALL, CODE("\x66\x0f\xc7\x36")},
    {"vmread", ALL, CODE("\x0f\x78\xc0")},
    {"vmwrite", ALL, CODE("\x0f\x79\xc0")},
    {"vmlaunch", ALL, CODE("\x0f\x01\xc2")},
    {"vmxoff", ALL, CODE("\x0f\x01\xc4")},
    {"vmfunc", ALL, CODE("\x0f\x01\xd4")},
    {"vmcall-user", USER, CODE("\x0f\x01\xc1")},
    {"vmmcall-user", USER, CODE("\x0f\x01\xd9")},
    {"invept", ALL, CODE("\x66\x0f\x38\x80\x06")},
    {"invvpid", ALL, CODE("\x66\x0f\x38\x81\x06")},
    {"invpcid-0", ALL, CODE("\x66\x0f\x38\x82\x06")},
    {"invpcid-4", ALL, CODE("\x66\x0f\x38\x82\x06"), .rax = 4},
    {"vmrun", ALL, CODE("\x0f\x01\xd8")},
    {"vmload", ALL, CODE("\x0f\x01\xda")},
    {"vmsave", ALL, CODE("\x0f\x01\xdb")},
    {"stgi", ALL, CODE("\x0f\x01\xdc")},
    {"clgi", ALL, CODE("\x0f\x01\xdd")},
    {"skinit", ALL, CODE("\x0f\x01\xde")},
    {"invlpga", ALL, CODE("\x0f\x01\xdf")},
    {"encls", ALL, CODE("\x0f\x01\xcf")},
    {"enclu", ALL, CODE("\x0f\x01\xd7")},
    {"rdpkru", ALL, CODE("\x0f\x01\xee")},
    {"wrpkru", ALL, CODE("\x0f\x01\xef")},
    {"serialize", ALL, CODE("\x0f\x01\xe8")},
    {"clac", ALL, CODE("\x0f\x01\xca")},
    {"stac", ALL, CODE("\x0f\x01\xcb")},
    {"rdfsbase", LONG, CODE("\xf3\x48\x0f\xae\xc0")},
    {"wrgsbase", LONG, CODE("\xf3\x48\x0f\xae\xd8")},
    {"tpause", ALL, CODE("\x66\x0f\xae\xf0")},
    {"umonitor", ALL, CODE("\xf3\x0f\xae\xf0")},
    {"clzero", ALL, CODE("\x0f\x01\xfc")},
    {"rdpru", ALL, CODE("\x0f\x01\xfd")},
    {"tdcall", ALL, CODE("\x66\x0f\x01\xcc")},
    {"clflush", ALL, CODE("\x0f\xae\x3e")},
    {"clflushopt", ALL, CODE("\x66\x0f\xae\x3e")},
    {"clwb", ALL, CODE("\x66\x0f\xae\x36")},
    {"pause", ALL, CODE("\xf3\x90")},
    {"prefetch-absent", ALL, CODE("\x0f\x18\x0e"), .rsi = PAGE_ABSENT},

    /* segments */
    {"ds-null", ALL, CODE("\x8e\xd8")},
    {"ds-beyond", ALL, CODE("\x8e\xd8"), .rax = BEYOND},
    {"ds-absent", ALL, CODE("\x8e\xd8"), .rax = NOT_PRESENT},
    {"ds-execute-only", ALL, CODE("\x8e\xd8"), .rax = EXECUTE_ONLY},
    {"ds-task", ALL, CODE("\x8e\xd8"), .rax = TASK},
    {"ds-local", ALL, CODE("\x8e\xd8"), .rax = 0xc},
    {"ss-null", ALL, CODE("\x8e\xd0")},
    {"ss-null-3", ALL, CODE("\x8e\xd0"), .rax = 3},
    {"ss-code", ALL, CODE("\x8e\xd0"), .rax = CODE_64},
    {"ss-absent", KERN, CODE("\x8e\xd0"), .rax = NOT_PRESENT},
    {"ss-read-only", ALL, CODE("\x8e\xd0"), .rax = READ_ONLY},
    {"ss-other-ring", ALL, CODE("\x8e\xd0"), .rax = USER_DATA - 3},
    {"cs-move", ALL, CODE("\x8e\xc8")},
    {"lar-code", ALL, CODE("\x0f\x02\xc8"), .rax = CODE_64, .options = LOOK},
    {"lar-user", ALL, CODE("\x0f\x02\xc8"), .rax = USER_CODE_64, .options = LOOK},
    {"lar-gate", ALL, CODE("\x0f\x02\xc8"), .rax = GATE, .options = LOOK},
    {"lsl-small", ALL, CODE("\x0f\x03\xc8"), .rax = SMALL_DATA, .options = LOOK},
    {"lsl-task", ALL, CODE("\x0f\x03\xc8"), .rax = TASK, .options = LOOK},
    {"verr", ALL, CODE("\x0f\x00\xe0"), .rax = EXECUTE_ONLY},
    {"verw", ALL, CODE("\x0f\x00\xe8"), .rax = READ_ONLY},
    {"limit-small-in", FLAT, CODE("\x6a\x58\x1f\x8b\x81\xfc\x0f\x00\x00")},
    {"limit-small-out", FLAT, CODE("\x6a\x58\x1f\x8b\x81\xfd\x0f\x00\x00")},
    {"limit-small-write", FLAT, CODE("\x6a\x58\x1f\x89\x81\x00\x10\x00\x00")},
    {"limit-down-in", FLAT, CODE("\x6a\x60\x1f\x8b\x81\x00\x10\x00\x00")},
    {"limit-down-out", FLAT, CODE("\x6a\x60\x1f\x8b\x81\xff\x0f\x00\x00")},
    {"limit-read-only", FLAT, CODE("\x6a\x68\x1f\x89\x06")},
    {"limit-null", FLAT, CODE("\x6a\x00\x1f\x8b\x06")},
    {"limit-null-fs", FLAT, CODE("\x64\x8b\x06")},
    {"limit-stack-small", K32, CODE("\xb8\x58\x00\x00\x00\x8e\xd0\xbc\x02\x10\x00\x00\x50")},
    {"limit-code-16", K16, CODE("\x66\xe9\x00\x00\x01\x00")},
    {"limit-data-16", K16, CODE("\xa1\xff\xff")},
    {"far-null", FLAT, CODE("\x6a\x00\x6a\x00\xcb")},
    {"far-data", FLAT, CODE("\x6a\x10\x6a\x00\xcb")},
    {"far-absent", FLAT, CODE("\x68\x80\x00\x00\x00\x6a\x00\xcb")},
    {"far-beyond", FLAT, CODE("\x68\x00\x10\x00\x00\x6a\x00\xcb")},
    {"far-task", FLAT, CODE("\x6a\x48\x6a\x00\xcb")},
    {"far64-null", LONG, CODE("\x6a\x00\x6a\x00\x48\xcb")},
    {"far64-data", LONG, CODE("\x6a\x10\x6a\x00\x48\xcb")},
    {"far64-absent", LONG, CODE("\x68\x80\x00\x00\x00\x6a\x00\x48\xcb")},
    {"far64-beyond", LONG, CODE("\x68\x00\x10\x00\x00\x6a\x00\x48\xcb")},
    {"far64-task", LONG, CODE("\x6a\x48\x6a\x00\x48\xcb")},
    {"iret-zero", FLAT, CODE("\x6a\x00\x6a\x00\x6a\x00\xcf")},
    {"iret-data", FLAT, CODE("\x6a\x02\x6a\x10\x6a\x00\xcf")},
    {"iret64-zero", LONG, CODE("\x6a\x00\x6a\x00\x6a\x00\x6a\x00\x6a\x00\x48\xcf")},
    {"iret64-data", LONG, CODE("\x6a\x10\x6a\x00\x6a\x02\x6a\x10\x6a\x00\x48\xcf")},

    /* memory */
    {"read-absent", ALL, CODE("\x8b\x06"), .rsi = PAGE_ABSENT + 8},
    {"write-absent", ALL, CODE("\x89\x06"), .rsi = PAGE_ABSENT + 8},
    {"modify-absent", ALL, CODE("\xff\x06"), .rsi = PAGE_ABSENT + 8},
    {"read-kernel", ALL, CODE("\x8b\x06"), .rsi = PAGE_DATA},
    {"write-kernel", ALL, CODE("\x89\x06"), .rsi = PAGE_DATA},
    {"read-user", ALL, CODE("\x8b\x06"), .rsi = PAGE_USER_DATA},
    {"write-read-only", ALL, CODE("\x89\x06"), .rsi = PAGE_READ_ONLY},
    {"write-user-read-only", ALL, CODE("\x89\x06"), .rsi = PAGE_USER_READ},
    {"read-reserved", ALL, CODE("\x8b\x06"), .rsi = PAGE_RESERVED},
    {"write-reserved", ALL, CODE("\x89\x06"), .rsi = PAGE_RESERVED},
    {"execute-nx", ALL, CODE("\xff\xe6"), .rsi = PAGE_NO_EXECUTE},
    {"execute-user-nx", ALL, CODE("\xff\xe6"), .rsi = PAGE_USER_NX},
    {"execute-absent", ALL, CODE("\xff\xe6"), .rsi = PAGE_ABSENT},
    {"execute-reserved", ALL, CODE("\xff\xe6"), .rsi = PAGE_RESERVED},
    {"execute-kernel", USER, CODE("\xff\xe6"), .rsi = PAGE_CODE + 0x40},
    {"read-across", ALL, CODE("\x8b\x06"), .rsi = PAGE_ABSENT - 2},
    {"write-across", ALL, CODE("\x89\x06"), .rsi = PAGE_ABSENT - 2},
    {"push-absent", ALL, CODE("\x89\xf4\x50"), .rsi = PAGE_ABSENT + 4},
    {"pop-to-absent", ALL, CODE("\x8f\x06"), .rsi = PAGE_ABSENT},
    {"call-absent", ALL, CODE("\xff\xd6"), .rsi = PAGE_ABSENT},
    {"read-non-canonical", LONG, CODE("\x8b\x06"), .rsi = UINT64_C(1) << 47},
    {"write-non-canonical", LONG, CODE("\x89\x06"), .rsi = UINT64_C(0xffff7fffffffffff)},
    {"read-canonical-edge", LONG, CODE("\x8b\x06"), .rsi = (UINT64_C(1) << 47) - 2},
    {"read-byte-last", LONG, CODE("\x8a\x06"), .rsi = (UINT64_C(1) << 47) - 1},
    {"read-negative", LONG, CODE("\x8b\x06"), .rsi = UINT64_C(0xffff800000000000)},
    {"stack-non-canonical", LONG, CODE("\x8b\x45\x00"), .rbp = UINT64_C(1) << 47},
    {"push-non-canonical", LONG, CODE("\x48\x89\xec\x50"), .rbp = UINT64_C(1) << 48},
    {"pop-non-canonical", LONG, CODE("\x48\x89\xec\x58"), .rbp = UINT64_C(1) << 48},
    {"jump-non-canonical", LONG, CODE("\xff\xe6"), .rsi = UINT64_C(1) << 47},
    {"call-non-canonical", LONG, CODE("\xff\xd6"), .rsi = UINT64_C(1) << 47},
    {"invlpg-non-canonical", K64, CODE("\x0f\x01\x3e"), .rsi = UINT64_C(1) << 47},
    {"lgdt-non-canonical", K64, CODE("\x48\xb8\x00\x00\x00\x00\x00\x00\xf0\x70\x48\x89\x46\x02"
                                    "\x0f\x01\x16"), .options = CARE},
    {"lidt-non-canonical", K64, CODE("\x48\xb8\x00\x00\x00\x00\x00\x00\xf0\x70\x48\x89\x46\x02"
                                    "\x0f\x01\x1e"), .options = CARE},
    {"fxsave-non-canonical", LONG, CODE("\x0f\xae\x06"), .rsi = UINT64_C(1) << 47},
    {"cmpxchg16b-unaligned", LONG, CODE("\x48\x0f\xc7\x4e\x08")},
    {"movaps-unaligned", ALL, CODE("\x0f\x28\x46\x04")},
    {"rep-movsb", ALL, CODE("\xf3\xa4"), .rcx = 16, .options = LOOK},
    {"rep-movsb-into-absent", ALL, CODE("\x89\xf7\xbe\x00\x90\x00\x40\xf3\xa4"),
     .rcx = 16, .rsi = PAGE_ABSENT - 5, .options = LOOK | ONCE},
    {"rep-lodsb-absent", ALL, CODE("\xf3\xac"), .rcx = 16, .rsi = PAGE_ABSENT - 5,
     .options = LOOK | ONCE},
    {"rep-stosd", ALL, CODE("\xf3\xab"), .rcx = 4, .options = LOOK},

    /* lengths */
    {"long-15", ALL, CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90")},
    {"long-16", ALL, CODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90")},
    {"long-cpuid-15", ALL, CODE("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x0f\xa2")},
    {"long-cpuid-16", ALL, CODE("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x0f\xa2")},
    {"long-in-15", ALL, CODE("\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\xe4\x80")},
    {"long-rdmsr-9", ALL, CODE("\x36\x36\x36\x36\x36\x36\x36\x0f\x32"), .rcx = 0xc0000080},
    {"prefix-segments", ALL, CODE("\x64\x65\x2e\x36\x0f\xa2")},
    {"rex-not-last", LONG, CODE("\x48\x66\x0f\xa2")},
};
/* clang-format on */

enum flavour { PLAIN, STEP, RESUME, FLAVOURS };
static const char *const flavour_names[FLAVOURS] = {"", "-step", "-rf"};
/* By mode. QEMU 10.0 itself crashes on a breakpoint in a code segment with a base, as KERNEL_16 is.
 */
static const uint8_t flavours[MODES] = {
    [KERNEL_64] = 1u << PLAIN | 1u << STEP | 1u << RESUME,
    [USER_64] = 1u << PLAIN | 1u << STEP,
    [KERNEL_32] = 1u << PLAIN | 1u << RESUME,
    [USER_32] = 1u << PLAIN,
    [KERNEL_16] = 1u << PLAIN | 1u << STEP,
};

static void set_debug(uint64_t dr0, uint64_t dr7)
{
    uint64_t dr6 = 0xffff0ff0;
    __asm__ volatile("mov %0, %%dr0; mov %1, %%dr6; mov %2, %%dr7"
                     :
                     : "r"(dr0), "r"(dr6), "r"(dr7));
}

static void probe(const struct instruction *which, enum mode mode, enum flavour flavour)
{
    struct cpu_state state;
    uint64_t code = engine_code(mode), efer = 0;
    (void)msr_get(MSR_EFER, &efer);
    bool user = mode == USER_64 || mode == USER_32;
    engine_prepare(&state, mode, (const uint8_t *)which->code, which->length);
    state.rax = which->rax;
    state.rcx = which->rcx;
    state.rdx = which->rdx;
    state.rbp = which->rbp;
    state.rsi = which->rsi != 0 ? which->rsi : user ? PAGE_USER_DATA : PAGE_DATA;
    state.rdi = (user ? PAGE_USER_DATA : PAGE_DATA) + 0x400;
    state.rflags |= flavour == STEP ? RFLAGS_TF : flavour == RESUME ? RFLAGS_RF : 0;
    set_debug(flavour == RESUME ? code + which->length : 0, flavour == RESUME ? 0x401 : 0x400);
    engine_enter(&state);
    set_debug(0, 0x400);
    (void)msr_put(MSR_EFER, efer);
    char name[64];
    size_t used = 0;
    for (const char *from = mode_names[mode]; *from != '\0';)
        name[used++] = *from++;
    name[used++] = '.';
    for (const char *from = which->name; *from != '\0' && used < sizeof name - 1;)
        name[used++] = *from++;
    name[used] = '\0';
    say_taken(name, flavour_names[flavour], &state, mode == KERNEL_16 ? code - ARENA : code,
              which->length);
    if ((which->options & LOOK) != 0 && flavour == PLAIN)
        say("%s.registers: %llx %llx %llx %llx %llx", name, (unsigned long long)state.rax,
            (unsigned long long)state.rcx, (unsigned long long)state.rdx,
            (unsigned long long)state.rsi, (unsigned long long)state.rdi);
}

static void clear(uint64_t page)
{
    memset((void *)(uintptr_t)page, 0, 64);
}

void probe_instructions(void)
{
    for (unsigned mode = 0; mode < MODES; mode++)
        for (size_t i = 0; i < COUNT(instructions); i++) {
            if ((instructions[i].modes & 1u << mode) == 0 ||
                (on_qemu && (instructions[i].options & CARE) != 0))
                continue;
            for (enum flavour flavour = PLAIN; flavour < FLAVOURS; flavour++) {
                if ((flavours[mode] & 1u << flavour) == 0 ||
                    (flavour != PLAIN && (instructions[i].options & ONCE) != 0))
                    continue;
                clear(PAGE_DATA);
                clear(PAGE_USER_DATA);
                probe(&instructions[i], mode, flavour);
            }
        }
}
