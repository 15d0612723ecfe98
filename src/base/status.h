/* What went wrong, for a program and for a person; and the assertions. OK is zero. The codes are listed once, in
 * status.def. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

enum status {
#define STATUS(name, words) name,
#include "base/status.def"
#undef STATUS
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* The words of a status; never NULL. */
const char *status_text(enum status status);

/* A claim about our own code. Checked in every build: a wrong answer costs more than a restart. Names the place and
 * aborts. Never for what comes from outside: that gets a status. */
#define ENSURE(claim)                                                                                                  \
    do {                                                                                                               \
        if (__builtin_expect(!(claim), 0))                                                                             \
            ensure_failed(#claim, __FILE__, __LINE__);                                                                 \
    } while (0)

/* Cold: what leads here stands apart from what is run. */
_Noreturn __attribute__((cold)) void ensure_failed(const char *claim, const char *file, int line);

/* Memory that we cannot live without: returns non-NULL or ends the program with a message. */
void *must_alloc(unsigned long size) __attribute__((malloc, returns_nonnull));
void *must_calloc(unsigned long count, unsigned long size) __attribute__((malloc, returns_nonnull));
void *must_realloc(void *old, unsigned long size) __attribute__((returns_nonnull));
char *must_strdup(const char *text) __attribute__((malloc, returns_nonnull));

#endif
