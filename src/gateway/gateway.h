/* The gateway: the application that stands between clients and backends. One struct gateway for the process, one struct
 * gateway_worker for each worker. What the workers share is here and nowhere else: the configuration's snapshot with the
 * directory of models (view.h), what was learned of targets and of the health of their places, the budgets, the queue of
 * alerts, answers kept for repetitions, the switch `bypass`, the counters (each worker its own, all may read). */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/spares.h"
#include "fleet/admission/admission.h"
#include "fleet/dispatch/prompt_memory.h"
#include "gateway/choice/scorers.h"
#include "gateway/flight/flight.h"
#include "gateway/kept.h"
#include "gateway/running/alert.h"
#include "gateway/running/counters.h"
#include "gateway/running/view.h"
#include "levers/pays.h"
#include "money/budget/budget.h"
#include "money/budget/runaway.h"
#include "money/ledger/journal.h"
#include "quality/acceptances.h"
#include "quality/coin.h"
#include "quality/degenerate.h"
#include "quality/evidences.h"
#include "quality/learning.h"
#include "world.h"

enum { WORKERS_MOST = 256 };

struct cache;
struct cache_file;
struct embedder;
struct promotions;
struct semantic_index;
struct utilisation;

struct gateway {
    struct log *log;
    struct snapshot *snapshot; /* the newest, held; once the workers run, it is the first one's to look at and change */
    struct switches *switches; /* the newest, held; likewise the first worker's */
    struct experiences experiences;
    struct prompt_memory *prompts;
    struct healths healths;
    struct admissions admissions;            /* who may start at which backend */
    struct utilisation *utilisation;         /* of their replicas; the first worker's */
    struct rent_keeper *rent;                /* the stand's, likewise; NULL: nobody writes rents down */
    struct evidence_keeper *evidence_keeper; /* the stand's; NULL: nobody writes evidence down */
    struct kept_answers kept;
    struct cache *cache;           /* answers stored for equal requests */
    struct cache_file *cache_file; /* the stand's, which keeps them over a restart; NULL: none */
    struct shares *shares;         /* flights that more than one may read */
    struct lock meanings_lock;     /* while the next four are made */
    struct embedder *embedder;     /* NULL: nobody has asked for it */
    unsigned turns_most;
    struct semantic_index *turns;   /* what the stored answers answer, by its meaning; NULL: likewise */
    struct promotions *promotions;  /* to which requests they may serve besides; NULL: likewise */
    struct evidences evidences;     /* that what levers serve is acceptable */
    struct evidences on_trial;      /* likewise, by the scores that are on trial */
    struct scorers scorers;         /* by which other models are chosen */
    struct samenesses samenesses;   /* what candidates said lately */
    struct learning_books learning; /* what audits of model choice may cost */
    struct pay_books paying;        /* whether levers that look for something pay where they look */
    struct coin coin;               /* of audits; made of the salt */
    bool no_audits;                 /* of model choice: answers are modelled, and say nothing of any model */
    struct alerts alerts;
    struct runaways runaways;
    struct acceptance_books acceptances; /* how often answers of cheaper models were kept lately */
    struct budgets budgets;
    atomic_bool bypass;
    uint64_t salt;        /* of conversation marks; kept with the ledger, so that a restart tears no conversation */
    struct digest secret; /* keys what tells equal requests; made of the salt */
    struct gateway_worker *workers[WORKERS_MOST];
    unsigned worker_count;
};

struct gateway_worker {
    struct application app; /* first: the world hands it back */
    struct gateway *gateway;
    struct view *view; /* the newest; held */
    unsigned views;    /* that are held by anything */
    struct switches *switches;
    struct counters counters;
    struct flights flights;
    struct list exchanges;    /* all that are not released */
    struct spares blocks;     /* of which they are made */
    struct list mirrors;      /* of flights that exchanges of this worker follow */
    struct list batch_queues; /* where requests wait to go together (batch.h) */
    struct list judgements;   /* see outcome.c */
    unsigned judgement_count, judging;
    unsigned comparing;        /* answers being held against each other (comparison.h) */
    bool no_missions;          /* the program stops */
    unsigned missions;         /* exchanges of our own (mission.h) */
    unsigned outside_judges;   /* being asked (outside_judge.h) */
    struct list outside_calls; /* of them, the services */
    uint64_t last_id;
    struct hasher hasher;
    struct buffer record; /* scratch for journal records */
    struct buffer text;   /* scratch */
    struct row row;       /* scratch */
};

/* Makes what compares texts by their meaning, if it is not there yet, which takes some milliseconds; any thread. */
void gateway_open_meanings(struct gateway *gateway);

/* Whether it is there. */
bool gateway_has_meanings(struct gateway *gateway);

/* Takes a hold on the configuration. */
void gateway_init(struct gateway *gateway, struct config *config, struct log *log, uint64_t salt);
void gateway_free(struct gateway *gateway);

/* In place of the one it was made with; before anything is served. */
void gateway_set_salt(struct gateway *gateway, uint64_t salt);

/* The worker for a world; it and its application live until gateway_worker_free. Called on that worker. */
struct gateway_worker *gateway_worker_new(struct gateway *gateway, struct world *world);

/* Call when the world has ended all its clients and calls. */
void gateway_worker_free(struct gateway_worker *worker);

/* A new request id: milliseconds since the epoch (44 bits), worker (8), sequence (12); never the same twice. */
uint64_t gateway_next_id(struct gateway_worker *worker);

/* No id from now on is `last` or lower, though the clock may say so: those stand in the ledger. Before anything is
 * served, when the workers are there. */
void gateway_go_on_from(struct gateway *gateway, uint64_t last);

/* Appends worker->record to the journal and clears it. False: it was lost (counted and logged). */
bool gateway_append(struct gateway_worker *worker);

/* The sum of a counter over all workers; any thread. */
int64_t gateway_count(const struct gateway *gateway, enum counter which);

static inline struct world *
worker_world(const struct gateway_worker *worker)
{
    return worker->app.world;
}

#endif
