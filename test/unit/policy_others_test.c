/* What others than this gateway have at an engine, as the engine tells, counts where a request may go; and what was learned
 * of one engine counts for all that are like it. */
#include "fleet/dispatch/policy.h"

#include "cmocka_ready.h"
#include "fleet/health/told.h"

#define S USEC_PER_S

enum { PLACES = 4, ASKS = 200 };

struct fleet {
    struct replicas all;
    struct seat seats[PLACES];
    unsigned open[PLACES];
};

static void
open_fleet(struct fleet *fleet)
{
    char name[] = "a:1";

    replicas_init(&fleet->all);
    for (unsigned i = 0; i < PLACES; i++) {
        name[0] = (char)('a' + i);
        fleet->seats[i] = (struct seat){.replica = replicas_of(&fleet->all, name, NULL)};
        fleet->open[i] = i;
    }
}

static void
tell(struct fleet *fleet, unsigned place, double queued, double running, usec now_us)
{
    struct replica *replica = fleet->seats[place].replica;
    struct engine_told page;
    struct replica_look look;
    struct replica_told told;

    engine_told_init(&page);
    page.of[TOLD_QUEUED] = queued;
    page.of[TOLD_RUNNING] = running;
    page.of[TOLD_KV_SHARE] = 0.001 * running;
    replica_look(replica, now_us, &look);
    told_next(&look.told, &page, now_us, &told);
    replica_tell(replica, &told);
}

static unsigned
choice(struct fleet *fleet, enum policy_id id, struct shared_fit *fit, uint64_t lot, usec now_us)
{
    struct policy_ask ask = {.seats = fleet->seats,
                             .open = fleet->open,
                             .open_count = PLACES,
                             .lot = lot,
                             .pool = replicas_pool(&fleet->all, "gpus"),
                             .wish = {.prompt_tokens = 1000, .output_tokens = 100},
                             .fit = fit,
                             .now_us = now_us};
    struct policy_choice out;

    policy_of(id)->choose(&ask, &out);
    return out.seat;
}

static unsigned
times_chosen(struct fleet *fleet, enum policy_id id, unsigned place, usec now_us)
{
    unsigned times = 0;

    for (uint64_t lot = 1; lot <= ASKS; lot++)
        times += choice(fleet, id, NULL, lot << 20, now_us) == place;
    return times;
}

static const enum policy_id seeing[] = {POLICY_LEAST_IN_FLIGHT, POLICY_LMETRIC, POLICY_AFFINITY};

/* Another gateway fills one engine: it is left alone, and gets its share again when what was told is gone. */
static void
an_engine_that_others_fill_is_left_alone(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof(seeing) / sizeof(seeing[0]); p++) {
        struct fleet fleet;

        open_fleet(&fleet);
        for (unsigned i = 0; i < PLACES; i++)
            tell(&fleet, i, i == 2 ? 20 : 0, i == 2 ? 30 : 0, 1 * S);
        assert_int_equal(times_chosen(&fleet, seeing[p], 2, 2 * S), 0);
        assert_in_range(times_chosen(&fleet, seeing[p], 1, 2 * S), ASKS / 5, ASKS / 2);
        /* Its page is gone for good: no mark stays. */
        assert_in_range(times_chosen(&fleet, seeing[p], 2, 2 * S + TOLD_GONE_US), ASKS / 8, ASKS / 2);
        replicas_free(&fleet.all);
    }
}

/* Those that draw lots or hash go round it too. */
static void
lots_and_rings_see_it_too(void **state)
{
    static const enum policy_id others[] = {POLICY_P2C, POLICY_CHWBL};

    (void)state;
    for (size_t p = 0; p < sizeof(others) / sizeof(others[0]); p++) {
        struct fleet fleet;

        open_fleet(&fleet);
        for (unsigned i = 0; i < PLACES; i++)
            tell(&fleet, i, i == 2 ? 20 : 0, i == 2 ? 30 : 0, 1 * S);
        assert_int_equal(times_chosen(&fleet, others[p], 2, 2 * S), 0);
        replicas_free(&fleet.all);
    }
}

/* Whatever a page tells: more than a number can hold is not less than nothing. */
static void
absurd_numbers_draw_nobody(void **state)
{
    static const double absurd[] = {1e10, 1e19, 1e300};

    (void)state;
    for (enum policy_id id = POLICY_LEAST_IN_FLIGHT; id < POLICY_COUNT; id++)
        for (size_t i = 0; i < 2 * sizeof(absurd) / sizeof(absurd[0]); i++) {
            bool queued = i % 2 == 0;
            struct fleet fleet;

            open_fleet(&fleet);
            for (unsigned place = 0; place < PLACES; place++)
                tell(&fleet, place, place == 2 && queued ? absurd[i / 2] : 0, place == 2 && !queued ? absurd[i / 2] : 0,
                     1 * S);
            assert_int_equal(times_chosen(&fleet, id, 2, 2 * S), 0);
            replicas_free(&fleet.all);
        }
}

/* An engine tells of ours too. One that has 8 of ours, and says so, has no more than one that has 8 and does not. */
static void
ours_weigh_once(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof(seeing) / sizeof(seeing[0]); p++) {
        struct replica_ticket tickets[PLACES][8] = {{{0}}};
        struct fleet fleet;

        open_fleet(&fleet);
        for (unsigned i = 0; i < PLACES; i++) {
            for (unsigned k = 0; k < 8; k++) {
                replica_take(fleet.seats[i].replica, &tickets[i][k],
                             &(struct replica_wish){.prompt_tokens = 1000, .output_tokens = 100, .streamed = true}, 1);
                replica_begun(&tickets[i][k], 2);
            }
        }
        tell(&fleet, 0, 0, 8, 1 * S); /* the others show no page */
        if (seeing[p] ==
            POLICY_AFFINITY) /* it may tell less of its cache than we think: then it has more room, not less */
            assert_true(times_chosen(&fleet, seeing[p], 0, 1 * S) > 0);
        else
            assert_in_range(times_chosen(&fleet, seeing[p], 0, 1 * S), ASKS / 8, ASKS / 2);
        for (unsigned i = 0; i < PLACES; i++)
            for (unsigned k = 0; k < 8; k++)
                replica_give_back(&tickets[i][k], REPLICA_CLOSED, NULL, 2 * S);
        replicas_free(&fleet.all);
    }
}

/* Whoever reads prompts says what the chosen engine is expected to keep: only so is it seen how far that is true. */
static void
readers_say_what_the_chosen_one_keeps(void **state)
{
    static const enum policy_id readers[] = {POLICY_LMETRIC, POLICY_CHWBL, POLICY_AFFINITY};
    static char text[8192];
    const struct slice piece = {text, sizeof(text)};

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i * i % 23);
    for (size_t p = 0; p < sizeof(readers) / sizeof(readers[0]); p++) {
        struct prefix_chain *chain = prefix_chain_new(&piece, 1, 0);
        struct policy_choice out;
        struct fleet fleet;
        struct policy_ask ask = {.seats = fleet.seats,
                                 .open = fleet.open,
                                 .open_count = PLACES,
                                 .chain = chain,
                                 .wish = {.prompt_tokens = 1000, .output_tokens = 100},
                                 .now_us = 1};

        open_fleet(&fleet);
        ask.index = replicas_index(&fleet.all);
        ask.pool = replicas_pool(&fleet.all, "gpus");
        policy_of(readers[p])->choose(&ask, &out);
        assert_int_equal(out.matched_tokens, 0);
        for (unsigned i = 0; i < PLACES; i++)
            prefix_index_learn(ask.index, fleet.seats[i].replica, chain, 0, UINT64_MAX / 2);
        policy_of(readers[p])->choose(&ask, &out);
        assert_int_equal(out.matched_blocks, chain->count);
        assert_int_equal(out.matched_tokens, prefix_chain_tokens(chain, (unsigned)chain->count, 1000));
        assert_true(out.matched_tokens > 900);
        prefix_chain_release(chain);
        replicas_free(&fleet.all);
    }
}

/* Engines are quicker than what is thought of one of which nothing was seen: the new one is not shunned for it. */
static void
an_engine_that_is_new_is_taken_for_what_its_like_is(void **state)
{
    struct fleet fleet;
    struct shared_fit *fit;
    struct replica_look look;
    struct step_sum sum = {0};
    unsigned times = 0;

    (void)state;
    open_fleet(&fleet);
    fit = engine_fits_of(&fleet.all.fits, SLICE_LITERAL("gpus/big"), NULL);
    step_sum_add(&sum, &engine_pair_at(0)->time, 100, 1, 1000, 0, 1);
    for (int i = 0; i < 50; i++)
        engine_fit_learn(&fit->fit, &sum, 1, false, step_sum_predict_us(&sum, &engine_pair_at(0)->time) * 0.75);
    for (unsigned i = 0; i + 1 < PLACES; i++) { /* all but the last have answered */
        replica_look(fleet.seats[i].replica, 1, &look);
        look.model.fitted = true;
        assert_true(shared_fit_time(fit, &look.model.time));
        replica_learn_model(fleet.seats[i].replica, &look.model);
    }
    for (uint64_t lot = 1; lot <= ASKS; lot++)
        times += choice(&fleet, POLICY_AFFINITY, fit, lot << 20, 1 * S) == PLACES - 1;
    assert_in_range(times, ASKS / 8, ASKS / 2);
    replicas_free(&fleet.all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_that_others_fill_is_left_alone),
        cmocka_unit_test(lots_and_rings_see_it_too),
        cmocka_unit_test(absurd_numbers_draw_nobody),
        cmocka_unit_test(ours_weigh_once),
        cmocka_unit_test(readers_say_what_the_chosen_one_keeps),
        cmocka_unit_test(an_engine_that_is_new_is_taken_for_what_its_like_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
