/* SPDX-License-Identifier: MIT */
#include "hypervisor/vdev/output.h"

#include "hypervisor/base/format.h"
#include "hypervisor/base/log.h"

void output_flush(const struct guest *guest, struct output_line *line)
{
    char text[OUTPUT_LINE * 4 + 1];
    if (line->used == 0)
        return;
    quote_text(text, sizeof text, line->text, line->used);
    line->used = 0;
    log_event("guest.output", "name=%s text=\"%s\"", guest->name, text);
}

bool output_put(const struct guest *guest, struct output_line *line, char byte)
{
    if (byte != '\n')
        line->text[line->used++] = byte;
    if (byte != '\n' && line->used != OUTPUT_LINE)
        return false;
    output_flush(guest, line);
    return true;
}
