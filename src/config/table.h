/* The one table of the configuration: every key, its type, default and words. It drives reading,
 * defaults, --help-config and doc/config.md. Values land in drafts, plain structs in which names are still text;
 * build.h makes the snapshot of them. */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config/config.h"
#include "config/yaml.h"

enum field_kind {
    FIELD_BOOL,     /* bool */
    FIELD_COUNT,    /* unsigned, from `least` to `most` */
    FIELD_INTEGER,  /* int, from `least` to `most` */
    FIELD_DURATION, /* usec, from `least` */
    FIELD_SIZE,     /* size_t, from `least` to `most` */
    FIELD_SHARE,    /* unsigned, ppm */
    FIELD_MONEY,    /* usd */
    FIELD_RATE,     /* usd_rate, dollars per million */
    FIELD_DATE,     /* usec since the Unix epoch */
    FIELD_TEXT,     /* const char * */
    FIELD_TEXTS,    /* const char **, NULL-terminated; one or a list */
    FIELD_NAME,     /* const char *, a value_is_name */
    FIELD_PATH,     /* const char *, seen from the configuration's folder */
    FIELD_FILE,     /* const char *, the content of the file at that path */
    FIELD_SECRET,   /* const char *, what $NAME or file: stands for */
    FIELD_DIGEST,   /* struct digest */
    FIELD_ADDRESS,  /* struct listen_address */
    FIELD_CHOICE,   /* unsigned, the place in `choices` */
    FIELD_LEVER,    /* struct lever_setting */
    FIELD_NODE,     /* const struct yaml_node *: read by whoever builds it; `type` and `expected` say what it is */
    FIELD_SECTION,  /* the section's struct, inside */
    FIELD_MAP,      /* struct entries, one struct of the section for each name */
    FIELD_KIND_COUNT
};

struct section;

struct field {
    const char *key;
    enum field_kind kind;
    size_t offset; /* in the section's struct */
    const char *words;
    const char *standard; /* the default, as it would be written; NULL: none */
    const char *word;     /* a word with a meaning of its own: 0 for counts, USEC_NEVER for times */
    bool required;
    bool restart;                 /* read at the start only: a reload keeps what was */
    bool plain;                   /* FIELD_SECRET: may stand in the file as it is */
    const char *type;             /* FIELD_NODE: its type for the help */
    const char *const *choices;   /* FIELD_CHOICE, NULL-terminated */
    int64_t least, most;          /* most 0: no bound */
    const struct section *inside; /* FIELD_SECTION, FIELD_MAP */
};

/* A key of the design that this version does not serve: refused, so that nobody relies on what is not there. */
struct later {
    const char *key;
    const char *words;
};

struct section {
    const char *title; /* "a route"; in the help its heading */
    const char *path;  /* "routes.NAME" */
    const struct field *fields;
    size_t count;
    size_t size; /* of the struct */
    const struct later *later;
    size_t later_count;
};

/* What a FIELD_MAP's struct starts with. */
struct entry {
    const char *name;
    const struct yaml_node *key;   /* where the name stands */
    const struct yaml_node *value; /* a map */
};

struct entries {
    void *items; /* structs of the section's size, each starting with a struct entry */
    size_t count;
};

/* The draft at an index of entries. */
#define ENTRY_AT(entries, type, index) (&((struct type *)(entries).items)[index])

/* Drafts: what the sections are read into. */

struct account_draft {
    struct entry entry;
    const char *key; /* secret */
    const struct yaml_node *limits;
};

struct backend_draft {
    struct entry entry;
    const struct yaml_node *url, *models;
    unsigned dialect;  /* 0: by its URL, else enum dialect + 1 */
    const char **apis; /* NULL: all of its dialect */
    unsigned engine;   /* enum engine */
    const char *engine_model;
    unsigned policy; /* 0: by its engine, else enum policy_id + 1 */
    const char *provider;
    const char *key; /* secret */
    struct credential auth;
    const char *region, *retention;
    const char **classes;
    const char *ca;
    bool verify, private_allowed;
    usd usd_per_hour;
    const char *discover_file, *discover_dns, *discover_resolver, *discover_server_name;
    usec discover_every_us;
    struct entries accounts;
    const struct yaml_node *limits;
    const char *metrics, *health;
    usec scrape_us, probe_us;
    usec connect_us, first_byte_us, idle_us;
    unsigned connections;
    struct replicas_config replicas;
    struct {
        unsigned mode; /* 0: off */
        unsigned kv_tokens, sequences, requests, queue;
    } admission;
};

/* Of any scope that may have budgets. */
struct budget_draft {
    const struct yaml_node *budgets; /* NULL: none */
    unsigned on_exceed, exposure;
};

struct route_draft {
    struct entry entry;
    const struct yaml_node *reference, *baseline, *candidates;
    const char *owner;
    bool repeatable;
    usec ttl_us; /* USEC_NEVER: inherit */
    unsigned quality_ppm, confidence_ppm, served_floor_ppm;
    unsigned floor_of;              /* enum floor_scope */
    const struct yaml_node *slices; /* NULL: none */
    usec first_token_us, total_us;
    struct lever_setting levers[LEVER_COUNT];
    struct semantic_config semantic;
    const char *semantic_calibration;
    struct {
        unsigned by; /* 0: none of these, else enum judge + 1 */
        const struct yaml_node *model;
        const char *command, *http, *json_schema, *calibration;
        unsigned similar_ppm, tolerance_ppm, ceiling_ppm;
    } judge;
    unsigned learning_ppm;
    struct {
        unsigned accept; /* enum accept_by */
        const struct yaml_node *verifier;
        unsigned samples, agree, similar_ppm, tolerance_ppm;
        unsigned streams; /* 0: skip, 1: hold */
    } cascade;
    const char *warm_start;
    struct validator_config validate;
    unsigned attempts;
    unsigned retry; /* enum retry_rule */
    unsigned holdout_ppm;
    usd worth;
    struct budget_draft budget;
    unsigned output_max;
};

struct key_draft {
    struct entry entry;
    struct digest sha256;
    const char *tenant;
    const struct yaml_node *tags;
    usec expires_wall_us;
    const char **routes;
    int priority;
    struct budget_draft budget;
};

struct tenant_draft {
    struct entry entry;
    const char *region, *retention;
    const char **classes;
    unsigned weight;
    struct budget_draft budget;
};

struct price_draft {
    struct entry entry;
    usd_rate input, output, cache_read, cache_write, cache_write_1h, input_audio, output_audio;
};

struct alerts_draft {
    const char *webhook; /* a URL */
    const char *command;
    const struct yaml_node *shares;
    usec repeat_us;
    unsigned runaway_times;
    usd runaway_at_least;
    bool private_allowed;
};

struct root_draft {
    struct listen_address listen, admin, health;
    const char *health_token;
    const char *data;
    unsigned workers;
    struct tls_files tls;
    bool observe, fingerprints;
    usec journal_sync_us;
    unsigned journal_when_full; /* 0: refuse, 1: serve */
    struct limits_config limits;
    struct idempotency_config idempotency;
    struct cache_config cache;
    unsigned batch_inputs;
    bool batch_across_tenants;
    struct entries backends, routes, keys, tenants, prices;
    const char *price_file;
    const struct yaml_node *discounts;
    struct alerts_draft alerts;
    struct budget_draft budget;
    const struct yaml_node *tag_budgets;
    unsigned cached_token_weight_ppm;
};

/* The top of the file. */
extern const struct section config_root;

/* "a duration such as 800ms, 30s or 2h" */
const char *field_expected(const struct field *field);

/* What the help calls its type: "duration". */
const char *field_type(const struct field *field);

/* NULL if the section has no such key. */
const struct field *section_field(const struct section *section, struct slice key);
const struct later *section_later(const struct section *section, struct slice key);

#endif
