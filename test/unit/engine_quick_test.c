/* Engines that no model of an engine describes: answers out of nowhere in microseconds (a cache in front of it, a stub), and
 * times drawn at random. What is learned of them may be useless; it stays finite, and so do the waits expected of it. */
#include <math.h>

#include "base/rng.h"
#include "cmocka_ready.h"
#include "fleet/dispatch/replica.h"

enum { CALLERS_MOST = 64 };

struct rig {
    struct replicas all;
    struct replica *replica;
    struct replica_wish wish;
    struct replica_ticket tickets[CALLERS_MOST];
    struct rng rng;
    usec now_us;
};

static void
rig_init(struct rig *rig, uint64_t seed)
{
    *rig = (struct rig){.now_us = 1};
    rng_seed(&rig->rng, seed);
    replicas_init(&rig->all);
    rig->replica = replicas_of(&rig->all, "quick:80", NULL);
    rig->wish.fit = engine_fits_of(&rig->all.fits, SLICE_LITERAL("quick/any"), NULL);
}

static void
assert_sane(struct rig *rig)
{
    const struct engine_fit *fit = &rig->wish.fit->fit;
    struct replica_look look;

    replica_look(rig->replica, rig->now_us, &look);
    assert_true(look.wait_us >= 0 && look.wait_us <= REPLICA_WAIT_MOST_US);
    for (unsigned i = 0; i < ENGINE_PARTS; i++) {
        assert_true(fit->parts[i] >= 0 && fit->parts[i] <= ENGINE_PART_MOST_US);
        assert_true(fit->doubt[i][i] >= 0 && isfinite(fit->doubt[i][i]));
    }
    assert_true(isfinite(look.track.steps) && isfinite(look.track.busy_us) && isfinite(look.track.context_us));
}

static void
rig_end(struct rig *rig)
{
    for (size_t i = 0; i < CALLERS_MOST; i++)
        replica_give_back(&rig->tickets[i], REPLICA_CLOSED, NULL, rig->now_us);
    assert_int_equal(replicas_in_flight(&rig->all), 0);
    replicas_free(&rig->all);
}

/* Callers that ask again as soon as they are answered, as a load test does. */
static void
answers_within_microseconds(void **state)
{
    static const struct replica_metered metered = {6, 0, 20};

    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rig rig;

        rig_init(&rig, seed);
        rig.wish = (struct replica_wish){7, 0, 20, false, rig.wish.fit};
        for (int i = 0; i < 60000; i++) {
            struct replica_ticket *ticket = &rig.tickets[rng_below(&rig.rng, 4)];

            replica_give_back(ticket, REPLICA_COMPLETED, &metered, rig.now_us);
            rig.now_us += (usec)rng_below(&rig.rng, 60);
            replica_take(rig.replica, ticket, &rig.wish, rig.now_us);
            assert_sane(&rig);
        }
        rig_end(&rig);
    }
}

/* 0, a microsecond, up to hours: each power of ten as often as another. */
static int64_t
any(struct rng *rng, int64_t most)
{
    int64_t bound = 1;

    for (uint64_t tens = rng_below(rng, 11); tens > 0 && bound < most; tens--)
        bound *= 10;
    return (int64_t)rng_below(rng, (uint64_t)(bound < most ? bound : most));
}

static void
step(struct rig *rig)
{
    struct replica_ticket *ticket = &rig->tickets[rng_below(&rig->rng, CALLERS_MOST)];
    struct replica_metered metered = {any(&rig->rng, 1 << 24), any(&rig->rng, 1 << 24), any(&rig->rng, 1 << 20)};

    rig->now_us += any(&rig->rng, 3600 * USEC_PER_S) / (rng_below(&rig->rng, 8) == 0 ? 1 : 100000);
    switch (rng_below(&rig->rng, 4)) {
    case 0:
        replica_begun(ticket, rig->now_us);
        break;
    case 1:
        replica_produced(ticket, any(&rig->rng, 1 << 20));
        break;
    default:
        if (ticket->replica != NULL) {
            enum replica_ending ending = rng_below(&rig->rng, 8) == 0 ? REPLICA_FAILED : REPLICA_COMPLETED;

            replica_give_back(ticket, ending, rng_below(&rig->rng, 16) == 0 ? NULL : &metered, rig->now_us);
            break;
        }
        rig->wish.prompt_tokens = any(&rig->rng, INT64_MAX);
        rig->wish.matched_tokens = any(&rig->rng, 1 << 20);
        rig->wish.output_tokens = any(&rig->rng, INT64_MAX);
        rig->wish.streamed = rng_below(&rig->rng, 2) == 0;
        replica_take(rig->replica, ticket, &rig->wish, rig->now_us);
    }
}

static void
times_at_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct rig rig;

        rig_init(&rig, seed);
        for (int i = 0; i < 50000; i++) {
            step(&rig);
            assert_sane(&rig);
        }
        rig_end(&rig);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_within_microseconds),
        cmocka_unit_test(times_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
