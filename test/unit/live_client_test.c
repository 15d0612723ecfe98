/* labels: threads */
/* Calls to backends over real sockets: the backend is a script, the caller an application that passes answers on. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "live_rig.h"

struct scene {
    struct rig *rig;
    int listener;
};

static void
expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

static int
ask(struct scene *scene, const char *request)
{
    int client = rig_connect(scene->rig->port);

    rig_send(client, request);
    return client;
}

/* One call to /call, the backend sending `answer` and then closing if so wanted. Returns what the client got. */
static struct buffer
one_call(struct scene *scene, const char *answer, bool closes)
{
    int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    int backend = rig_accept(scene->listener);
    struct buffer all;

    rig_read_head(backend);
    rig_send(backend, answer);
    if (closes)
        close(backend);
    all = rig_read_all(client);
    buffer_add_byte(&all, '\0');
    if (!closes)
        close(backend);
    return all;
}

static void
passes_a_call_on(void **state)
{
    struct scene *scene = *state;
    int client = ask(scene, "POST /call?q HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    int backend = rig_accept(scene->listener);
    static const char expected[] = "POST /call?q HTTP/1.1\r\nHost: backend.test\r\nContent-Length: 4\r\n\r\n[hi]";
    char got[sizeof(expected)] = {0};
    struct buffer answer;

    assert_int_equal(recv(backend, got, sizeof(expected) - 1, MSG_WAITALL), sizeof(expected) - 1);
    assert_string_equal(got, expected);
    rig_send(backend, "HTTP/1.1 201 Whatever\r\nContent-Length: 3\r\n\r\nyes");
    answer = rig_read_answer(client);
    expect_in(answer.data, "HTTP/1.1 201 Created\r\n");
    expect_in(answer.data, "\r\n\r\nyes");
    buffer_free(&answer);
    close(client);
    close(backend);
}

static void
keeps_and_reuses_the_connection(void **state)
{
    struct scene *scene = *state;
    int client = rig_connect(scene->rig->port);
    int backend = -1;

    for (unsigned i = 0; i < 3; i++) {
        struct buffer answer;

        rig_send(client, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i == 0)
            backend = rig_accept(scene->listener);
        rig_read_head(backend);
        rig_send(backend, i == 1 ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
                                 : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        answer = rig_read_answer(client);
        expect_in(answer.data, "ok");
        buffer_free(&answer);
        assert_int_equal(atomic_load(&scene->rig->reused), i > 0);
    }
    close(client);
    close(backend);
}

/* A connection on which the backend says something unasked, or which it closes, is never used again. */
static void
spoilt_connections_are_not_reused(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
        int backend = rig_accept(scene->listener); /* each call comes on a new connection */
        struct buffer answer;
        char byte;

        rig_read_head(backend);
        rig_send(backend, answers[i]);
        answer = rig_read_answer(client);
        assert_true(slice_ends(buffer_content(&answer), "ok"));
        buffer_free(&answer);
        if (i == 0)
            rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        if (i == 1)
            shutdown(backend, SHUT_WR);
        assert_int_equal(recv(backend, &byte, 1, 0), 0);
        close(backend);
        close(client);
    }
}

static void
splits_do_not_matter(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX-T: 1\r\n\r\n",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        for (size_t at = 1; at < strlen(answers[i]); at++) {
            int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            int backend = rig_accept(scene->listener);
            struct buffer all;

            rig_read_head(backend);
            rig_send_bytes(backend, answers[i], at);
            sched_yield();
            rig_send(backend, answers[i] + at);
            close(backend);
            all = rig_read_all(client);
            buffer_add_byte(&all, '\0');
            expect_in(all.data, "HTTP/1.1 200 OK\r\n");
            assert_int_equal(atomic_exchange(&scene->rig->body_bytes, 0), 5);
            assert_true(slice_ends(slice_of(all.data), i == 0 ? "hello" : "o\r\n0\r\n\r\n"));
            buffer_free(&all);
        }
    }
}

static void
reads_up_to_the_end_of_the_connection(void **state)
{
    struct scene *scene = *state;
    struct buffer all = one_call(scene, "HTTP/1.0 200 OK\r\n\r\nold style", true);

    expect_in(all.data, "9\r\nold style\r\n0\r\n\r\n");
    buffer_free(&all);
}

static void
answers_without_body(void **state)
{
    struct scene *scene = *state;
    struct buffer all = one_call(scene, "HTTP/1.1 204 No Content\r\n\r\n", false);

    expect_in(all.data, "HTTP/1.1 204 No Content\r\n");
    buffer_free(&all);
    all = one_call(scene, "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", false);
    expect_in(all.data, "HTTP/1.1 304 Not Modified\r\n");
    buffer_free(&all);
    assert_int_equal(atomic_load(&scene->rig->ends), 2);
}

/* A cut answer is never passed on as if it were whole. */
static void
cut_answers_fail(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n",
        "HTTP/1.1 200 OK\r\nContent-",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct buffer all = one_call(scene, answers[i], true);

        rig_wait(&scene->rig->failures, (unsigned)i + 1);
        assert_int_equal(atomic_load(&scene->rig->failure), CALL_BROKEN);
        assert_int_equal(atomic_load(&scene->rig->request_byte_out), 1);
        assert_null(strstr(all.data, "0\r\n\r\n\r\n"));
        buffer_free(&all);
    }
    assert_int_equal(atomic_load(&scene->rig->ends), 0);
}

static void
ambiguous_answers_fail(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 20 Odd\r\nContent-Length: 0\r\n\r\n",
        "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0\nX: y\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        struct buffer all = one_call(scene, answers[i], false);

        rig_wait(&scene->rig->failures, (unsigned)i + 1);
        assert_int_equal(atomic_load(&scene->rig->failure), CALL_BROKEN);
        expect_in(all.data, "502 Bad Gateway");
        buffer_free(&all);
    }
}

static void
closes_at_once_when_the_client_leaves(void **state)
{
    struct scene *scene = *state;

    for (unsigned i = 0; i < 2; i++) {
        int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
        int backend = rig_accept(scene->listener);
        char byte;

        rig_read_head(backend);
        if (i == 1) { /* in the middle of the answer */
            rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
            assert_int_equal(recv(client, &byte, 1, 0), 1);
        }
        close(client);
        assert_true(recv(backend, &byte, 1, 0) <= 0);
        rig_wait(&scene->rig->gone, i + 1);
        close(backend);
    }
}

static void
unreachable_backends_fail(void **state)
{
    struct scene *scene = *state;
    char *text;

    close(scene->listener);
    text = rig_ask(scene->rig->port, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_in(text, "no connection to backend.test: Connection refused");
    assert_int_equal(atomic_load(&scene->rig->failure), CALL_UNREACHABLE);
    assert_int_equal(atomic_load(&scene->rig->request_byte_out), 0);
    free(text);
    scene->rig->backend.private_allowed = false;
    scene->rig->backend.id = 2;
    text = rig_ask(scene->rig->port, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_in(text, "private: yes");
    free(text);
    scene->rig->backend.host = "no-such-name.invalid";
    scene->rig->backend.id = 3;
    text = rig_ask(scene->rig->port, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_in(text, "the name 'no-such-name.invalid' cannot be resolved");
    free(text);
    scene->listener = -1;
}

static void
silent_backends_time_out(void **state)
{
    struct scene *scene = *state;
    struct buffer all;

    scene->rig->backend.first_byte_timeout_us = 20 * USEC_PER_MS;
    all = one_call(scene, "", false);
    expect_in(all.data, "backend.test did not begin its answer after 0.0 s");
    assert_int_equal(atomic_load(&scene->rig->failure), CALL_TIMEOUT);
    buffer_free(&all);
    scene->rig->backend.first_byte_timeout_us = 10 * USEC_PER_S;
    scene->rig->backend.idle_timeout_us = 20 * USEC_PER_MS;
    all = one_call(scene, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false);
    rig_wait(&scene->rig->failures, 2);
    expect_in(scene->rig->failure_text, "fell silent");
    buffer_free(&all);
}

/* Whether a call on a kept connection may have been worked on shows in whether anything came back. */
static void
what_breaks_a_kept_connection_is_told(void **state)
{
    static const struct {
        const char *last_words;
        bool answer_byte_in;
    } cases[] = {{"", false}, {"%PDF-1.4", true}, {"HTTP/1.1 20", true}};
    struct scene *scene = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
        int backend = rig_accept(scene->listener);
        struct buffer answer;

        rig_read_head(backend);
        rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        answer = rig_read_answer(client);
        buffer_free(&answer);
        rig_send(client, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        rig_read_head(backend);
        rig_send(backend, cases[i].last_words);
        close(backend);
        rig_wait(&scene->rig->failures, i + 1);
        assert_int_equal(atomic_load(&scene->rig->failure), CALL_BROKEN);
        assert_int_equal(atomic_load(&scene->rig->reused), 1);
        assert_int_equal(atomic_load(&scene->rig->request_byte_out), 1);
        assert_int_equal(atomic_load(&scene->rig->answer_byte_in), cases[i].answer_byte_in);
        answer = rig_read_all(client);
        buffer_free(&answer);
    }
}

/* The whole upload takes longer than the backend's time to answer; each piece is well within it. */
static void
slow_uploads_do_not_time_out(void **state)
{
    struct scene *scene = *state;
    struct buffer all;
    int client, backend;

    scene->rig->backend.first_byte_timeout_us = 5 * USEC_PER_S;
    client = ask(scene, "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n");
    for (unsigned i = 0; i < 10; i++) {
        rig_send(client, "x");
        usleep(550 * 1000);
    }
    backend = rig_accept(scene->listener);
    rig_read_head(backend);
    rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    all = rig_read_all(client);
    assert_true(slice_ends(buffer_content(&all), "ok"));
    assert_int_equal(atomic_load(&scene->rig->failures), 0);
    buffer_free(&all);
    close(backend);
}

static void
connections_are_limited(void **state)
{
    struct scene *scene = *state;
    int client, backend;
    char *text;

    scene->rig->backend.connections_most = 1;
    client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
    backend = rig_accept(scene->listener);
    rig_read_head(backend);
    text = rig_ask(scene->rig->port, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect_in(text, "too many connections");
    assert_int_equal(atomic_load(&scene->rig->failure), CALL_FULL);
    free(text);
    close(client);
    close(backend);
}

static void
sends_a_body(int fd, size_t len)
{
    static const char bytes[16 * 1024];

    while (len > 0) {
        size_t part = len < sizeof(bytes) ? len : sizeof(bytes);

        rig_send_bytes(fd, bytes, part);
        len -= part;
    }
}

/* A large request body reaches the backend byte for byte, from where it is. */
static void
large_bodies_go_through(void **state)
{
    enum { LEN = 3 * 1024 * 1024 };
    struct scene *scene = *state;
    char head[128];
    int client = rig_connect(scene->rig->port);
    int backend;
    size_t total = 0;
    char some[4096];
    struct buffer all;

    snprintf(head, sizeof(head), "POST /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
             LEN);
    rig_send(client, head);
    sends_a_body(client, LEN);
    backend = rig_accept(scene->listener);
    rig_read_head(backend);
    while (total < LEN + 2) {
        ssize_t got = recv(backend, some, sizeof(some), 0);

        assert_true(got > 0);
        if (total == 0)
            assert_int_equal(some[0], '[');
        total += (size_t)got;
        if (total == LEN + 2)
            assert_int_equal(some[got - 1], ']');
    }
    rig_send(backend, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    all = rig_read_all(client);
    assert_true(slice_ends(buffer_content(&all), "ok"));
    buffer_free(&all);
    close(backend);
}

/* A client that reads nothing makes the backend wait: what is under way between them stays bounded. */
static void
slow_readers_pause_the_backend(void **state)
{
    struct scene *scene = *state;
    int client = ask(scene, "GET /call HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    int backend = rig_accept(scene->listener);
    static const char bytes[64 * 1024];
    struct buffer all;
    size_t sent = 0;
    ssize_t taken;
    unsigned stalls = 0;

    rig_read_head(backend);
    rig_send(backend, "HTTP/1.1 200 OK\r\n\r\n");
    while (stalls < 20) {
        taken = send(backend, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        stalls = taken > 0 ? 0 : stalls + 1;
        sent += taken > 0 ? (size_t)taken : 0;
        assert_true(sent < 128u * 1024 * 1024);
        if (taken <= 0)
            usleep(10000);
    }
    close(backend);
    all = rig_read_all(client);
    assert_int_equal(atomic_load(&scene->rig->body_bytes), sent);
    assert_true(buffer_len(&all) > sent);
    assert_true(slice_ends(buffer_content(&all), "0\r\n\r\n"));
    buffer_free(&all);
}

static int
setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->rig = rig_plain();
    scene->listener = rig_listen(&scene->rig->backend.port);
    *state = scene;
    return 0;
}

static int
teardown(void **state)
{
    struct scene *scene = *state;

    if (scene->listener >= 0)
        close(scene->listener);
    rig_free(scene->rig);
    free(scene);
    return 0;
}

#define LIVE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(passes_a_call_on),
        LIVE_TEST(keeps_and_reuses_the_connection),
        LIVE_TEST(spoilt_connections_are_not_reused),
        LIVE_TEST(splits_do_not_matter),
        LIVE_TEST(reads_up_to_the_end_of_the_connection),
        LIVE_TEST(answers_without_body),
        LIVE_TEST(cut_answers_fail),
        LIVE_TEST(ambiguous_answers_fail),
        LIVE_TEST(closes_at_once_when_the_client_leaves),
        LIVE_TEST(unreachable_backends_fail),
        LIVE_TEST(silent_backends_time_out),
        LIVE_TEST(what_breaks_a_kept_connection_is_told),
        LIVE_TEST(slow_uploads_do_not_time_out),
        LIVE_TEST(connections_are_limited),
        LIVE_TEST(large_bodies_go_through),
        LIVE_TEST(slow_readers_pause_the_backend),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
