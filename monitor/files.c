/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See files.h. */
#include "monitor/files.h"

#include <errno.h>
#include <string.h>

#include "monitor/out.h"

FILE *files_create(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        out_error("%s: %s", path, strerror(errno));
    return file;
}

bool files_finish(FILE *file, const char *path)
{
    bool bad = ferror(file) != 0;

    if (fclose(file) == 0 && !bad)
        return true;
    out_error("%s: %s: what it holds is not complete", path,
              bad ? "write failed" : strerror(errno));
    return false;
}
