/* Admission to a pool of engines: who may start there now, who waits, and who is told at once that it would take too
 * long. An engine takes whatever it is sent and makes everybody slow; here the wait is in front of it, in a fair order
 * (fair_queue.h), and what is in flight is held to what serves best (token_limit.h).
 *
 * A request is refused only where it has a deadline for its first token that cannot be met (or the queue is full): on
 * arrival if the forecast misses it, later if it has become hopeless. Who waits and leaves is forgotten at once.
 *
 * At an engine prompts wait in the order in which they came, whoever sent them. So no more of them are there than keep it
 * busy, one that is read and one that is ready: then the next place in line is worth something. A prompt counts as no more
 * than what keeps one engine busy: while that one reads a long prompt, the others go on.
 *
 * What a crowd holds up is itself. Tenants with less there than others go first, also into a second room for prompts where
 * the others have filled the first; what they needed of late is left free for them by those who have more than their share,
 * and so is the tenth of all that answers grow into. Who would be late holds up nobody.
 *
 * What others than this gateway's clients have at the engines counts, as the engines tell of it (told.h), but against a number
 * of requests that the user has set.
 *
 * Less urgent classes leave free what more urgent ones needed of late, so that these find room when they come back.
 *
 * Shared by all workers, under its own lock; it calls nobody: who may start, or is refused, after waiting stands in a list
 * that the caller gets, and tells. */
#ifndef FLEET_ADMISSION_H
#define FLEET_ADMISSION_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/lock.h"
#include "fleet/admission/fair_queue.h"
#include "fleet/admission/token_limit.h"

enum admission_state {
    ADMISSION_OUTSIDE, /* not asked yet, ended, or left */
    ADMISSION_WAITS,
    ADMISSION_IN,     /* it may start; until it ends */
    ADMISSION_REFUSED /* it cannot be served in time; `retry_after_us` says when it could have been */
};

/* One request at one pool. Embedded in its owner's struct, zeroed before its first use; stays until it is outside and in no
 * list. */
struct admission_ticket {
    struct fair_waiter waiter; /* with its deadline, and its tokens: what it takes of the caches on the average */
    struct list link;          /* in the list of those that are to be told */
    struct fair_place place;   /* its tenant's name stays as long as the ticket is not outside */
    enum admission_state state;
    int64_t prefill; /* tokens of its prompt that no cache is expected to know */
    int64_t output;  /* that its answer is expected to have */
    int64_t filling; /* of the room for prompts, what it takes: at most what keeps one replica busy */
    bool prefilling; /* in, and its first token has not come */
    usec asked_us, admitted_us;
    usec plain_wait_us; /* how long it was expected to wait, by Little's law alone */
    usec prompt_us;     /* from then on, to its first token, by the engines' model */
    usec retry_after_us;
};

/* What the engines of the pool are like. */
struct admission_pace {
    unsigned replicas;           /* that are in use, at least 1 */
    double prefill_us_per_token; /* of one of them */
    usec first_token_us;         /* of an empty prompt with nobody else there */
    int64_t step_tokens;         /* of prompts, by which a step of one is well used: more make it longer, not better */
    int64_t kv_tokens;           /* of one of them; 0: not known */
    unsigned sequences;          /* requests that one of them works at at a time; 0: not known */
    const struct engine_pair *known; /* what such engines are like; NULL: not known */
    struct step_time learned;        /* from the answers of one of them */
    int64_t others_requests;         /* in all: of others */
    int64_t others_tokens;           /* in all: in their caches, of others */
    int64_t others_prefill;          /* likewise, of prompts that wait there, what is to be read */
    unsigned requests_most;          /* in all, by the user's own word; 0: the limit is found */
    size_t queue_most;               /* that may wait */
};

struct admission {
    struct lock lock;
    struct fair_queue queue;
    struct token_limit limit;
    struct admission_pace pace;
    size_t in_flight;
    int64_t tokens;                          /* in flight */
    int64_t prefill, filling;                /* of those whose first token has not come */
    int64_t class_tokens[FAIR_CLASSES_MOST]; /* in flight */
    double class_needed[FAIR_CLASSES_MOST];  /* in flight and waiting, at most, of late */
    usec needed_us;                          /* when those were as they are */
    usec filled_us;                          /* when a first token was last waited for */
    double mean_prefill;                     /* of those that were let in */
    double waits_seen_us, waits_plain_us;    /* sums that fade: of waits, and of those by Little's law; above 0 */
    double prompt_factor, prompt_spread; /* likewise of first tokens, by the engines' model, and how far they stray */
    uint64_t admitted, waited, refused, left; /* lifetime counts */
};

void admission_init(struct admission *admission, const struct admission_pace *pace);
void admission_free(struct admission *admission); /* nobody is in or waits */

/* What a request asks for. */
struct admission_want {
    struct fair_place place;
    int64_t tokens;   /* input + half the output: what it takes of the caches on the average; at least 1 */
    int64_t prefill;  /* as in the ticket */
    int64_t output;   /* likewise; 0: not known */
    int64_t work_us;  /* of an engine's time, beside what is there; at least 1 */
    usec deadline_us; /* of its first token; USEC_NEVER: none */
};

/* The state it is in then: in, waiting or refused. */
enum admission_state admission_ask(struct admission *admission, struct admission_ticket *ticket,
                                   const struct admission_want *want, const struct admission_pace *pace, usec now_us);

/* How long a request that came now would be expected to wait before it may start, and until its first token. */
struct admission_forecast {
    usec wait_us, first_token_us;
};
struct admission_forecast admission_expect(struct admission *admission, const struct admission_want *want, usec now_us);

/* How long its prompt, and those under way, should take to be read. */
usec admission_prompt_us(struct admission *admission, const struct admission_ticket *ticket);

/* The first token of one that is in came, so long after it was sent to the engine. Fine if it came before. Appends to
 * `told` (initialised by the caller) who may start now or is refused; likewise below. */
void admission_first_token(struct admission *admission, struct admission_ticket *ticket, usec seen_us, usec now_us,
                           struct list *told);

/* It is over, or wants it no more, in whatever state: outside. Returns the state that it was in: whoever waits on one
 * worker may be let in by another at the same moment, and then hears of it all the same. */
enum admission_state admission_end(struct admission *admission, struct admission_ticket *ticket, usec now_us,
                                   struct list *told);

bool admission_waits(struct admission *admission); /* somebody does */

/* The engines have told anew what others have there: who waits may start. */
void admission_told(struct admission *admission, const struct admission_pace *pace, usec now_us, struct list *told);

/* The pool said that it has too much to do. */
void admission_overloaded(struct admission *admission, usec now_us);

/* All of them by their backends' names, made on first use; they live until admissions_free. */
struct admissions {
    struct lock lock;
    struct map by_name;
};

void admissions_init(struct admissions *all);
void admissions_free(struct admissions *all);
struct admission *admissions_of(struct admissions *all, const char *name, const struct admission_pace *pace);
struct admission *admissions_find(struct admissions *all, const char *name); /* NULL: it was never asked for */

/* How many are in or wait, anywhere: 0 at rest. */
size_t admissions_busy(struct admissions *all);

/* For the metrics page (Prometheus text format 0.0.4): per backend, who is in and waits, and what may be. */
void admissions_print(struct admissions *all, struct buffer *out);

struct admission_figures {
    size_t in_flight, waiting;
    int64_t tokens, limit_tokens, waiting_tokens, others_tokens;
    double limit_requests;
    usec residence_us;
    uint64_t admitted, waited, refused, left, cuts;
};
void admission_figures(struct admission *admission, struct admission_figures *out);

#endif
