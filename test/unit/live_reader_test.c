/* The framing rules, row by row: what is refused and with which status, wherever the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "live/reader.h"

/* What came out of a reader. */
struct outcome {
    struct reader reader; /* first */
    unsigned heads, completes;
    struct buffer body;
    char target[64];
    size_t taken;
};

static bool
on_head(struct reader *reader)
{
    struct outcome *outcome = (struct outcome *)reader;

    outcome->heads++;
    snprintf(outcome->target, sizeof(outcome->target), "%.*s", SLICE_ARGS(reader->head.target));
    return true;
}

static bool
on_body(struct reader *reader, struct slice piece)
{
    buffer_add(&((struct outcome *)reader)->body, piece);
    return true;
}

static bool
on_complete(struct reader *reader)
{
    ((struct outcome *)reader)->completes++;
    return true;
}

static const struct reader_events events = {.head = on_head, .body = on_body, .complete = on_complete};

static void
feed(struct outcome *outcome, struct slice bytes)
{
    if (outcome->reader.refusal.status == 0 && outcome->reader.state != READER_COMPLETE && bytes.len > 0)
        outcome->taken += reader_feed(&outcome->reader, bytes);
}

/* Reads one message, cut in two at `at`; the halves are copied to blocks of their own, so that ASan sees a reach over. */
static struct outcome *
read_cut(bool request, struct slice bytes, size_t at)
{
    struct outcome *outcome = must_calloc(1, sizeof(*outcome));
    char *first = slice_strdup(slice_first(bytes, at));
    char *second = slice_strdup(slice_from(bytes, at));

    reader_init(&outcome->reader, request, &events);
    feed(outcome, slice_make(first, at < bytes.len ? at : bytes.len));
    feed(outcome, slice_make(second, slice_from(bytes, at).len));
    free(first);
    free(second);
    return outcome;
}

static void
forget(struct outcome *outcome)
{
    reader_free(&outcome->reader);
    buffer_free(&outcome->body);
    free(outcome);
}

#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

struct row {
    const char *bytes;
    unsigned status; /* 0: accepted */
    const char *body;
};

static const struct row requests[] = {
    /* Fine */
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, ""},
    {"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 0, ""}, /* RFC 9112, 2.2: an empty line before it */
    {"GET / HTTP/1.0\r\n\r\n", 0, ""},
    {"GET http://h:1/p HTTP/1.1\r\nHost: h:1\r\n\r\n", 0, ""},
    {"GET / HTTP/1.1\r\nhOST:x\r\n\r\n", 0, ""},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0, ""},
    {POST "Content-Length: 3\r\n\r\nabc", 0, "abc"},
    {POST "Transfer-Encoding: Chunked \r\n\r\n3\r\nabc\r\n0\r\n\r\n", 0, "abc"},
    {POST "Transfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n", 0, "0123456789"},
    {POST "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\na", 0, "a"}, /* ignored */
    {POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\na", 0, "a"},
    /* Where the body ends */
    {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400, NULL},
    {POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: 3, 3\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: +3\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: -3\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: 0x3\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: 3 4\r\n\r\nabc", 400, NULL},
    {POST "Content-Length:\r\n\r\n", 400, NULL},
    {POST "Content-Length: 18446744073709551616\r\n\r\nabc", 400, NULL},
    {POST "Content-Length: 9223372036854775808\r\n\r\nabc", 400, NULL},
    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, NULL},
    {POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 0xff, NULL},
    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0xff, NULL},
    {POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0xff, NULL},
    {POST "Transfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n",
     0xff, NULL},
    {POST "Transfer-Encoding:\r\n\r\n", 0xff, NULL},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
    /* Chunks */
    {POST "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3;\r\nabc\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n8000000000000000\r\nabc", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nhost: y\r\n\r\n", 400, NULL},
    {POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nAuthorization: y\r\n\r\n", 400, NULL},
    /* Lines and headers */
    {"GET / HTTP/1.1\nHost: x\n\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\n\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\n: c\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nA\xc3\xa9: b\r\n\r\n", 400, NULL},
    /* Host */
    {"GET / HTTP/1.1\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: h:70000\r\n\r\n", 400, NULL},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400, NULL},
    {"GET http://a/p HTTP/1.1\r\nHost: b\r\n\r\n", 400, NULL},
    /* The first line */
    {"GET /\r\n\r\n", 0xff, NULL},
    {"GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505, NULL},
    {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, NULL},
    {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 0, ""},
    {"GET / RTSP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"OPTIONS / RTSP/1.0\r\nHost: x\r\n\r\n", 400, NULL},
    {"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET / http/1.1\r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET /  HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"\r\n\rGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"GE / HTTP/1.1\r\nHost: x\r\n\r\n", 501, NULL},
    {"get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, NULL},
    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, NULL},
    {"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 501, NULL},
    {"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 501, NULL},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0xff, NULL},
    {"\x16\x03\x01\x02\x01", 400, NULL}, /* TLS on a plain port */
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 501, NULL},
    {"GET x HTTP/1.1\r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 0xff, NULL},
    {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400, NULL},
    {"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n", 0xff, NULL},
    {POST "Expect: 200-maybe\r\nContent-Length: 1\r\n\r\na", 417, NULL},
};

/* Status 0xff in a row: refused, with 400, 501 or 505, whichever rule sees it first. */
static void
check_row(const struct row *row, size_t at)
{
    struct outcome *outcome = read_cut(true, slice_of(row->bytes), at);
    unsigned status = outcome->reader.refusal.status;

    if (row->status == 0xff ? status != 400 && status != 501 && status != 505 : status != row->status)
        fail_msg("status %u (%s), cut at %zu: %s", status, outcome->reader.refusal.text, at, row->bytes);
    assert_int_equal(outcome->completes, row->status == 0);
    if (row->body != NULL) {
        assert_true(slice_is(buffer_content(&outcome->body), row->body));
        assert_int_equal(outcome->taken, strlen(row->bytes));
        assert_int_equal(outcome->target[0], '/');
    }
    if (status != 0)
        assert_non_null(outcome->reader.refusal.text);
    forget(outcome);
}

static void
every_row_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
        for (size_t at = 0; at <= strlen(requests[i].bytes); at++)
            check_row(&requests[i], at);
}

static void
zero_bytes_are_refused(void **state)
{
    static const char bytes[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n";
    struct outcome *outcome = read_cut(true, slice_make(bytes, sizeof(bytes) - 1), 5);

    (void)state;
    assert_int_equal(outcome->reader.refusal.status, 400);
    forget(outcome);
}

/* Feeds a head whose middle is `line` repeated; the status it is refused with. */
static unsigned
status_of_repeated(const char *start, const char *line, size_t times, const char *end)
{
    struct buffer bytes = {0};
    struct outcome *outcome;
    unsigned status;

    buffer_add_text(&bytes, start);
    for (size_t i = 0; i < times; i++)
        buffer_add_text(&bytes, line);
    buffer_add_text(&bytes, end);
    outcome = read_cut(true, buffer_content(&bytes), 1000);
    status = outcome->reader.refusal.status;
    buffer_free(&bytes);
    forget(outcome);
    return status;
}

static void
heads_are_bounded(void **state)
{
    static const char start[] = "GET / HTTP/1.1\r\nHost: x\r\n";

    (void)state;
    assert_int_equal(status_of_repeated(start, "A: b\r\n", 99, "\r\n"), 0);
    assert_int_equal(status_of_repeated(start, "A: b\r\n", 100, "\r\n"), 431);
    assert_int_equal(status_of_repeated(start, "A: b\r\n", 10000, "\r\n"), 431);
    assert_int_equal(status_of_repeated("GET / HTTP/1.1\r\nHost: x\r\nA: ", "0123456789", 3000, "\r\n\r\n"), 0);
    assert_int_equal(status_of_repeated("GET / HTTP/1.1\r\nHost: x\r\nA: ", "0123456789", 100000, "\r\n\r\n"), 431);
    assert_int_equal(status_of_repeated("GET / HTTP/1.1\r\nHost: x\r\nA: ", "          ", 100000, "x\r\n\r\n"), 431);
    assert_int_equal(status_of_repeated("GET / HTTP/1.1\r\nHost: x\r\nA", "0123456789", 100000, ": b\r\n\r\n"), 431);
    assert_int_equal(status_of_repeated(POST "Transfer-Encoding: chunked\r\n\r\n", "0", 200000, ""), 400);
    assert_int_equal(status_of_repeated(POST "Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 20000, ""), 0);
    assert_int_equal(status_of_repeated("", "\r\n", 100000, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 431);
    assert_int_equal(status_of_repeated("GET /", "0123456789", 800, " HTTP/1.1\r\nHost: x\r\n\r\n"), 0);
    assert_int_equal(status_of_repeated("GET /", "0123456789", 100000, " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
    assert_int_equal(status_of_repeated(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", 100000, "\r\n"),
                     431);
}

/* One after another from the same bytes: each ends where the next begins. */
static void
messages_follow_each_other(void **state)
{
    static const char all[] =
        POST "Content-Length: 1\r\n\r\na" POST "Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n"
             "GET /c HTTP/1.1\r\nHost: x\r\n\r\n" POST "Content-Length: 1\r\n\r\nd";
    struct outcome outcome = {0};
    struct slice rest = slice_make(all, sizeof(all) - 1);

    (void)state;
    reader_init(&outcome.reader, true, &events);
    for (unsigned i = 1; i <= 4; i++) {
        rest = slice_from(rest, reader_feed(&outcome.reader, rest));
        assert_int_equal(outcome.reader.refusal.status, 0);
        assert_int_equal(outcome.completes, i);
        assert_true(outcome.reader.keep_alive);
        if (i == 3)
            assert_string_equal(outcome.target, "/c");
        reader_next(&outcome.reader);
    }
    assert_int_equal(rest.len, 0);
    assert_true(slice_is(buffer_content(&outcome.body), "abd"));
    reader_free(&outcome.reader);
    buffer_free(&outcome.body);
}

static void
headers_are_as_sent(void **state)
{
    static const char bytes[] = "GET /p?q=%20 HTTP/1.1\r\nHost: x\r\nEmpty:\r\nA:\t b  c \t\r\nA: d\r\n\r\n";

    (void)state;
    for (size_t at = 0; at < sizeof(bytes) - 1; at++) {
        struct outcome *outcome = read_cut(true, slice_of(bytes), at);
        const struct http_head *head = &outcome->reader.head;

        assert_int_equal(head->header_count, 4);
        assert_true(slice_is(head->target, "/p?q=%20"));
        assert_true(slice_is(head->headers[1].value, ""));
        assert_true(slice_is(head->headers[2].value, "b  c"));
        assert_true(slice_is(http_head_get(head, "a"), "b  c"));
        assert_true(slice_is(head->headers[3].value, "d"));
        forget(outcome);
    }
}

/* A backend may hint and promise, but not for ever. */
static void
interim_answers_have_an_end(void **state)
{
    enum { MOST = 16 };

    (void)state;
    for (unsigned count = MOST; count <= MOST + 1; count++) {
        struct buffer bytes = {0};
        struct outcome *outcome;

        for (unsigned i = 0; i < count; i++)
            buffer_add_text(&bytes, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        buffer_add_text(&bytes, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        outcome = read_cut(false, buffer_content(&bytes), buffer_len(&bytes) / 2);
        assert_int_equal(outcome->reader.refusal.status, count > MOST ? 502 : 0);
        assert_int_equal(outcome->heads, count <= MOST);
        assert_int_equal(outcome->completes, count <= MOST);
        forget(outcome);
        buffer_free(&bytes);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_at_every_cut), cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(heads_are_bounded),      cmocka_unit_test(messages_follow_each_other),
        cmocka_unit_test(headers_are_as_sent),    cmocka_unit_test(interim_answers_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
