/* SPDX-License-Identifier: MIT */
/*
 * A bystander: takes timer interrupts for a while and looks whether anybody else's doings reach it.
 *
 *   ticks=MILLISECONDS
 *   strays=1  NMIs and exceptions 16 to 31 are counted, not fatal
 *
 * Exits with 0 when no other interrupt came and its memory is as it was; an exception (91) says
 * that something worse arrived.
 */
#include "guest/runtime/attempt.h"

#define FIRST_VECTOR 32
#define LAST_VECTOR  254
#define VECTOR_TIMER 0x41
#define CANARY_SIZE  (1u << 20)

enum { EXIT_INTERRUPTS = 1, EXIT_MEMORY };

static volatile unsigned ticks, foreign;

static void tick(void)
{
    ticks = ticks + 1;
}

static void not_mine(void)
{
    foreign = foreign + 1;
}

static uint8_t canary_byte(size_t index)
{
    return (uint8_t)(index * 11 + (index >> 12));
}

int guest_main(void)
{
    unsigned wanted = (unsigned)argument_number("ticks", 1000);
    uint8_t *canary = memory_take(CANARY_SIZE);
    for (size_t i = 0; i < CANARY_SIZE; i++)
        canary[i] = canary_byte(i);
    for (unsigned vector = FIRST_VECTOR; vector <= LAST_VECTOR; vector++)
        interrupt_handle((uint8_t)vector, vector == VECTOR_TIMER ? tick : not_mine);
    if (argument_number("strays", 0) != 0) {
        attempt_take_strays();
        print("ready\n");
    }
    while (ticks < wanted) {
        timer_once(VECTOR_TIMER, 1000);
        interrupt_wait();
    }
    print("%u timer interrupts, %u others\n", ticks, foreign);
    for (size_t i = 0; i < CANARY_SIZE; i++) {
        if (canary[i] != canary_byte(i)) {
            print("memory changed at 0x%llx\n", (unsigned long long)(uintptr_t)(canary + i));
            return EXIT_MEMORY;
        }
    }
    return foreign == 0 ? 0 : EXIT_INTERRUPTS;
}
