/* Faults that the modelled backend commits on purpose, so that tests and trials see what real backends do.
 *
 * Written as NAME[=VALUE][:SHARE%][*TIMES], several with commas: "cut-after=40", "status=500:1%*3". Without a share it
 * strikes every request, without TIMES for ever.
 *
 *   drop-before-first-byte   the connection closes before any byte of the answer
 *   drop-after-first-byte    it closes after the head and the first bytes
 *   cut-mid-stream, cut-after=N   it closes in the middle, or after N tokens
 *   end-early=N              the answer ends as if it were complete after N tokens
 *   stall-after=N            nothing more comes after N tokens, but the connection stays open
 *   delay=TIME               that much longer before the first byte ("2s", "300ms")
 *   slow=TIME                at least that long for each token
 *   status=NNN, status-429   an error of that status; 429 and 503 with retry-after: 1
 *   malformed-sse            a frame in the middle whose data is not JSON
 *   no-usage                 the answer does not tell its usage */
#ifndef TWIN_FAULTS_H
#define TWIN_FAULTS_H

#include "base/buffer.h"
#include "base/rng.h"
#include "base/timers.h"

enum twin_fault_kind {
    TWIN_FAULT_DROP_BEFORE,
    TWIN_FAULT_DROP_AFTER,
    TWIN_FAULT_CUT,
    TWIN_FAULT_END,
    TWIN_FAULT_STALL,
    TWIN_FAULT_DELAY,
    TWIN_FAULT_SLOW,
    TWIN_FAULT_STATUS,
    TWIN_FAULT_MALFORMED,
    TWIN_FAULT_NO_USAGE,
    TWIN_FAULT_KINDS
};

struct twin_fault {
    enum twin_fault_kind kind;
    int64_t value; /* tokens, microseconds or a status, by kind */
    double share;  /* 0 to 1 */
    int64_t left;  /* times still to strike; -1: for ever */
    int64_t struck;
};

enum { TWIN_FAULTS_MOST = 16 };

struct twin_fault_set {
    struct twin_fault faults[TWIN_FAULTS_MOST];
    unsigned count;
};

/* Adds the faults of a list to the set. On failure *why (static text) says what was wrong; the set may hold some. */
enum status twin_faults_add(struct twin_fault_set *set, struct slice list, const char **why) MUST_CHECK;

/* As "NAME=VALUE:SHARE%*LEFT". */
void twin_fault_write(const struct twin_fault *fault, struct buffer *out);

enum { STRIKE_NEVER = -1, STRIKE_HALFWAY = 0 };

/* What strikes one answer. */
struct strike {
    bool drop_before, malformed, no_usage;
    enum twin_fault_kind break_kind; /* what happens at break_at: TWIN_FAULT_CUT, _END, _STALL */
    int64_t break_at;                /* tokens; STRIKE_NEVER, or STRIKE_HALFWAY */
    bool break_at_start;             /* right after the first bytes */
    usec delay_us, slow_us;
    unsigned status; /* 0: none */
};

struct strike strike_none(void);

/* Draws each fault of the set and adds those that strike. */
void twin_faults_draw(struct twin_fault_set *set, struct rng *rng, struct strike *strike);

/* "2s", "300ms", "150us"; a bare number is milliseconds. */
enum status twin_fault_parse_time(struct slice text, usec *out) MUST_CHECK;

#endif
