#include "cmd/eval/eval_several.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/eval/eval_sums.h"
#include "quality/coin.h"
#include "quality/evidences.h"
#include "quality/learning.h"

/* The learning budget is kept in pico-dollars; prices are in whatever unit. */
#define PICO_EACH 1e9

void
several_set_init(struct several_set *set, size_t count, unsigned candidates)
{
    ENSURE(candidates <= SEVERAL_MOST);
    *set = (struct several_set){.count = count, .candidates = candidates};
    set->scores = must_calloc(count * candidates + 1, sizeof(float));
    set->right = must_calloc(count * candidates + 1, sizeof(float));
    set->reference = must_calloc(count + 1, sizeof(float));
}

void
several_set_free(struct several_set *set)
{
    free(set->scores);
    free(set->right);
    free(set->reference);
    *set = (struct several_set){.count = 0};
}

double
several_quality(const struct several_set *set, const double *thresholds)
{
    double right = 0, all = 0;

    for (size_t i = 0; i < set->count; i++) {
        double answer = (double)set->reference[i];

        all += answer;
        for (unsigned k = set->candidates; k-- > 0;)
            if ((double)set->scores[i * set->candidates + k] >= thresholds[k])
                answer = (double)set->right[i * set->candidates + k];
        right += answer;
    }
    return all > 0 ? right / all : NAN;
}

struct play {
    const struct several_set *set;
    const struct several_wanted *wanted;
    struct evidences evidences;
    struct shared_evidence *evidence[SEVERAL_MOST];
    struct evidence_terms terms[SEVERAL_MOST]; /* as of this request, with all below */
    uint32_t quality_ppm[SEVERAL_MOST];
    enum evidence_reason reasons[SEVERAL_MOST];
    struct learning_books books;
    struct learning_book *book;
    struct several_outcome out;
    uint64_t half;
    struct rng rng;
};

/* A candidate's epoch also stands for what those serve that are cheaper, as it is asked what they leave. */
static void
set_terms(struct play *play)
{
    const struct several_wanted *wanted = play->wanted;
    unsigned candidates = play->set->candidates;
    uint64_t mark = 1;

    for (unsigned k = 0; k < candidates; k++) {
        play->terms[k] = (struct evidence_terms){.scope = FLOOR_RELATIVE,
                                                 .floor_ppm = PPM - (PPM - wanted->floor_ppm) / candidates,
                                                 .alpha_ppm = wanted->alpha_ppm / candidates,
                                                 .epoch = mark};
        mark = rng_mix(mark) + 1 + shared_evidence_serving(play->evidence[k], &play->terms[k]);
    }
}

static double
score_of(const struct play *play, size_t at, unsigned k)
{
    return (double)play->set->scores[at * play->set->candidates + k];
}

static void
weigh(struct play *play, size_t at)
{
    set_terms(play);
    for (unsigned k = 0; k < play->set->candidates; k++) {
        double score = score_of(play, at, k);

        (void)shared_evidence_sample(play->evidence[k], &play->terms[k], score);
        play->quality_ppm[k] = shared_evidence_may_serve(play->evidence[k], &play->terms[k], score, &play->reasons[k]);
    }
}

/* As router_audit_ppm of the router lever, for requests that its scores tell apart. */
static uint32_t
audit_ppm(struct play *play)
{
    uint32_t serving_ppm = AUDIT_SHADOW_PPM, idle_ppm = AUDIT_STALLED_PPM, cap_ppm = learning_cap_ppm(play->book);

    for (unsigned k = 0; k < play->set->candidates; k++) {
        uint32_t ppm = shared_evidence_audit_ppm(play->evidence[k], &play->terms[k], false);

        serving_ppm = ppm < serving_ppm ? ppm : serving_ppm;
        if (play->reasons[k] != EVIDENCE_BELOW_FLOOR)
            idle_ppm = AUDIT_SHADOW_PPM;
    }
    serving_ppm = idle_ppm < serving_ppm ? idle_ppm : serving_ppm;
    return serving_ppm < cap_ppm ? serving_ppm : cap_ppm;
}

static bool
anything_serves(struct play *play)
{
    for (unsigned k = 0; k < play->set->candidates; k++)
        if (shared_evidence_serving(play->evidence[k], &play->terms[k]) != ARM_NONE)
            return true;
    return false;
}

/* Whether what serves now is, over the whole set, what was promised. */
static void
look_whether_it_keeps(struct play *play)
{
    double thresholds[SEVERAL_MOST];

    set_terms(play);
    for (unsigned k = 0; k < play->set->candidates; k++)
        thresholds[k] = shared_evidence_serving(play->evidence[k], &play->terms[k]) != ARM_NONE
                            ? shared_evidence_threshold(play->evidence[k], &play->terms[k])
                            : INFINITY;
    play->out.violated |= several_quality(play->set, thresholds) < (double)play->wanted->floor_ppm / PPM - EVAL_HAIR;
}

/* If it were as good as the reference, would it be asked, and is there anything to learn of it? */
static bool
is_eligible(const struct play *play, unsigned k)
{
    for (unsigned cheaper = 0; cheaper < k; cheaper++)
        if (play->quality_ppm[cheaper] > 0)
            return false;
    return play->reasons[k] != EVIDENCE_NO_EPOCH;
}

/* The lot falls on one; where it would not be asked, on another that would. SEVERAL_MOST: there is none. */
static unsigned
draw_candidate(struct play *play, bool *is_surplus)
{
    unsigned candidates = play->set->candidates, lot = (unsigned)rng_below(&play->rng, candidates);
    unsigned eligible[SEVERAL_MOST], count = 0;

    for (unsigned k = 0; k < candidates; k++)
        if (is_eligible(play, k))
            eligible[count++] = k;
    *is_surplus = !is_eligible(play, lot);
    if (!*is_surplus)
        return lot;
    return count > 0 ? eligible[rng_below(&play->rng, count)] : SEVERAL_MOST;
}

static usd
pico(double price)
{
    return (usd)(price * PICO_EACH);
}

/* Returns what it costs beside the reference's answer. */
static double
audit(struct play *play, size_t at)
{
    const struct several_set *set = play->set;
    bool is_surplus, serves = anything_serves(play);
    unsigned k = draw_candidate(play, &is_surplus);
    unsigned events;

    if (k == SEVERAL_MOST)
        return 0;
    events = shared_evidence_observe(play->evidence[k], &play->terms[k],
                                     &(struct audit){.score = score_of(play, at, k),
                                                     .outcome = (double)set->right[at * set->candidates + k],
                                                     .reference = (double)set->reference[at],
                                                     .rounding = rng_unit(&play->rng),
                                                     .surplus = is_surplus});
    if (events & EVENT_EARNED)
        look_whether_it_keeps(play);
    play->out.audits++;
    learning_take(play->book, pico(serves ? set->reference_price : set->prices[k]));
    return set->prices[k];
}

/* Who answers: the cheapest that may; `candidates` for the reference. */
static unsigned
choose(const struct play *play)
{
    unsigned k = 0;

    while (k < play->set->candidates && play->quality_ppm[k] == 0)
        k++;
    return k;
}

static void
request(struct play *play, size_t at)
{
    const struct several_set *set = play->set;
    double cost = set->reference_price, right = (double)set->reference[at], audits = 0, allowed;
    bool drawn;

    weigh(play, at);
    drawn = coin_falls(rng_next(&play->rng), audit_ppm(play));
    if (drawn) {
        audits = audit(play, at);
    } else if (choose(play) < set->candidates) {
        cost = set->prices[choose(play)];
        right = (double)set->right[at * set->candidates + choose(play)];
        play->out.served++;
    }
    allowed = cost < set->reference_price ? (set->reference_price - cost) * LEARNING_SAVINGS_PPM
                                          : cost * SEVERAL_LEARNING_PPM;
    learning_allow(play->book, pico(cost), pico(allowed / PPM));
    play->out.right += right;
    play->out.spent += cost + audits;
    play->out.later_spent += play->out.requests++ >= play->half ? cost + audits : 0;
}

static void
begin(struct play *play)
{
    evidences_init(&play->evidences);
    learning_books_init(&play->books);
    play->book = learning_book_at(&play->books, "stream");
    play->half = (uint64_t)play->set->count * play->wanted->passes / 2;
    rng_seed(&play->rng, play->wanted->seed);
    for (unsigned k = 0; k < play->set->candidates; k++) {
        char name[16];

        snprintf(name, sizeof(name), "%u", k);
        play->evidence[k] = evidences_at(&play->evidences, "stream", name);
    }
}

struct several_outcome
several_play(const struct several_set *set, const struct several_wanted *wanted)
{
    struct play *play = must_calloc(1, sizeof(*play));
    uint32_t *order = must_alloc((set->count + 1) * sizeof(*order));
    struct several_outcome out;

    play->set = set;
    play->wanted = wanted;
    begin(play);
    for (size_t i = 0; i < set->count; i++)
        order[i] = (uint32_t)i;
    for (unsigned pass = 0; pass < wanted->passes; pass++) {
        eval_shuffle(&play->rng, order, set->count);
        for (size_t i = 0; i < set->count; i++)
            request(play, order[i]);
    }
    set_terms(play);
    for (unsigned k = 0; k < set->candidates; k++)
        play->out.serving += shared_evidence_serving(play->evidence[k], &play->terms[k]) != ARM_NONE;
    out = play->out;
    learning_books_free(&play->books);
    evidences_free(&play->evidences);
    free(order);
    free(play);
    return out;
}

enum { FIGURES = 5 };

struct several_summary
several_play_all(const struct several_set *set, const struct several_wanted *wanted, unsigned orders)
{
    struct several_summary sum = {.orders = orders};
    double *figures[FIGURES] = {&sum.share, &sum.right, &sum.spent, &sum.later_spent, &sum.audits};
    double *numbers = must_alloc((FIGURES * (size_t)orders + 1) * sizeof(*numbers));
    struct several_wanted one = *wanted;

    for (unsigned i = 0; i < orders; i++, one.seed++) {
        struct several_outcome out = several_play(set, &one);
        size_t later = out.requests - set->count * wanted->passes / 2;
        double requests = (double)out.requests;

        sum.violated += out.violated;
        sum.serving += out.serving > 0;
        numbers[i] = (double)out.served / requests;
        numbers[orders + i] = out.right / requests;
        numbers[2 * orders + i] = out.spent / requests;
        numbers[3 * orders + i] = out.later_spent / (double)later;
        numbers[4 * orders + i] = (double)out.audits / requests;
    }
    for (unsigned i = 0; i < FIGURES; i++)
        *figures[i] = eval_median(numbers + (size_t)i * orders, orders);
    free(numbers);
    return sum;
}
