/* Backends: where they are, how they are asked, and how long. */
#include "config/table_parts.h"

static const char *const dialects[] = {"auto", "openai", "anthropic", NULL};
static const char *const engines[] = {"hosted", "vllm", "sglang", "llama.cpp", "ollama", "tgi", "triton", "twin", NULL};
static const char *const policies[] = {"auto",    "round_robin", "least_in_flight", "p2c",
                                       "lmetric", "chwbl",       "affinity",        NULL}; /* enum policy_id */

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
        .standard = "off", .choices = config_off_or_on),
    FIELD("kv_tokens", FIELD_COUNT, AT(backend_draft, admission.kv_tokens),
          "Tokens that the cache of keys and values of one replica holds. Default: of `engine_model`, else found by "
          "its latency.",
          .standard = "auto", .word = "auto", .least = 1, .most = 1000000000),
    FIELD(
        "sequences", FIELD_COUNT, AT(backend_draft, admission.sequences),
        "Requests that one replica works at at a time (vLLM: `--max-num-seqs`): more would wait inside of it. Default: "
        "256 where it is known what its cache holds, else found by its latency.",
        .standard = "auto", .word = "auto", .least = 1, .most = 1000000),
    FIELD("requests", FIELD_COUNT, AT(backend_draft, admission.requests),
          "So many of this gateway's requests may be there at a time, whatever their size. Default: found, in tokens, "
          "by what caches and engines hold and by latency.",
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
          "`NAME:PORT`: every address of that name (A and AAAA) is a replica. `_http._tcp.NAME`: so is every place of "
          "that service (SRV)."),
    FIELD("resolver", FIELD_TEXT, AT(backend_draft, discover_resolver),
          "Address of the server that is asked for it. Default: those that the system asks."),
    FIELD("server_name", FIELD_TEXT, AT(backend_draft, discover_server_name),
          "The name on their certificates: they are spoken to by TLS then, else by http."),
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
    FIELD("apis", FIELD_TEXTS, AT(backend_draft, apis),
          "Which APIs it speaks, of chat, completions, responses, embeddings and messages. Requests of another are "
          "translated, where they can be (doc/translation.md). Default: all of its dialect."),
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

const struct section config_backend_section = {SECTION("A backend", "backends.NAME", backend_fields, backend_draft),
                                               LATER(backend_later)};
