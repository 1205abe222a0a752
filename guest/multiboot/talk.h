/* SPDX-License-Identifier: MIT */
/* The kernel's serial line, and who answers there. */
#pragma once

#include <stdint.h>

/* Waits until the transmitter takes it. */
void put(char character);
void say(const char *text);
void say_number(uint32_t value);

/* Answers lines that are typed until `exit N`; that number. Halts between two looks at the line. */
uint32_t talk(void);
