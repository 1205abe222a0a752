/* SPDX-License-Identifier: MIT */
/* Freestanding string functions: the ones the compiler may call, and bounded helpers. */
#pragma once

#include "hypervisor/base/core.h"

void *memcpy(void *restrict destination, const void *restrict source, size_t size);
void *memmove(void *destination, const void *source, size_t size);
void *memset(void *destination, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t size);

/* Copies at most size-1 bytes and terminates; false when the text was cut. */
bool text_copy(char *destination, size_t size, const char *source);
bool text_equal(const char *left, const char *right);
/* True when `text` begins with `prefix`. */
bool text_begins(const char *text, const char *prefix);
