/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs a fuzz target once on each file of the folders given, or of its kept corpus: without libFuzzer,
 * as a regression test of `make unit`. Fails when there was no file.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replay(const char *folder)
{
    struct dirent **row;
    int count = scandir(folder, &row, NULL, alphasort);
    unsigned done = 0;

    for (int i = 0; i < count; i++) {
        char path[1024];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, row[i]->d_name);
        file = row[i]->d_name[0] == '.' ? NULL : fopen(path, "rb");
        free(row[i]);
        if (file) {
            static uint8_t bytes[1 << 20];
            size_t size = fread(bytes, 1, sizeof(bytes), file);
            /* Of exactly this size, so that the sanitizer sees one byte too many. */
            uint8_t *copy = malloc(size ? size : 1);

            fclose(file);
            if (!copy)
                abort();
            for (size_t at = 0; at < size; at++)
                copy[at] = bytes[at];
            LLVMFuzzerTestOneInput(copy, size);
            free(copy);
            done++;
        }
    }
    if (count >= 0)
        free(row);
    return done;
}

int main(int argc, char **argv)
{
    const char *name = strstr(argv[0], "replay_");
    char folder[256];
    unsigned done = 0;

    if (argc < 2 && name) { /* as make unit calls it */
        snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s", name + strlen("replay_"));
        done = replay(folder);
    }
    for (int i = 1; i < argc; i++)
        done += replay(argv[i]);
    /* In cmocka's words, for tools/run-units. */
    printf("[==========] %u test(s) run.\n[  PASSED  ] %u test(s).\n", done, done);
    return done ? 0 : 1;
}
