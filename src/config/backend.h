/* Where requests can be sent, as the configuration says it: part of its snapshot (config.h). */
#ifndef CONFIG_BACKEND_H
#define CONFIG_BACKEND_H

#include "base/usd.h"
#include "config/policy_id.h"
#include "dialect/api.h"
#include "dialect/limits_left.h"
#include "world.h"

/* How to prove to a backend who we are. */
struct credential {
    const char *header;  /* "authorization", "api-key", "x-api-key"; NULL: none */
    const char *prefix;  /* "Bearer " or "" */
    const char *secret;  /* the secret itself, NULL if it comes from a command; never printed */
    const char *command; /* prints the secret; run off the loop; NULL: none */
    usec refresh_us;     /* how long what the command printed is good for */
};

enum engine {
    ENGINE_HOSTED,
    ENGINE_VLLM,
    ENGINE_SGLANG,
    ENGINE_LLAMACPP,
    ENGINE_OLLAMA,
    ENGINE_TGI,
    ENGINE_TRITON,
    ENGINE_TWIN
};

/* What a tenant's rules may ask of a destination. */
struct destination_facts {
    const char *region;    /* NULL: not stated */
    const char *retention; /* "none", "30d", ...; NULL: not stated */
    const char **classes;  /* free words; NULL-terminated; NULL: none */
};

struct model_alias {
    const char *name;     /* as routes and clients say it */
    const char *upstream; /* as the backend says it */
};

/* Whether requests wait in front of a backend rather than in it (fleet/admission/admission.h). */
struct admission_config {
    bool on;
    int64_t kv_tokens;  /* of one replica; 0: not told */
    unsigned sequences; /* that one replica works at at a time; 0: not told */
    unsigned requests;  /* that may be there at a time; 0: found */
    unsigned queue;     /* that wait at most */
};

/* One account at a provider: its own key, health and rate limits. */
struct account_config {
    const char *name; /* for logs and metrics: "openai", or "openai/spare" where there are several */
    struct credential credential;
    int64_t limits[LIMIT_UNITS]; /* a minute; 0: the configuration has none */
};

/* How many replicas there may be, for recommendations (gateway/watch/sizer.h). */
struct replicas_config {
    bool given;           /* the configuration speaks of it */
    unsigned least, most; /* least at least 1 */
    const char *command;  /* told of another number; NULL: none */
    usec cold_start_us;   /* expected, until some were seen */
};

struct discover_config;
struct found;

struct backend_config {
    unsigned index; /* in config.backends */
    const char *name;
    enum dialect dialect;
    unsigned apis; /* bits 1 << enum api: those that it speaks */
    enum engine engine;
    const char *engine_model; /* which modelled engine it is most like, and plays it in a replay; NULL: not told */
    enum policy_id policy;
    const char *provider;       /* of the price book; NULL: none found */
    struct endpoint *endpoints; /* one per URL */
    size_t endpoint_count;
    const struct discover_config *discover; /* where further URLs were found (found.h); NULL: nowhere */
    const struct found *found;              /* what was; NULL only with discover */
    const char *base_path;                  /* "" or "/openai": stands before the API's path */
    const char *query;                      /* "api-version=..." appended to every target; NULL: none */
    struct credential credential;           /* of the first account */
    const struct account_config *accounts;  /* at least one */
    size_t account_count;
    struct destination_facts facts;
    const struct model_alias *models; /* declared models */
    size_t model_count;
    const char *metrics_path; /* where its replicas show their metrics, with base_path; NULL: not asked */
    const struct endpoint *metrics_endpoints; /* and on which ports: one per endpoint */
    usec scrape_us;
    const char *health_path; /* likewise, for their health */
    usec probe_us;
    usd usd_per_hour; /* one replica; USD_UNKNOWN: priced by the token */
    struct replicas_config replicas;
    bool modelled; /* a twin: its figures are labelled so */
    struct admission_config admission;
};

static inline bool
backend_speaks(const struct backend_config *backend, enum api api)
{
    return (backend->apis >> api & 1) != 0;
}

/* The API in which it is asked for a request of that one: the same where it speaks it, else one that the request may be put
 * in (dialect/translate/translate.h); API_COUNT: there is none. */
enum api backend_api(const struct backend_config *backend, enum api asked);

/* A model on a backend, as routes name it: "openai/gpt-5.5". */
struct target {
    const struct backend_config *backend;
    const char *model;    /* as routes say it */
    const char *upstream; /* as the backend says it */
    char *name;           /* "backend/model" */
};

#endif
