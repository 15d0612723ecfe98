/* Routes: who serves them, what is acceptable, which levers may make it cheaper. */
#include "config/table_parts.h"

static const char *const judges[] = {[JUDGE_EXACT] = "exact",
                                     [JUDGE_NUMERIC] = "numeric",
                                     [JUDGE_JSON] = "json",
                                     [JUDGE_EMBEDDING] = "embedding",
                                     [JUDGE_COUNT] = NULL};
static const char *const texts_judged[] = {"none",
                                           [1 + JUDGE_EXACT] = "exact",
                                           [1 + JUDGE_NUMERIC] = "numeric",
                                           [1 + JUDGE_JSON] = "json",
                                           [1 + JUDGE_EMBEDDING] = "embedding",
                                           [1 + JUDGE_COUNT] = NULL};
static const char *const floors[] = {
    [FLOOR_SERVED] = "served", [FLOOR_ROUTE] = "route", [FLOOR_RELATIVE] = "relative", NULL};
static const char *const accepts[] = {"none",     "validators",       "model",
                                      "logprobs", "self_consistency", NULL}; /* enum accept_by */
static const char *const held[] = {"skip", "hold", NULL};
static const char *const retries[] = {"sent", "safe", NULL};

static const struct field acceptable_fields[] = {
    FIELD("quality", FIELD_SHARE, AT(route_draft, quality_ppm),
          "Share of answers that must be acceptable. 100%: only answers of the reference's model.", .standard = "100%"),
    FIELD("confidence", FIELD_SHARE, AT(route_draft, confidence_ppm), "How sure the evidence must be of that.",
          .standard = "95%"),
    FIELD(
        "of", FIELD_CHOICE, AT(route_draft, floor_of),
        "Of which answers `quality` speaks where models are chosen: `served`, of those that another model gives; "
        "`route`, of all answers of the route, the reference's counting as acceptable; `relative`, likewise of all, "
        "which are right at least so often as a share of how often the reference is, as the route's validators "
        "(`validate`) say of each answer by itself. The last two save more, and other models' own answers may be well "
        "below. Caches go by `served`.",
        .standard = "served", .choices = floors),
    FIELD("served_quality", FIELD_SHARE, AT(route_draft, served_floor_ppm),
          "With `of: route` or `relative`: of the answers that other models give so many must be acceptable. 0%: no "
          "such floor.",
          .standard = "0%"),
    FIELD(
        "slices", FIELD_NODE, AT(route_draft, slices),
        "Where models are chosen, `quality` holds in each slice of the route's traffic by itself: `tenant`, `tag:NAME` "
        "(by that tag's value), or a list of these, in which case each combination is a slice. Each needs labels of "
        "its own; at most 32 have evidence, in the order in which they come, and what comes later no other model "
        "answers: the reference does, or a cache. Default: none.",
        .type = "tenant, tag:NAME or list"),
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
    {"hedge", "hedged requests"},
    {"batch", "micro-batching"},
    {"defer", "deferral"},
    {"affinity", "prefix affinity"},
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
    FIELD("calibration", FIELD_FILE, AT(route_draft, semantic_calibration),
          "A file that `equipoise eval judge --judge RULE --json` wrote of this judge: the mistakes that it made on "
          "labelled examples of the route's traffic. What is earned is then bounded in spite of them (doc/judges.md)."),
};

static const struct section semantic_section = {
    SECTION("What the semantic cache learns by", "routes.NAME.semantic_cache", semantic_fields, route_draft)};

static const struct field judge_fields[] = {
    FIELD(
        "by", FIELD_CHOICE, AT(route_draft, judge.by),
        "Whether a candidate's answer is at least as acceptable as the reference's, by their texts: `exact`, the same "
        "text; `numeric`, the same last number; `json`, the same fields; `embedding`, the same meaning, as the "
        "built-in embedder sees it, which tells topics apart better than facts. A call of a tool is as acceptable as "
        "one of the same name with the same arguments.",
        .standard = "none", .choices = texts_judged),
    FIELD("model", FIELD_NODE, AT(route_draft, judge.model),
          "Instead of `by`: a model that is asked which of the two answers is more acceptable, in both orders "
          "(doc/judges.md).",
          .type = "backend/model"),
    FIELD("command", FIELD_TEXT, AT(route_draft, judge.command),
          "Instead of `by`: a shell command that gets {route, id, request, reference, candidate} on standard input and "
          "prints {\"acceptable\": true} or false, or a number from 0 to 1."),
    FIELD("http", FIELD_TEXT, AT(route_draft, judge.http),
          "Instead of `by`: a URL to which the same is posted, and that answers the same."),
    FIELD("similar", FIELD_SHARE, AT(route_draft, judge.similar_ppm),
          "With `by: embedding`: how alike two answers must be, as a cosine.", .standard = "90%"),
    FIELD("json_schema", FIELD_FILE, AT(route_draft, judge.json_schema),
          "With `by: json`: a schema, as `validate` takes it. JSON that fits it is acceptable, whatever the reference "
          "said: form, not truth."),
    FIELD("tolerance", FIELD_SHARE, AT(route_draft, judge.tolerance_ppm),
          "With `by: numeric`: how far two numbers may be apart.", .standard = "0%"),
    FIELD("ceiling", FIELD_SHARE, AT(route_draft, judge.ceiling_ppm),
          "In so many of the audits the reference is asked once more, and its second answer judged by its first: more "
          "than "
          "that the judge will accept of nobody.",
          .standard = "2%"),
    FIELD("calibration", FIELD_FILE, AT(route_draft, judge.calibration),
          "A file that `equipoise eval judge --json` wrote of this judge: the mistakes that it made on labelled "
          "examples of "
          "the route's traffic. What is earned is then bounded in spite of them (doc/judges.md). Without: the judge is "
          "taken at its word."),
};

static const struct section judge_section = {
    SECTION("What a route accepts of another model", "routes.NAME.judge", judge_fields, route_draft)};

static const struct field cascade_fields[] = {
    FIELD(
        "accept", FIELD_CHOICE, AT(route_draft, cascade.accept),
        "What tells that a cheaper model's answer may be kept: `none`; `validators`, those of the route (`validate`); "
        "`model`, one that is asked how sure it is that the answer will do; `logprobs`, how sure the cheaper model was "
        "of its own words; `self_consistency`, whether it says the same when it is asked again. The route's "
        "validators, "
        "where it has some, must find it useful in any case.",
        .standard = "none", .choices = accepts),
    FIELD("verifier", FIELD_NODE, AT(route_draft, cascade.verifier),
          "With `accept: model`: the model that is asked (doc/levers.md).", .type = "backend/model"),
    FIELD("samples", FIELD_COUNT, AT(route_draft, cascade.samples),
          "With `accept: self_consistency`: how often a cheaper model is asked the same, the first time included.",
          .standard = "3", .least = 2, .most = CASCADE_SAMPLES_MOST),
    FIELD("agree", FIELD_CHOICE, AT(route_draft, cascade.agree),
          "With `accept: self_consistency`: when two of its answers agree, by their texts, as a judge's `by` has it.",
          .standard = "exact", .choices = judges),
    FIELD("similar", FIELD_SHARE, AT(route_draft, cascade.similar_ppm),
          "With `agree: embedding`: how alike two answers must be, as a cosine.", .standard = "90%"),
    FIELD("tolerance", FIELD_SHARE, AT(route_draft, cascade.tolerance_ppm),
          "With `agree: numeric`: how far two numbers may be apart.", .standard = "0%"),
    FIELD("streams", FIELD_CHOICE, AT(route_draft, cascade.streams),
          "Who streams: `skip`, is not served by a cascade; `hold`, gets nothing before the whole answer is accepted, "
          "and then all at once.",
          .standard = "skip", .choices = held),
};

static const struct section cascade_section = {
    SECTION("When a cheaper model's answer is kept", "routes.NAME.cascade", cascade_fields, route_draft)};

static const struct field router_fields[] = {
    FIELD("warm_start", FIELD_PATH, AT(route_draft, warm_start),
          "A file of labelled requests, as `equipoise eval router` reads it, of which the router learns before it has "
          "audits. They teach it only which requests suit a model: what the model may serve, audits alone say "
          "(doc/routing.md)."),
};

static const struct section router_section = {
    SECTION("What the lever `router` begins with", "routes.NAME.router", router_fields, route_draft)};

static const struct field route_fields[] = {
    FIELD("reference", FIELD_NODE, AT(route_draft, reference),
          "The model that serves whenever nothing cheaper is acceptable.", .type = "backend/model", .required = true),
    FIELD("baseline", FIELD_NODE, AT(route_draft, baseline),
          "What was paid before, which savings are counted against. Default: the reference.", .type = "backend/model"),
    FIELD("candidates", FIELD_NODE, AT(route_draft, candidates),
          "What else may serve: the reference's model on other backends, whichever API they speak "
          "(doc/translation.md), and "
          "with the levers `router` and `cascade` other models, where audits have shown that they will do.",
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
    FIELD("judge", FIELD_SECTION, 0,
          "What it accepts of another model, where the lever `router` or `cascade` is on or in shadow.",
          .inside = &judge_section),
    FIELD("router", FIELD_SECTION, 0, "What the lever `router` begins with.", .inside = &router_section),
    FIELD("cascade", FIELD_SECTION, 0, "How the lever `cascade` tells which answers of a cheaper model to keep.",
          .inside = &cascade_section),
    FIELD(
        "learning", FIELD_SHARE, AT(route_draft, learning_ppm),
        "Of what the reference's answers cost, so much may go into audits for the levers `router` and `cascade`, and a "
        "tenth of what they save.",
        .standard = "5%"),
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
    {"store", "storing texts"},
    {"priority", "priorities"},
};

const struct section config_route_section = {SECTION("A route", "routes.NAME", route_fields, route_draft),
                                             LATER(route_later)};
