/* Messages about the program's own running, one line each, to one place. Never holds request texts or secrets. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"
#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Whoever wants the lines fills this in; `write` may be called from any thread and must write a line as a whole. */
struct log {
    enum log_level least;
    void (*write)(struct log *log, enum log_level level, struct slice line);
};

const char *log_level_name(enum log_level level);

void log_line(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

/* To standard error: "2026-01-31T12:00:00Z warn text". */
struct log log_to_stderr(enum log_level least);

#endif
