/* Calls in the virtual world, faults at every step, and the referee. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stage.h"

static void
a_call_reaches_a_script(void **state)
{
    struct stage *stage = stage_proxy(20);
    struct vclient *client = stage_asks(stage);

    (void)state;
    vbackend_plays(stage->backend, play_wait(40 * USEC_PER_MS), play_head(201, "content-type: text/x"),
                   play_text("one "), play_wait(1000), play_text("two"), play_end());
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(client), 201);
    assert_body(client, "one two");
    assert_int_equal(vclient_body_len(client), -1);
    assert_int_equal(vbackend_seen_count(stage->backend), 1);
    assert_true(slice_is(vbackend_seen(stage->backend, 0).body, "ask"));
    assert_true(slice_is(vbackend_seen(stage->backend, 0).target, "/v1/x"));
    assert_true(vbackend_seen(stage->backend, 0).completed);
    assert_true(vclient_ended_us(client) - vclient_started_us(client) >= 41 * USEC_PER_MS);
    stage_end(stage);
}

static void
each_way_to_fail_is_told(void **state)
{
    static const struct {
        bool refusing, silent;
        struct play plays[4];
        unsigned status; /* 0: the client is cut off */
        usec at_least_us;
    } cases[] = {
        {.refusing = true, .plays = {{.kind = PLAY_HANG}}, .status = 502},
        {.silent = true, .plays = {{.kind = PLAY_HANG}}, .status = 502, .at_least_us = 2 * USEC_PER_S},
        {.plays = {{.kind = PLAY_HANG}}, .status = 502, .at_least_us = 10 * USEC_PER_S},
        {.plays = {{.kind = PLAY_BREAK}}, .status = 502},
        {.plays = {{.kind = PLAY_CUT}}, .status = 502},
        {.plays = {{.kind = PLAY_HEAD, .status = 200}, {.kind = PLAY_CUT}}},
        {.plays = {{.kind = PLAY_HEAD, .status = 200}, {.kind = PLAY_HANG}}, .at_least_us = 5 * USEC_PER_S},
        {.plays = {{.kind = PLAY_HEAD, .status = 200, .headers = "content-length: 9"},
                   {.kind = PLAY_BYTES, .bytes = SLICE_LITERAL("short")},
                   {.kind = PLAY_END}}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stage *stage = stage_proxy(30 + i);
        struct vclient *client = stage_asks(stage);

        vbackend_play(stage->backend, cases[i].plays, 4);
        vbackend_set_refusing(stage->backend, cases[i].refusing);
        vbackend_set_silent(stage->backend, cases[i].silent);
        history_run_to_rest(stage->history);
        assert_int_equal(stage->proxy.failures, 1);
        assert_true(cases[i].status != 0 ? vclient_status(client) == cases[i].status : vclient_cut(client));
        assert_true(vclient_ended_us(client) - vclient_started_us(client) >= cases[i].at_least_us);
        stage_end(stage);
    }
}

static void
connections_are_kept_and_limited(void **state)
{
    struct stage *stage = stage_proxy(40);
    struct endpoint narrow = stage_endpoint;
    struct vclient *first, *second, *third, *fourth;

    (void)state;
    narrow.connections_most = 1;
    stage->proxy.endpoint = &narrow;
    vbackend_plays(stage->backend, play_wait(USEC_PER_S), play_head(200, "content-length: 0"), play_hang());
    first = stage_asks(stage);
    second = stage_asks(stage);
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(first) + vclient_status(second), 200 + 502);
    vbackend_set_stale(stage->backend, true); /* the third reuses the first's connection */
    third = stage_asks(stage);
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(third), 502);
    fourth = stage_asks(stage); /* the kept connection was used up */
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(fourth), 200);
    assert_int_equal(vbackend_seen_count(stage->backend), 3);
    stage_end(stage);
}

static void
a_slow_client_pauses_the_backend(void **state)
{
    struct stage *stage = stage_proxy(42);
    struct buffer bytes = many_bytes(100000);
    struct vclient *client = vclient_start(
        stage->history,
        &(struct vclient_script){
            .target = "/", .body = SLICE_LITERAL("x"), .window = 2000, .read_len = 1000, .read_gap_us = USEC_PER_MS});

    (void)state;
    vbackend_plays(stage->backend, play_head(200, NULL), play_bytes(buffer_content(&bytes)),
                   play_bytes(buffer_content(&bytes)), play_bytes(buffer_content(&bytes)), play_end());
    history_run_until(stage->history, vclient_body(client).len >= 5000);
    assert_true(stage->proxy.pauses > 0);
    assert_true(vbackend_working(stage->backend));
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_body(client).len, 300000);
    buffer_free(&bytes);
    stage_end(stage);
}

static void
an_application_can_be_the_backend(void **state)
{
    struct stage *stage = stage_proxy(43);
    struct vclient *client;

    (void)state;
    toy_echo_init(&stage->echo, history_world_apart(stage->history));
    vbackend_is_application(stage->backend, &stage->echo.application);
    client = stage_asks(stage);
    history_run_to_rest(stage->history);
    assert_int_equal(vclient_status(client), 200);
    assert_body(client, "ask");
    client = stage_asks(stage);
    history_run_until(stage->history, vbackend_seen_count(stage->backend) == 2);
    vclient_leave(client);
    history_run_to_rest(stage->history);
    assert_int_equal(stage->echo.gone, 1);
    assert_int_equal(vbackend_worked_after_us(stage->backend, vclient_ended_us(client)), 0);
    stage_end(stage);
}

/* A call without an application around it, whose request's body is streamed. */
struct upload {
    struct call call;
    struct world *world;
    struct slice rest;
    unsigned writables, heads, ends, failures;
};

static void
upload_on(struct upload *upload)
{
    size_t taken = upload->world->ops->call_write(upload->world, &upload->call, upload->rest, true);

    upload->rest = slice_from(upload->rest, taken);
}

static void
upload_writable(struct call *call)
{
    struct upload *upload = CONTAINER_OF(call, struct upload, call);

    upload->writables++;
    upload_on(upload);
}

static void
upload_head(struct call *call, const struct http_head *head)
{
    (void)head;
    CONTAINER_OF(call, struct upload, call)->heads++;
}

static void
upload_body(struct call *call, struct slice piece)
{
    (void)call;
    (void)piece;
}

static void
upload_end(struct call *call)
{
    CONTAINER_OF(call, struct upload, call)->ends++;
}

static void
upload_failed(struct call *call, enum call_failure failure, const char *text)
{
    (void)failure;
    (void)text;
    CONTAINER_OF(call, struct upload, call)->failures++;
}

static const struct call_events upload_events = {
    .head = upload_head, .body = upload_body, .end = upload_end, .failed = upload_failed, .writable = upload_writable};

static void
upload_open(struct upload *upload, struct stage *stage, int64_t len)
{
    struct call_request request = {.endpoint = &stage_endpoint,
                                   .method = SLICE_LITERAL("PUT"),
                                   .target = SLICE_LITERAL("/files"),
                                   .streamed = true,
                                   .stream_len = len};

    upload->call.events = &upload_events;
    upload->world = history_world(stage->history, 0);
    upload->world->ops->call_open(upload->world, &upload->call, &request);
}

static void
a_streamed_body_is_held_back_too(void **state)
{
    struct stage *stage = stage_proxy(44);
    struct buffer bytes = many_bytes(300000);
    struct upload upload = {.rest = buffer_content(&bytes)}, early = {.rest = buffer_content(&bytes)};

    (void)state;
    vbackend_plays(stage->backend, play_head(200, "content-length: 0"), play_end());
    vbackend_plays(stage->backend, play_early(), play_head(413, "content-length: 0"), play_end());
    upload_open(&upload, stage, 300000);
    upload_on(&upload);
    history_run_to_rest(stage->history);
    assert_true(upload.writables >= 4);
    assert_int_equal(upload.ends, 1);
    assert_true(slice_equal(vbackend_seen(stage->backend, 0).body, buffer_content(&bytes)));

    upload_open(&early, stage, -1); /* answered before the body has come */
    history_run_to_rest(stage->history);
    assert_int_equal(early.ends, 1);
    assert_false(vbackend_seen(stage->backend, 1).body_whole);
    buffer_free(&bytes);
    stage_end(stage);
}

/* Faults at every step */

/* Counts in *struck the histories that the fault changed; false if they end before its step. */
static bool
proxy_history_with_fault(uint64_t seed, struct fault fault, unsigned *struck)
{
    struct stage *stage = stage_proxy(seed);
    struct vclient *client = stage_asks(stage);
    bool reached;

    vbackend_plays(stage->backend, play_wait(1000), play_head(200, NULL), play_text("a"), play_text("b"), play_end());
    history_plan_fault(stage->history, fault);
    history_run_to_rest(stage->history);
    assert_false(vclient_waits(client));
    assert_true(list_empty(&stage->proxy.exchanges));
    if (vclient_left(client))
        assert_int_equal(vbackend_worked_after_us(stage->backend, vclient_ended_us(client)), 0);
    if (vclient_done(client) && vclient_status(client) == 200)
        assert_body(client, "ab");
    if (vclient_left(client) || stage->proxy.failures != 0)
        ++*struck;
    reached = history_steps(stage->history) >= fault.step;
    stage_end(stage);
    return reached;
}

static void
a_fault_may_strike_at_every_step(void **state)
{
    (void)state;
    for (uint64_t seed = 50; seed < 60; seed++) {
        struct fault leaves = {FAULT_CLIENT_LEAVES, .step = 1}, cut = {FAULT_CALL_CUT, .step = 1};
        unsigned left = 0, failed = 0;

        while (proxy_history_with_fault(seed, leaves, &left))
            leaves.step++;
        while (proxy_history_with_fault(seed, cut, &failed))
            cut.step++;
        assert_int_equal(left, leaves.step - 1); /* the client waits until the very last step */
        assert_in_range(failed, 8, cut.step - 1);
    }
}

static uint64_t
digest_of(uint64_t seed)
{
    struct stage *stage = stage_proxy(seed);
    uint64_t digest;

    vbackend_plays(stage->backend, play_wait(1000), play_head(200, NULL), play_text("a"), play_text("b"), play_end());
    for (int i = 0; i < 10; i++)
        stage_asks(stage);
    history_run_to_rest(stage->history);
    digest = history_log_digest(stage->history);
    stage_end(stage);
    return digest;
}

static void
the_seed_decides_everything(void **state)
{
    (void)state;
    for (uint64_t seed = 60; seed < 64; seed++) {
        assert_true(digest_of(seed) == digest_of(seed));
        assert_true(digest_of(seed) != digest_of(seed + 1));
    }
}

/* The referee aborts, so each offence is committed by a child; what it said is in `said`. */
static void
commit(void (*offence)(unsigned), unsigned which, char *said, size_t size)
{
    int ends[2], status;
    ssize_t len;
    size_t sum = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGABRT, SIG_DFL);
        (void)dup2(ends[1], STDERR_FILENO);
        offence(which);
        _exit(0);
    }
    (void)close(ends[1]);
    while (sum < size - 1 && (len = read(ends[0], said + sum, size - 1 - sum)) > 0)
        sum += (size_t)len;
    said[sum] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void
offend_as_application(unsigned vice)
{
    struct stage *stage = stage_echo(70);

    stage->echo.vice = (enum toy_vice)vice;
    stage_asks(stage);
    history_run_to_rest(stage->history);
}

enum call_vice { OPENS_TWICE, WRITES_TOO_MUCH, WRITES_AFTER_LAST, PAUSES_WHAT_IS_CLOSED, SENDS_HOST };

static void
offend_as_caller(unsigned vice)
{
    struct http_header host = {SLICE_LITERAL("Host"), SLICE_LITERAL("elsewhere")};
    struct stage *stage = stage_proxy(70);
    struct upload upload = {.rest = SLICE_LITERAL("five!")};

    if (vice == SENDS_HOST) {
        struct call call = {.events = &upload_events};
        struct world *world = history_world(stage->history, 0);

        world->ops->call_open(world, &call,
                              &(struct call_request){.endpoint = &stage_endpoint,
                                                     .method = SLICE_LITERAL("GET"),
                                                     .target = SLICE_LITERAL("/"),
                                                     .headers = &host,
                                                     .header_count = 1});
    }
    upload_open(&upload, stage, vice == WRITES_TOO_MUCH ? 4 : 5);
    if (vice == OPENS_TWICE)
        upload_open(&upload, stage, 5);
    upload_on(&upload);
    if (vice == WRITES_AFTER_LAST)
        upload_on(&upload);
    upload.world->ops->call_close(upload.world, &upload.call);
    upload.world->ops->call_close(upload.world, &upload.call); /* is allowed */
    if (vice == PAUSES_WHAT_IS_CLOSED)
        upload.world->ops->call_pause(upload.world, &upload.call, true);
}

static void
the_referee_watches_callers_too(void **state)
{
    static const struct {
        enum call_vice vice;
        const char *words;
    } offences[] = {
        {OPENS_TWICE, "a call is opened that is open"},
        {WRITES_TOO_MUCH, "more than the 4 bytes that were promised"},
        {WRITES_AFTER_LAST, "call_write after the body's end"},
        {PAUSES_WHAT_IS_CLOSED, "call_pause on a call that is not open"},
        {SENDS_HOST, "headers of a call: host"},
    };
    char said[8192];

    (void)state;
    for (size_t i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
        commit(offend_as_caller, offences[i].vice, said, sizeof(said));
        assert_non_null(strstr(said, offences[i].words));
    }
}

static void
the_referee_sees_every_offence(void **state)
{
    static const struct {
        enum toy_vice vice;
        const char *words;
    } offences[] = {
        {VICE_ANSWERS_TWICE, "is answered twice"},
        {VICE_WRITES_FIRST, "client_write before client_answer"},
        {VICE_WRITES_TOO_MUCH, "more than the 3 bytes that were promised"},
        {VICE_FINISHES_SHORT, "finished after 0 of 3 promised bytes"},
        {VICE_WRITES_AFTER_FINISH, "client_write after it ended"},
        {VICE_FINISHES_TWICE, "client_finish after it ended"},
        {VICE_SENDS_FRAMING, "headers of the answer: content-length"},
        {VICE_BREAKS_HEADER, "holds a control character"},
        {VICE_FORGETS, "does not come to rest"},
    };
    char said[8192];

    (void)state;
    for (size_t i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
        commit(offend_as_application, offences[i].vice, said, sizeof(said));
        assert_non_null(strstr(said, "seed 70"));
        assert_non_null(strstr(said, offences[i].words));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_reaches_a_script),           cmocka_unit_test(each_way_to_fail_is_told),
        cmocka_unit_test(connections_are_kept_and_limited),  cmocka_unit_test(a_slow_client_pauses_the_backend),
        cmocka_unit_test(an_application_can_be_the_backend), cmocka_unit_test(a_streamed_body_is_held_back_too),
        cmocka_unit_test(a_fault_may_strike_at_every_step),  cmocka_unit_test(the_seed_decides_everything),
        cmocka_unit_test(the_referee_sees_every_offence),    cmocka_unit_test(the_referee_watches_callers_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
