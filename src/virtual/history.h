/* The virtual world: world.h on one thread, with a clock that stands still while code runs, scripted clients and
 * backends, injected faults, and one seed that decides everything left open. A history is one run of it; the same seed
 * and script give the same history, event by event.
 *
 * It is also the referee of world.h: an application that breaks the contract (answers twice, writes past its body_len,
 * touches a dead handle, ...) ends the program with the seed, the events so far and what was wrong.
 *
 * What an application gets to see (heads, pieces of bodies) is a copy of its exact size that is freed when the contract
 * says it is no longer valid, so that ASan catches a late or wide use. */
#ifndef VIRTUAL_HISTORY_H
#define VIRTUAL_HISTORY_H

#include <stdio.h>

#include "world.h"

struct history;

struct history_options {
    uint64_t seed;
    unsigned workers;   /* 0: one */
    usec wall_us;       /* where the wall clock starts, since the Unix epoch; 0: some day of the seed's choice */
    usec hop_most_us;   /* every hop (a piece on the wire, a post, a job) takes 1 to this many us; 0: 300 */
    bool split_answers; /* backends' bytes arrive cut into other pieces than they were sent in */
    bool forgetful;     /* keeps neither log (its digest stays 0) nor what backends saw: for long histories */
    /* Takes what workers append, instead of the journals; NULL: they do. */
    void (*append)(void *context, unsigned worker, struct slice record);
    void *context; /* its first argument */
};

struct history *history_new(struct history_options options) __attribute__((returns_nonnull));

/* Frees everything. Applications must be freed before: they may hold timers and calls. */
void history_free(struct history *history);

/* The worlds. The clients of worker k reach the application that serves worker k. */
struct world *history_world(struct history *history, unsigned worker);
void history_serve(struct history *history, unsigned worker, struct application *application);

/* A world of its own, one worker, for an application that acts as a backend. */
struct world *history_world_apart(struct history *history);

/* Running. Every timer that fires, piece that arrives, post, job and append is one step, numbered from 1. */
bool history_step(struct history *history); /* false: nothing is left that could happen */
uint64_t history_steps(const struct history *history);
usec history_now_us(const struct history *history);
void history_run_for(struct history *history, usec span_us);

/* Until no client waits for an answer and no call, post or job is under way; timers of applications may be left. Not
 * coming to rest within an hour of virtual time and a million steps is misuse. */
void history_run_to_rest(struct history *history);
bool history_at_rest(const struct history *history);

/* Until `condition` holds; it is misuse if nothing happens any more before it does. */
#define history_run_until(history, condition)                                                                          \
    do {                                                                                                               \
        while (!(condition))                                                                                           \
            if (!history_step(history))                                                                                \
                history_misuse((history), "nothing happens any more, and never was: %s", #condition);                  \
    } while (0)

/* Faults. One that names a step strikes just before it happens; a test loops over all steps until one is not reached. */
enum fault_kind {
    FAULT_CLIENT_LEAVES, /* every client that has not got its whole answer */
    FAULT_CALL_CUT,      /* every open call loses its connection */
    FAULT_APPEND_FAILS,  /* the next append from that step on */
    FAULT_WALL_JUMPS     /* by jump_us, forward or back */
};

struct fault {
    enum fault_kind kind;
    uint64_t step;
    usec jump_us;
    enum status status; /* FAULT_APPEND_FAILS: OK means ERR_IO */
};

void history_plan_fault(struct history *history, struct fault fault);    /* at most 16 in a history */
void history_strike(struct history *history, const struct fault *fault); /* now, whatever its step */
void history_wall_jump(struct history *history, usec jump_us);

/* Appends number `first` (from 1, all workers together) to first + count - 1 fail; replaces an earlier order. */
void history_fail_appends(struct history *history, uint64_t first, uint64_t count, enum status status);

/* From now on work off the loop takes so much longer: other threads are busy. */
void history_slow_jobs(struct history *history, usec longer_us);

/* What a worker appended, all records in order. */
struct slice history_journal(const struct history *history, unsigned worker);
uint64_t history_appends(const struct history *history); /* tried, failed ones too */

/* What is open now; all 0 at the end if nothing was forgotten. */
size_t history_clients_open(const struct history *history); /* handles that an application still holds */
size_t history_calls_open(const struct history *history);
size_t history_timers_running(const struct history *history);

/* The log: the last few thousand lines; the digest is over all. */
void history_log(struct history *history, const char *format, ...) PRINTF_LIKE(2, 3);
uint64_t history_log_digest(const struct history *history);
void history_print(const struct history *history, FILE *to);

/* The referee's whistle: prints seed, log and words, and aborts. */
_Noreturn void history_misuse(struct history *history, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
