/* A cheaper model first, and the next where its answer does not pass. */
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

/* While something is earned, what that would not keep goes on; before that, what nothing could ever keep. */
static unsigned
goes_on_ppm(const struct routed *model, struct acceptance_book *book)
{
    double share = acceptance_share(book, shared_evidence_threshold(model->evidence, &model->terms));

    return PPM - (unsigned)lround(share * PPM);
}

/* A verifier reads the request and the answer, and replies with a number. */
static void
add_verifier(const struct request *request, struct plan *plan)
{
    const struct target *verifier = request->route->cascade.verifier;
    const struct target_facts *facts = facts_of(request->targets, verifier);
    struct expectation own = experience_expect(facts->experience, IN_TIME_PPM);
    struct expectation answers = experience_expect(plan->facts->experience, IN_TIME_PPM);
    struct price_terms terms = {.wall_us = request->wall_us};
    struct usage usage;
    usd cost;

    usage_init(&usage);
    usage.exactness = USAGE_ESTIMATED;
    usage_set(&usage, USAGE_input_tokens,
              estimate_input_tokens(&own, (int64_t)request->body.len) + (int64_t)answers.output_tokens + VERIFY_TOKENS);
    usage_set(&usage, USAGE_output_tokens, VERIFY_REPLY_TOKENS);
    cost = estimate_cost(facts, &terms, &usage).total;
    if (!usd_known(plan->cost) || !usd_known(cost) || usd_add(plan->cost, cost, &plan->cost) != OK)
        plan->cost = USD_UNKNOWN;
    if (plan->by_the_hour && usd_known(plan->marginal) && usd_known(cost) &&
        usd_add(plan->marginal, cost, &plan->marginal) != OK)
        plan->marginal = USD_UNKNOWN;
    plan->total_us += own.total_us;
}

static struct plan *
make_one(const struct request *request, const struct routed *model, struct acceptance_book *book, enum lever_mode mode,
         struct plans *plans)
{
    bool drawn = request->cascading->models.drawn;
    struct plan *plan = plans_add(plans);
    enum evidence_reason reason;

    if (plan == NULL)
        return NULL;
    plan->source = SOURCE_CASCADE;
    plan->lever = LEVER_CASCADE;
    plan->mode = mode;
    plan->target = model->target;
    plan->facts = facts_of(request->targets, model->target);
    estimate_plan_like(request, facts_of(request->targets, &request->route->reference), plan);
    if (request->route->cascade.verifier != NULL)
        add_verifier(request, plan);
    plan->goes_on_ppm = goes_on_ppm(model, book);
    plan->quality_ppm = shared_evidence_may_serve(model->evidence, &model->terms, model->score, &reason);
    plan->evidence.hopeless = reason == EVIDENCE_BELOW_FLOOR || model->terms.floor_ppm >= PPM;
    plan->evidence.learns = drawn;
    if (plan->quality_ppm == 0)
        plan->evidence.detail = evidence_reason_text(reason);
    if (drawn && plan->quality_ppm > 0 && mode == LEVER_ON)
        plan->withheld = VERDICT_AUDIT;
    if (request->facts->stream && !request->route->cascade.holds_streams)
        plan->withheld = VERDICT_STREAM;
    return plan;
}

/* Who is dearer than one that has earned something is not asked: audits are about whole requests, and it would get only
 * those whose answer by the other was not kept. */
static void
make(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct cascading *cascading = request->cascading;
    struct plan *plan;

    for (size_t i = 0; cascading != NULL && i < cascading->models.count; i++) {
        plan = make_one(request, &cascading->models.all[i], cascading->books[i], mode, plans);
        if (plan == NULL || plan->quality_ppm > 0)
            return;
    }
}

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

static void
refine(const struct request *request, enum lever_mode mode, struct plans *plans)
{
    const struct plan *next = plans_reference(plans);

    (void)request, (void)mode;
    for (size_t i = 0; next != NULL && i < plans->count; i++)
        if (plans->all[i].source == SOURCE_CASCADE)
            add_way_on(&plans->all[i], next);
}

const struct lever_ops cascade_lever = {.id = LEVER_CASCADE, .make = make, .refine = refine};
