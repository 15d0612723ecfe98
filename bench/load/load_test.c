/* The load's own instruments: a histogram that is as exact as it says, and a reader that no cut of the bytes misleads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "load/answer.h"
#include "load/histogram.h"
#include "load/stream.h"

static struct histogram *
new_histogram(void)
{
    struct histogram *histogram = calloc(1, sizeof(*histogram));

    assert_non_null(histogram);
    return histogram;
}

static void
percentiles_are_exact_to_half_a_percent(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    for (uint64_t value = 1; value <= 1000000; value++)
        histogram_add(histogram, value);
    for (int percent = 1; percent <= 100; percent++) {
        double expected = percent * 10000.0, got = (double)histogram_at(histogram, percent / 100.0);
        assert_true(got >= expected * 0.995 && got <= expected * 1.005);
    }
    assert_int_equal(histogram_at(histogram, 1), 1000000);
    assert_true(histogram_mean(histogram) == 500000.5);
    free(histogram);
}

static void
any_value_has_a_bucket(void **state)
{
    struct histogram *histogram = new_histogram();

    (void)state;
    assert_int_equal(histogram_at(histogram, 0.5), 0);
    for (unsigned shift = 0; shift < 64; shift++) {
        histogram_add(histogram, UINT64_C(1) << shift);
        histogram_add(histogram, (UINT64_C(1) << shift) - 1);
    }
    histogram_add(histogram, UINT64_MAX);
    assert_int_equal(histogram->count, 129);
    assert_int_equal(histogram->max, UINT64_MAX);
    assert_int_equal(histogram_at(histogram, 0), 0);
    free(histogram);
}

struct collected {
    char bytes[256];
    size_t len;
};

static void
collect(void *user, const char *data, size_t len)
{
    struct collected *collected = user;

    assert_true(collected->len + len < sizeof(collected->bytes));
    memcpy(collected->bytes + collected->len, data, len);
    collected->len += len;
}

/* Feeds the text in pieces of `piece` bytes; returns how many bytes the answer took. */
static size_t
feed(struct answer *answer, struct collected *collected, const char *text, size_t piece)
{
    size_t len = strlen(text), taken = 0;

    *collected = (struct collected){0};
    answer_reset(answer);
    while (taken < len && answer->state != ANSWER_COMPLETE && answer->state != ANSWER_MALFORMED)
        taken += answer_feed(answer, text + taken, len - taken < piece ? len - taken : piece, collect, collected);
    return taken;
}

static void
reads_answers_however_they_are_cut(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\nx: y\r\n\r\n",
    };
    static struct answer answer;
    struct collected collected;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (size_t piece = 1; piece <= strlen(texts[i]); piece++) {
            assert_int_equal(feed(&answer, &collected, texts[i], piece), strlen(texts[i]));
            assert_int_equal(answer.state, ANSWER_COMPLETE);
            assert_int_equal(answer.status, 200);
            assert_int_equal(collected.len, 11);
            assert_memory_equal(collected.bytes, "hello world", 11);
        }
    }
}

static void
stops_at_the_end_of_an_answer(void **state)
{
    static const char one[] = "HTTP/1.1 503 Busy\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    static struct answer answer;
    struct collected collected;
    char two[sizeof(one) + 8] = "";

    (void)state;
    strcat(strcat(two, one), "HTTP/1");
    assert_int_equal(feed(&answer, &collected, two, sizeof(two)), strlen(one));
    assert_int_equal(answer.status, 503);
    assert_true(answer.closes);
}

static void
calls_the_rest_malformed(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nnot\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\nno\r\n0\r\n\r\n",
    };
    static struct answer answer;
    struct collected collected;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        feed(&answer, &collected, texts[i], 1000);
        assert_int_equal(answer.state, ANSWER_MALFORMED);
    }
}

static void
times_tokens_however_events_are_cut(void **state)
{
    static const char text[] = "data: {\"system_fingerprint\":\"0000000000000064\"}\n\n"
                               "data: {\"choices\":[]}\n\ndata: [DONE]\n\n";
    struct stream_times *times = calloc(1, sizeof(*times));

    (void)state;
    assert_non_null(times);
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct stream stream = {0};
        stream_feed(&stream, times, text, cut, 150);
        stream_feed(&stream, times, text + cut, sizeof(text) - 1 - cut, 150);
        stream_feed(&stream, times, text, sizeof(text) - 1, 1150);
        assert_int_equal(stream.tokens, 2);
        assert_true(stream.done);
        assert_int_equal(stream.first_ns, 150);
        assert_int_equal(stream.worst_gap_ns, 1000);
        stream_end(&stream, times);
    }
    assert_int_equal(times->tokens, 2 * sizeof(text));
    assert_int_equal(times->delays.max, 1150 - 0x64);
    assert_int_equal(histogram_at(&times->delays, 0.5), 50);
    free(times);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_exact_to_half_a_percent),
        cmocka_unit_test(any_value_has_a_bucket),
        cmocka_unit_test(reads_answers_however_they_are_cut),
        cmocka_unit_test(stops_at_the_end_of_an_answer),
        cmocka_unit_test(calls_the_rest_malformed),
        cmocka_unit_test(times_tokens_however_events_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
