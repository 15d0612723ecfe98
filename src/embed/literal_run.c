#include "embed/literal_run.h"

static bool
is_one_of(char c, const char *some)
{
    return c != '\0' && strchr(some, c) != NULL;
}

/* Without the marks around it that are a sentence's. */
static struct slice
strip(struct slice run)
{
    while (run.len > 0 && is_one_of(run.data[run.len - 1], ".,;:!?)]}'*"))
        run.len--;
    while (run.len > 0 && is_one_of(run.data[0], "([{'*"))
        run = slice_from(run, 1);
    return run;
}

static size_t
count_byte(struct slice text, char byte)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++)
        count += text.data[i] == byte;
    return count;
}

static bool
is_address(struct slice run)
{
    size_t at = slice_find_byte(run, '@');

    if (slice_find(run, SLICE_LITERAL("://")) < run.len || slice_starts(run, "www.") || slice_starts(run, "mailto:"))
        return true;
    return at > 0 && at + 1 < run.len && slice_find_byte(slice_from(run, at), '.') < run.len - at;
}

/* A path, an option, a call, a name with :: or -> or points inside. */
static bool
is_code_run(struct slice run)
{
    size_t point = slice_find_byte(run, '.');

    if (run.len < 2)
        return false;
    if (slice_starts(run, "--") || slice_starts(run, "./") || slice_starts(run, "~/") || run.data[0] == '/')
        return count_byte(run, '-') + count_byte(run, '/') < run.len;
    if (slice_find(run, SLICE_LITERAL("::")) < run.len || slice_find(run, SLICE_LITERAL("->")) < run.len ||
        slice_find(run, SLICE_LITERAL("(")) < run.len || slice_find_byte(run, '\\') < run.len)
        return true;
    if (count_byte(run, '/') >= 2 || slice_find_byte(run, '_') < run.len)
        return true;
    /* "file.txt", not "e.g" nor "end.Next" */
    return point >= 2 && point + 1 < run.len && run.data[point + 1] >= 'a' && run.data[point + 1] <= 'z';
}

enum run_kind
literal_run(struct slice text, struct slice *run, size_t *len)
{
    for (*len = 0; *len < text.len && !is_one_of(text.data[*len], " \t\r\n<>\"`");)
        (*len)++;
    *run = strip(slice_first(text, *len));
    if (run->len == 0)
        return RUN_OTHER;
    if (is_address(*run))
        return RUN_ADDRESS;
    return (run->data[0] < '0' || run->data[0] > '9') && is_code_run(*run) ? RUN_CODE : RUN_OTHER;
}
