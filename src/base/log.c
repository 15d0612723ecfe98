#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

enum { LINE_BYTES = 1024 };

const char *
log_level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    return names[level];
}

void
log_line(struct log *log, enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    int len;

    if (log == NULL || level < log->least)
        return;
    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (len < 0)
        return;
    log->write(log, level, slice_make(line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1));
}

static void
write_stderr(struct log *log, enum log_level level, struct slice line)
{
    char when[CLOCK_TEXT_SIZE];

    (void)log;
    clock_format_utc(clock_wall_us(), when);
    fprintf(stderr, "%s %s %.*s\n", when, log_level_name(level), SLICE_ARGS(line)); /* one write: stderr is unbuffered
                                                                                       but locked for the call */
}

struct log
log_to_stderr(enum log_level least)
{
    return (struct log){.least = least, .write = write_stderr};
}
