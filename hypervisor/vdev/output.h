/* SPDX-License-Identifier: MIT */
/* Lines that guests write, as the log has them. */
#pragma once

#include "hypervisor/assign/guest.h"

/* A line of a guest's output that is being put together; who writes it has it alone. */
#define OUTPUT_LINE 200
struct output_line {
    char text[OUTPUT_LINE];
    size_t used;
};
/* The next byte. A newline or a full line is logged (guest.output); true then. */
bool output_put(const struct guest *guest, struct output_line *line, char byte);
/* Logs what there is. */
void output_flush(const struct guest *guest, struct output_line *line);
