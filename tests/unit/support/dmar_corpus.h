/* SPDX-License-Identifier: MIT */
/* Real machines' DMAR tables, where they are at hand. Static on purpose. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/support/host.h"

/* Calls `check` with each table, on the heap to its last byte. Skips the test when there is no
 * corpus; returns how many tables there were, at least one. */
static unsigned corpus_each(void (*check)(const char *name, const uint8_t *bytes, size_t length))
{
    const char *folder = getenv("BULKHEAD_DMAR_CORPUS");
    if (folder == NULL)
        folder = "../shared/reference/dmar-corpus";
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        print_message("SKIPPED: no DMAR tables at %s; set BULKHEAD_DMAR_CORPUS to a folder of "
                      "*.dmar files\n",
                      folder);
        skip();
    }
    unsigned tables = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (suffix == NULL || strcmp(suffix, ".dmar") != 0)
            continue;
        static uint8_t buffer[1 << 17];
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t length = fread(buffer, 1, sizeof buffer, file);
        fclose(file);
        assert_in_range(length, 1, sizeof buffer - 1);
        uint8_t *bytes = malloc(length);
        assert_non_null(bytes);
        memcpy(bytes, buffer, length);
        check(entry->d_name, bytes, length);
        free(bytes);
        tables++;
    }
    closedir(directory);
    assert_true(tables > 0);
    return tables;
}
