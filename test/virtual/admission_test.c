/* Waiting in front of a backend: a fair order, deadlines that are kept or refused with a truthful word, and nobody is
 * forgotten, whoever leaves. */
#include "scene.h"

/* One engine with room for a few requests of the tests at a time: 576 tokens, of which each takes some 150 at first, as an
 * answer is expected to be long until it is known better. */
static const char engines[] =
    "backends:\n"
    "  gpus:   { url: \"http://one.example\", models: [ big ], admission: { mode: on, kv_tokens: 640, queue: 100 } }\n"
    "  hosted: { url: \"http://hosted.example\", models: [ big ] }\n"
    "routes:\n"
    "  patient: { reference: gpus/big }\n"
    "  hasty:   { reference: gpus/big, acceptable: { first_token: 400ms } }\n"
    "  spills:  { reference: gpus/big, candidates: [ hosted/big ], acceptable: { first_token: 400ms }, levers: { "
    "alternatives: on } }\n"
    "tenants: { loud: {}, quiet: {} }\n"
    "prices:\n"
    "  override:\n"
    "    gpus/big:   { input: $1/M, output: $2/M }\n"
    "    hosted/big: { input: $3/M, output: $6/M }\n";

static const char keys[] =
    "  loud:   { sha256: e7a54074e5447d5e0da8d29c3a0c8cc2e6336465c04dd8ab236fac5af8d2a5ff, tenant: loud }\n"
    "  quiet:  { sha256: 3ebd03435cd23a79ac1950d5fbe4c77f52f96679f0e5d91987b71bb09332b31d, tenant: quiet }\n"
    "  urgent: { sha256: bfaff3c907e01159c70821aa1dcc3830bf2ba6e5f99f23410791349e945ad138, tenant: quiet, priority: 5 "
    "}\n";

enum { ANSWER_US = 200000, HASTY_US = 400000 };

static struct scene *
open_engines(void **state, uint64_t seed, unsigned workers)
{
    struct scene *s =
        scene_new(state, (struct scene_options){.seed = seed, .workers = workers, .config = engines, .more = keys});

    scene_provider(s, "gpus")->first_word_us = ANSWER_US;
    scene_provider(s, "hosted")->first_word_us = ANSWER_US;
    return s;
}

static struct vclient *
ask(struct scene *s, const char *route, const char *key)
{
    return scene_asks(s, (struct ask){.model = route, .key = key, .stream = true});
}

static struct admission_figures
figures_of(struct scene *s)
{
    struct admission_figures figures = {0};
    struct admission *gpus = map_get(&s->gateway.admissions.by_name, SLICE_LITERAL("gpus"));

    if (gpus != NULL)
        admission_figures(gpus, &figures);
    return figures;
}

static int64_t
waited(struct scene *s)
{
    return gateway_count(&s->gateway, COUNT_QUEUE_WAITED);
}

static size_t
waiting(struct scene *s)
{
    return figures_of(s).waiting;
}

static void
fill_the_line(struct scene *s, unsigned count, const char *key)
{
    for (unsigned i = 0; i < count; i++)
        ask(s, "patient", key);
    history_run_until(s->history, waiting(s) + figures_of(s).in_flight == count);
    assert_true(waiting(s) > 0);
}

/* More at once than there is room for: all are answered, never more than fit are at the engine, and it shows in the rows
 * how long each was in line. */
static void
a_crowd_waits_in_front(void **state)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct scene *s = open_engines(state, seed, 1 + (unsigned)seed % 3);
        struct vclient *clients[16];
        unsigned queued = 0;

        for (unsigned i = 0; i < 16; i++)
            clients[i] = ask(s, "patient", NULL);
        history_run_until(s->history, waiting(s) >= 8);
        assert_true(figures_of(s).tokens <= 576);
        scene_rest(s);
        for (unsigned i = 0; i < 16; i++)
            assert_int_equal(vclient_status(clients[i]), 200);
        for (size_t i = 0; i < s->row_count; i++)
            queued += scene_row(s, i)->queue_us >= ANSWER_US / 2;
        assert_true(queued >= 8);
        assert_true(waited(s) >= 8);
        assert_int_equal(figures_of(s).admitted, 16);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* A few answers, so that it is known how long they take. */
static void
warm_up(struct scene *s)
{
    for (unsigned i = 0; i < 200; i++) {
        ask(s, "patient", NULL);
        scene_rest(s);
    }
}

/* Overload: who is let in has a first token in time, who cannot have one is told at once, and when to come again; who
 * comes then is served. */
static void
who_would_be_late_is_told_when_to_come_again(void **state)
{
    struct scene *s = open_engines(state, 2, 1);
    struct vclient *clients[40], *refused = NULL, *again;
    unsigned served = 0;
    long retry_s;

    warm_up(s);
    for (unsigned i = 0; i < 40; i++)
        clients[i] = ask(s, "hasty", NULL);
    scene_rest(s);
    for (unsigned i = 0; i < 40; i++) {
        if (vclient_status(clients[i]) == 200) {
            served++;
            assert_true(vclient_first_byte_us(clients[i]) - vclient_started_us(clients[i]) < HASTY_US + HASTY_US / 4);
            continue;
        }
        refused = clients[i];
        assert_int_equal(vclient_status(refused), 429);
        assert_true(vclient_ended_us(refused) - vclient_started_us(refused) < 10 * USEC_PER_MS);
        assert_contains(vclient_body(refused), "x-equipoise-deadline");
        assert_contains(vclient_body(refused), "too short for this prompt");
    }
    assert_in_range(served, 4, 30);
    retry_s = vclient_header(refused, "retry-after").data[0] - '0';
    assert_in_range(retry_s, 1, 3);
    history_run_for(s->history, retry_s * USEC_PER_S);
    again = ask(s, "hasty", NULL);
    scene_rest(s);
    assert_int_equal(vclient_status(again), 200);
    scene_passed(s);
}

/* The same by the client's own deadline, which counts for the whole answer. */
static void
a_deadline_of_the_clients_own_counts(void **state)
{
    struct scene *s = open_engines(state, 3, 1);
    struct vclient *late, *in_time, *nonsense;

    ask(s, "patient", NULL);
    scene_rest(s);
    fill_the_line(s, 24, NULL);
    late = scene_asks(s, (struct ask){.model = "patient", .stream = true, .headers = "x-equipoise-deadline: 250ms\n"});
    in_time = scene_asks(s, (struct ask){.model = "patient", .stream = true, .headers = "x-equipoise-deadline: 1h\n"});
    nonsense = scene_asks(s, (struct ask){.model = "patient", .headers = "x-equipoise-deadline: soon\n"});
    scene_rest(s);
    assert_int_equal(vclient_status(late), 429);
    assert_int_equal(vclient_status(in_time), 200);
    assert_int_equal(vclient_status(nonsense), 400);
    assert_contains(vclient_body(nonsense), "x-equipoise-deadline: expected a duration");
    scene_passed(s);
}

/* What is too late here may be in time elsewhere. */
static void
who_cannot_wait_goes_elsewhere(void **state)
{
    struct scene *s = open_engines(state, 4, 1);
    struct vclient *clients[40];

    warm_up(s);
    ask(s, "spills", NULL); /* nobody waits: the cheaper one serves */
    scene_rest(s);
    assert_int_equal(vbackend_seen_count(scene_backend(s, "hosted")), 0);
    for (unsigned i = 0; i < 40; i++)
        clients[i] = ask(s, "spills", NULL);
    scene_rest(s);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(vclient_status(clients[i]), 200);
    assert_in_range(vbackend_seen_count(scene_backend(s, "hosted")), 10, 36);
    scene_passed(s);
}

/* Rows of a key, by the time they waited: the longest. */
static usec
longest_wait_us(struct scene *s, const char *tenant)
{
    usec longest_us = 0;

    for (size_t i = 0; i < s->row_count; i++)
        if (slice_is(scene_row(s, i)->tenant, tenant) && scene_row(s, i)->queue_us > longest_us)
            longest_us = scene_row(s, i)->queue_us;
    return longest_us;
}

/* A tenant that sends a crowd does not hold up another that sends a few. */
static void
a_loud_tenant_waits_for_itself(void **state)
{
    struct scene *s = open_engines(state, 5, 2);

    fill_the_line(s, 20, "sk-loud");
    ask(s, "patient", "sk-quiet");
    ask(s, "patient", "sk-quiet");
    scene_rest(s);
    assert_int_equal(s->row_count, 22);
    assert_true(longest_wait_us(s, "quiet") * 2 < longest_wait_us(s, "loud"));
    scene_passed(s);
}

static void
the_urgent_go_first(void **state)
{
    struct scene *s = open_engines(state, 6, 1);
    struct vclient *urgent;
    unsigned later = 0;

    fill_the_line(s, 20, "sk-loud");
    urgent = ask(s, "patient", "sk-urgent");
    scene_rest(s);
    for (size_t i = 0; i < s->row_count; i++)
        later += scene_row(s, i)->queue_us > vclient_first_byte_us(urgent) - vclient_started_us(urgent);
    assert_true(later >= 10);
    scene_passed(s);
}

/* Who leaves the line costs nothing, and nobody behind waits for it. */
static void
who_leaves_the_line_is_forgotten(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct scene *s = open_engines(state, seed, 1 + (unsigned)seed % 3);
        struct vclient *clients[18];
        unsigned gone = 0;

        for (unsigned i = 0; i < 18; i++)
            clients[i] = ask(s, "patient", NULL);
        history_run_until(s->history, waiting(s) + figures_of(s).in_flight == 18);
        for (unsigned i = (unsigned)seed % 2; i < 18; i += 2)
            vclient_leave(clients[i]);
        scene_rest(s);
        for (size_t i = 0; i < s->row_count; i++)
            gone += slice_is(scene_row(s, i)->state, "client gone");
        assert_int_equal(s->row_count, 18);
        assert_int_equal(gone, 9);
        assert_true(vbackend_seen_count(scene_backend(s, "gpus")) < 18);
        scene_passed(s);
        scene_free(s, state);
    }
}

/* An engine that dies under those who are there lets in those who wait, and these find out for themselves. */
static void
a_dying_engine_strands_nobody(void **state)
{
    struct scene *s = open_engines(state, 7, 2);
    struct vclient *clients[12];

    for (unsigned i = 0; i < 12; i++)
        clients[i] = ask(s, "patient", NULL);
    history_run_until(s->history, waiting(s) >= 6);
    scene_provider(s, "gpus")->status = 500;
    scene_rest(s);
    for (unsigned i = 0; i < 12; i++)
        assert_false(vclient_waits(clients[i]));
    assert_int_equal(s->row_count, 12);
    scene_passed(s);
}

/* A configuration that comes meanwhile does not lose who waits. */
static void
a_reload_keeps_the_line(void **state)
{
    struct scene *s = open_engines(state, 8, 2);

    fill_the_line(s, 16, NULL);
    scene_reload_options(s, (struct scene_options){.config = engines, .more = keys});
    for (unsigned i = 0; i < 4; i++)
        ask(s, "patient", NULL);
    scene_rest(s);
    assert_int_equal(s->row_count, 20);
    for (size_t i = 0; i < s->row_count; i++)
        assert_row_is(s, i, state, "ok");
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_crowd_waits_in_front, scene_teardown),
        cmocka_unit_test_teardown(who_would_be_late_is_told_when_to_come_again, scene_teardown),
        cmocka_unit_test_teardown(a_deadline_of_the_clients_own_counts, scene_teardown),
        cmocka_unit_test_teardown(who_cannot_wait_goes_elsewhere, scene_teardown),
        cmocka_unit_test_teardown(a_loud_tenant_waits_for_itself, scene_teardown),
        cmocka_unit_test_teardown(the_urgent_go_first, scene_teardown),
        cmocka_unit_test_teardown(who_leaves_the_line_is_forgotten, scene_teardown),
        cmocka_unit_test_teardown(a_dying_engine_strands_nobody, scene_teardown),
        cmocka_unit_test_teardown(a_reload_keeps_the_line, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
