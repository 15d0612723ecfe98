/* labels: threads */
/* The server over real sockets: what a client sends, whole or in pieces, and what it gets. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "live/connection.h"
#include "live_rig.h"

static void
expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("'%s' is not in: %s", part, text);
}

static void
answers_a_request(void **state)
{
    struct rig *rig = *state;
    char *text =
        rig_ask(rig->port, "GET /head?a=b HTTP/1.1\r\nHost: x\r\nA:  b c \r\nEmpty:\r\nConnection: close\r\n\r\n");

    expect_in(text, "HTTP/1.1 200 OK\r\n");
    expect_in(text, "\r\nDate: ");
    expect_in(text, " GMT\r\n");
    expect_in(text, "\r\nConnection: close\r\n");
    expect_in(text, "\r\nX-Own: yes\r\nX-Sly: a  X-Forged: b\r\nDate: ");
    expect_in(text, "\r\n\r\nGET /head?a=b 0\nHost=x\nA=b c\nEmpty=\nConnection=close\n");
    free(text);
}

static void
accepts_the_absolute_form(void **state)
{
    struct rig *rig = *state;
    char *text = rig_ask(rig->port, "GET http://x:80/head HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n");

    expect_in(text, "GET /head 0\n");
    free(text);
}

/* Every request of the list, cut in two at every byte: the answer is the same. */
static void
splits_do_not_matter(void **state)
{
    static const char *const requests[] = {
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
        ("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
         "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: t\r\n\r\n"),
        "POST /chunks HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        for (size_t at = 1; at < strlen(requests[i]); at++) {
            int fd = rig_connect(rig->port);
            struct buffer all;

            rig_send_bytes(fd, requests[i], at);
            /* Nothing to wait for: whether the halves arrive apart or together, the answer must be right. */
            sched_yield();
            rig_send(fd, requests[i] + at);
            all = rig_read_all(fd);
            buffer_add_byte(&all, '\0');
            expect_in(all.data, "HTTP/1.1 200 OK\r\n");
            expect_in(all.data, "o");
            assert_true(slice_ends(slice_of(all.data), "hello") || slice_ends(slice_of(all.data), "0\r\n\r\n"));
            buffer_free(&all);
        }
    }
}

static void
keeps_the_connection(void **state)
{
    struct rig *rig = *state;
    int fd = rig_connect(rig->port);

    for (unsigned i = 0; i < 3; i++) {
        struct buffer answer;

        rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
        answer = rig_read_answer(fd);
        assert_true(slice_ends(buffer_content(&answer), "\r\n\r\nok"));
        assert_null(strstr(answer.data, "Connection:"));
        buffer_free(&answer);
    }
    close(fd);
}

static void
serves_pipelined_requests_in_order(void **state)
{
    struct rig *rig = *state;
    char *text =
        rig_ask(rig->port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
                           "\r\nPOST /pieces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "3\r\ntwo\r\n0\r\n\r\n"
                           "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
                           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlast");

    expect_in(text, "\r\n\r\noneHTTP/1.1 200");
    expect_in(text, "1\r\nt\r\n1\r\nw\r\n1\r\no\r\n0\r\n\r\nHTTP/1.1 200");
    free(text);
}

/* Where many ask at once, no answer waits until all of them have been looked after. */
static void
answers_go_out_while_others_are_heard(void **state)
{
    enum { CLIENTS = 40, LAST = 35 };
    static const char echo[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok";
    static const char gate[] = "GET /gate HTTP/1.1\r\nHost: x\r\n\r\n";
    struct rig *rig = *state;
    int first = rig_connect(rig->port), clients[CLIENTS];
    struct buffer answer;

    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = rig_connect(rig->port);
    rig_send(first, gate);
    rig_wait(&rig->at_gate, 1); /* the loop stands still: what comes now it will find all at once */
    for (size_t i = 0; i < CLIENTS; i++)
        rig_send(clients[i], i == LAST ? gate : echo);
    atomic_store(&rig->let_through, 1);
    rig_wait(&rig->at_gate, 2); /* and now again, with the first ones answered */
    answer = rig_read_answer(clients[0]);
    assert_true(slice_ends(buffer_content(&answer), "\r\n\r\nok"));
    buffer_free(&answer);
    atomic_store(&rig->let_through, 2);
    for (size_t i = 1; i < CLIENTS; i++) {
        answer = rig_read_answer(clients[i]);
        assert_true(slice_starts(buffer_content(&answer), i == LAST ? "HTTP/1.1 401" : "HTTP/1.1 200"));
        buffer_free(&answer);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(first);
}

/* Nor does it wait for a second one that takes long. */
static void
answers_wait_for_one_slow_request_at_most(void **state)
{
    static const char gate[] = "GET /gate HTTP/1.1\r\nHost: x\r\n\r\n";
    struct rig *rig = *state;
    int clients[4];
    struct buffer answer;

    for (size_t i = 0; i < 4; i++)
        clients[i] = rig_connect(rig->port);
    rig_send(clients[0], gate);
    rig_wait(&rig->at_gate, 1);
    rig_send(clients[1], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok");
    rig_send(clients[2], gate);
    rig_send(clients[3], gate);
    atomic_store(&rig->let_through, 1);
    rig_wait(&rig->at_gate, 2);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); /* longer than what is ready is held (live/loop.h) */
    atomic_store(&rig->let_through, 2);
    rig_wait(&rig->at_gate, 3);
    answer = rig_read_answer(clients[1]);
    assert_true(slice_ends(buffer_content(&answer), "\r\n\r\nok"));
    buffer_free(&answer);
    atomic_store(&rig->let_through, 3);
    for (size_t i = 0; i < 4; i++)
        close(clients[i]);
}

/* A client that sends requests and reads no answers has no answer cut short for want of room. */
static void
pipelined_answers_wait_for_their_reader(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n";
    struct rig *rig = *state;
    char bytes[sizeof(request) - 1 + 900];
    int fd = rig_connect(rig->port);
    size_t sent = 0, at = 0;
    ssize_t len;

    memcpy(bytes, request, sizeof(request) - 1);
    memset(bytes + sizeof(request) - 1, 'x', 900);
    /* Until both sockets are full: then the server has stopped to read. */
    for (unsigned tries = 0; tries < 100 || atomic_load(&rig->heads) < 1000; tries++) {
        while ((len = send(fd, bytes + at, sizeof(bytes) - at, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0) {
            at = (at + (size_t)len) % sizeof(bytes);
            sent += at == 0;
            tries = 0;
        }
        usleep(1000);
    }
    shutdown(fd, SHUT_RD); /* and it never will */
    close(fd);
    rig_wait(&rig->heads, 1000);
    assert_in_range(sent, 1000, SIZE_MAX);
}

/* What was paused when the answer ended is read on, or the next request never comes. */
static void
a_finished_answer_ends_the_pause(void **state)
{
    static const char zeros[20000];
    struct rig *rig = *state;
    int fd = rig_connect(rig->port);
    struct buffer answer;

    rig_send(fd, "POST /pauses HTTP/1.1\r\nHost: x\r\nContent-Length: 20001\r\n\r\nx");
    answer = rig_read_answer(fd);
    buffer_free(&answer);
    rig_send_bytes(fd, zeros, sizeof(zeros));
    rig_send(fd, "GET /head HTTP/1.1\r\nHost: x\r\n\r\n");
    answer = rig_read_answer(fd);
    expect_in(answer.data, "GET /head");
    buffer_free(&answer);
    close(fd);
}

static void
speaks_http_1_0(void **state)
{
    struct rig *rig = *state;
    char *text = rig_ask(rig->port, "POST /chunks HTTP/1.0\r\nContent-Length: 3\r\n\r\nold");

    expect_in(text, "Connection: close\r\n\r\nold");
    assert_null(strstr(text, "chunked"));
    free(text);
    text = rig_ask(rig->port, "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nA"
                              "POST /echo HTTP/1.0\r\nContent-Length: 1\r\n\r\nB");
    expect_in(text, "Connection: keep-alive\r\n\r\nA");
    expect_in(text, "Connection: close\r\n\r\nB");
    free(text);
}

static void
head_has_no_body(void **state)
{
    struct rig *rig = *state;
    char *text = rig_ask(rig->port, "HEAD /head HTTP/1.1\r\nHost: x\r\n\r\n"
                                    "HEAD /early HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    expect_in(text, "Content-Length: 20\r\n\r\nHTTP/1.1 401 Unauthorized\r\n");
    assert_true(slice_ends(slice_of(text), "Connection: close\r\n\r\n"));
    free(text);
}

static void
continues_when_expected(void **state)
{
    struct rig *rig = *state;
    int fd = rig_connect(rig->port);
    char interim[26] = {0};
    struct buffer rest;

    rig_send(
        fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    assert_int_equal(recv(fd, interim, 25, MSG_WAITALL), 25);
    assert_string_equal(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_send(fd, "ok");
    rest = rig_read_all(fd);
    assert_true(slice_starts(buffer_content(&rest), "HTTP/1.1 200 OK"));
    buffer_free(&rest);
}

/* A short body that the application did not want does not cost the connection; a long one does. */
static void
early_answers(void **state)
{
    struct rig *rig = *state;
    char *text = rig_ask(rig->port, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nskip"
                                    "GET /head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    expect_in(text, "401 Unauthorized\r\n");
    expect_in(text, "noHTTP/1.1 200 OK");
    free(text);
    text = rig_ask(rig->port, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nsome");
    expect_in(text, "Connection: close\r\n\r\nno");
    free(text);
}

static void
bodies_have_limits(void **state)
{
    struct rig *rig = *state;
    unsigned before = atomic_load(&rig->bad_bodies);
    char request[2048];
    char *text = rig_ask(rig->port, "POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");

    expect_in(text, "HTTP/1.1 413 Content Too Large\r\n");
    expect_in(text, "Connection: close\r\n\r\nbad");
    free(text);
    snprintf(request, sizeof(request),
             "POST /small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n%01001d", 0);
    text = rig_ask(rig->port, request);
    expect_in(text, "HTTP/1.1 413");
    free(text);
    text = rig_ask(rig->port,
                   "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n");
    expect_in(text, "HTTP/1.1 400");
    free(text);
    assert_int_equal(atomic_load(&rig->bad_bodies) - before, 3);
}

static void
notices_a_client_that_left(void **state)
{
    static const char *const requests[] = {
        "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n",                       /* before the first byte */
        "GET /begin HTTP/1.1\r\nHost: x\r\n\r\n",                        /* in the middle of the answer */
        "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n",                      /* while the answer is stuck */
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", /* in the middle of the request */
    };
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        unsigned heads = atomic_load(&rig->heads);
        unsigned gone = atomic_load(&rig->gone);
        int fd = rig_connect(rig->port);

        rig_send(fd, requests[i]);
        rig_wait(&rig->heads, heads + 1);
        assert_int_equal(atomic_load(&rig->gone), gone);
        close(fd);
        rig_wait(&rig->gone, gone + 1);
    }
}

/* A client that reads nothing fills the buffers of both kernels and our own, and no more than that. */
static void
slow_readers_are_waited_for(void **state)
{
    struct rig *rig = *state;
    int fd = rig_connect(rig->port);
    struct buffer all = {0};
    size_t before;
    struct slice text;

    atomic_store(&rig->written, 0);
    rig_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    do {
        before = atomic_load(&rig->written);
        usleep(100000);
    } while (before == 0 || atomic_load(&rig->written) != before);
    assert_true(before < 64u * 1024 * 1024);
    close(fd);
    rig_wait(&rig->gone, 1);

    atomic_store(&rig->written, 0);
    fd = rig_connect(rig->port);
    rig_send(fd, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    do {
        before = atomic_load(&rig->written);
        usleep(100000);
    } while (before == 0 || atomic_load(&rig->written) != before);
    all = rig_read_all(fd);
    text = buffer_content(&all);
    assert_int_equal(text.len - slice_find(text, SLICE_LITERAL("\r\n\r\n")) - 4, LARGE_BYTES);
    assert_true(atomic_load(&rig->drained) > 0);
    buffer_free(&all);
}

static void
aborted_answers_have_no_end(void **state)
{
    struct rig *rig = *state;
    char *text = rig_ask(rig->port, "GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");

    assert_true(slice_ends(slice_of(text), "4\r\nhalf\r\n"));
    free(text);
}

/* HTTP/1.0 sees the end of an answer in the end of the connection, so a cut one must end otherwise. */
static void
aborted_http_1_0_is_reset(void **state)
{
    struct rig *rig = *state;
    int fd = rig_connect(rig->port);
    char some[1024];
    ssize_t got;

    rig_send(fd, "GET /cut HTTP/1.0\r\n\r\n");
    while ((got = recv(fd, some, sizeof(some), 0)) > 0)
        ;
    assert_int_equal(got, -1);
    close(fd);
}

/* Patience that ends soon; what is tested is that it ends, and how. */
static struct rig *
impatient(struct live_patience patience)
{
    static const struct live_listener listener = {.address = "127.0.0.1"};

    return rig_new(
        (struct live_options){.workers = 1, .listeners = &listener, .listener_count = 1, .patience = patience});
}

static void
slow_clients_run_out_of_time(void **state)
{
    struct rig *rig = impatient((struct live_patience){.header_us = 20 * USEC_PER_MS,
                                                       .body_us = 20 * USEC_PER_MS,
                                                       .idle_us = 20 * USEC_PER_MS,
                                                       .write_us = 20 * USEC_PER_MS});
    char *text = rig_ask(rig->port, "GET /head HTTP/1.1\r\nHo");
    int fd;

    (void)state;
    expect_in(text, "HTTP/1.1 408 Request Timeout\r\n");
    free(text);
    text = rig_ask(rig->port, "");
    assert_string_equal(text, "");
    free(text);
    text = rig_ask(rig->port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
    expect_in(text, "HTTP/1.1 408 Request Timeout\r\n");
    assert_int_equal(atomic_load(&rig->last_bad_status), 408);
    free(text);
    text = rig_ask(rig->port, "GET /head HTTP/1.1\r\nHost: x\r\n\r\n"); /* closed when idle */
    expect_in(text, "HTTP/1.1 200 OK\r\n");
    free(text);
    fd = rig_connect(rig->port);
    rig_send(fd, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    rig_wait(&rig->gone, 1); /* reads nothing, so it is sent away */
    close(fd);
    rig_free(rig);
}

/* Bytes that trickle buy little time: at 500 a second the whole patience goes on, below it does not. */
static void
trickling_bodies_run_out_of_time(void **state)
{
    struct rig *rig = impatient((struct live_patience){.body_us = 200 * USEC_PER_MS});
    int fd = rig_connect(rig->port);
    unsigned sent = 0;

    (void)state;
    rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    while (atomic_load(&rig->bad_bodies) == 0) {
        assert_true(sent++ < 2000); /* ten seconds */
        usleep(5000);
        (void)send(fd, "x", 1, MSG_NOSIGNAL); /* at most 200 a second */
    }
    assert_int_equal(atomic_load(&rig->last_bad_status), 408);
    close(fd);
    rig_free(rig);
}

/* Together they may not leave more unsent than a worker's share, and a little each. */
static void
slow_readers_share_what_is_unsent(void **state)
{
    enum { SHARE = 1024 * 1024, CLIENTS = 24 };
    static const struct live_listener listener = {.address = "127.0.0.1"};
    struct rig *rig =
        rig_new((struct live_options){.workers = 1, .listeners = &listener, .listener_count = 1, .unsent_most = SHARE});
    const struct live_world *world = live_world_of(live_world_at(rig->live, 0));
    int fds[CLIENTS];

    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect(rig->port);
        rig_send(fds[i], "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    for (unsigned round = 0; round < 1000 && loop_unsent(world) <= SHARE; round++)
        usleep(10000);
    assert_true(loop_unsent(world) > SHARE); /* so many can fill it */
    for (unsigned round = 0; round < 50; round++) {
        char *text = rig_ask(rig->port, "GET /head HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

        expect_in(text, "HTTP/1.1 200 OK\r\n");
        free(text);
        assert_true(loop_unsent(world) <= SHARE + UNSENT_MOST_BYTES + CLIENTS * UNSENT_LEAST_BYTES);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        close(fds[i]);
    rig_wait(&rig->gone, CLIENTS);
    assert_int_equal(loop_unsent(world), 0);
    rig_free(rig);
}

/* The same when the bytes come from elsewhere: nothing of the client's own wakes its connection any more. */
static void
stuck_clients_of_calls_run_out_of_time(void **state)
{
    struct rig *rig = impatient((struct live_patience){.write_us = 20 * USEC_PER_MS});
    int listener = rig_listen(&rig->backend.port);
    int fd = rig_connect(rig->port);
    int backend;
    static const char bytes[64 * 1024];

    (void)state;
    rig_send(fd, "GET /call HTTP/1.1\r\nHost: x\r\n\r\n");
    backend = rig_accept(listener);
    rig_read_head(backend);
    rig_send(backend, "HTTP/1.1 200 OK\r\n\r\n");
    while (send(backend, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0)
        ; /* until the call is closed */
    rig_wait(&rig->gone, 1);
    close(fd);
    close(backend);
    close(listener);
    rig_free(rig);
}

static int
setup(void **state)
{
    *state = rig_plain();
    return 0;
}

static int
teardown(void **state)
{
    rig_free(*state);
    return 0;
}

#define LIVE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LIVE_TEST(answers_a_request),
        LIVE_TEST(accepts_the_absolute_form),
        LIVE_TEST(splits_do_not_matter),
        LIVE_TEST(keeps_the_connection),
        LIVE_TEST(serves_pipelined_requests_in_order),
        LIVE_TEST(answers_go_out_while_others_are_heard),
        LIVE_TEST(answers_wait_for_one_slow_request_at_most),
        LIVE_TEST(pipelined_answers_wait_for_their_reader),
        LIVE_TEST(a_finished_answer_ends_the_pause),
        LIVE_TEST(speaks_http_1_0),
        LIVE_TEST(head_has_no_body),
        LIVE_TEST(continues_when_expected),
        LIVE_TEST(early_answers),
        LIVE_TEST(bodies_have_limits),
        LIVE_TEST(notices_a_client_that_left),
        LIVE_TEST(slow_readers_are_waited_for),
        LIVE_TEST(aborted_answers_have_no_end),
        LIVE_TEST(aborted_http_1_0_is_reset),
        cmocka_unit_test(slow_clients_run_out_of_time),
        cmocka_unit_test(trickling_bodies_run_out_of_time),
        cmocka_unit_test(slow_readers_share_what_is_unsent),
        cmocka_unit_test(stuck_clients_of_calls_run_out_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
