#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
status_text(enum status status)
{
    switch (status) {
#define STATUS(name, words)                                                                                            \
    case name:                                                                                                         \
        return words;
#include "base/status.def"
#undef STATUS
    }
    return "unknown status";
}

void
ensure_failed(const char *claim, const char *file, int line)
{
    fprintf(stderr, "equipoise: a bug: '%s' does not hold (%s:%d). Please report it.\n", claim, file, line);
    abort();
}

static void *
or_end(void *memory, unsigned long size)
{
    if (memory == NULL) {
        fprintf(stderr, "equipoise: out of memory (%lu bytes)\n", size);
        abort();
    }
    return memory;
}

void *
must_alloc(unsigned long size)
{
    return or_end(malloc(size != 0 ? size : 1), size);
}

void *
must_calloc(unsigned long count, unsigned long size)
{
    return or_end(calloc(count != 0 ? count : 1, size != 0 ? size : 1), count * size);
}

void *
must_realloc(void *old, unsigned long size)
{
    return or_end(realloc(old, size != 0 ? size : 1), size);
}

char *
must_strdup(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(must_alloc(size), text, size);
}
