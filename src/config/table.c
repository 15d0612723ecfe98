/* The root of the table, and what holds for the whole gateway. Backends, routes and keys: table_*.c beside it. */
#include "config/table_parts.h"

const char *const config_on_exceed[] = {"inherit", "refuse", "degrade", NULL};
const char *const config_exposures[] = {"inherit", "expected", "strict", NULL};
const char *const config_off_or_on[] = {"off", "on", NULL};

static const char *const when_full[] = {"refuse", "serve", NULL};

static const struct field tls_fields[] = {
    FIELD("cert", FIELD_PATH, AT(root_draft, tls.cert), "Certificate chain, PEM.", .restart = true),
    FIELD("key", FIELD_PATH, AT(root_draft, tls.key), "Its private key, PEM.", .restart = true),
};

static const struct section tls_section = {SECTION("TLS towards clients", "tls", tls_fields, root_draft)};

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
          "Of how many stored answers the semantic cache knows what was asked; some 380 bytes each.",
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
          .inside = &config_backend_section),
    FIELD("routes", FIELD_MAP, AT(root_draft, routes),
          "Model names that clients ask for. A model that no route names goes to the backend that has it.",
          .inside = &config_route_section),
    FIELD("keys", FIELD_MAP, AT(root_draft, keys),
          "Who may ask. Without any, everybody may, on loopback addresses only.", .inside = &config_key_section),
    FIELD("tenants", FIELD_MAP, AT(root_draft, tenants), "Rules for tenants.", .inside = &config_tenant_section),
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
