/* What an engine's page of metrics tells, by whatever names it has: read by one table, engine_metrics.def. */
#ifndef FLEET_ENGINE_METRICS_H
#define FLEET_ENGINE_METRICS_H

#include "config/config.h"

enum told_field {
    TOLD_QUEUED,           /* requests that wait */
    TOLD_RUNNING,          /* requests that are worked on */
    TOLD_KV_SHARE,         /* of the cache of keys and values, 0 to 1 */
    TOLD_PREFIX_SHARE,     /* of prompts' tokens found in the prefix cache lately, 0 to 1, where no counters tell */
    TOLD_PROMPT_TOKENS,    /* counters, as all below */
    TOLD_GENERATED_TOKENS, /* */
    TOLD_PREFIX_ASKED,     /* tokens of prompts looked up in the prefix cache */
    TOLD_PREFIX_FOUND,     /* of them, found */
    TOLD_PREEMPTIONS,      /* requests put back, as the memory ran out */
    TOLD_FIELDS
};

/* "queued", "kv_share". */
const char *told_field_name(enum told_field field);

/* Below 0: not told. All others are finite, and the shares at most 1. */
struct engine_told {
    double of[TOLD_FIELDS];
};

void engine_told_init(struct engine_told *told);

/* Reads a whole page; a modelled backend's is as vLLM's. Samples of several models or engines of one server go together as
 * the table says; what the ranks of one engine repeat counts once. A page without any of the names is a page, which
 * tells nothing. ERR_INVALID, ERR_LIMIT: it is no page; *line and *why say where and how, *told is as it was. */
enum status engine_metrics_read(enum engine engine, struct slice page, struct engine_told *told, unsigned *line,
                                const char **why) MUST_CHECK;

/* The engine whose names most of a page's are; ENGINE_HOSTED: no engine's that is known, or it is no page. */
enum engine engine_metrics_guess(struct slice page);

/* llama.cpp's cache of keys and values, by its /slots: the share of all slots' room that those who work have filled.
 * ERR_INVALID: it is no such list. */
enum status engine_slots_read(struct slice answer, double *kv_share) MUST_CHECK;

#endif
