/* SPDX-License-Identifier: MIT */
/* How often guests leave guest mode, and what for. */
#include "hypervisor/monitor/commands.h"
#include "hypervisor/vdev/virtual_serial.h"
#include "hypervisor/x86/cpu.h"

#define TOP_TABLES 60 /* where they are not drawn over each other */

/* What struct vcpu.exits_seen of a guest's first vCPU has behind the kinds. */
enum { SEEN_ALL = EXIT_KINDS, SEEN_SERIAL, SEEN_TOP };

static struct {
    unsigned left;
    struct deadline next;
    uint64_t last;
} top;

/* Tenths a second by which a counter rose since it was `*seen`, which it then is. */
static uint64_t rate(uint64_t count, uint64_t *seen, uint64_t microseconds)
{
    uint64_t rise = count - *seen;
    *seen = count;
    return microseconds != 0 ? rise * 10000000 / microseconds : 0;
}

static void print_count(const char *who, const char *kind, uint64_t count, uint64_t *seen,
                        uint64_t microseconds)
{
    uint64_t tenths = rate(count, seen, microseconds);
    if (count != 0)
        console_printf("%-16s %-18s %12lu %10lu.%lu\n", who, kind, count, tenths / 10, tenths % 10);
}

void command_exits(void)
{
    static uint64_t last;
    uint64_t now = clock_microseconds();
    console_printf("%-16s %-18s %12s %12s\n", "guest.vcpu", "kind", "exits", "a second");
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        uint64_t passed = now - MAX(last, guest->started_at);
        for (unsigned v = 0; v < guest->cpu_count; v++) {
            struct vcpu *vcpu = guest->vcpus[v];
            char name[CONFIG_NAME_SIZE + 12];
            (void)format_text(name, sizeof name, "%s.%u", guest->name, v);
            for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
                print_count(name, exit_kind_name((enum exit_kind)kind), vcpu->exits[kind],
                            &vcpu->exits_seen[kind], passed);
        }
        if (guest->cpu_count == 0) /* it was refused */
            continue;
        uint64_t *seen = guest->vcpus[0]->exits_seen;
        print_count(guest->name, "all", guest_exits(guest), &seen[SEEN_ALL], passed);
        if (guest->ports)
            print_count(guest->name, "io of serial line", virtual_serial_accesses(guest->serial),
                        &seen[SEEN_SERIAL], passed);
    }
    last = now;
}

static void print_top(void)
{
    uint64_t now = clock_microseconds();
    console_style("\033[H\033[J");
    console_printf("%-12s %-9s %12s %12s %8s  %s\n", "guest", "state", "exits", "a second",
                   "faults", "cores");
    for (unsigned i = 0; guest_at(i) != NULL; i++) {
        const struct guest *guest = guest_at(i);
        uint64_t none = 0, *seen = &none; /* of one that was refused */
        if (guest->cpu_count != 0)
            seen = &guest->vcpus[0]->exits_seen[SEEN_TOP];
        uint64_t tenths = rate(guest_exits(guest), seen, now - MAX(top.last, guest->started_at));
        console_printf("%-12s %-9s %12lu %10lu.%lu %8lu ", guest->name, command_state(guest),
                       guest_exits(guest), tenths / 10, tenths % 10, guest->faults);
        for (unsigned v = 0; v < guest->cpu_count; v++)
            console_printf(" %u", guest->vcpus[v]->cpu->index);
        console_printf("\n");
    }
    top.last = now;
}

void command_top(void)
{
    if (console_page.rows != 0 && console_rows() == 0) { /* a page of `more` */
        print_top();
        return;
    }
    top.left = TOP_TABLES;
    top.next = deadline_in(0);
}

bool command_top_turn(bool key)
{
    bool goes_on = top.left != 0;
    if (key) {
        top.left = 0;
    } else if (goes_on && deadline_passed(top.next)) {
        print_top();
        top.next = deadline_in(MILLISECONDS(1000));
        top.left -= console_rows() == 0;
    }
    return goes_on;
}
