/* Many clients that read slowly, together: what a worker keeps for them has one bound, and nobody's answer suffers. */
#include "scene.h"

enum {
    CLIENTS = 60,
    MOST_BYTES = 256 * 1024, /* for all */
    ANSWER_BYTES_LEAST = 100 * 1000,
    PIECE_BYTES = 4000
};

/* A little in each second. */
static const struct vclient_script slowly = {.window = 4096, .read_len = 20000, .read_gap_us = USEC_PER_S};

/* Runs to rest; the most that was ever kept. */
static size_t
most_kept(struct scene *s)
{
    const struct flights *flights = &s->gateway.workers[0]->flights;
    size_t most = 0;

    while (history_step(s->history))
        most = flights->kept > most ? flights->kept : most;
    scene_rest(s);
    assert_int_equal(flights->kept, 0);
    return most;
}

static void
play_in_pieces(void *context, const struct vcall_seen *seen, struct vscript *script)
{
    struct buffer answer = provider_answer(context, API_CHAT, false, "big");
    struct slice left = buffer_content(&answer);

    (void)seen;
    vscript_add(script, play_head(200, "content-type: application/json"));
    for (; left.len > 0; left = slice_from(left, slice_first(left, PIECE_BYTES).len))
        vscript_add(script, play_bytes(slice_first(left, PIECE_BYTES)));
    vscript_add(script, play_end());
    buffer_free(&answer);
}

/* All ask, and all get the whole answer. The most that was kept for them. */
static size_t
ask_all(struct scene *s, bool stream)
{
    struct buffer expected;
    struct vclient *clients[CLIENTS];
    size_t most;

    s->gateway.workers[0]->flights.most = MOST_BYTES;
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = scene_asks(s, (struct ask){.stream = stream, .wants_usage = stream, .client = slowly});
    most = most_kept(s);
    expected = provider_answer(scene_provider(s, "alpha"), API_CHAT, stream, "big");
    assert_true(buffer_len(&expected) > ANSWER_BYTES_LEAST);
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(vclient_status(clients[i]), 200);
        assert_true(vclient_done(clients[i]));
        assert_true(slice_equal(vclient_body(clients[i]), buffer_content(&expected)));
        assert_row_is(s, i, state, "ok");
        assert_row_is(s, i, exactness, "exact");
    }
    buffer_free(&expected);
    return most;
}

/* Once there is a crowd, a flight keeps the one piece that came before its backend was paused. */
static void
streams_share_one_bound(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 61});
    size_t most;

    scene_provider(s, "alpha")->words = 1500;
    scene_provider(s, "alpha")->word_gap_us = USEC_PER_MS;
    most = ask_all(s, true);
    assert_true(most > MOST_BYTES);
    assert_true(most < MOST_BYTES + (size_t)CLIENTS * 1024);
    scene_passed(s);
}

/* Answers that are held until they are whole are passed on sooner; none fails. */
static void
held_answers_share_one_bound(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 62});
    size_t most;

    scene_provider(s, "alpha")->words = 20000;
    vbackend_decides(scene_backend(s, "alpha"), play_in_pieces, scene_provider(s, "alpha"));
    most = ask_all(s, false);
    assert_true(most > MOST_BYTES);
    assert_true(most < MOST_BYTES + (size_t)CLIENTS * (FLIGHT_CROWDED_BYTES + 2 * PIECE_BYTES));
    scene_passed(s);
}

/* In a crowd a short answer is still held until it is whole: its head tells what it costs. */
static void
a_short_answer_is_held_in_a_crowd(void **state)
{
    struct scene *s = scene_new(state, (struct scene_options){.seed = 63});
    struct vclient *c;

    s->gateway.workers[0]->flights.most = 0;
    scene_provider(s, "alpha")->words = 1000;
    vbackend_decides(scene_backend(s, "alpha"), play_in_pieces, scene_provider(s, "alpha"));
    c = scene_asks(s, (struct ask){0});
    scene_rest(s);
    assert_int_equal(vclient_status(c), 200);
    assert_true(vclient_header(c, "x-equipoise-cost-usd").len > 0);
    scene_passed(s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(streams_share_one_bound, scene_teardown),
        cmocka_unit_test_teardown(held_answers_share_one_bound, scene_teardown),
        cmocka_unit_test_teardown(a_short_answer_is_held_in_a_crowd, scene_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
