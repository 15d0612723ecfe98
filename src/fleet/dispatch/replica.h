/* A replica: one engine at one host:port, and how much of what we sent is there now. Shared by all workers and by all
 * backends that name the same place; kept over reloads by name, as its health is (health.h). What an engine tells of
 * itself is 50 ms old or more, and a dispatch takes one: who decides by that alone sends hundreds of requests to the
 * same idle engine. So this counts every request from the moment it is sent, and what is told stands beside it.
 *
 * A call takes a ticket when it is opened, says on it what becomes of the answer, and gives it back at its end, whatever
 * that is; flight.c does so in one place, where a flight's state changes. Nothing is allocated for it.
 *
 * Invariants (checked at every change): `now` is the sum over the tickets that are out, no part of it below 0, and all of
 * it 0 when none is; taken == completed + failed + closed + now.requests. `busy_us` goes on exactly while a ticket is out,
 * and `request_us` in proportion to how many are. */
#ifndef FLEET_REPLICA_H
#define FLEET_REPLICA_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/map.h"
#include "fleet/engine/engine_fit.h"
#include "fleet/engine/engine_track.h"
#include "fleet/health/tenure.h"

struct pool_size;

/* What is there of ours at one moment. Tokens are estimates until the answer's usage tells better. */
struct replica_now {
    int64_t requests;
    int64_t filling;        /* of them, whose answers have not begun */
    usec filling_us;        /* how long computing that takes, by the engine's model, from the start; the sum of all */
    int64_t filling_tokens; /* of their prompts, what the engine has to compute: without what it is expected to know */
    int64_t context_tokens; /* prompts, and outputs so far: what its cache of keys and values holds for us, about */
    int64_t output_tokens;  /* still to be expected */
};

/* Since the process began. Tokens: as metered in answers that told their usage, and only in them. */
struct replica_totals {
    uint64_t taken, completed, failed, closed; /* requests; closed: by our side, nobody wanted more */
    uint64_t metered;                          /* answers that told their usage */
    int64_t input_tokens, cached_tokens, output_tokens;
    int64_t sent_tokens;    /* of prompts that were sent, expected */
    int64_t matched_tokens; /* of them, what the engine was expected to know already */
    usec busy_us;           /* time with at least one request there */
    usec request_us;        /* the number of requests there, summed over time: by elapsed time, their mean */
    usec filling_us;        /* likewise, of those whose answers have not begun */
};

/* What the engine's own page of metrics said when it was last read (told.h makes it, replica_tell keeps it). Fields that
 * its page has not are below 0; `at_us` of 0: nothing was ever told. What is old is worth less: whoever uses it looks at
 * `at_us`, or asks told_requests and told_kv_share. */
struct replica_told {
    usec at_us;
    double queued, running;       /* requests, ours and others' */
    double others, others_queued; /* of them, those that are not ours (replica_tell sees to it) */
    double kv_share;              /* of its cache of keys and values in use, 0 to 1 */
    double kv_beyond;             /* tokens in that cache beyond what we counted as ours there (replica_tell too);
                                                below 0 where ours share some; 0 where kv_share is not told */
    double prefix_share;          /* of prompts' tokens, found in its prefix cache of late, 0 to 1 */
    double prompt_per_s, generated_per_s;    /* tokens, of late */
    int64_t prompt_tokens, generated_tokens; /* counters, as all below */
    int64_t prefix_asked, prefix_found;      /* tokens of prompts looked up in its prefix cache, and found */
    int64_t preemptions;
};

/* What the engine is like: step times and room. Starts with the pair that `engine_model` names, else with a common one;
 * a fit to what is seen replaces it (replica_learn_model). */
struct replica_model {
    struct step_time time;
    int64_t kv_tokens;
    int64_t step_tokens_most;
    bool fitted; /* by what was seen here; false: starting values */
};

struct replica {
    struct lock lock;                    /* of all below */
    char *name;                          /* "10.0.0.11:8000"; does not change */
    struct tenure tenure;                /* under the lock of healths, which hands replicas out */
    struct pool_size *_Atomic pool_size; /* learns from what goes here how many are needed; NULL: nobody asks */
    _Atomic unsigned prefix_place; /* among those of the prefix index, from 1 on; 0: it has none. The index's own */
    struct replica_now now;
    struct replica_totals totals;
    struct replica_told told;
    bool asked;                    /* it is being asked now */
    struct replica_now now_before; /* `now` when it was */
    struct replica_model model;
    /* Prompts are computed first come first served: the first of these is under way, since head_us. */
    struct list filling; /* tickets */
    usec head_us;
    /* What came true of what was matched: tokens, fading. */
    double hits_expected, hits_seen;
    int64_t matched_then;      /* totals.matched_tokens when told.prefix_found was read */
    struct engine_track track; /* of calls to engines of our own alone */
    usec counted_us;           /* up to when busy_us, request_us and filling_us are counted; 0: nothing was taken yet */
};

/* What is expected of a call. */
struct replica_wish {
    int64_t prompt_tokens;
    /* Of them, what it was sent before, at most prompt_tokens. So much of it as has come true of late (replica_look.trust) is
     * taken to be known: engines forget, and some keep nothing. */
    int64_t matched_tokens;
    int64_t output_tokens;
    bool streamed; /* its first byte will tell when the prompt is computed; else that is assumed when it should be */
    struct shared_fit *fit; /* what learns of it, where it is an engine of our own; NULL: nothing does */
};

/* Held by one call; stays where it is while it is.  Zeroed: none is held. */
struct replica_ticket {
    struct replica *replica;                                              /* NULL: given back, or never taken */
    int64_t prompt_tokens, filling_tokens, matched_tokens, output_tokens; /* as counted in `now` */
    int64_t known_tokens; /* of those matched, what was taken to be known */
    int64_t produced;     /* of the output, counted in context_tokens */
    usec taken_us, filling_us;
    bool streamed;
    bool told_begun;  /* the owner's alone */
    bool begun;       /* it has left replica->filling; under the replica's lock */
    struct list link; /* in replica->filling */
    bool refused;     /* its error is the request's own affair: the engine is well */
    bool held_up;     /* who reads the answer was slower than the engine: its times say nothing */
    struct engine_turn turn;
    struct shared_fit *fit;
    double share_us; /* of the engine's busy time, once it is given back */
};

enum replica_ending { REPLICA_COMPLETED, REPLICA_FAILED, REPLICA_CLOSED };

/* What the answer's usage says; all -1 where it told none. */
struct replica_metered {
    int64_t input_tokens, cached_tokens, output_tokens; /* cached: -1, its usage does not tell */
};

void replica_take(struct replica *replica, struct replica_ticket *ticket, const struct replica_wish *wish, usec now_us);

/* The following do nothing with a ticket that is not held. */

/* The answer's first byte is here: the prompt is computed. */
void replica_begun(struct replica_ticket *ticket, usec now_us);

/* So many tokens of the output are here, in all. Cheap to call for each event: it counts in steps of REPLICA_STEP_TOKENS. */
enum { REPLICA_STEP_TOKENS = 16 };
void replica_produced(struct replica_ticket *ticket, int64_t output_tokens);

/* In every ending. `metered` NULL: the answer told no usage. */
void replica_give_back(struct replica_ticket *ticket, enum replica_ending ending, const struct replica_metered *metered,
                       usec now_us);

/* Its share of the time in which the engine was busy (engine_track.h), so far or in all; 0 where no fit was wished. */
double replica_share_us(struct replica_ticket *ticket, usec now_us);

/* Reading: all at one moment. */
struct replica_look {
    struct replica_now now;
    usec wait_us; /* until the prompts that are there are computed, by what is known of how far they are */
    double trust; /* of the tokens that were matched, the share that the engine did know, of late: 0 to 1 */
    struct replica_totals totals; /* times up to now_us */
    struct replica_told told;
    struct replica_model model;
    struct engine_track track; /* up to now_us */
};

/* No prompt is expected to be computed, and no line to last, longer: what comes out beyond is a model of no engine. */
#define REPLICA_FILL_MOST_US (USEC_PER_S * 3600)
#define REPLICA_WAIT_MOST_US (USEC_PER_S * 3600 * 24)

/* Until `fresh` tokens of a prompt behind `before` are computed, in steps that take beside_us more for what decodes. */
usec replica_fill_us(const struct replica_model *model, double fresh, double before, double beside_us);

/* How much longer a step takes for what decodes there. */
double replica_beside_us(const struct replica_model *model, double sequences, double kv_tokens);

void replica_look(struct replica *replica, usec now_us, struct replica_look *out);

/* The engine is asked for its page now: what is sent from here on may not be in what it tells. */
void replica_ask(struct replica *replica);

/* What it answered. What we had there when it was asked is ours of what it tells, and where more of ours were there when it
 * answered, those: none of ours shall be taken for another's. */
void replica_tell(struct replica *replica, const struct replica_told *told);
void replica_learn_model(struct replica *replica, const struct replica_model *model);

/* Aborts if an invariant does not hold. Under its lock. */
void replica_check(const struct replica *replica);

/* What the workers share of one backend's dispatching, beside its replicas; kept by the backend's name. */
struct pool {
    _Atomic uint64_t turn;
};

struct prefix_index;

/* All of them, made on first use; they live until they are forgotten (replicas_forget) or replicas_free. Own lock. */
struct replicas {
    struct lock lock;
    struct map by_name, pools;
    struct replica_totals forgotten; /* what those that are no more had come to */
    uint64_t forgotten_count;
    _Atomic(struct prefix_index *) index; /* NULL: nobody has asked for it */
    struct engine_fits fits;              /* own lock */
};

void replicas_init(struct replicas *replicas);
void replicas_free(struct replicas *replicas); /* tickets that are out must not be used any more */

/* `engine_model`: a name of engine_pairs.def, or NULL. It sets the model anew only if that is not fitted. */
struct replica *replicas_of(struct replicas *replicas, const char *name, const char *engine_model);

/* Forgets those that this sweep has not named, nobody holds and nothing is under way at, in their time (tenure.h). */
void replicas_forget(struct replicas *replicas, uint64_t sweep, usec now_us);

struct pool *replicas_pool(struct replicas *replicas, const char *backend);

/* What engines are expected to keep of prompts; made when it is first asked for. */
struct prefix_index *replicas_index(struct replicas *replicas);

/* For the metrics page (Prometheus text format 0.0.4). */
void replicas_print(struct replicas *replicas, usec now_us, struct buffer *out);

/* All requests that are anywhere: 0 at rest, and with it all of every `now` (checked here). */
int64_t replicas_in_flight(struct replicas *replicas);

#endif
