/* Providers' prompt caches. A refiner: it makes no plan, but knows which beginning of the request a plan's target still
 * keeps, prices the plan by it, and has requests of one conversation sent to one place. OpenAI's API keeps prompts of its
 * own accord; a key says which belong together. Anthropic's must be asked by marks, and to write costs more than not to:
 * marks are put in where what is read again of it, as often as was seen on this route, saves more. Marks keep for five minutes,
 * or, at a higher surcharge, for an hour: which pays more is told by how often a beginning came again within the one and the
 * other. A request that is put in another API's words is looked at as it is put there. */
#include "base/hash.h"
#include "dialect/prompt.h"
#include "dialect/translate/translate.h"
#include "fleet/dispatch/prompt_memory.h"
#include "levers/estimate.h"

/* Providers keep nothing shorter. Some models of Anthropic's want two or four times as much; what is marked in vain is
 * neither written nor billed. */
enum { TOKENS_LEAST = 1024 };

/* Habits: of a route, for each part, how often it comes again, within five minutes and within an hour; of a target, how much
 * is read of what should be. */
enum { HABIT_READS = PROMPT_PARTS, HABIT_HOUR = PROMPT_PARTS + 1, HABITS = HABIT_HOUR + PROMPT_PARTS };

_Static_assert((int)HABITS <= (int)PROMPT_HABITS, "there is room for all");

/* What is kept for an hour may be read more than once before it is written again; so often it is taken to be at most. */
static const double HOUR_READS_MOST = 10;

/* Before anything was seen a beginning is taken to come again once in four times, just less than what pays for the usual
 * surcharge of a quarter at a discount of nine tenths: the first to come again tips the scale. */
static const double AGAIN_SHARE = 0.25, AGAIN_WEIGHT = 4, AGAIN_FADES_AT = 512;

/* A target keeps what it should until it does not: then marks are surcharge for nothing. */
static const double READS_WEIGHT_TOKENS = 8192, READS_FADE_AT_TOKENS = 2e6;

/* A target that refuses what we put in is not asked for tens of thousands of requests. */
static const double REFUSED_TOKENS = 1e6, TRUST_TOKENS = 8;
static const double KEY_READS_LEAST = 0.05;

/* A plan's target, as far as its cache goes: pico-dollars a token. */
struct terms {
    const struct prompt *prompt; /* as it is sent there */
    double bytes_per_token;
    double discount;     /* of a token that is read */
    double surcharge[2]; /* of one that is written, for five minutes and for an hour */
    bool has_hour;       /* the latter is known */
    double reads;        /* the share of what should be read that really is; the rest is written again */
};

static int64_t
tokens_in(const struct terms *terms, size_t bytes)
{
    return (int64_t)((double)bytes / terms->bytes_per_token);
}

static bool
keeps_by_itself(const struct plan *plan)
{
    return plan->target->backend->dialect == DIALECT_OPENAI;
}

static struct prompt *
prompt_of(const struct request *request, const struct plan *plan)
{
    return plan->translated != NULL ? plan->translated->prompt : request->prompt;
}

static struct slice
body_of(const struct request *request, const struct plan *plan)
{
    return plan->translated != NULL ? chunk_bytes(plan->translated->rest) : request->body;
}

/* False: nothing is known of a discount. */
static bool
terms_of(const struct request *request, const struct plan *plan, struct terms *out)
{
    struct expectation expectation = experience_expect(plan->facts->experience, 500000);
    int64_t all = estimate_input_tokens(&expectation, (int64_t)request->body.len);
    usd read = estimate_cached(request, plan, all, 0, 0), written = estimate_cached(request, plan, 0, all, 0),
        for_hour = estimate_cached(request, plan, 0, all, all);

    if (all < TOKENS_LEAST || !usd_known(plan->cost) || !usd_known(read) || !usd_known(written))
        return false;
    *out = (struct terms){
        .prompt = prompt_of(request, plan),
        .bytes_per_token = (double)body_of(request, plan).len / (double)all,
        .discount = (double)(plan->cost - read) / (double)all,
        .surcharge = {(double)(written - plan->cost) / (double)all, (double)(for_hour - plan->cost) / (double)all},
        .has_hour = usd_known(for_hour) && price_tells_apart(plan->facts->price, USAGE_cache_write_1h_tokens),
        .reads =
            prompt_memory_share(request->prompts, slice_of(plan->target->name), HABIT_READS, 1.0, READS_WEIGHT_TOKENS),
    };
    return out->discount > 0.0;
}

/* A beginning at a target. What would be there, had shadow's marks been sent, is apart. */
static uint64_t
at_target(const struct plan *plan, enum lever_mode mode, struct prompt_start start)
{
    return start.len == 0 ? 0 : hash_fast(slice_of(plan->target->name), start.hash ^ (uint64_t)mode) | 1;
}

/* That it is kept there for an hour. */
static uint64_t
for_an_hour(uint64_t at_target)
{
    return at_target == 0 ? 0 : hash_fast(SLICE_LITERAL("1h"), at_target) | 1;
}

/* The same on a route, wherever it is sent, as the end of such a part. */
static uint64_t
on_route(const struct request *request, enum prompt_part part, struct prompt_start start)
{
    return start.len == 0 ? 0 : hash_fast(slice_of(request->route->name), start.hash + 3 + (uint64_t)part) | 1;
}

/* Bytes of the longest beginning that the target keeps. */
static size_t
kept_bytes(const struct request *request, const struct plan *plan, enum lever_mode mode)
{
    const struct prompt *prompt = prompt_of(request, plan);
    struct prompt_start starts[PROMPT_TURNS_MOST + PROMPT_PARTS];
    uint64_t known[PROMPT_TURNS_MOST + PROMPT_PARTS];
    size_t count = 0, found, found_hour;

    for (size_t i = 0; i < prompt->turn_count; i++)
        starts[count++] = prompt->turns[i];
    for (unsigned part = PROMPT_PARTS; part-- > 0;)
        starts[count++] = prompt->parts[part];
    for (size_t i = 0; i < count; i++)
        known[i] = at_target(plan, mode, starts[i]);
    found = prompt_memory_find(request->prompts, known, count, PROMPT_LIFE_US, request->arrived_us);
    for (size_t i = 0; i < count; i++)
        known[i] = for_an_hour(known[i]);
    found_hour = prompt_memory_find(request->prompts, known, count, PROMPT_HOUR_US, request->arrived_us);
    found = found_hour < found ? found_hour : found; /* the longest come first */
    return found < count ? starts[found].len : 0;
}

/* What a mark saves, in pico-dollars a token: of what is kept, now; of what is not, when it comes again. */
static double
gain_kept(const struct terms *terms, bool hour)
{
    return terms->reads * terms->discount - (1.0 - terms->reads) * terms->surcharge[hour];
}

static double
again_share(const struct request *request, enum prompt_part part, bool hour)
{
    return prompt_memory_share(request->prompts, slice_of(request->route->name),
                               hour ? HABIT_HOUR + (unsigned)part : (unsigned)part, AGAIN_SHARE, AGAIN_WEIGHT);
}

/* Within five minutes it is counted on to come again once at most. What is kept for an hour is paid for in advance: each time
 * that it comes the hour begins anew, so it is read p/(1-p) times before it is written again. */
static double
gain_written(const struct request *request, const struct terms *terms, enum prompt_part part, bool hour)
{
    double again = again_share(request, part, hour);

    if (hour)
        again = again < 1.0 && again / (1.0 - again) < HOUR_READS_MOST ? again / (1.0 - again) : HOUR_READS_MOST;
    return again * terms->reads * terms->discount - terms->surcharge[hour];
}

/* In the long run, each time that it comes: it is there and read, or it is written. */
static double
gain_each_time(const struct request *request, const struct terms *terms, enum prompt_part part, bool hour)
{
    double there = again_share(request, part, hour) * terms->reads,
           gain = there * terms->discount - (1.0 - there) * terms->surcharge[hour];

    return gain > 0.0 ? gain : 0.0;
}

/* The same of all parts, if the first `hours` are kept for an hour and the others for five minutes. */
static double
gain_of_all(const struct request *request, const struct terms *terms, unsigned hours)
{
    const struct prompt *prompt = terms->prompt;
    double gain = 0.0;
    size_t from = 0;

    for (unsigned part = 0; part < PROMPT_PARTS; part++) {
        size_t to = prompt->parts[part].len;

        if (prompt->places[part].data == NULL || to <= from)
            continue;
        gain += (double)(to - from) * gain_each_time(request, terms, (enum prompt_part)part, part < hours);
        from = to;
    }
    return gain;
}

/* How many of the first parts to keep for an hour: those behind them can only be kept for less. */
static unsigned
hours_that_pay(const struct request *request, const struct terms *terms)
{
    double best = gain_of_all(request, terms, 0);
    unsigned hours = 0;

    for (unsigned more = 1; terms->has_hour && more <= PROMPT_PARTS; more++) {
        double gain = gain_of_all(request, terms, more);

        if (gain > best) {
            best = gain;
            hours = more;
        }
    }
    return hours;
}

/* How far to mark: each stretch that is kept saves its discount, each that is not costs its surcharge and saves the
 * discount as often as it will come again. Bits of the parts to mark; *bytes: up to where. 0: it does not pay. */
static unsigned
marks_that_pay(const struct request *request, const struct terms *terms, unsigned hours, size_t kept, size_t *bytes)
{
    const struct prompt *prompt = terms->prompt;
    double gain = 0.0, best = 0.0;
    unsigned marks = 0, paying = 0;
    size_t from = 0;

    for (unsigned part = 0; part < PROMPT_PARTS; part++) {
        size_t to = prompt->parts[part].len, warm = kept < from ? 0 : (kept < to ? kept : to) - from;

        if (prompt->places[part].data == NULL || to <= from)
            continue;
        gain += (double)warm * gain_kept(terms, part < hours) +
                (double)(to - from - warm) * gain_written(request, terms, (enum prompt_part)part, part < hours);
        marks |= 1u << part;
        from = to;
        if (gain <= best || tokens_in(terms, to) < TOKENS_LEAST)
            continue;
        best = gain;
        paying = marks;
        *bytes = to;
    }
    return paying;
}

/* Tokens up to the last mark that keeps for an hour. */
static int64_t
hour_tokens(const struct terms *terms, unsigned hour_marks)
{
    size_t bytes = 0;

    for (unsigned part = 0; part < PROMPT_PARTS; part++)
        if ((hour_marks >> part & 1) != 0)
            bytes = terms->prompt->parts[part].len;
    return tokens_in(terms, bytes);
}

static void
refine_marked(const struct request *request, enum lever_mode mode, const struct terms *terms, struct plan *plan)
{
    size_t bytes = 0, kept = kept_bytes(request, plan, mode);
    unsigned hours = hours_that_pay(request, terms), marks = marks_that_pay(request, terms, hours, kept, &bytes);
    int64_t read, all, hour;
    usd cost;

    if (marks == 0)
        return;
    all = tokens_in(terms, bytes);
    read = tokens_in(terms, kept < bytes ? kept : bytes);
    read = read >= TOKENS_LEAST ? read : 0;
    plan->cache.marks = marks;
    plan->cache.hour_marks = marks & ((1u << hours) - 1);
    hour = hour_tokens(terms, plan->cache.hour_marks);
    cost = estimate_cached(request, plan, read, all - read, hour > read ? hour - read : 0);
    plan->cache.expected_tokens = read;
    if (usd_sub(plan->cost, cost, &plan->cache.saves) == OK && mode == LEVER_ON)
        plan->cost = cost;
}

static void
refine_kept(const struct request *request, enum lever_mode mode, const struct terms *terms, struct plan *plan)
{
    int64_t read = tokens_in(terms, kept_bytes(request, plan, mode));
    usd cost;

    if (read < TOKENS_LEAST)
        return;
    cost = estimate_cached(request, plan, read, 0, 0);
    plan->cache.expected_tokens = read;
    if (usd_known(cost) && mode == LEVER_ON)
        plan->cost = cost;
}

/* Which requests shall meet on one machine: those with the same tools and system, where these are long enough to be kept
 * by themselves, else those of one conversation. */
static uint64_t
family_of(const struct request *request, const struct terms *terms)
{
    const struct prompt_start *head = &terms->prompt->parts[PROMPT_SYSTEM];

    if (head->len == 0)
        head = &terms->prompt->parts[PROMPT_TOOLS];
    return tokens_in(terms, head->len) >= TOKENS_LEAST ? head->hash : request->conversation;
}

static bool
takes_key(const struct plan *plan)
{
    static const char *const providers[] = {"openai", "azure"};
    const char *provider = plan->target->backend->provider;

    for (size_t i = 0; provider != NULL && i < sizeof(providers) / sizeof(providers[0]); i++)
        if (strcmp(provider, providers[i]) == 0)
            return true;
    return false;
}

static void
refine_plan(const struct request *request, enum lever_mode mode, struct plan *plan)
{
    struct terms terms;

    plan->cache.on = mode == LEVER_ON;
    if (!terms_of(request, plan, &terms))
        return;
    if (!keeps_by_itself(plan)) {
        /* The client's own marks go as they came, and are left out where the request is put in other words. */
        bool its_own = request->facts->bound.writes_cache && plan->translated == NULL;

        if (!its_own)
            refine_marked(request, mode, &terms, plan);
        return;
    }
    refine_kept(request, mode, &terms, plan);
    if (takes_key(plan) && !terms.prompt->keyed && terms.reads >= KEY_READS_LEAST)
        plan->cache.family = family_of(request, &terms);
}

/* A plan that makes a call of its own. */
static bool
concerns(const struct request *request, const struct plan *plan)
{
    enum api api = request->facts->api;

    return (api == API_CHAT || api == API_RESPONSES || api == API_MESSAGES) &&
           (plan->source == SOURCE_REFERENCE || plan->source == SOURCE_MODEL) &&
           (plan->translated != NULL ? plan->translated->why == NULL : backend_speaks(plan->target->backend, api));
}

static void
refine(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    for (size_t i = 0; i < plans->count; i++) {
        struct plan *plan = &plans->all[i];

        if (!concerns(request, plan))
            continue;
        if (!prompt_of(request, plan)->read)
            prompt_read(plan->translated != NULL ? plan->translated->api : request->facts->api, body_of(request, plan),
                        prompt_of(request, plan));
        refine_plan(request, mode, plan);
    }
}

/* Was this part there before? Of turns any that were the last stable ones then. */
static bool
came_before(const struct request *request, const struct prompt *prompt, enum prompt_part part, usec within_us)
{
    uint64_t known[1 + PROMPT_TURNS_MOST];
    size_t count = 0;

    known[count++] = on_route(request, part, prompt->parts[part]);
    for (size_t i = 0; part == PROMPT_TURNS && i < prompt->turn_count; i++)
        known[count++] = on_route(request, part, prompt->turns[i]);
    return prompt_memory_find(request->prompts, known, count, within_us, request->arrived_us) < count;
}

static void
learn_habit(const struct request *request, const struct prompt *prompt, enum prompt_part part, unsigned habit,
            usec within_us)
{
    prompt_memory_learn(request->prompts, slice_of(request->route->name), habit,
                        came_before(request, prompt, part, within_us), 1.0, AGAIN_FADES_AT);
}

static void
learn_habits(const struct request *request, const struct prompt *prompt)
{
    for (unsigned part = 0; part < PROMPT_PARTS; part++) {
        uint64_t known = on_route(request, (enum prompt_part)part, prompt->parts[part]);

        if (known == 0)
            continue;
        learn_habit(request, prompt, (enum prompt_part)part, part, PROMPT_LIFE_US);
        learn_habit(request, prompt, (enum prompt_part)part, HABIT_HOUR + part, PROMPT_HOUR_US);
        prompt_memory_use(request->prompts, &known, 1, request->arrived_us);
    }
}

/* What the target keeps from now on. */
static void
learn_kept(const struct request *request, enum lever_mode mode, const struct plan *plan)
{
    const struct prompt *prompt = prompt_of(request, plan);
    uint64_t known[2 * PROMPT_PARTS + 1] = {0};

    for (unsigned part = 0; part < PROMPT_PARTS; part++) {
        if (keeps_by_itself(plan) || (plan->cache.marks >> part & 1) != 0)
            known[part] = at_target(plan, mode, prompt->parts[part]);
        if ((plan->cache.hour_marks >> part & 1) != 0)
            known[PROMPT_PARTS + 1 + part] = for_an_hour(known[part]);
    }
    if (keeps_by_itself(plan))
        known[PROMPT_PARTS] = at_target(plan, mode, prompt->whole);
    prompt_memory_use(request->prompts, known, 2 * PROMPT_PARTS + 1, request->arrived_us);
}

/* Who was not asked is trusted a little more each time, so that some day it is asked again. */
static void
learn_reads(const struct request *request, enum lever_mode mode, const struct plan *plan, const struct usage *usage)
{
    double expected = (double)plan->cache.expected_tokens, read = (double)usage->cache_read_tokens;

    if (usage->exactness != USAGE_EXACT || (mode != LEVER_ON && !keeps_by_itself(plan)))
        return;
    if (plan->cache.refused)
        expected = REFUSED_TOKENS, read = 0.0;
    else if (expected == 0.0)
        expected = read = TRUST_TOKENS;
    prompt_memory_learn(request->prompts, slice_of(plan->target->name), HABIT_READS, read < expected ? read : expected,
                        expected, READS_FADE_AT_TOKENS);
}

static void
learn(const struct request *request, enum lever_mode mode, const struct plan *plan, const struct usage *usage)
{
    if (!concerns(request, plan) || !prompt_of(request, plan)->read)
        return;
    learn_reads(request, mode, plan, usage);
    learn_habits(request, prompt_of(request, plan));
    learn_kept(request, mode, plan);
}

const struct lever_ops prompt_cache_lever = {.id = LEVER_PROMPT_CACHE, .refine = refine, .learn = learn};
