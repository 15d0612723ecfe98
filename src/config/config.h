/* The configuration as the program uses it: an immutable snapshot, counted by its holders (any thread), swapped whole on
 * reload. Loaded from one YAML file by one table (config_table.def) that also makes --help-config, `check` and the
 * reference in doc/. Names refer to each other by pointer once loaded; everything lives in the snapshot's arena. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/problem.h"
#include "config/backend.h"
#include "config/judge.h"
#include "config/lever_setting.h"
#include "money/budget/budget_rule.h"
#include "money/prices/prices.h"
#include "money/usd.h"
#include "world.h"

/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses). */
struct listen_address {
    const char *host; /* numeric; "" all */
    unsigned port;
    bool loopback;
};

struct tls_files {
    const char *cert, *key; /* NULL: no TLS */
};

/* What becomes of a request that a budget cannot take, and what a budget takes of one. UNSET: whoever is less specific
 * says it; in the order key, tenant, route, the whole. */
enum on_exceed {
    ON_EXCEED_UNSET,
    ON_EXCEED_REFUSE, /* any acceptable plan that the budgets take, else refused */
    ON_EXCEED_DEGRADE /* only plans cheaper than the reference, else refused */
};
enum exposure {
    EXPOSURE_UNSET,
    EXPOSURE_EXPECTED, /* what it will likely cost; what it may cost beyond that is stated */
    EXPOSURE_STRICT    /* the most that it can cost; what cannot be bounded is refused */
};

struct budget_policy {
    enum on_exceed on_exceed;
    enum exposure exposure;
};

struct validator_config {
    const char *json_schema;          /* the schema's text; NULL: none */
    const struct json_schema *schema; /* the same, compiled */
    const char *regex;                /* NULL: none */
    const char *command;              /* NULL: none; gets the answer on stdin, exit status 0: useful, 1: not */
    const char *http;                 /* NULL: none */
    const struct endpoint *endpoint;  /* of `http` */
    const char *target;               /* and its path and query */
};

/* May a request be sent a second time when nobody knows whether the first was worked on? */
enum retry_rule {
    RETRY_SENT, /* yes: the client gets its answer, and we book what the first may have cost */
    RETRY_SAFE  /* no: only if the backend never got it, or refused it in so many words */
};

/* How the router tells a route's requests apart before it has audits of its own. */
struct router_config {
    const char *warm_start;    /* a file's path; NULL: none */
    struct labelled *labelled; /* what it holds (config/labelled.h); NULL: nothing */
    uint64_t mark;             /* stands for all of it; 0: there is nothing */
};

/* By what a route's traffic is cut into slices, each of which has evidence of its own where models are chosen. */
enum { SLICES_BY_MOST = 4 };

struct slices_config {
    size_t count;                     /* 0: it is not */
    const char *tags[SLICES_BY_MOST]; /* each by the value of this tag, or, where it is NULL, by tenant */
    uint64_t mark;                    /* stands for all of it; 0: it is not cut */
};

struct route_config {
    unsigned index;
    const char *name;
    struct target reference;
    struct target baseline; /* as the reference unless the config says otherwise */
    struct target *candidates;
    size_t candidate_count;
    const char *owner; /* NULL: none */
    bool repeatable;   /* equal requests may get an equal answer, deterministic or not */
    usec ttl_us;       /* how long its answers may serve from the cache */
    /* acceptable: */
    unsigned quality_ppm;      /* 1,000,000: only answers of the same model */
    unsigned confidence_ppm;   /* 950,000 */
    unsigned floor_of;         /* enum floor_scope, where models are chosen */
    unsigned served_floor_ppm; /* not FLOOR_SERVED: of what other models serve; 0: none */
    struct slices_config slices;
    usec first_token_us; /* USEC_NEVER: no limit */
    usec total_us;       /* USEC_NEVER: no limit */
    struct lever_setting levers[LEVER_COUNT];
    struct semantic_config semantic;
    struct judge_config judge;
    unsigned learning_ppm; /* of its spend, for audits */
    struct cascade_config cascade;
    struct router_config router;
    struct validator_config validate;
    unsigned attempts; /* at least 1: one attempt budget for retries and failover */
    enum retry_rule retry;
    unsigned holdout_ppm;
    usd worth; /* of a useful answer; USD_UNKNOWN: not known */
    struct budget_rules budgets;
    struct budget_policy policy;
    unsigned output_max; /* tokens, for a request that names no cap of its own; 0: none */
};

struct tag {
    const char *name, *value;
};

struct tenant_config {
    const char *name;
    unsigned weight;       /* of its share where requests wait; at least 1 */
    const char *region;    /* allow: only destinations of this region; NULL: any */
    const char *retention; /* NULL: any */
    const char **classes;  /* destinations must have all of these; NULL: any */
    struct budget_rules budgets;
    struct budget_policy policy;
};

enum { PRIORITIES_MOST = 8 };

struct key_config {
    unsigned index;
    const char *name;
    struct digest sha256;
    const struct tenant_config *tenant; /* never NULL: an unnamed default tenant */
    struct tag *tags;
    size_t tag_count;
    usec expires_wall_us; /* USEC_NEVER: does not */
    const char **routes;  /* NULL: all; else the only models this key may ask for, NULL-terminated */
    int priority;
    unsigned class; /* its place among the priorities there are: 0 is the most urgent */
    struct budget_rules budgets;
    struct budget_policy policy;
};

struct limits_config {
    size_t body_max;   /* bytes of a request body; 64 MiB */
    size_t answer_max; /* bytes of an answer kept for followers; 4 MiB */
    size_t header_max; /* bytes of a head; 32 KiB */
    usec header_timeout_us, body_timeout_us, keep_alive_us, write_timeout_us, drain_timeout_us;
    usec stall_timeout_us; /* of who reads a shared answer and holds up others */
};

enum { ALERT_SHARES_MOST = 8 };

struct alert_config {
    const struct endpoint *endpoint;        /* of the webhook; NULL: none */
    const char *target;                     /* and its path and query: often a secret */
    const char *command;                    /* NULL: none */
    unsigned shares_ppm[ALERT_SHARES_MOST]; /* of a budget, rising */
    size_t share_count;
    unsigned runaway_times; /* see money/budget/runaway.h; 0: off */
    usd runaway_at_least;
    usec repeat_us; /* the same alert again no sooner */
};

struct root_draft;

/* Answers kept for requests that are repeated with their Idempotency-Key. */
struct idempotency_config {
    usec keep_us;  /* 10 min */
    size_t memory; /* all together, bytes; 64 MiB */
};

/* Stored answers. */
struct cache_config {
    size_t bytes;          /* all together, everything included; 256 MiB */
    usec ttl_us;           /* how long they may serve, unless the route says otherwise; 1 d */
    size_t compress_above; /* longer ones are stored compressed; 4 KiB */
    const char *path;      /* the file that keeps them over a restart; NULL: memory only */
    unsigned turns;        /* that the semantic cache knows at most; 100,000 */
    usd core_hour;         /* what the machine costs: a core, and a GiB of memory, for an hour; $0.04 and $0.005 */
    usd gib_hour;
};

struct config {
    atomic_uint holders;
    struct arena arena;
    const struct root_draft *draft;              /* as it was read, for comparisons */
    struct digest price_file_sha256;             /* zeroed: there is none */
    const char *file;                            /* NULL: made without one */
    struct slice text;                           /* as it was loaded; only where replicas are discovered */
    struct listen_address listen, admin, health; /* health.port == 0: only on admin */
    const char *health_token;                    /* NULL: none */
    const char *data;                            /* directory */
    unsigned workers;                            /* 0: one per core */
    struct tls_files tls;
    bool observe;                  /* forward and book, never alter or refuse */
    bool fingerprints;             /* keep a hash of each request in its row */
    bool serve_when_journal_fails; /* default: refuse */
    usec journal_sync_us;          /* 100 ms */
    struct limits_config limits;
    struct idempotency_config idempotency;
    struct cache_config cache;
    unsigned batch_inputs;     /* in one call for several requests at most; 64 */
    bool batch_across_tenants; /* of several tenants too; no */
    struct alert_config alerts;
    struct backend_config *backends;
    size_t backend_count;
    struct route_config *routes;
    size_t route_count;
    struct map route_by_name;   /* -> struct route_config */
    struct map backend_by_name; /* -> struct backend_config */
    struct key_config *keys;
    size_t key_count;
    struct map key_by_digest; /* raw 32 bytes -> struct key_config */
    struct tenant_config *tenants;
    size_t tenant_count;
    const struct tenant_config *default_tenant;
    struct budget_rules all_budgets;  /* of every scope */
    struct budget_rules budgets;      /* among them: of everything together */
    struct map budgets_by_tag;        /* "name=value" -> struct budget_rules */
    struct budget_policy policy;      /* nothing in it is UNSET */
    unsigned open_class;              /* of requests without a key, whose priority is 0 (see key_config) */
    unsigned cached_token_weight_ppm; /* of input read from a provider's cache, in budgets of tokens */
    struct price_book *prices;        /* file, overrides and built-in facts together; held by this snapshot */
    unsigned endpoint_ids;            /* how many were given out by this one and all before it: none is used twice */
};

struct config_outside;

struct config_input {
    const char *file; /* its name, for problems; paths are seen from its folder. NULL: none */
    struct slice text;
    const struct config *before;          /* on reload: what it replaces, whose unchanged endpoints keep their ids */
    const struct config_outside *outside; /* environment and files; NULL: the real ones */
};

/* Loads and checks a configuration. All problems are reported at once; *out is set only if there was no error, and the
 * caller is its holder. An empty text gives the defaults and no backends. Environment variables and `file:` secrets are
 * read here: not for a worker's loop. */
enum status config_load_input(const struct config_input *input, struct problems *problems, struct config **out)
    MUST_CHECK;

/* The same for a file's text with no snapshot before it. */
enum status config_load(const char *file, struct slice text, struct problems *problems, struct config **out) MUST_CHECK;

/* Only the folder of the ledger that a configuration names: secrets need not be at hand, nor other keys right. The path
 * is the arena's. */
enum status config_data_folder(const char *file, struct slice text, struct problems *problems, struct arena *arena,
                               const char **out) MUST_CHECK;

/* Likewise the address of the admin listener, as it stands there. */
enum status config_admin(const char *file, struct slice text, struct problems *problems, struct arena *arena,
                         const char **out) MUST_CHECK;

/* Whether it may be served: without keys only on loopback addresses, with a warning there. To be asked before listening,
 * after options of the command line have had their say. */
void config_check_exposure(const struct config *config, struct problems *problems);

/* Whether it may take the place of `before` while the gateway serves: a file that is empty, or that was read before all of
 * it was written, must not open a gateway with keys to everybody, nor leave it without backends. A restart may. */
void config_check_successor(const struct config *config, const struct config *before, struct problems *problems);

/* A warning if there is nothing to send requests to. */
void config_check_backends(const struct config *config, struct problems *problems);

/* A warning if a budget is to degrade where nothing could. */
void config_check_budgets(const struct config *config, struct problems *problems);

/* What becomes of requests that this budget cannot take; nothing in it is UNSET. Where their route says something of its
 * own, that holds for a tenant's or all requests there. */
struct budget_policy config_budget_policy(const struct config *config, const struct budget_rule *rule);

/* problems_print for a configuration's text: what may be a secret in the lines shown is starred out. */
void config_print_problems(const struct problems *problems, struct slice text, bool colour, struct buffer *out);

/* Every key with its type, default and meaning, from the table: for a terminal, or as doc/config.md. */
void config_help(struct buffer *out);
void config_help_markdown(struct buffer *out);

struct config *config_hold(struct config *config);
void config_release(struct config *config);

/* NULL if there is none. */
const struct route_config *config_route(const struct config *config, struct slice name);
const struct backend_config *config_backend(const struct config *config, struct slice name);

/* Whether the candidate is another model than the reference's, which only evidence may let serve. */
bool route_candidate_differs(const struct route_config *route, const struct target *candidate);
bool route_has_other_models(const struct route_config *route);

/* Whether such a model may be asked first, and its answer kept if it passes. */
bool route_may_cascade(const struct route_config *route);

#endif
