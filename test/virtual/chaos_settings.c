/* The configurations that histories choose from. Few, for loading one takes longer than a history. */
#include "chaos.h"

#define PRICES                                                                                                         \
    "prices:\n"                                                                                                        \
    "  override:\n"                                                                                                    \
    "    alpha/big:      { input: $2/M, output: $8/M, cache_read: $0.50/M }\n"                                         \
    "    alpha/embedder: { input: $0.10/M, output: $0/M }\n"                                                           \
    "    beta/big:       { input: $3/M, output: $12/M, cache_read: $1/M }\n"                                           \
    "    beta/midi:      { input: $0.40/M, output: $1.60/M, cache_read: $0.20/M }\n"                                   \
    "    beta/mini:      { input: $0.20/M, output: $0.80/M, cache_read: $0.10/M }\n"                                   \
    "    claude/nano:    { input: $0.50/M, output: $2/M, cache_read: $0.10/M, cache_write: $1/M, "                     \
    "cache_write_1h: $2/M }\n"                                                                                         \
    "    claude/opus:    { input: $5/M, output: $25/M, cache_read: $0.50/M, cache_write: $6.25/M, "                    \
    "cache_write_1h: $10/M }\n"

/* Backends that are soon full and soon given up, small limits, levers by lot, validators. */
static const char tight[] =
    "limits: { body: 1KiB }\n"
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ], connections: 2,\n"
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 300ms } }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ], connections: 1,\n"
    "            timeouts: { connect: 500ms, first_byte: 1s, idle: 500ms } }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ], connections: 3,\n"
    "            timeouts: { first_byte: 1500ms, idle: 400ms } }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], levers: { alternatives: { on: 40% }, prompt_cache: "
    "on }, holdout: "
    "20%,\n"
    "               attempts: 4, validate: { regex: \"w1 \" } }\n"
    "  vectors:   { reference: alpha/embedder, levers: { batching: on } }\n"
    "  writer:    { reference: claude/opus, levers: { prompt_cache: on }, validate: { command: \"judge\" } }\n" PRICES;

/* The dearer one is the reference, the lever is in the shadow, one tenant may not go everywhere. */
static const char narrow[] =
    "fingerprints: yes\n"
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ], region: us }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ], region: eu }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ], region: us }\n"
    "routes:\n"
    "  assistant: { reference: beta/big, candidates: [ alpha/big ], levers: { alternatives: shadow }, attempts: 2,\n"
    "               acceptable: { first_token: 500ms } }\n"
    "  vectors:   { reference: alpha/embedder, attempts: 1 }\n"
    "  writer:    { reference: claude/opus, baseline: claude/opus, levers: { prompt_cache: shadow } }\n" PRICES;

/* One backend less, everything twice as dear. */
static const char dearer[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, levers: { alternatives: on } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus }\n"
    "prices:\n"
    "  override:\n"
    "    alpha/big:      { input: $4/M, output: $16/M, cache_read: $1/M }\n"
    "    alpha/embedder: { input: $0.20/M, output: $0/M }\n"
    "    claude/opus:    { input: $10/M, output: $50/M, cache_read: $1/M, cache_write: $12.50/M, "
    "cache_write_1h: $20/M }\n";

/* Equal requests share their calls; little is kept for slow readers, who are soon cut off. */
static const char shared[] =
    "limits: { answer: 64KiB, stall: 500ms }\n"
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ],\n"
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 700ms } }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], repeatable: yes, attempts: 3,\n"
    "               levers: { coalesce: on, alternatives: { on: 40% } } }\n"
    "  vectors:   { reference: alpha/embedder, levers: { coalesce: on, batching: { on: 80% } } }\n"
    "  writer:    { reference: claude/opus, repeatable: yes, levers: { coalesce: { on: 70% } }, holdout: 10% "
    "}\n" PRICES;

/* Engines with little room, in front of which requests wait: some leave, some are refused, some go elsewhere. */
static const char crowded[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ],\n"
    "            admission: { mode: on, kv_tokens: 200, queue: 3 }, timeouts: { first_byte: 1200ms, idle: 700ms } }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ], admission: { mode: on } }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ], admission: { mode: on, "
    "kv_tokens: "
    "150 } }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], repeatable: yes, attempts: 3,\n"
    "               acceptable: { first_token: 600ms }, levers: { coalesce: { on: 50% }, alternatives: { on: 60% } } "
    "}\n"
    "  vectors:   { reference: alpha/embedder, levers: { exact_cache: on } }\n"
    "  writer:    { reference: claude/opus, attempts: 2, holdout: 10% }\n" PRICES;

/* Budgets of all kinds, some of which soon bind. */
static const char strict_budgets[] = "budget: [ $0.05/minute, 8 requests/minute, 6k tokens/hour ], on_exceed: degrade, "
                                     "exposure: strict";
static const char expected_budgets[] = "budget: [ $0.004/hour, 900 tokens/minute ], exposure: expected";

/* Equal requests may get equal answers, for a while. */
static const char repeats[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "cache: { bytes: 1MiB, compress_above: 200B }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], repeatable: yes, ttl: 20s,\n"
    "               levers: { exact_cache: on, coalesce: on, semantic_cache: on, alternatives: on }, holdout: 10% }\n"
    "  vectors:   { reference: alpha/embedder, levers: { exact_cache: { on: 70% }, coalesce: on, batching: on } }\n"
    "  writer:    { reference: claude/opus, repeatable: yes, levers: { exact_cache: { on: 60% }, semantic_cache: "
    "shadow, prompt_cache: on } "
    "}\n" PRICES;

/* Turns that mean the same may get each other's answers, and have earned that already. */
static const char meanings[] =
    "limits: { answer: 64KiB, stall: 500ms }\n"
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus ] }\n"
    "cache: { compress_above: 200B, turns: 6 }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/big ], repeatable: yes, ttl: 30s, acceptable: { quality: "
    "70% "
    "},\n"
    "               semantic_cache: { judge: exact }, levers: { semantic_cache: on, coalesce: on }, holdout: 10% }\n"
    "  vectors:   { reference: alpha/embedder, levers: { exact_cache: on } }\n"
    "  writer:    { reference: claude/opus, repeatable: yes, acceptable: { quality: 70% }, semantic_cache: { judge: "
    "exact "
    "},\n"
    "               levers: { exact_cache: { on: 50% }, semantic_cache: { on: 80% }, prompt_cache: on } }\n" PRICES;

#define MODELS_TO_CHOOSE_FROM                                                                                          \
    "backends:\n"                                                                                                      \
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"                                         \
    "  beta:   { url: \"http://beta.example\", models: [ big, mini ],\n"                                               \
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 700ms } }\n"                                       \
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus, nano ] }\n"

/* Another model may serve, and has earned that already for a part of them. */
static const char choosing[] = MODELS_TO_CHOOSE_FROM
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/mini, beta/big ], acceptable: { quality: 70% }, attempts: "
    "3,\n"
    "               judge: { by: exact, ceiling: 30% }, learning: 100%, holdout: 10%, repeatable: yes,\n"
    "               levers: { router: on, alternatives: on, coalesce: { on: 50% } } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: claude/nano, acceptable: { quality: 70% }, judge: { by: "
    "numeric },\n"
    "               learning: 100%, levers: { router: { on: 70% }, prompt_cache: on } }\n" PRICES;

/* The same, where each tenant has evidence of its own, and of another route each client: more of them than there are places. */
static const char choosing_by_slices[] = MODELS_TO_CHOOSE_FROM
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/mini, beta/big ], attempts: 3,\n"
    "               acceptable: { quality: 70%, slices: tenant },\n"
    "               judge: { by: exact, ceiling: 30% }, learning: 100%, holdout: 10%, repeatable: yes,\n"
    "               levers: { router: on, alternatives: on, coalesce: { on: 50% } } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: claude/nano, judge: { by: numeric },\n"
    "               acceptable: { quality: 70%, slices: [ tenant, \"tag:mark\" ] },\n"
    "               learning: 100%, levers: { router: { on: 70% }, prompt_cache: on } }\n" PRICES;

/* Each route has a backend of the other dialect too, which is cheaper; what cannot be put in its words goes to the other. */
static const char crossed[] =
    "limits: { answer: 64KiB, stall: 500ms }\n"
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, opus, embedder ],\n"
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 700ms } }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big ], apis: [ chat ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus, big ],\n"
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 700ms } }\n"
    "routes:\n"
    "  assistant: { reference: beta/big, candidates: [ claude/big, alpha/big ], repeatable: yes, attempts: 3,\n"
    "               levers: { alternatives: { on: 80% }, coalesce: { on: 60% }, exact_cache: { on: 40% }, "
    "prompt_cache: "
    "on } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: [ alpha/opus ], repeatable: yes, attempts: 3,\n"
    "               levers: { alternatives: { on: 80% }, coalesce: { on: 60% }, exact_cache: { on: 40% }, "
    "prompt_cache: "
    "on } "
    "}\n" PRICES "    claude/big:     { input: $1/M, output: $4/M, cache_read: $0.10/M, cache_write: $1.25/M, "
    "cache_write_1h: $2/M }\n"
    "    alpha/opus:     { input: $0.50/M, output: $2/M, cache_read: $0.25/M }\n";

/* Another model of another provider may serve, and has earned that for a part of the requests. */
static const char choosing_across[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big, mini ], apis: [ chat ] }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus, nano ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ claude/nano ], acceptable: { quality: 70% }, attempts: 3,\n"
    "               judge: { by: exact }, learning: 100%, holdout: 10%, repeatable: yes,\n"
    "               levers: { router: on, coalesce: { on: 50% }, exact_cache: { on: 30% } } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: beta/mini, acceptable: { quality: 70% }, judge: { by: "
    "numeric },\n"
    "               learning: 100%, levers: { router: { on: 70% }, prompt_cache: on } }\n" PRICES;

/* Another model is asked first, and what it says kept where it passes. */
static const char cascading[] = MODELS_TO_CHOOSE_FROM
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/mini, beta/big ], attempts: 2, retry: safe,\n"
    "               acceptable: { quality: 70%, total: 6s, of: relative }, validate: { regex: \"w9 \" },\n"
    "               cascade: { accept: validators, streams: hold }, learning: 100%, holdout: 10%, repeatable: yes,\n"
    "               levers: { cascade: on, alternatives: on, coalesce: { on: 50% }, exact_cache: { on: 30% } } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: claude/nano, acceptable: { quality: 70% }, attempts: 1,\n"
    "               validate: { command: \"judge\" }, judge: { by: numeric, ceiling: 30% }, cascade: { accept: "
    "validators },\n"
    "               learning: 100%, levers: { cascade: { on: 70% }, prompt_cache: on } }\n" PRICES;

/* Two of them, the one after the other, kept by how sure they are of their own words; and one that has to say the same
 * again. */
static const char cascading_on[] =
    "backends:\n"
    "  alpha:  { url: \"http://alpha.example\", models: [ big, embedder ] }\n"
    "  beta:   { url: \"http://beta.example\", models: [ big, mini, midi ],\n"
    "            timeouts: { connect: 1s, first_byte: 1200ms, idle: 700ms } }\n"
    "  claude: { url: \"http://claude.example\", dialect: anthropic, models: [ opus, nano ] }\n"
    "routes:\n"
    "  assistant: { reference: alpha/big, candidates: [ beta/midi, beta/mini, beta/big ], attempts: 2, retry: safe,\n"
    "               acceptable: { quality: 70%, total: 8s }, judge: { by: exact },\n"
    "               cascade: { accept: logprobs, streams: hold }, learning: 100%, holdout: 10%, repeatable: yes,\n"
    "               levers: { cascade: on, alternatives: on, coalesce: { on: 50% }, exact_cache: { on: 30% } } }\n"
    "  vectors:   { reference: alpha/embedder }\n"
    "  writer:    { reference: claude/opus, candidates: claude/nano, acceptable: { quality: 70% }, attempts: 1,\n"
    "               judge: { by: exact }, cascade: { accept: self_consistency, samples: 4, streams: hold },\n"
    "               learning: 100%, levers: { cascade: { on: 80% }, prompt_cache: on } }\n" PRICES;

static const struct chaos_setting settings[] = {
    {.name = "cascading", .config = cascading, .earned = true},
    {.name = "cascading, unbooked",
     .config = cascading_on,
     .more = "journal: { when_full: serve }\n",
     .serves_unbooked = true,
     .earned = true},
    {.name = "cascading on budgets", .config = cascading_on, .key = expected_budgets, .earned = true},
    {.name = "cascading, on strict budgets",
     .config = cascading,
     .more = "budget: $0.10/day\n",
     .key = strict_budgets,
     .earned = true},
    {.name = "choosing across providers", .config = choosing_across, .crossed = true, .earned = true},
    {.name = "choosing by slices", .config = choosing_by_slices, .earned = true},
    {.name = "choosing, unbooked",
     .config = choosing,
     .more = "journal: { when_full: serve }\n",
     .serves_unbooked = true,
     .earned = true},
    {.name = "choosing on budgets", .config = choosing, .key = expected_budgets, .earned = true},
    {.name = "choosing, on strict budgets",
     .config = choosing,
     .more = "budget: $0.10/day\n",
     .key = strict_budgets,
     .earned = true},
    {.name = "crossed", .config = crossed, .crossed = true},
    {.name = "crossed, unbooked",
     .config = crossed,
     .crossed = true,
     .more = "journal: { when_full: serve }\n",
     .serves_unbooked = true},
    {.name = "crossed, strict budgets",
     .config = crossed,
     .crossed = true,
     .more = "budget: $0.10/day\n",
     .key = strict_budgets},
    {.name = "crossed, expected budgets", .config = crossed, .crossed = true, .key = expected_budgets},
    {.name = "meanings", .config = meanings, .earned = true},
    {.name = "meanings, unbooked",
     .config = meanings,
     .more = "journal: { when_full: serve }\n",
     .serves_unbooked = true,
     .earned = true},
    {.name = "meanings on budgets", .config = meanings, .key = expected_budgets, .earned = true},
    {.name = "repeats", .config = repeats},
    {.name = "repeats, unbooked",
     .config = repeats,
     .more = "journal: { when_full: serve }\n",
     .serves_unbooked = true},
    {.name = "repeats on budgets", .config = repeats, .key = expected_budgets},
    {.name = "usual"},
    {.name = "crowded", .config = crowded},
    {.name = "crowded, on budgets",
     .config = crowded,
     .more = "budget: $0.10/day\n",
     .key = "budget: [ $0.05/minute, 900 tokens/minute ], priority: 2"},
    {.name = "unbooked", .more = "journal: { when_full: serve }\n", .serves_unbooked = true},
    {.name = "tight", .config = tight},
    {.name = "narrow", .config = narrow, .more = "tenants: { acme: { allow: { region: eu } } }\n"},
    {.name = "tight, unbooked", .config = tight, .more = "journal: { when_full: serve }\n", .serves_unbooked = true},
    {.name = "shadow", .config = narrow},
    {.name = "dearer", .config = dearer, .price_factor = 2},
    {.name = "strict budgets", .more = "budget: $0.10/day\n", .key = strict_budgets},
    {.name = "expected budgets", .more = "tenants: { acme: { budget: $0.005/day } }\n", .key = expected_budgets},
    {.name = "shared", .config = shared},
    {.name = "shared, strict budgets", .config = shared, .more = "budget: $0.10/day\n", .key = strict_budgets},
    {.name = "shared, expected budgets",
     .config = shared,
     .more = "tenants: { acme: { budget: $0.005/day } }\n",
     .key = expected_budgets},
    {.name = "budgets on a tight stage",
     .config = tight,
     .more = "budget: [ $0.05/hour, 20 requests/hour ]\n",
     .key = expected_budgets},
};
_Static_assert(sizeof(settings) / sizeof(settings[0]) <= CHAOS_SETTINGS_MOST, "each has its place");

size_t
chaos_setting_count(void)
{
    return sizeof(settings) / sizeof(settings[0]);
}

const struct chaos_setting *
chaos_setting(size_t index)
{
    ENSURE(index < chaos_setting_count());
    return &settings[index];
}
