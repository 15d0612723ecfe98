/* The virtual world tried with small applications: clients, time, posts, jobs, appends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stage.h"

static void
an_answer_comes_back(void **state)
{
    struct stage *stage = stage_echo(1);
    struct vclient *client =
        vclient_start(stage->history, &(struct vclient_script){.target = "/", .body = SLICE_LITERAL("hello")});

    (void)state;
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(client), 200);
    assert_int_equal(vclient_body_len(client), 5);
    assert_body(client, "hello");
    assert_true(slice_is(vclient_header(client, "Content-Type"), "text/plain"));
    assert_true(vclient_done(client));
    stage_end(stage);
}

static void
a_body_comes_in_pieces(void **state)
{
    struct stage *stage = stage_echo(2);
    struct vclient_script script = {.target = "/", .body = SLICE_LITERAL("in pieces"), .piece_len = 2};
    struct vclient *collected, *streamed;

    (void)state;
    script.chunked = true;
    collected = vclient_start(stage->history, &script);
    history_run_to_rest(stage->history);
    stage->echo.mode = BODY_STREAM;
    stage->echo.pauses_left = 3;
    streamed = vclient_start(stage->history, &script);
    history_run_to_rest(stage->history);
    assert_body(collected, "in pieces");
    assert_body(streamed, "in pieces");
    assert_int_equal(stage->echo.pauses_left, 0);
    assert_true(vclient_ended_us(streamed) - vclient_started_us(streamed) >= 60 * USEC_PER_MS);
    stage_end(stage);
}

static void
a_bad_body_is_told(void **state)
{
    struct stage *stage = stage_echo(3);
    struct vclient_script script = {.target = "/", .body = SLICE_LITERAL("0123456789"), .piece_len = 4};
    struct vclient *large, *chunked, *broken, *stalled;

    (void)state;
    stage->echo.body_most = 9;
    large = vclient_start(stage->history, &script);
    script.chunked = true;
    chunked = vclient_start(stage->history, &script);
    script.body.len = 3;
    script.body_breaks = true;
    broken = vclient_start(stage->history, &script);
    script.body_breaks = false;
    script.body_stalls = true;
    stalled = vclient_start(stage->history, &script);
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(large), 413);
    assert_int_equal(vclient_status(chunked), 413);
    assert_int_equal(vclient_status(broken), 400);
    assert_int_equal(vclient_status(stalled), 408);
    stage_end(stage);
}

static void
a_refused_body_is_not_read(void **state)
{
    struct stage *stage = stage_echo(4);
    struct vclient *client =
        vclient_start(stage->history, &(struct vclient_script){.target = "/refuse", .body = SLICE_LITERAL("hello")});

    (void)state;
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(client), 403);
    stage_end(stage);
}

static void
a_slow_reader_holds_the_writer_back(void **state)
{
    struct stage *stage = stage_echo(5);
    struct buffer bytes = many_bytes(200000);
    struct vclient *client = vclient_start(
        stage->history,
        &(struct vclient_script){
            .target = "/", .body = buffer_content(&bytes), .window = 1000, .read_len = 5000, .read_gap_us = 1000});

    (void)state;
    history_run_to_rest(stage->history);
    assert_true(slice_equal(vclient_body(client), buffer_content(&bytes)));
    assert_true(stage->echo.drains >= 199);
    assert_true(vclient_ended_us(client) - vclient_started_us(client) >= 39 * 1000);
    buffer_free(&bytes);
    stage_end(stage);
}

static void
a_client_that_leaves_is_gone_once(void **state)
{
    struct stage *stage = stage_echo(6);
    struct buffer bytes = many_bytes(50000);
    struct vclient_script script = {.target = "/", .body = buffer_content(&bytes), .window = 1000};
    struct vclient *byte, *text, *late;

    (void)state;
    script.leaves_at_byte = 1234;
    byte = vclient_start(stage->history, &script);
    script.leaves_at_byte = 0;
    script.leaves_at_text = "abcdefghijklmnopqrstuvwxyzab";
    text = vclient_start(stage->history, &script);
    script.leaves_at_text = NULL;
    script.leaves_after_us = 1;
    late = vclient_start(stage->history, &script);
    history_run_to_rest(stage->history);
    assert_true(vclient_left(byte) && vclient_left(text) && vclient_left(late));
    assert_int_equal(vclient_body(byte).len, 1234);
    assert_int_equal(vclient_body(late).len, 0);
    assert_int_equal(stage->echo.gone, 3);
    buffer_free(&bytes);
    stage_end(stage);
}

/* Timers, posts, jobs */

struct alarm {
    struct timer timer;
    struct world *world;
    usec fired_us;
    struct alarm **last;
};

static void
ring(struct timer *timer)
{
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);

    alarm->fired_us = world_now_us(alarm->world);
    *alarm->last = alarm;
}

static void
timers_fire_when_due(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 8});
    struct world *world = history_world(history, 0);
    usec start = world_now_us(world);
    struct alarm *last = NULL, early = {{.fire = ring}, world, 0, &last}, late = early, stopped = early;

    (void)state;
    world_timer_start(world, &late.timer, 1000);
    world_timer_start(world, &early.timer, 5000);
    world_timer_start(world, &early.timer, 500);
    world_timer_start(world, &stopped.timer, 700);
    world_timer_start(world, &late.timer, 3 * USEC_PER_S); /* later than first said */
    world_timer_stop(world, &stopped.timer);
    assert_int_equal(history_timers_running(history), 2);
    history_run_for(history, 10 * USEC_PER_S);
    assert_int_equal(early.fired_us, start + 500);
    assert_int_equal(late.fired_us, start + 3 * USEC_PER_S);
    assert_int_equal(stopped.fired_us, 0);
    assert_ptr_equal(last, &late);
    assert_int_equal(world_now_us(world), start + 10 * USEC_PER_S);
    history_free(history);
}

static void
the_wall_clock_jumps_alone(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 9, .wall_us = 1000000});
    struct world *world = history_world(history, 0);
    usec now = world_now_us(world);

    (void)state;
    assert_int_equal(world_wall_us(world), 1000000);
    history_wall_jump(history, -500);
    assert_int_equal(world_wall_us(world), 999500);
    assert_int_equal(world_now_us(world), now);
    history_run_for(history, 100);
    assert_int_equal(world_wall_us(world), 999600);
    history_free(history);
}

enum { SENDERS = 3, LETTERS = 20 };

struct letter {
    struct message message;
    unsigned from, number;
    unsigned *order; /* what arrived, as from * LETTERS + number */
    unsigned *count;
};

static void
letter_arrives(struct message *message, struct world *to)
{
    struct letter *letter = CONTAINER_OF(message, struct letter, message);

    assert_int_equal(to->worker, 0);
    letter->order[(*letter->count)++] = letter->from * LETTERS + letter->number;
}

/* Fills `order` with the order in which all letters arrive at worker 0. */
static void
send_letters(uint64_t seed, unsigned *order)
{
    struct history *history = history_new((struct history_options){.seed = seed, .workers = SENDERS});
    struct letter letters[SENDERS * LETTERS];
    unsigned count = 0;

    for (unsigned i = 0; i < SENDERS * LETTERS; i++) {
        struct world *world = history_world(history, i % SENDERS);

        letters[i] = (struct letter){{.deliver = letter_arrives}, i % SENDERS, i / SENDERS, order, &count};
        world->ops->post(world, 0, &letters[i].message);
    }
    history_run_to_rest(history);
    assert_int_equal(count, SENDERS * LETTERS);
    history_free(history);
}

static void
posts_keep_each_senders_order(void **state)
{
    unsigned first[SENDERS * LETTERS], again[SENDERS * LETTERS], other[SENDERS * LETTERS];
    unsigned next[SENDERS] = {0};

    (void)state;
    send_letters(10, first);
    send_letters(10, again);
    send_letters(11, other);
    for (unsigned i = 0; i < SENDERS * LETTERS; i++) {
        assert_int_equal(first[i] % LETTERS, next[first[i] / LETTERS]);
        next[first[i] / LETTERS]++;
    }
    assert_memory_equal(first, again, sizeof(first));
    assert_memory_not_equal(first, other, sizeof(first)); /* the seed decides between senders */
}

struct sum {
    struct job job;
    int value;
    bool done;
};

static void
add(struct job *job)
{
    struct sum *sum = CONTAINER_OF(job, struct sum, job);

    assert_false(sum->done);
    sum->value += 2;
}

static void
added(struct job *job)
{
    struct sum *sum = CONTAINER_OF(job, struct sum, job);

    assert_int_equal(sum->value, 3);
    sum->done = true;
}

static void
jobs_run_later(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 12});
    struct world *world = history_world(history, 0);
    struct sum sum = {{.run = add, .done = added}, 1, false};
    usec start = world_now_us(world);

    (void)state;
    world->ops->work(world, &sum.job);
    assert_int_equal(sum.value, 1);
    history_run_to_rest(history);
    assert_true(sum.done);
    assert_true(world_now_us(world) > start);
    history_free(history);
}

static void
appends_fail_on_order(void **state)
{
    struct history *history = history_new((struct history_options){.seed = 13, .workers = 2});
    struct world *world = history_world(history, 1);

    (void)state;
    history_fail_appends(history, 2, 1, ERR_FULL);
    assert_int_equal(world->ops->append(world, slice_of("one ")), OK);
    assert_int_equal(world->ops->append(world, slice_of("two ")), ERR_FULL);
    assert_int_equal(world->ops->append(world, slice_of("three")), OK);
    assert_true(slice_is(history_journal(history, 1), "one three"));
    assert_int_equal(history_journal(history, 0).len, 0);
    assert_int_equal(history_appends(history), 3);
    history_free(history);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_comes_back),
        cmocka_unit_test(a_body_comes_in_pieces),
        cmocka_unit_test(a_bad_body_is_told),
        cmocka_unit_test(a_refused_body_is_not_read),
        cmocka_unit_test(a_slow_reader_holds_the_writer_back),
        cmocka_unit_test(a_client_that_leaves_is_gone_once),
        cmocka_unit_test(timers_fire_when_due),
        cmocka_unit_test(the_wall_clock_jumps_alone),
        cmocka_unit_test(posts_keep_each_senders_order),
        cmocka_unit_test(jobs_run_later),
        cmocka_unit_test(appends_fail_on_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
