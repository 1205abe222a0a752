/* SPDX-License-Identifier: MIT */
/* What Tab knows: commands, their words, guests and devices. */
#pragma once

#include "hypervisor/monitor/editor.h"

/* Offers each word that may follow these. */
void complete_word(struct editor *editor, const char *before);
/* Shows one of several; NULL ends them. */
void complete_show(const char *word);
