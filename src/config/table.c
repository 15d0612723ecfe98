#include "config/table.h"

#define AT(draft, member) offsetof(struct draft, member)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
#define SECTION(the_title, the_path, the_fields, draft)                                                                \
    .title = (the_title), .path = (the_path), .fields = (the_fields), .count = COUNT_OF(the_fields),                   \
    .size = sizeof(struct draft)
#define FIELD(the_key, the_kind, the_offset, the_words, ...)                                                           \
    {                                                                                                                  \
        .key = (the_key), .kind = (the_kind), .offset = (the_offset), .words = (the_words), __VA_ARGS__                \
    }
#define LATER(the_list) .later = (the_list), .later_count = COUNT_OF(the_list)

/* Several sections share a draft (`timeouts:` inside of a backend): their offsets are all from the draft's start, and a
 * FIELD_SECTION's own offset is then 0. */

static const char *const dialects[] = {"auto", "openai", "anthropic", NULL};
static const char *const engines[] = {"hosted", "vllm", "sglang", "llama.cpp", "ollama", "tgi", "triton", "twin", NULL};
static const char *const policies[] = {"auto",    "round_robin", "least_in_flight", "p2c",
                                       "lmetric", "chwbl",       "affinity",        NULL}; /* enum policy_id */
static const char *const judges[] = {"exact", "numeric", "json", "embedding", NULL};       /* enum judge */
static const char *const retries[] = {"sent", "safe", NULL};
static const char *const off_or_on[] = {"off", "on", NULL};
static const char *const when_full[] = {"refuse", "serve", NULL};
static const char *const on_exceed[] = {"inherit", "refuse", "degrade", NULL};  /* enum on_exceed */
static const char *const exposures[] = {"inherit", "expected", "strict", NULL}; /* enum exposure */

/* The three keys of whoever may have budgets. */
#define BUDGET_FIELDS(draft, whose)                                                                                    \
    FIELD("budget", FIELD_NODE, AT(draft, budget.budgets),                                                             \
          "What " whose " may use in a window: `$50/day`, `200k tokens/minute`, `1000 requests/hour`. Windows are "    \
          "minute, hour, day, week (from Monday) and month, by the calendar in UTC.",                                  \
          .type = "budget or list"),                                                                                   \
        FIELD("on_exceed", FIELD_CHOICE, AT(draft, budget.on_exceed),                                                  \
              "When a budget cannot take a request: refuse it, or serve it only by what is cheaper than the "          \
              "reference. `inherit`: as the next of key, tenant, route and the whole says; at last `refuse`.",         \
              .standard = "inherit", .choices = on_exceed),                                                            \
        FIELD("exposure", FIELD_CHOICE, AT(draft, budget.exposure),                                                    \
              "What budgets reserve. `strict`: the most that a request can cost; what cannot be bounded is refused. "  \
              "`expected`: what it will likely cost; it may overrun, and by how much at most is stated. `inherit`: "   \
              "likewise; at last `expected`.",                                                                         \
              .standard = "inherit", .choices = exposures)

static const struct field tls_fields[] = {
    FIELD("cert", FIELD_PATH, AT(root_draft, tls.cert), "Certificate chain, PEM.", .restart = true),
    FIELD("key", FIELD_PATH, AT(root_draft, tls.key), "Its private key, PEM.", .restart = true),
};

static const struct section tls_section = {SECTION("TLS towards clients", "tls", tls_fields, root_draft)};

static const struct field auth_fields[] = {
    FIELD("header", FIELD_NAME, AT(backend_draft, auth.header), "The header that carries the credential.",
          .standard = "authorization"),
    FIELD("prefix", FIELD_TEXT, AT(backend_draft, auth.prefix),
          "What stands before it. Default: `Bearer` and a space for `authorization`, else nothing."),
    FIELD("key", FIELD_SECRET, AT(backend_draft, auth.secret), "The credential itself."),
    FIELD("command", FIELD_TEXT, AT(backend_draft, auth.command),
          "Instead of `key`: a shell command that prints the credential, for short-lived tokens."),
    FIELD("refresh", FIELD_DURATION, AT(backend_draft, auth.refresh_us),
          "How long what the command printed is good for.", .standard = "10m", .least = USEC_PER_S),
};

static const struct section auth_section = {
    SECTION("A backend's credential", "backends.NAME.auth", auth_fields, backend_draft)};

static const struct field timeout_fields[] = {
    FIELD("connect", FIELD_DURATION, AT(backend_draft, connect_us), "Name, connection and TLS.", .standard = "5s",
          .least = USEC_PER_MS),
    FIELD("first_byte", FIELD_DURATION, AT(backend_draft, first_byte_us),
          "From the whole request to the answer's head. A buffered answer comes only when all of it is made: be "
          "generous.",
          .standard = "10m", .least = USEC_PER_MS),
    FIELD("idle", FIELD_DURATION, AT(backend_draft, idle_us), "Between two pieces of an answer.", .standard = "5m",
          .least = USEC_PER_MS),
};

static const struct section timeout_section = {
    SECTION("A backend's patience", "backends.NAME.timeouts", timeout_fields, backend_draft)};

static const struct field replicas_fields[] = {
    FIELD("min", FIELD_COUNT, AT(backend_draft, replicas.least), "No fewer.", .standard = "1", .least = 1,
          .most = 1000),
    FIELD("max", FIELD_COUNT, AT(backend_draft, replicas.most), "No more.", .standard = "1000", .least = 1,
          .most = 1000),
    FIELD(
        "command", FIELD_TEXT, AT(backend_draft, replicas.command),
        "Run by the shell when another number is wanted: `$1` is the backend's name, `$2` how many take requests, `$3` "
        "how many are wanted; the same comes as JSON on its standard input. Never twice at a time; a failure is an "
        "alert, and is tried again."),
    FIELD("cold_start", FIELD_DURATION, AT(backend_draft, replicas.cold_start_us),
          "How long a replica takes from the wish until it serves. Learned from those that come.", .standard = "2m",
          .least = USEC_PER_S),
};

static const struct section replicas_section = {
    SECTION("How many replicas a backend may have", "backends.NAME.replicas", replicas_fields, backend_draft)};

static const struct field admission_fields[] = {
    FIELD(
        "mode", FIELD_CHOICE, AT(backend_draft, admission.mode),
        "`on`: what its engines have in flight is held to what serves best; others wait in line, by priority, by "
        "tenants' fair shares, by deadline. A request is refused (429, with a truthful retry-after) only if its first "
        "token would miss the route's `acceptable: first_token` or its own `x-equipoise-deadline`, or the line is "
        "full.",
        .standard = "off", .choices = off_or_on),
    FIELD("kv_tokens", FIELD_COUNT, AT(backend_draft, admission.kv_tokens),
          "Tokens that the cache of keys and values of one replica holds. Default: of `engine_model`, else found by "
          "its latency.",
          .standard = "auto", .word = "auto", .least = 1, .most = 1000000000),
    FIELD("requests", FIELD_COUNT, AT(backend_draft, admission.requests),
          "So many requests may be there at a time, whatever their size. Default: found, in tokens, by what the caches "
          "hold "
          "and by latency.",
          .standard = "auto", .word = "auto", .least = 1, .most = 1000000),
    FIELD("queue", FIELD_COUNT, AT(backend_draft, admission.queue), "So many may wait in line at most.",
          .standard = "1000", .least = 1, .most = 100000),
};

static const struct section admission_section = {
    SECTION("Who may start at a backend", "backends.NAME.admission", admission_fields, backend_draft)};

static const struct field discover_fields[] = {
    FIELD("file", FIELD_PATH, AT(backend_draft, discover_file),
          "A file with their URLs, one a line, or JSON: a list of URLs, or `{\"replicas\": [{\"url\": ...}]}`."),
    FIELD("dns", FIELD_TEXT, AT(backend_draft, discover_dns),
          "`NAME:PORT`: every address of that name (A and AAAA) is a replica, spoken to by http."),
    FIELD("every", FIELD_DURATION, AT(backend_draft, discover_every_us),
          "How often it is looked at. What is new gets requests, what is gone gets none any more; answers under way "
          "there go on.",
          .standard = "10s", .least = 100 * USEC_PER_MS),
};

static const struct section discover_section = {
    SECTION("Where replicas are found", "backends.NAME.discover", discover_fields, backend_draft)};

#define LIMITS_WORDS                                                                                                   \
    "Rate limits of the account, as `500 requests/minute` or `200k tokens/minute`: no minute sees more, so that the "  \
    "provider need not refuse. What its answers tell of what is left (x-ratelimit-*) is respected in any case."

static const struct field account_fields[] = {
    FIELD("key", FIELD_SECRET, AT(account_draft, key), "Its API key, sent as the backend's `key` is.",
          .required = true),
    FIELD("limits", FIELD_NODE, AT(account_draft, limits), LIMITS_WORDS, .type = "limit or list"),
};

static const struct section account_section = {
    SECTION("One of several accounts at a provider", "backends.NAME.accounts.ACCOUNT", account_fields, account_draft)};

static const struct field backend_fields[] = {
    FIELD("url", FIELD_NODE, AT(backend_draft, url),
          "Where it is: one URL, or a list of equal replicas. A path stands before the API's own; a trailing `/v1` is "
          "part of "
          "the API's and left out. A query (`?api-version=...`) goes with every request. Needed, unless `discover` "
          "says where it is.",
          .type = "URL or list"),
    FIELD("discover", FIELD_SECTION, 0, "Replicas that come and go: found in a file or in the DNS.",
          .inside = &discover_section),
    FIELD("dialect", FIELD_CHOICE, AT(backend_draft, dialect),
          "How it speaks. `auto`: anthropic at api.anthropic.com, else openai.", .standard = "auto",
          .choices = dialects),
    FIELD("key", FIELD_SECRET, AT(backend_draft, key),
          "Its API key, sent as `authorization: Bearer` (openai) or `x-api-key` (anthropic)."),
    FIELD("auth", FIELD_SECTION, 0, "Instead of `key`: a credential under another header, or from a command.",
          .inside = &auth_section),
    FIELD("limits", FIELD_NODE, AT(backend_draft, limits), LIMITS_WORDS, .type = "limit or list"),
    FIELD("accounts", FIELD_MAP, AT(backend_draft, accounts),
          "Instead of `key`: several accounts, each with its own key and limits. The one with room serves; a "
          "conversation stays with its account, where the provider may have kept its prompt.",
          .inside = &account_section),
    FIELD("engine", FIELD_CHOICE, AT(backend_draft, engine), "What runs there. `twin`: a modelled backend.",
          .standard = "hosted", .choices = engines),
    FIELD("engine_model", FIELD_NAME, AT(backend_draft, engine_model),
          "Which modelled engine it is most like, for example h100-llama-3.1-8b (`replay --engines` lists them): its "
          "step "
          "times and room are what is assumed until more is seen, and it plays the backend in `equipoise replay`. "
          "Default "
          "there: `--engine` where `engine` is not hosted; else an API with a constant pace."),
    FIELD("policy", FIELD_CHOICE, AT(backend_draft, policy),
          "How requests are shared out over several URLs (doc/fleet.md). `auto`: affinity for engines that keep what "
          "they "
          "have read (vllm, sglang, llama.cpp, tgi, twin), else least_in_flight.",
          .standard = "auto", .choices = policies),
    FIELD("provider", FIELD_NAME, AT(backend_draft, provider),
          "Whose prices hold: a provider of the price book. Default: found by the URL."),
    FIELD("models", FIELD_NODE, AT(backend_draft, models),
          "Its models: a list, or `name: what the backend calls it`. Models not named here can be asked for too.",
          .type = "list or map of text"),
    FIELD(
        "usd_per_hour", FIELD_MONEY, AT(backend_draft, usd_per_hour),
        "What one replica costs an hour, for engines of your own: requests are charged their share of its busy time, "
        "the "
        "rest is booked as idle. A price by the token in `prices: override:` wins for requests. Default: priced by the "
        "token."),
    FIELD(
        "replicas", FIELD_SECTION, 0,
        "How many replicas the traffic needs is recommended within these bounds (doc/fleet.md); nothing is started or "
        "stopped but by your `command` or your autoscaler.",
        .inside = &replicas_section),
    FIELD("region", FIELD_TEXT, AT(backend_draft, region), "Where data is processed, for the tenants' `allow:`."),
    FIELD("retention", FIELD_TEXT, AT(backend_draft, retention),
          "How long it keeps data (`none`, `30d`), for the tenants' `allow:`."),
    FIELD("classes", FIELD_TEXTS, AT(backend_draft, classes), "Free words (`hipaa`), for the tenants' `allow:`."),
    FIELD("ca", FIELD_PATH, AT(backend_draft, ca), "Certificates to trust instead of the system's, PEM."),
    FIELD("verify", FIELD_BOOL, AT(backend_draft, verify), "Check its certificate.", .standard = "yes"),
    FIELD(
        "private", FIELD_BOOL, AT(backend_draft, private_allowed),
        "May its name lead to a private address? Allowed in any case where the URL says so itself: a private address, "
        "`localhost`, a name without dots or under .local, .internal, .lan, .svc, .home.arpa. Link-local addresses "
        "(169.254.0.0/16) and others at which clouds hand out credentials always need it.",
        .standard = "no"),
    FIELD("metrics", FIELD_TEXT, AT(backend_draft, metrics),
          "Where its replicas show their metrics: a path, or `:PORT/PATH`. `auto`: where its `engine` does (nothing is "
          "asked of `hosted`), on Triton `:8002/metrics`. `off`: they are not asked.",
          .standard = "auto"),
    FIELD("scrape", FIELD_DURATION, AT(backend_draft, scrape_us), "How often each replica is asked for them.",
          .standard = "1s", .least = 50 * USEC_PER_MS),
    FIELD("health", FIELD_TEXT, AT(backend_draft, health),
          "Where its replicas say whether they are well: a path. `auto`: where its `engine` does (nothing is asked of "
          "`hosted`). `off`: they are not asked, and only requests show it.",
          .standard = "auto"),
    FIELD("probe", FIELD_DURATION, AT(backend_draft, probe_us), "How often each replica is asked for its health.",
          .standard = "5s", .least = 100 * USEC_PER_MS),
    FIELD("timeouts", FIELD_SECTION, 0, "How long to wait for it.", .inside = &timeout_section),
    FIELD("connections", FIELD_COUNT, AT(backend_draft, connections),
          "At most so many connections, per worker and URL.", .standard = "16384", .least = 1, .most = 65535),
    FIELD("admission", FIELD_SECTION, 0, "Whether requests wait in front of it rather than in it, and who is refused.",
          .inside = &admission_section),
};

static const struct later backend_later[] = {
    {"weight", "weighted backends"},
};

static const struct section backend_section = {SECTION("A backend", "backends.NAME", backend_fields, backend_draft),
                                               LATER(backend_later)};

static const struct field acceptable_fields[] = {
    FIELD("quality", FIELD_SHARE, AT(route_draft, quality_ppm),
          "Share of answers that must be acceptable. 100%: only answers of the reference's model.", .standard = "100%"),
    FIELD("confidence", FIELD_SHARE, AT(route_draft, confidence_ppm), "How sure the evidence must be of that.",
          .standard = "95%"),
    FIELD("first_token", FIELD_DURATION, AT(route_draft, first_token_us), "Slowest acceptable first token.",
          .standard = "none", .word = "none", .least = USEC_PER_MS),
    FIELD("total", FIELD_DURATION, AT(route_draft, total_us), "Slowest acceptable whole answer.", .standard = "none",
          .word = "none", .least = USEC_PER_MS),
};

static const struct section acceptable_section = {
    SECTION("What is acceptable", "routes.NAME.acceptable", acceptable_fields, route_draft)};

static const struct field validate_fields[] = {
    FIELD("json_schema", FIELD_FILE, AT(route_draft, validate.json_schema),
          "A file with a JSON Schema (draft 2020-12); an answer that is JSON and fits is useful."),
    FIELD("regex", FIELD_TEXT, AT(route_draft, validate.regex), "A POSIX extended regular expression that must match."),
    FIELD("command", FIELD_TEXT, AT(route_draft, validate.command),
          "A shell command that gets the answer on standard input; exit status 0: useful, 1: not."),
    FIELD("http", FIELD_TEXT, AT(route_draft, validate.http),
          "A URL to which {id, route, text} is posted; 204 or {\"useful\": true}: useful, 422 or false: not."),
};

static const struct section validate_section = {
    SECTION("A validator", "routes.NAME.validate", validate_fields, route_draft)};

static const struct field lever_fields[] = {
#define LEVER(the_id, the_name, may_change_answer, the_words)                                                          \
    FIELD(the_name, FIELD_LEVER, AT(route_draft, levers[the_id]), the_words, .standard = "off"),
#include "config/levers.def"
#undef LEVER
};

static const struct later lever_later[] = {
    {"router", "routing by difficulty"}, {"cascade", "cascades"}, {"hedge", "hedged requests"},
    {"batch", "micro-batching"},         {"defer", "deferral"},   {"affinity", "prefix affinity"},
};

static const struct section lever_section = {SECTION("Levers", "routes.NAME.levers", lever_fields, route_draft),
                                             LATER(lever_later)};

static const struct field semantic_fields[] = {
    FIELD(
        "judge", FIELD_CHOICE, AT(route_draft, semantic.judge),
        "What an acceptable answer is, beside the one that the reference gave: `exact`, the same text; `numeric`, the "
        "same last number; `json`, the same fields; `embedding`, the same meaning, as the built-in embedder sees it, "
        "which tells topics apart better than facts.",
        .standard = "embedding", .choices = judges),
    FIELD("similar", FIELD_SHARE, AT(route_draft, semantic.similar_ppm),
          "With the judge `embedding`: how alike two answers must be, as a cosine.", .standard = "90%"),
    FIELD("tolerance", FIELD_SHARE, AT(route_draft, semantic.tolerance_ppm),
          "With the judge `numeric`: how far two numbers may be apart.", .standard = "0%"),
};

static const struct section semantic_section = {
    SECTION("What the semantic cache learns by", "routes.NAME.semantic_cache", semantic_fields, route_draft)};

static const struct field route_fields[] = {
    FIELD("reference", FIELD_NODE, AT(route_draft, reference),
          "The model that serves whenever nothing cheaper is acceptable.", .type = "backend/model", .required = true),
    FIELD("baseline", FIELD_NODE, AT(route_draft, baseline),
          "What was paid before, which savings are counted against. Default: the reference.", .type = "backend/model"),
    FIELD("candidates", FIELD_NODE, AT(route_draft, candidates),
          "What else may serve: the reference's model on other backends of the same dialect.",
          .type = "backend/model or list"),
    FIELD("owner", FIELD_TEXT, AT(route_draft, owner), "Who pays, for the report."),
    FIELD(
        "repeatable", FIELD_BOOL, AT(route_draft, repeatable),
        "Equal requests may get an equal answer, also where they ask for one of many: without temperature 0 or a seed.",
        .standard = "no"),
    FIELD("ttl", FIELD_DURATION, AT(route_draft, ttl_us),
          "How long its answers may serve from the cache. `inherit`: as `cache: ttl` says.", .standard = "inherit",
          .word = "inherit", .least = USEC_PER_S),
    FIELD("acceptable", FIELD_SECTION, 0, "When an answer is good and fast enough.", .inside = &acceptable_section),
    FIELD("validate", FIELD_SECTION, 0, "How to tell a useful answer from another.", .inside = &validate_section),
    FIELD("levers", FIELD_SECTION, 0, "What may make answers cheaper.", .inside = &lever_section),
    FIELD("semantic_cache", FIELD_SECTION, 0, "How the semantic cache learns what it may serve.",
          .inside = &semantic_section),
    FIELD("holdout", FIELD_SHARE, AT(route_draft, holdout_ppm),
          "Share of conversations that no lever touches, to measure against.", .standard = "0%"),
    FIELD("attempts", FIELD_COUNT, AT(route_draft, attempts),
          "Calls to backends for one request at most, retries included.", .standard = "3", .least = 1, .most = 16),
    FIELD(
        "retry", FIELD_CHOICE, AT(route_draft, retry),
        "When a call broke off after the request had gone out, so that it may have been worked on and be billed: "
        "`sent` tries again, as SDKs do, and books both; `safe` tells the client. What was never sent, or was refused "
        "by the backend, is tried again in either case, and nothing is once the client has a byte of an answer.",
        .standard = "sent", .choices = retries),
    FIELD("worth", FIELD_MONEY, AT(route_draft, worth), "What a useful answer is worth, for the margin in the report."),
    BUDGET_FIELDS(route_draft, "the route"),
    FIELD("output_max", FIELD_COUNT, AT(route_draft, output_max),
          "Output tokens of a request that names no cap of its own, where a budget needs one.", .standard = "none",
          .word = "none", .least = 1, .most = 10000000),
};

static const struct later route_later[] = {
    {"judge", "judges"},
    {"store", "storing texts"},
    {"priority", "priorities"},
};

static const struct section route_section = {SECTION("A route", "routes.NAME", route_fields, route_draft),
                                             LATER(route_later)};

static const struct field key_fields[] = {
    FIELD("sha256", FIELD_DIGEST, AT(key_draft, sha256), "The key's SHA-256; `equipoise keys add NAME` makes both.",
          .required = true),
    FIELD("tenant", FIELD_NAME, AT(key_draft, tenant), "Whose key it is. Default: nobody's in particular."),
    FIELD("tags", FIELD_NODE, AT(key_draft, tags), "Tags on every request, for the report and tag_budgets; at most 16.",
          .type = "map of text"),
    FIELD("expires", FIELD_DATE, AT(key_draft, expires_wall_us), "When it stops to be accepted.", .standard = "never",
          .word = "never"),
    FIELD("routes", FIELD_TEXTS, AT(key_draft, routes),
          "The only routes and models it may ask for; `BACKEND/*` allows `/backend/BACKEND/...`. Default: all."),
    FIELD("priority", FIELD_INTEGER, AT(key_draft, priority),
          "Who goes first where requests wait for a backend (`admission`): the higher. What is lower leaves free what "
          "is higher needed of late. At most 8 different ones.",
          .standard = "0", .least = -100, .most = 100),
    BUDGET_FIELDS(key_draft, "the key"),
};

static const struct section key_section = {SECTION("A client's key", "keys.NAME", key_fields, key_draft)};

static const struct field allow_fields[] = {
    FIELD("region", FIELD_TEXT, AT(tenant_draft, region), "Only backends of this region."),
    FIELD("retention", FIELD_TEXT, AT(tenant_draft, retention), "Only backends with this retention."),
    FIELD("classes", FIELD_TEXTS, AT(tenant_draft, classes), "Only backends that have all of these."),
};

static const struct section allow_section = {
    SECTION("Where a tenant's requests may go", "tenants.NAME.allow", allow_fields, tenant_draft)};

static const struct field tenant_fields[] = {
    FIELD("allow", FIELD_SECTION, 0, "Where its requests may be sent; without it, anywhere.", .inside = &allow_section),
    FIELD("weight", FIELD_COUNT, AT(tenant_draft, weight),
          "Its share where requests of several tenants wait for a backend (`admission`): twice the weight, twice the "
          "tokens.",
          .standard = "1", .least = 1, .most = 1000),
    BUDGET_FIELDS(tenant_draft, "the tenant"),
};

static const struct section tenant_section = {SECTION("A tenant", "tenants.NAME", tenant_fields, tenant_draft)};

static const struct field price_fields[] = {
    FIELD("input", FIELD_RATE, AT(price_draft, input), "Input tokens.", .required = true),
    FIELD("output", FIELD_RATE, AT(price_draft, output), "Output tokens, reasoning included. Embeddings have none."),
    FIELD("cache_read", FIELD_RATE, AT(price_draft, cache_read), "Input read from a prompt cache. Default: as input."),
    FIELD("cache_write", FIELD_RATE, AT(price_draft, cache_write),
          "Input written to a prompt cache. Default: as input."),
    FIELD("cache_write_1h", FIELD_RATE, AT(price_draft, cache_write_1h),
          "Input written to a prompt cache to stay for an hour. Default: as `cache_write`."),
    FIELD("input_audio", FIELD_RATE, AT(price_draft, input_audio), "Audio tokens of input. Default: as input."),
    FIELD("output_audio", FIELD_RATE, AT(price_draft, output_audio), "Audio tokens of output. Default: as output."),
};

static const struct section price_section = {
    SECTION("A price of your own", "prices.override.BACKEND/MODEL", price_fields, price_draft)};

static const struct field prices_fields[] = {
    FIELD("file", FIELD_PATH, AT(root_draft, price_file),
          "A price book in the genai-prices format; it wins over the built-in prices."),
    FIELD("override", FIELD_MAP, AT(root_draft, prices), "Prices of your own, which win over everything.",
          .inside = &price_section),
    FIELD("discount", FIELD_NODE, AT(root_draft, discounts), "What your contract takes off a provider's prices.",
          .type = "map of share"),
};

static const struct later prices_later[] = {{"credit", "credits"}};

static const struct section prices_section = {SECTION("Prices", "prices", prices_fields, root_draft),
                                              LATER(prices_later)};

static const struct field limits_fields[] = {
    FIELD("body", FIELD_SIZE, AT(root_draft, limits.body_max), "Largest request body.", .standard = "64MiB",
          .least = 1024, .most = 1 << 30),
    FIELD("answer", FIELD_SIZE, AT(root_draft, limits.answer_max), "How much of an answer is kept for slower readers.",
          .standard = "4MiB", .least = 64 * 1024, .most = 1 << 30),
    FIELD("header", FIELD_SIZE, AT(root_draft, limits.header_max), "Largest request head.", .standard = "32KiB",
          .least = 4096, .most = 1 << 20, .restart = true),
    FIELD("header_timeout", FIELD_DURATION, AT(root_draft, limits.header_timeout_us), "For a request's head.",
          .standard = "10s", .least = 10 * USEC_PER_MS, .restart = true),
    FIELD("body_timeout", FIELD_DURATION, AT(root_draft, limits.body_timeout_us),
          "For a request's body: between two pieces, and used up by bytes that come at less than 500 a second.",
          .standard = "30s", .least = 10 * USEC_PER_MS, .restart = true),
    FIELD("keep_alive", FIELD_DURATION, AT(root_draft, limits.keep_alive_us), "Between two requests of a client.",
          .standard = "75s", .least = 10 * USEC_PER_MS, .restart = true),
    FIELD("write_timeout", FIELD_DURATION, AT(root_draft, limits.write_timeout_us),
          "For a client that takes nothing of its answer.", .standard = "60s", .least = 10 * USEC_PER_MS,
          .restart = true),
    FIELD("stall", FIELD_DURATION, AT(root_draft, limits.stall_timeout_us),
          "For a client that reads an answer which others read too (lever coalesce), so slowly that it holds them up: "
          "beyond `answer`, for so long.",
          .standard = "30s", .least = 10 * USEC_PER_MS),
    FIELD("drain_timeout", FIELD_DURATION, AT(root_draft, limits.drain_timeout_us),
          "For requests in flight when the program stops.", .standard = "30s", .restart = true),
    FIELD("cached_token_weight", FIELD_SHARE, AT(root_draft, cached_token_weight_ppm),
          "How much input that a provider read from its cache counts in budgets of tokens.", .standard = "100%"),
};

static const struct section limits_section = {SECTION("Limits towards clients", "limits", limits_fields, root_draft)};

static const struct field idempotency_fields[] = {
    FIELD("keep", FIELD_DURATION, AT(root_draft, idempotency.keep_us),
          "How long an answer is kept for repetitions of its request.", .standard = "10m", .least = USEC_PER_S),
    FIELD("memory", FIELD_SIZE, AT(root_draft, idempotency.memory),
          "How much all kept answers may take; beyond it the oldest go. An answer larger than `limits: answer` is not "
          "kept.",
          .standard = "64MiB"),
};

static const struct section idempotency_section = {
    SECTION("Requests with an Idempotency-Key", "idempotency", idempotency_fields, root_draft)};

static const struct field batching_fields[] = {
    FIELD("inputs", FIELD_COUNT, AT(root_draft, batch_inputs),
          "Inputs in one call at most, however fast the backend is; providers take 2,048 or fewer.", .standard = "64",
          .least = 2, .most = 2048),
    FIELD("across_tenants", FIELD_BOOL, AT(root_draft, batch_across_tenants),
          "Whether requests of several tenants may go in one call. Each gets its own answer and nothing else, but the "
          "backend then sees them together, and a tenant's waiting tells a little of what others do.",
          .standard = "no"),
};

static const struct section batching_section = {
    SECTION("Calls for several requests (lever batching)", "batching", batching_fields, root_draft)};

static const struct field cache_fields[] = {
    FIELD("bytes", FIELD_SIZE, AT(root_draft, cache.bytes),
          "How much memory stored answers may take, all together and everything included; beyond it those go that save "
          "the least money per byte.",
          .standard = "256MiB", .least = 1 << 20),
    FIELD("ttl", FIELD_DURATION, AT(root_draft, cache.ttl_us), "How long an answer may serve.", .standard = "1d",
          .least = USEC_PER_S),
    FIELD("compress_above", FIELD_SIZE, AT(root_draft, cache.compress_above),
          "Answers longer than this are stored compressed.", .standard = "4KiB"),
    FIELD("turns", FIELD_COUNT, AT(root_draft, cache.turns),
          "Of how many stored answers the semantic cache knows what was asked; some 270 bytes each.",
          .standard = "100000", .least = 1, .most = 16000000, .restart = true),
    FIELD("core_hour", FIELD_MONEY, AT(root_draft, cache.core_hour),
          "What an hour of one core costs. Where looking for answers and keeping them costs more than all that is "
          "found is "
          "worth, the lever rests, and looks again now and then; with $0 here and in gib_hour it never does.",
          .standard = "$0.04"),
    FIELD("gib_hour", FIELD_MONEY, AT(root_draft, cache.gib_hour), "What an hour of one GiB of memory costs, likewise.",
          .standard = "$0.005"),
    FIELD("path", FIELD_PATH, AT(root_draft, cache.path),
          "A file that keeps what is stored over a restart; it may hold texts of answers. Default: memory only.",
          .restart = true),
};

static const struct section cache_section = {
    SECTION("Stored answers, for the levers exact_cache and semantic_cache", "cache", cache_fields, root_draft)};

static const struct field journal_fields[] = {
    FIELD("sync", FIELD_DURATION, AT(root_draft, journal_sync_us),
          "How much a power cut may lose; a killed program loses nothing.", .standard = "100ms", .least = USEC_PER_MS,
          .restart = true),
    FIELD("when_full", FIELD_CHOICE, AT(root_draft, journal_when_full),
          "When a request cannot be booked (disk full or failing): refuse it, or serve it and count what was lost.",
          .standard = "refuse", .choices = when_full),
};

static const struct section journal_section = {SECTION("The journal", "journal", journal_fields, root_draft)};

static const struct field health_fields[] = {
    FIELD("listen", FIELD_ADDRESS, AT(root_draft, health), "An address for /healthz, /readyz and /metrics alone.",
          .required = true, .restart = true),
    FIELD("token", FIELD_SECRET, AT(root_draft, health_token),
          "What callers must send as `authorization: Bearer`. Needed beyond loopback.", .restart = true),
};

static const struct section health_section = {
    SECTION("Health and metrics elsewhere", "health", health_fields, root_draft)};

static const struct field runaway_fields[] = {
    FIELD("times", FIELD_COUNT, AT(root_draft, alerts.runaway_times),
          "A key runs away when its last 60 minutes cost so many times as much as its dearest hour of the last four "
          "weeks. `off`: never.",
          .standard = "3", .word = "off", .least = 2, .most = 1000000),
    FIELD("at_least", FIELD_MONEY, AT(root_draft, alerts.runaway_at_least), "And at least so much.", .standard = "$10"),
};

static const struct section runaway_section = {SECTION("Runaway spend", "alerts.runaway", runaway_fields, root_draft)};

static const struct field alerts_fields[] = {
    FIELD("webhook", FIELD_SECRET, AT(root_draft, alerts.webhook),
          "A URL to which alerts are posted as JSON; itself, or $NAME or file:/path where it stands.", .plain = true),
    FIELD("command", FIELD_TEXT, AT(root_draft, alerts.command),
          "A shell command that gets each alert as JSON on standard input; it has 10 s."),
    FIELD("private", FIELD_BOOL, AT(root_draft, alerts.private_allowed),
          "May the webhook be at a private, loopback or link-local address?", .standard = "no"),
    FIELD("shares", FIELD_NODE, AT(root_draft, alerts.shares),
          "At which shares of a budget to tell. Default: 50%, 80% and 100%.", .type = "list of shares"),
    FIELD("repeat", FIELD_DURATION, AT(root_draft, alerts.repeat_us),
          "The same alert again no sooner; what happened meanwhile is counted.", .standard = "1h", .least = USEC_PER_S),
    FIELD("runaway", FIELD_SECTION, 0, "When a key spends far more than ever lately.", .inside = &runaway_section),
};

static const struct section alerts_section = {SECTION("Alerts", "alerts", alerts_fields, root_draft)};

static const struct field root_fields[] = {
    FIELD("listen", FIELD_ADDRESS, AT(root_draft, listen), "Where clients connect. `:8080`: all addresses.",
          .standard = "127.0.0.1:8080", .restart = true),
    FIELD("admin", FIELD_ADDRESS, AT(root_draft, admin), "Health, metrics, live requests, commands. Loopback only.",
          .standard = "127.0.0.1:9090", .restart = true),
    FIELD("data", FIELD_PATH, AT(root_draft, data), "Folder of the journal and the ledger.",
          .standard = "equipoise-data", .restart = true),
    FIELD("workers", FIELD_COUNT, AT(root_draft, workers), "Threads that serve. `auto`: one per core.",
          .standard = "auto", .word = "auto", .least = 1, .most = 256, .restart = true),
    FIELD("observe", FIELD_BOOL, AT(root_draft, observe), "Forward and book, never alter or refuse.", .standard = "no"),
    FIELD("fingerprints", FIELD_BOOL, AT(root_draft, fingerprints),
          "Keep a hash of each request in the ledger, by which equal requests of a tenant can be told.",
          .standard = "no"),
    FIELD("tls", FIELD_SECTION, 0, "Serve clients over TLS.", .inside = &tls_section),
    FIELD("backends", FIELD_MAP, AT(root_draft, backends), "The model servers, by a name of your choice.",
          .inside = &backend_section),
    FIELD("routes", FIELD_MAP, AT(root_draft, routes),
          "Model names that clients ask for. A model that no route names goes to the backend that has it.",
          .inside = &route_section),
    FIELD("keys", FIELD_MAP, AT(root_draft, keys),
          "Who may ask. Without any, everybody may, on loopback addresses only.", .inside = &key_section),
    FIELD("tenants", FIELD_MAP, AT(root_draft, tenants), "Rules for tenants.", .inside = &tenant_section),
    BUDGET_FIELDS(root_draft, "all together"),
    FIELD("tag_budgets", FIELD_NODE, AT(root_draft, tag_budgets),
          "Budgets of tags, as `feature=search: $5/day`. Callers may set tags themselves: give what you do not trust a "
          "key's or a tenant's budget.",
          .type = "map of budgets"),
    FIELD("prices", FIELD_SECTION, 0, "What things cost, where you know better.", .inside = &prices_section),
    FIELD("limits", FIELD_SECTION, 0, "Sizes and patience towards clients.", .inside = &limits_section),
    FIELD("idempotency", FIELD_SECTION, 0, "Repeated requests that are answered once.", .inside = &idempotency_section),
    FIELD("cache", FIELD_SECTION, 0, "Answers stored for equal requests.", .inside = &cache_section),
    FIELD("batching", FIELD_SECTION, 0, "Embeddings of several requests in one call.", .inside = &batching_section),
    FIELD("journal", FIELD_SECTION, 0, "How requests are booked.", .inside = &journal_section),
    FIELD("health", FIELD_SECTION, 0, "A second listener for probes and metrics.", .inside = &health_section),
    FIELD("alerts", FIELD_SECTION, 0, "Whom to tell of what should not wait.", .inside = &alerts_section),
};

static const struct later root_later[] = {
    {"budgets", "budgets"},
    {"embedder", "embedders"},
};

const struct section config_root = {SECTION("The whole", "", root_fields, root_draft), LATER(root_later)};

static const struct {
    const char *type, *expected;
} kinds[FIELD_KIND_COUNT] = {
    [FIELD_BOOL] = {"yes or no", "yes or no"},
    [FIELD_COUNT] = {"number", "a whole number"},
    [FIELD_DURATION] = {"duration", "a duration such as 800ms, 30s or 2h"},
    [FIELD_SIZE] = {"size", "a size such as 32KiB or 64MiB"},
    [FIELD_SHARE] = {"share", "a share such as 1% or 99.5%"},
    [FIELD_MONEY] = {"money", "an amount such as $50 or $2.50"},
    [FIELD_INTEGER] = {"integer", "a whole number such as 1 or -1"},
    [FIELD_RATE] = {"price", "a price per million such as $0.05/M"},
    [FIELD_DATE] = {"date", "a date such as 2030-12-31 or 2030-12-31T12:00:00Z"},
    [FIELD_TEXT] = {"text", "text"},
    [FIELD_TEXTS] = {"text or list", "text, or a list of texts"},
    [FIELD_NAME] = {"name", "a name of letters, digits, '-', '_' and '.'"},
    [FIELD_PATH] = {"path", "a path"},
    [FIELD_FILE] = {"path", "a path"},
    [FIELD_SECRET] = {"secret", "$NAME (an environment variable) or file:/path"},
    [FIELD_DIGEST] = {"SHA-256", "a SHA-256 of 64 hexadecimal digits"},
    [FIELD_ADDRESS] = {"address", "an address and port such as 127.0.0.1:8080, [::1]:8080 or :8080"},
    [FIELD_CHOICE] = {"one of", "one of"},
    [FIELD_LEVER] = {"lever", "on, off, shadow or { on: 5% }"},
    [FIELD_NODE] = {NULL, NULL},
    [FIELD_SECTION] = {"keys below", "a map of keys"},
    [FIELD_MAP] = {"map, see below", "a map of names"},
};

const char *
field_expected(const struct field *field)
{
    return field->kind == FIELD_NODE ? field->type : kinds[field->kind].expected;
}

const char *
field_type(const struct field *field)
{
    return field->kind == FIELD_NODE ? field->type : kinds[field->kind].type;
}

const struct field *
section_field(const struct section *section, struct slice key)
{
    for (size_t i = 0; i < section->count; i++)
        if (slice_is(key, section->fields[i].key))
            return &section->fields[i];
    return NULL;
}

const struct later *
section_later(const struct section *section, struct slice key)
{
    for (size_t i = 0; i < section->later_count; i++)
        if (slice_is(key, section->later[i].key))
            return &section->later[i];
    return NULL;
}
