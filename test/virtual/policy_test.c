/* How requests are shared out over a backend's places, through the real gateway. */
#include "scene.h"

#include "fleet/dispatch/policy.h"

enum { PLACES = 4, PROMPT = 8000 };

static const char *const policies[] = {"round_robin", "least_in_flight", "p2c", "lmetric", "chwbl", "affinity"};

static char *
config_of(struct arena *arena, const char *policy, const char *more)
{
    return arena_printf(arena,
                        "backends:\n"
                        "  gpus:\n"
                        "    url: [ \"http://one.example\", \"http://two.example\", \"http://three.example\", "
                        "\"http://four.example\" ]\n"
                        "    engine: vllm\n"
                        "    policy: %s\n"
                        "%s"
                        "routes:\n"
                        "  assistant: { reference: gpus/big, attempts: 2 }\n"
                        "prices: { override: { gpus/big: { input: $2/M, output: $8/M } } }\n",
                        policy, more);
}

static struct scene *
open_places_that(void **state, struct arena *arena, const char *policy, const char *more, uint64_t seed)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = seed, .workers = 2, .config = config_of(arena, policy, more)});

    for (size_t i = 0; i < PLACES; i++)
        *scene_replica_provider(s, "gpus", i) = (struct provider){.words = 4, .input = PROMPT / 4, .output = 4};
    return s;
}

static struct scene *
open_places(void **state, struct arena *arena, const char *policy, uint64_t seed)
{
    return open_places_that(state, arena, policy, "", seed);
}

static void
add_numbers(struct buffer *body, unsigned first, unsigned bytes)
{
    for (unsigned i = 0; i < bytes / 8; i++)
        buffer_printf(body, "%07u ", first * 7919 + i);
}

/* A prompt that begins as all of its kind, and ends with so many bytes of its own. */
static const char *
body_with_own(struct arena *arena, unsigned kind, unsigned which, unsigned own, bool stream)
{
    struct buffer body = {0};
    const char *text;

    buffer_printf(&body, "{\"model\":\"assistant\",%s\"messages\":[{\"role\":\"user\",\"content\":\"",
                  stream ? "\"stream\":true," : "");
    add_numbers(&body, kind, PROMPT);
    add_numbers(&body, 1000 + which, own);
    buffer_printf(&body, "question %u\"}]}", which);
    text = arena_slice_text(arena, buffer_content(&body));
    buffer_free(&body);
    return text;
}

/* A prompt of its own, or one that begins as all of its kind. */
static const char *
body_of(struct arena *arena, unsigned kind, unsigned which, bool stream)
{
    return body_with_own(arena, kind, which, 0, stream);
}

static size_t
seen_at(struct scene *s, size_t place)
{
    return vbackend_seen_count(scene_replica(s, "gpus", place));
}

static size_t
most_at_one(struct scene *s)
{
    size_t most = 0;

    for (size_t i = 0; i < PLACES; i++)
        most = seen_at(s, i) > most ? seen_at(s, i) : most;
    return most;
}

static size_t
least_at_one(struct scene *s)
{
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < PLACES; i++)
        least = seen_at(s, i) < least ? seen_at(s, i) : least;
    return least;
}

/* Scenario 38: sessions that a hash pins to one engine lock it up while three are idle. All ask with the same beginning, and
 * no engine answers for long. */
static void
a_saturated_engine_is_left_for_idle_ones(void **state)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
        struct scene *s = open_places(state, &arena, policies[p], p);

        for (size_t i = 0; i < PLACES; i++)
            scene_replica_provider(s, "gpus", i)->first_word_us = 20 * USEC_PER_S;
        for (unsigned i = 0; i < 24; i++) {
            scene_asks(s, (struct ask){.body = body_of(&arena, 1, i, true), .headers = "x-session-id: one\n"});
            history_run_for(s->history, 100 * USEC_PER_MS);
        }
        assert_true(most_at_one(s) <= 12);
        assert_true(least_at_one(s) >= 1);
        scene_rest(s);
        scene_passed(s);
        scene_free(s, state);
    }
    arena_reset(&arena);
}

/* Scenario 39: what nobody knows goes to everybody, not always to the first. */
static void
what_nobody_knows_is_spread(void **state)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
        struct scene *s = open_places(state, &arena, policies[p], 10 + p);

        for (unsigned i = 0; i < 40; i++) {
            scene_asks(s, (struct ask){.body = body_of(&arena, 100 + i, i, i % 2 == 0)});
            scene_rest(s); /* each finds all engines idle */
        }
        assert_true(least_at_one(s) >= 3);
        assert_true(most_at_one(s) <= 20);
        scene_passed(s);
        scene_free(s, state);
    }
    arena_reset(&arena);
}

static uint64_t
kept(struct scene *s)
{
    struct prefix_index *index = replicas_index(&s->gateway.healths.replicas);
    struct prefix_index_stats stats;

    prefix_index_check(index);
    prefix_index_stats(index, &stats);
    return stats.kept;
}

/* Scenario 40: what engines shed, and whose client leaves before an answer, teaches nothing. */
static void
shed_requests_teach_nothing(void **state)
{
    struct arena arena;
    struct scene *s;
    uint64_t known;

    arena_init(&arena);
    s = open_places(state, &arena, "affinity", 40);
    for (size_t i = 0; i < PLACES; i++)
        scene_replica_provider(s, "gpus", i)->status = 503;
    for (unsigned i = 0; i < 6; i++) {
        scene_asks(s, (struct ask){.body = body_of(&arena, i, i, i % 2 == 0)});
        scene_rest(s);
    }
    assert_true(s->row_count == 6 && kept(s) == 0);
    history_run_for(s->history, 600 * USEC_PER_S);
    for (size_t i = 0; i < PLACES; i++) {
        scene_replica_provider(s, "gpus", i)->status = 0;
        scene_replica_provider(s, "gpus", i)->first_word_us = 5 * USEC_PER_S;
    }
    vclient_leave(scene_asks(s, (struct ask){.body = body_of(&arena, 1, 1, true)}));
    scene_rest(s);
    assert_int_equal(kept(s), 0);
    scene_asks(s, (struct ask){.body = body_of(&arena, 1, 1, true)});
    scene_rest(s);
    known = kept(s);
    assert_true(known >= PROMPT / PREFIX_BLOCK_BYTES - 1);
    /* The same again, and its client leaves: what was known before stays. */
    vclient_leave(scene_asks(s, (struct ask){.body = body_of(&arena, 1, 1, true)}));
    scene_rest(s);
    assert_int_equal(kept(s), known);
    scene_passed(s);
    scene_free(s, state);
    arena_reset(&arena);
}

/* What an engine has read brings the next turn to it, and `explain` can say so; one that broke off is not relied on. */
static void
a_known_beginning_finds_its_engine(void **state)
{
    struct arena arena;
    struct scene *s;
    size_t before[PLACES], place = 0;

    arena_init(&arena);
    s = open_places(state, &arena, "affinity", 3);
    for (unsigned i = 0; i < 6; i++) {
        scene_asks(s, (struct ask){.body = body_of(&arena, 5, i, true)});
        scene_rest(s);
        for (size_t k = 0; i == 0 && k < PLACES; k++)
            place = seen_at(s, k) > 0 ? k : place;
    }
    assert_int_equal(seen_at(s, place), 6);
    assert_contains(scene_row(s, 5)->plans, "\"by\":\"affinity\"");
    assert_contains(scene_row(s, 5)->plans, "\"k2\":");
    /* It breaks off in the middle of an answer: then it may have lost all that it knew. */
    scene_replica_provider(s, "gpus", place)->cut_after = 2;
    scene_asks(s, (struct ask){.body = body_of(&arena, 5, 7, true)});
    scene_rest(s);
    assert_int_equal(kept(s), 0);
    for (size_t k = 0; k < PLACES; k++)
        before[k] = seen_at(s, k);
    assert_int_equal(before[place], 7);
    scene_passed(s);
    scene_free(s, state);
    arena_reset(&arena);
}

/* What an engine had read before a request that it refused, it still has: whatever policy reads prompts. */
static void
a_refusal_takes_back_nothing_that_was_known(void **state)
{
    static const char *const readers[] = {"lmetric", "chwbl", "affinity"};
    struct arena arena;

    arena_init(&arena);
    for (size_t p = 0; p < sizeof(readers) / sizeof(readers[0]); p++) {
        struct scene *s = open_places(state, &arena, readers[p], 60 + p);
        uint64_t known;

        scene_asks(s, (struct ask){.body = body_of(&arena, 5, 0, true)});
        scene_rest(s);
        known = kept(s);
        assert_true(known > 0);
        for (size_t i = 0; i < PLACES; i++)
            scene_replica_provider(s, "gpus", i)->status = 400;
        scene_asks(s, (struct ask){.body = body_of(&arena, 5, 0, true)});
        scene_rest(s);
        assert_int_equal(kept(s), known);
        scene_passed(s);
        scene_free(s, state);
    }
    arena_reset(&arena);
}

/* Health, rests and tried places stand above any policy. */
static void
a_retry_goes_to_the_next_best(void **state)
{
    struct arena arena;

    arena_init(&arena);
    for (size_t p = 0; p < sizeof(policies) / sizeof(policies[0]); p++) {
        struct scene *s = open_places(state, &arena, policies[p], 20 + p);

        scene_replica_provider(s, "gpus", 1)->status = 503;
        for (unsigned i = 0; i < 30; i++) {
            scene_asks(s, (struct ask){.body = body_of(&arena, i % 5, i, true)});
            scene_rest(s);
            assert_row_is(s, i, state, "ok");
        }
        assert_true(seen_at(s, 1) <= HEALTH_FAILURES_IN_A_ROW + 2);
        scene_passed(s);
        scene_free(s, state);
    }
    arena_reset(&arena);
}

/* Places that let in by what is to be computed, and answer for long; somebody is there, as nothing is tried for want of others. */
static struct scene *
open_places_that_admit(void **state, struct arena *arena)
{
    struct scene *s = open_places_that(state, arena, "affinity", "    admission: { mode: on, sequences: 64 }\n", 3);

    for (size_t i = 0; i < PLACES; i++) {
        scene_replica_provider(s, "gpus", i)->words = 400;
        scene_replica_provider(s, "gpus", i)->word_gap_us = 100 * USEC_PER_MS;
    }
    scene_asks(s, (struct ask){.body = body_of(arena, 9, 1, true)});
    history_run_for(s->history, USEC_PER_S);
    return s;
}

/* In 100 ms nobody reads such a prompt. */
static struct vclient *
asks_in_haste(struct scene *s, struct arena *arena)
{
    return scene_asks(s, (struct ask){.body = body_of(arena, 1, 2, true), .headers = "x-equipoise-deadline: 100ms\n"});
}

/* Admission counts what is to be computed, not what an engine is expected to know: who asks a further question about a prompt
 * that was read is in time. */
static void
what_is_known_of_a_prompt_is_not_waited_for(void **state)
{
    struct vclient *refused, *served;
    struct arena arena;
    struct scene *s;

    arena_init(&arena);
    s = open_places_that_admit(state, &arena);
    refused = asks_in_haste(s, &arena);
    history_run_for(s->history, USEC_PER_S);
    assert_int_equal(vclient_status(refused), 429);
    scene_asks(s, (struct ask){.body = body_of(&arena, 1, 1, true)});
    history_run_for(s->history, USEC_PER_S);
    served = asks_in_haste(s, &arena);
    scene_rest(s);
    assert_int_equal(vclient_status(served), 200);
    scene_passed(s);
    scene_free(s, state);
    arena_reset(&arena);
}

/* What only an engine knows that cannot be asked now is to be computed by another. */
static void
an_engine_that_is_out_spares_nobody_the_wait(void **state)
{
    struct vclient *refused;
    struct arena arena;
    struct scene *s;
    size_t before[PLACES];

    arena_init(&arena);
    s = open_places_that_admit(state, &arena);
    for (size_t i = 0; i < PLACES; i++)
        before[i] = seen_at(s, i);
    scene_asks(s, (struct ask){.body = body_of(&arena, 1, 1, true)});
    history_run_for(s->history, USEC_PER_S);
    for (size_t i = 0; i < PLACES; i++)
        if (seen_at(s, i) > before[i])
            health_eject(
                healths_place(&s->gateway.healths, &config_backend(s->config, SLICE_LITERAL("gpus"))->endpoints[i]),
                history_now_us(s->history));
    refused = asks_in_haste(s, &arena);
    scene_rest(s);
    assert_int_equal(vclient_status(refused), 429);
    scene_passed(s);
    scene_free(s, state);
    arena_reset(&arena);
}

enum { IN_A_ROW = 24 };

/* Of prompts that all begin alike, to which place each goes before any is answered. */
static void
places_while_observing(void **state, struct arena *arena, const char *admission, size_t *places)
{
    const char *config = config_of(arena, "affinity", admission);
    struct scene *s = scene_new(state, (struct scene_options){.seed = 8, .config = config, .more = "observe: yes\n"});
    size_t seen[PLACES];

    for (size_t i = 0; i < PLACES; i++)
        *scene_replica_provider(s, "gpus", i) = (struct provider){.words = 4, .input = PROMPT / 4, .output = 4};
    scene_asks(s, (struct ask){.body = body_of(arena, 1, 1, true)}); /* one of them knows the beginning */
    scene_rest(s);
    for (size_t i = 0; i < PLACES; i++) {
        scene_replica_provider(s, "gpus", i)->first_word_us = 20 * USEC_PER_S;
        seen[i] = seen_at(s, i);
    }
    for (unsigned i = 0; i < IN_A_ROW; i++) {
        scene_asks(s, (struct ask){.body = body_with_own(arena, 1, i, PROMPT / 4, true)});
        history_run_for(s->history, 10 * USEC_PER_MS);
        for (size_t k = 0; k < PLACES; k++) {
            places[i] = seen_at(s, k) > seen[k] ? k : places[i];
            seen[k] = seen_at(s, k);
        }
    }
    scene_rest(s);
    scene_passed(s);
    scene_free(s, state);
}

/* Who only observes holds no line, whatever admission is to do later: it stands at the engines, and is weighed there. */
static void
a_line_is_at_the_engines_while_observing(void **state)
{
    size_t with[IN_A_ROW] = {0}, without[IN_A_ROW] = {0};
    struct arena arena;

    arena_init(&arena);
    places_while_observing(state, &arena, "    admission: { mode: on, sequences: 64 }\n", with);
    places_while_observing(state, &arena, "", without);
    for (size_t i = 0; i < IN_A_ROW; i++)
        assert_int_equal(with[i], without[i]);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_saturated_engine_is_left_for_idle_ones, scene_teardown),
        cmocka_unit_test_teardown(what_nobody_knows_is_spread, scene_teardown),
        cmocka_unit_test_teardown(shed_requests_teach_nothing, scene_teardown),
        cmocka_unit_test_teardown(a_known_beginning_finds_its_engine, scene_teardown),
        cmocka_unit_test_teardown(a_refusal_takes_back_nothing_that_was_known, scene_teardown),
        cmocka_unit_test_teardown(a_retry_goes_to_the_next_best, scene_teardown),
        cmocka_unit_test_teardown(what_is_known_of_a_prompt_is_not_waited_for, scene_teardown),
        cmocka_unit_test_teardown(an_engine_that_is_out_spares_nobody_the_wait, scene_teardown),
        cmocka_unit_test_teardown(a_line_is_at_the_engines_while_observing, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
