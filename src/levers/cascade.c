/* Cheaper models first, and the next where an answer does not pass. */
#include "levers/cascade.h"

#include <math.h>

#include "levers/estimate.h"
#include "levers/terms.h"
#include "quality/verify_model.h"

/* Expected times cover this share of answers (estimate.c). */
enum { IN_TIME_PPM = 950000 };

static uint64_t
mark_of(const struct request *request, uint64_t rule)
{
    const struct choosing *choosing = request->choosing;
    uint64_t mark = terms_with_text(rule, lever_name(LEVER_CASCADE));

    for (size_t i = 0; choosing != NULL && i < choosing->count; i++)
        mark = terms_with_number(mark, shared_evidence_serving(choosing->all[i].evidence, &choosing->all[i].terms));
    return mark;
}

void
cascade_order(struct cascading *cascading, const struct request *request, uint64_t rule)
{
    router_order(&cascading->models, request, mark_of(request, rule));
}

/* What tells whether to keep an answer */

/* While something is earned, what that would not keep goes on; before that, what nothing could ever keep. */
static unsigned
goes_on_ppm(const struct routed *model, struct acceptance_book *book)
{
    double share = acceptance_share(book, shared_evidence_threshold(model->evidence, &model->terms));

    return PPM - (unsigned)lround(share * PPM);
}

const char *
cascade_logprobs_objection(const struct request_facts *facts, const struct target *target)
{
    enum api api = backend_api(target->backend, facts->api);

    if (api == facts->api)
        return facts->logprobs.why;
    return api != API_COUNT && logprobs_translated(api) == NULL ? "the API of its backend has no logprobs" : NULL;
}

/* NULL: it can be told. */
static const char *
scoring_objection(const struct request *request, const struct target *target, struct acceptance_book *book)
{
    const struct route_config *route = request->route;

    if (route->cascade.accept == ACCEPT_SELF_CONSISTENCY && request->facts->deterministic)
        return "it asks for one answer, not for one of many (temperature 0, top_k 1 or a seed): asked again, a model "
               "would only repeat itself";
    if (route->cascade.accept != ACCEPT_LOGPROBS)
        return NULL;
    if (acceptance_is_silent(book, request->arrived_us))
        return "its backend told no logprobs when it was asked for some; it is asked again in an hour";
    return cascade_logprobs_objection(request->facts, target);
}

/* A verifier reads the request and the answer, and replies with a number. */
static usd
cost_of_verifier(const struct request *request, const struct plan *plan, const struct expectation *own)
{
    const struct target_facts *facts = facts_of(request->targets, request->route->cascade.verifier);
    struct expectation answers = experience_expect(plan->facts->experience, IN_TIME_PPM);
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;

    usage_init(&usage);
    usage.exactness = USAGE_ESTIMATED;
    usage_set(&usage, USAGE_input_tokens,
              estimate_input_tokens(own, (int64_t)request->body.len) + (int64_t)answers.output_tokens + VERIFY_TOKENS);
    usage_set(&usage, USAGE_output_tokens, VERIFY_REPLY_TOKENS);
    return estimate_cost(facts, &terms, &usage).total;
}

static usd
times(usd cost, unsigned factor)
{
    wide_int product = (wide_int)cost * factor;

    return usd_known(cost) && product < INT64_MAX ? (usd)product : USD_UNKNOWN;
}

static usd
plus(usd a, usd b)
{
    usd sum;

    return usd_known(a) && usd_known(b) && usd_add(a, b, &sum) == OK ? sum : USD_UNKNOWN;
}

/* On top of the call itself. Further answers are made side by side. */
static void
add_scoring(const struct request *request, struct plan *plan)
{
    const struct cascade_config *cascade = &request->route->cascade;
    usd marginal = 0;

    plan->rest_us = plan->total_us - plan->first_token_us;
    if (cascade->verifier != NULL) {
        struct expectation own =
            experience_expect(facts_of(request->targets, cascade->verifier)->experience, IN_TIME_PPM);

        plan->scoring = marginal = cost_of_verifier(request, plan, &own);
        plan->rest_us += own.total_us;
        plan->total_us += own.total_us;
    } else if (cascade->accept == ACCEPT_SELF_CONSISTENCY) {
        plan->scoring = times(plan->cost, cascade->samples - 1);
        marginal = times(plan->marginal, cascade->samples - 1);
        plan->rest_us += plan->total_us;
        plan->total_us *= 2;
    }
    plan->cost = plus(plan->cost, plan->scoring);
    if (plan->by_the_hour)
        plan->marginal = plus(plan->marginal, marginal);
}

/* Plans */

static void
weigh_evidence(const struct request *request, const struct routed *model, enum lever_mode mode, struct plan *plan)
{
    bool drawn = request->cascading->models.drawn;
    enum evidence_reason reason;

    plan->quality_ppm = shared_evidence_may_serve(model->evidence, &model->terms, model->score, &reason);
    plan->evidence.hopeless = reason == EVIDENCE_BELOW_FLOOR || model->terms.floor_ppm >= PPM;
    plan->evidence.learns = drawn;
    if (plan->quality_ppm == 0)
        plan->evidence.detail = evidence_reason_text(reason);
    if (drawn && plan->quality_ppm > 0 && mode == LEVER_ON)
        plan->withheld = VERDICT_AUDIT;
    if (request->facts->stream && !request->route->cascade.holds_streams)
        plan->withheld = VERDICT_STREAM;
}

static void
withhold(struct plan *plan, enum verdict verdict, const char *why)
{
    plan->withheld = verdict;
    plan->evidence.learns = false;
    plan->evidence.detail = why;
}

/* One that is asked before it has nothing to be scored by now, so that it hands nothing on. */
static bool
hangs(const struct plans *plans)
{
    for (size_t i = 0; i < plans->count; i++)
        if (plans->all[i].source == SOURCE_CASCADE && plans->all[i].quality_ppm > 0 &&
            plans->all[i].withheld == VERDICT_UNSCORED)
            return true;
    return false;
}

/* `links`: cheaper ones that serve; it is asked where their answers are not kept. */
static struct plan *
make_one(const struct request *request, size_t at, enum lever_mode mode, unsigned links, struct plans *plans)
{
    const struct cascading *cascading = request->cascading;
    const struct routed *model = &cascading->models.all[at];
    const char *unjudged = router_objection(request);
    const char *unscored = scoring_objection(request, model->target, cascading->books[at]);
    struct plan *plan = plans_add(plans);

    if (plan == NULL)
        return NULL;
    plan->source = SOURCE_CASCADE;
    plan->lever = LEVER_CASCADE;
    plan->mode = mode;
    plan->target = model->target;
    plan->facts = facts_of(request->targets, model->target);
    estimate_plan_like(request, facts_of(request->targets, &request->route->reference), plan);
    add_scoring(request, plan);
    plan->asks_logprobs = request->route->cascade.accept == ACCEPT_LOGPROBS;
    plan->goes_on_ppm = goes_on_ppm(model, cascading->books[at]);
    weigh_evidence(request, model, mode, plan);
    if (unjudged != NULL)
        withhold(plan, VERDICT_UNJUDGED, unjudged);
    else if (unscored != NULL)
        withhold(plan, VERDICT_UNSCORED, unscored);
    else if (hangs(plans))
        withhold(plan, VERDICT_UNSCORED,
                 "nothing would tell whether to keep the answer of one that is asked before it");
    else if (links > 0 && plan->withheld != VERDICT_STREAM)
        plan->withheld = VERDICT_NEXT;
    return plan;
}

static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct cascading *cascading = request->cascading;
    unsigned links = 0;

    for (size_t i = 0; cascading != NULL && i < cascading->models.count; i++) {
        const struct plan *plan = make_one(request, i, mode, links, plans);

        if (plan == NULL)
            return;
        links += plan->quality_ppm > 0;
    }
}

/* The way on */

/* Unknown stays unknown. */
static usd
with_share(usd cost, unsigned share_ppm, usd more)
{
    usd sum;

    if (share_ppm == 0 || !usd_known(cost))
        return cost;
    if (!usd_known(more) || usd_add(cost, (usd)((wide_int)more * share_ppm / PPM), &sum) != OK)
        return USD_UNKNOWN;
    return sum;
}

/* Nothing of its answer is there before all of it is. */
static void
add_way_on(struct plan *plan, const struct plan *next)
{
    bool both = plan->goes_on_ppm > PPM - IN_TIME_PPM;

    if (next->by_the_hour && !plan->by_the_hour) {
        plan->by_the_hour = true;
        plan->marginal = plan->cost;
    }
    plan->marginal = with_share(plan->marginal, plan->goes_on_ppm, plan_price(next));
    plan->cost = with_share(plan->cost, plan->goes_on_ppm, next->cost);
    plan->first_token_us = plan->total_us + (both ? next->first_token_us : 0);
    plan->total_us += both ? next->total_us : 0;
}

/* Who is asked where nobody cheaper passes, and would be chosen then. */
static bool
is_better_way(const struct plan *next, const struct plan *reference)
{
    bool is_open = next->withheld == VERDICT_NEXT || next->withheld == VERDICT_NONE || next->withheld == VERDICT_AUDIT;

    return is_open && usd_known(plan_price(next)) && usd_known(plan_price(reference)) &&
           plan_price(next) < plan_price(reference);
}

/* From the last on, so that each knows what it comes to beyond it. */
static void
refine(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct plan *reference = plans_reference(plans), *next = NULL;

    (void)request, (void)mode;
    for (size_t i = plans->count; reference != NULL && i-- > 0;) {
        struct plan *plan = &plans->all[i];

        if (plan->source != SOURCE_CASCADE)
            continue;
        if (next != NULL && is_better_way(next, reference))
            plan->way_on = next;
        add_way_on(plan, plan->way_on != NULL ? plan->way_on : reference);
        if (plan->quality_ppm > 0)
            next = plan;
    }
}

struct plan *
cascade_next(struct plans *plans, const struct plan *plan)
{
    for (struct plan *next = &plans->all[plan - plans->all] + 1; next < plans->all + plans->count; next++)
        if (next->source == SOURCE_CASCADE && next->quality_ppm > 0)
            return next->withheld == VERDICT_NEXT ? next : NULL;
    return NULL;
}

const struct lever_ops cascade_lever = {.id = LEVER_CASCADE, .make = make, .refine = refine};
