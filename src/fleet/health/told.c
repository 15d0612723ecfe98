#include "fleet/health/told.h"

#include <math.h>

void
told_fill(struct told_memory *memory, struct engine_told *told, usec now_us)
{
    for (unsigned i = 0; i < TOLD_FIELDS; i++) {
        if (told->of[i] >= 0) {
            memory->of[i] = told->of[i];
            memory->at_us[i] = now_us;
        } else if (memory->at_us[i] != 0 && now_us - memory->at_us[i] <= TOLD_KEPT_US) {
            told->of[i] = memory->of[i];
        }
    }
}

void
told_nothing(struct replica_told *out)
{
    *out = (struct replica_told){.queued = -1,
                                 .running = -1,
                                 .others = -1,
                                 .others_queued = -1,
                                 .kv_share = -1,
                                 .prefix_share = -1,
                                 .prompt_per_s = -1,
                                 .generated_per_s = -1,
                                 .prompt_tokens = -1,
                                 .generated_tokens = -1,
                                 .prefix_asked = -1,
                                 .prefix_found = -1,
                                 .preemptions = -1};
}

/* Counters of engines are doubles on the page: beyond 2^53 they are not exact, and beyond 2^63 they are nonsense. */
static int64_t
count_of(double value)
{
    return value >= 0 && value < 9e18 ? (int64_t)value : -1;
}

static double
rate_of(double before, int64_t was, int64_t is, usec span_us)
{
    double fresh, kept;

    if (was < 0 || is < was || span_us <= 0)
        return is < 0 ? -1 : before;
    fresh = (double)(is - was) * 1e6 / (double)span_us;
    kept = before >= 0 ? exp2(-(double)span_us / (double)TOLD_RATE_HALF_LIFE_US) : 0;
    return before * kept + fresh * (1 - kept);
}

/* A page may tell of any number: no engine has more than this, and sums of no more are still numbers everywhere. */
static const double REQUESTS_MOST = 1e6;

void
told_next(const struct replica_told *before, const struct engine_told *page, usec now_us, struct replica_told *out)
{
    usec span_us = before->at_us != 0 ? now_us - before->at_us : 0;

    told_nothing(out);
    out->at_us = now_us;
    out->queued = fmin(page->of[TOLD_QUEUED], REQUESTS_MOST);
    out->running = fmin(page->of[TOLD_RUNNING], REQUESTS_MOST);
    out->kv_share = page->of[TOLD_KV_SHARE];
    out->prefix_share = page->of[TOLD_PREFIX_SHARE];
    out->prompt_tokens = count_of(page->of[TOLD_PROMPT_TOKENS]);
    out->generated_tokens = count_of(page->of[TOLD_GENERATED_TOKENS]);
    out->prefix_asked = count_of(page->of[TOLD_PREFIX_ASKED]);
    out->prefix_found = count_of(page->of[TOLD_PREFIX_FOUND]);
    out->preemptions = count_of(page->of[TOLD_PREEMPTIONS]);
    out->prompt_per_s = rate_of(before->prompt_per_s, before->prompt_tokens, out->prompt_tokens, span_us);
    out->generated_per_s = rate_of(before->generated_per_s, before->generated_tokens, out->generated_tokens, span_us);
}

double
told_worth(usec at_us, usec now_us)
{
    usec age_us = now_us - at_us;

    if (at_us == 0 || age_us > TOLD_GONE_US)
        return 0;
    return age_us > TOLD_FRESH_US ? exp2(-(double)(age_us - TOLD_FRESH_US) / (double)TOLD_HALF_LIFE_US) : 1;
}

/* What a page tells of its cache; else what those of others who are answered may hold there. */
static double
context_of_others(const struct replica_told *told, double worth, double others, double prompt)
{
    return told->kv_share >= 0 ? worth * told->kv_beyond : others * prompt;
}

void
told_load(const struct replica_look *look, const struct replica_wish *like, usec now_us, struct told_load *out)
{
    const struct replica_now *now = &look->now;
    const struct replica_totals *totals = &look->totals;
    double worth = told_worth(look->told.at_us, now_us), taken = (double)totals->taken;
    double others = worth * fmax(0, look->told.others), queued = worth * fmax(0, look->told.others_queued);
    double prompt = taken > 0 ? (double)totals->sent_tokens / taken : (double)like->prompt_tokens;
    double known = look->trust * (double)totals->matched_tokens;
    double fresh = taken > 0 ? ((double)totals->sent_tokens - known) / taken : prompt;
    double context = (double)now->context_tokens + context_of_others(&look->told, worth, others - queued, prompt);

    out->requests = (double)now->requests + others;
    out->filling = (double)now->filling + queued;
    out->filling_tokens = (double)now->filling_tokens + queued * fresh;
    out->context_tokens = fmax(0, context) + queued * prompt;
    out->output_tokens = (double)now->output_tokens + (others - queued) * (double)like->output_tokens / 2;
}

double
told_requests(struct replica *replica, usec now_us)
{
    double requests, others;
    usec at_us;

    lock_take(&replica->lock);
    requests = (double)replica->now.requests;
    others = replica->told.others;
    at_us = replica->told.at_us;
    lock_drop(&replica->lock);
    return others > 0 ? requests + others * told_worth(at_us, now_us) : requests;
}

static double
within(double share)
{
    return share > 1 ? 1 : share > 0 ? share : 0;
}

double
told_kv_share(const struct replica_look *look, usec now_us)
{
    double room = look->model.kv_tokens > 0 ? (double)look->model.kv_tokens : 1;
    double beyond = told_worth(look->told.at_us, now_us) * look->told.kv_beyond;

    return within(((double)look->now.context_tokens + beyond) / room);
}
