/* Traces: each format, what is refused and with which words, compressed and whole. */
#include "cmocka_ready.h"

#include <zlib.h>

#include "base/buffer.h"
#include "money/ledger/ledger.h"
#include "money/ledger/ledger_memory.h"
#include "virtual/trace.h"

struct reading {
    FILE *file;
    struct problems *problems; /* stays where it is */
    struct trace *trace;
    enum status status; /* of opening */
};

static struct reading
read_bytes(struct slice bytes, struct trace_options options)
{
    struct reading reading = {.file = tmpfile()};

    assert_non_null(reading.file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, reading.file), bytes.len);
    rewind(reading.file);
    reading.problems = must_calloc(1, sizeof(*reading.problems));
    reading.status = trace_open(reading.file, "t", &options, reading.problems, &reading.trace);
    return reading;
}

static struct reading
read_text(const char *text, struct trace_options options)
{
    return read_bytes(slice_of(text), options);
}

static void
done(struct reading *reading)
{
    trace_close(reading->trace);
    problems_free(reading->problems);
    free(reading->problems);
    fclose(reading->file);
}

static struct trace_request
take(struct reading *reading)
{
    struct trace_request request;

    assert_int_equal(reading->status, OK);
    assert_int_equal(trace_next(reading->trace, &request), OK);
    return request;
}

static void
assert_request(struct reading *reading, usec at_us, int64_t input, int64_t output)
{
    struct trace_request request = take(reading);

    assert_int_equal(request.at_us, at_us);
    assert_int_equal(request.input_tokens, input);
    assert_int_equal(request.output_tokens, output);
    assert_true(request.streamed);
}

static void
assert_end(struct reading *reading)
{
    struct trace_request request;

    assert_int_equal(trace_next(reading->trace, &request), ERR_NOT_FOUND);
    assert_int_equal(trace_next(reading->trace, &request), ERR_NOT_FOUND);
    assert_int_equal(reading->problems->count, 0);
    done(reading);
}

static const char three[] = "arrival_s,input_tokens,output_tokens\n"
                            "5.000000,374,44\n"
                            "9.314579,396,109\n"
                            "10,1,0\n";

static void
azure_by_seconds(void **state)
{
    struct reading r = read_text(three, (struct trace_options){0});

    (void)state;
    assert_request(&r, 0, 374, 44);
    assert_request(&r, 4314579, 396, 109);
    assert_request(&r, 5000000, 1, 0);
    assert_int_equal(trace_format(r.trace), TRACE_AZURE);
    assert_int_equal(trace_start_wall_us(r.trace), 0);
    assert_int_equal(trace_bytes_taken(r.trace), sizeof(three) - 1);
    assert_end(&r);
}

/* Who asked for what may be told, too, in any order. */
static void
azure_with_names(void **state)
{
    struct reading r = read_text("key,arrival_s,route,input_tokens,output_tokens\n"
                                 "web,0,assistant,10,20\n"
                                 ",1,,11,21\n",
                                 (struct trace_options){0});
    struct trace_request request;

    (void)state;
    assert_int_equal(trace_next(r.trace, &request), OK);
    assert_true(slice_is(request.key, "web") && slice_is(request.route, "assistant"));
    assert_int_equal(request.output_tokens, 20);
    assert_int_equal(trace_next(r.trace, &request), OK);
    assert_true(request.key.len == 0 && request.route.len == 0);
    assert_end(&r);
}

static void
azure_by_date(void **state)
{
    struct reading r = read_text("\xef\xbb\xbfTIMESTAMP,ContextTokens,GeneratedTokens\r\n"
                                 "2023-11-16 18:15:46.6805900,4808,10\r\n"
                                 "\r\n"
                                 "2023-11-16 18:15:50.9951690,3180,8",
                                 (struct trace_options){0});

    (void)state;
    assert_request(&r, 0, 4808, 10);
    assert_request(&r, 4314579, 3180, 8);
    assert_int_equal(trace_start_wall_us(r.trace), 1700158546680590);
    assert_end(&r);
}

static void
columns_stand_where_the_first_line_says(void **state)
{
    struct reading r = read_text("output_tokens,id,arrival_s,input_tokens\n7,x,1.5,30\n", (struct trace_options){0});

    (void)state;
    assert_request(&r, 0, 30, 7);
    assert_end(&r);
}

static void
mooncake_with_blocks(void **state)
{
    struct reading r = read_text(
        "{\"timestamp\": 3000, \"input_length\": 1100, \"output_length\": 50, \"hash_ids\": [0, 14, 15]}\n"
        "{\"timestamp\": 3041, \"input_length\": 600, \"output_length\": 9, \"hash_ids\": [0, 99], \"x\": 1}\n"
        "{\"timestamp\": 3041, \"input_length\": 3, \"output_length\": 1}\n",
        (struct trace_options){0});
    struct trace_request request = take(&r);

    (void)state;
    assert_int_equal(trace_format(r.trace), TRACE_MOONCAKE);
    assert_int_equal(request.block_count, 3);
    assert_int_equal(request.blocks[2], 15);
    request = take(&r);
    assert_int_equal(request.at_us, 41000);
    assert_int_equal(request.block_count, 2);
    assert_int_equal(request.blocks[1], 99);
    request = take(&r);
    assert_null(request.blocks);
    assert_end(&r);
}

static const char rates[] = "pool,start_s,rate_req_s\n"
                            "a/b,0,10\n"
                            "c,0,1\n"
                            "a/b,600,0\n"
                            "a/b,1200,20\n";

/* Counts the requests of each ten minutes, and adds up their lengths. */
static void
count_rates(struct trace_options options, unsigned counts[3], double sums[2])
{
    struct reading r = read_text(rates, options);
    struct trace_request request;

    assert_int_equal(r.status, OK);
    assert_int_equal(trace_format(r.trace), TRACE_RATES);
    while (trace_next(r.trace, &request) == OK) {
        assert_true(request.at_us < 1800 * USEC_PER_S && request.input_tokens >= 1 && request.output_tokens >= 1);
        counts[request.at_us / (600 * USEC_PER_S)]++;
        sums[0] += (double)request.input_tokens;
        sums[1] += (double)request.output_tokens;
    }
    done(&r);
}

/* Four standard deviations of a Poisson count of 6,000 are 310. */
static void
rates_are_those_of_the_file(void **state)
{
    unsigned counts[3] = {0}, scaled[3] = {0};
    double sums[2] = {0}, scaled_sums[2] = {0};

    (void)state;
    count_rates((struct trace_options){.seed = 1, .pool = "a/b"}, counts, sums);
    assert_in_range(counts[0], 5690, 6310);
    assert_int_equal(counts[1], 0);
    assert_in_range(counts[2], 11560, 12440);
    assert_true(sums[0] / (counts[0] + counts[2]) > 900 && sums[0] / (counts[0] + counts[2]) < 1100);
    assert_true(sums[1] / (counts[0] + counts[2]) > 235 && sums[1] / (counts[0] + counts[2]) < 265);
    count_rates((struct trace_options){.seed = 2, .pool = "a/b", .scale = 0.1, .input_mean = 100, .output_mean = 40},
                scaled, scaled_sums);
    assert_in_range(scaled[0], 500, 700);
    assert_true(scaled_sums[0] / (scaled[0] + scaled[2]) < 120 && scaled_sums[1] / (scaled[0] + scaled[2]) < 50);
}

static void
rates_come_by_the_seed(void **state)
{
    (void)state;
    for (unsigned run = 0; run < 2; run++) {
        struct reading a = read_text(rates, (struct trace_options){.seed = 7, .pool = "a/b"});
        struct reading b = read_text(rates, (struct trace_options){.seed = 7 + run, .pool = "a/b"});
        unsigned same = 0;

        for (unsigned i = 0; i < 50; i++)
            same += take(&a).at_us == take(&b).at_us;
        assert_true(run == 0 ? same == 50 : same < 5);
        done(&a);
        done(&b);
    }
}

static void
parts_and_speed(void **state)
{
    struct reading r = read_text(three, (struct trace_options){.limit = 2, .speed = 2});

    (void)state;
    assert_request(&r, 0, 374, 44);
    assert_request(&r, 2157289, 396, 109);
    assert_end(&r);
    r = read_text(three, (struct trace_options){.from_us = 4 * USEC_PER_S, .until_us = 5 * USEC_PER_S});
    assert_request(&r, 314579, 396, 109);
    assert_end(&r);
}

/* The bytes as one gzip member. */
static struct buffer
packed(struct slice bytes)
{
    struct buffer out = {0};
    z_stream deflater = {0};

    assert_int_equal(deflateInit2(&deflater, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    deflater.next_in = (unsigned char *)(uintptr_t)bytes.data;
    deflater.avail_in = (unsigned)bytes.len;
    deflater.next_out = (unsigned char *)buffer_reserve(&out, bytes.len + 100);
    deflater.avail_out = (unsigned)bytes.len + 100;
    assert_int_equal(deflate(&deflater, Z_FINISH), Z_STREAM_END);
    out.end = deflater.total_out;
    deflateEnd(&deflater);
    return out;
}

static void
compressed_in_members(void **state)
{
    struct slice text = SLICE_LITERAL("arrival_s,input_tokens,output_tokens\n1,2,3\n2,4,5\n");

    (void)state;
    for (size_t cut = 0; cut <= text.len; cut += 7) {
        struct buffer first = packed(slice_first(text, cut)), second = packed(slice_from(text, cut));
        struct reading r;

        buffer_add(&first, buffer_content(&second));
        r = read_bytes(buffer_content(&first), (struct trace_options){0});
        assert_request(&r, 0, 2, 3);
        assert_request(&r, USEC_PER_S, 4, 5);
        assert_end(&r);
        buffer_free(&first);
        buffer_free(&second);
    }
}

/* A long one, so that reads and decompression meet everywhere. */
static void
compressed_and_long(void **state)
{
    struct buffer text = {0}, bytes;
    struct reading r;

    (void)state;
    buffer_add_text(&text, "arrival_s,input_tokens,output_tokens\n");
    for (unsigned i = 0; i < 50000; i++)
        buffer_printf(&text, "%u,%u,%u\n", i, i * 7919 % 10007, i % 1000);
    bytes = packed(buffer_content(&text));
    r = read_bytes(buffer_content(&bytes), (struct trace_options){0});
    for (unsigned i = 0; i < 50000; i++) {
        assert_request(&r, i * USEC_PER_S, i * 7919 % 10007, i % 1000);
        if (i == 25000) /* within a tenth of half of it */
            assert_in_range(trace_bytes_taken(r.trace), buffer_len(&bytes) * 4 / 10, buffer_len(&bytes) * 6 / 10);
    }
    assert_int_equal(trace_bytes_taken(r.trace), buffer_len(&bytes));
    assert_end(&r);
    buffer_free(&text);
    buffer_free(&bytes);
}

/* Reads on until the trace ends or cannot go on; one problem is expected, with these words at that line. */
static void
assert_refused(struct slice bytes, struct trace_options options, unsigned line, const char *words)
{
    struct reading r = read_bytes(bytes, options);
    struct trace_request request;

    while (r.status == OK)
        r.status = trace_next(r.trace, &request);
    if (r.problems->count != 1 || r.problems->all[0].line != line || strstr(r.problems->all[0].text, words) == NULL)
        fail_msg("%u: %s, but %zu problems; %u: %s", line, words, r.problems->count,
                 r.problems->count != 0 ? r.problems->all[0].line : 0,
                 r.problems->count != 0 ? r.problems->all[0].text : "");
    assert_int_not_equal(r.status, ERR_NOT_FOUND);
    done(&r);
}

#define HEAD "arrival_s,input_tokens,output_tokens\n"
#define MOON(rest) "{\"timestamp\": 1, \"input_length\": 2, " rest
#define RATES "pool,start_s,rate_req_s\n"

static void
bad_lines_are_named(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *words;
    } cases[] = {
        {"", 0, "the trace is empty"},
        {"\n\n \n", 3, "the trace is empty"},
        {"hello\n", 1, "of no trace that is known here: hello"},
        {"arrival_s,input_tokens\n", 1, "of no trace that is known here"},
        {HEAD "1,2\n", 2, "expected 3 fields, as the first line has, found: 1,2"},
        {HEAD "1,2,3,4\n", 2, "expected 3 fields"},
        {HEAD "1,2,3\nx,2,3\n", 3, "expected an arrival in seconds such as 12.345, found 'x'"},
        {HEAD "-1,2,3\n", 2, "expected an arrival in seconds"},
        {HEAD "1e30,2,3\n", 2, "expected an arrival in seconds"},
        {HEAD "1,2.5,3\n", 2, "found '2.5' and '3'"},
        {HEAD "1,2,-3\n", 2, "expected input and output as whole numbers up to 16777216 tokens"},
        {HEAD "1,16777217,3\n", 2, "whole numbers up to 16777216"},
        {HEAD "5,2,3\n4.5,2,3\n", 3, "came -0.500000 s after the first, but the one before it 0.000000 s after"},
        {"TIMESTAMP,ContextTokens,GeneratedTokens\n2023-13-16,1,2\n", 2, "such as 2023-11-16 18:15:46.6805900"},
        {"{\"timestamp\": 1\n", 1, "expected a JSON object"},
        {MOON("\"output_length\": 3}\n[]\n"), 2, "expected a JSON object, found: []"},
        {MOON("\"output_length\": -3}\n"), 1, "expected input_length and output_length"},
        {MOON("\"output_length\": 3, \"hash_ids\": 7}\n"), 1, "hash_ids is not a list"},
        {MOON("\"output_length\": 3, \"hash_ids\": [1, 2.5]}\n"), 1, "number 2 of hash_ids"},
        {"{\"timestamp\": 18446744073709551615}", 1, "expected timestamp"},
        {RATES, 1, "there are no rates"},
        {RATES "a,0,1\nb,0,1\n", 3, "there are several pools: a, b"},
        {RATES "a,0,1\na,0,2\n", 3, "expected a start_s above the 0.000000"},
        {RATES "a,0,x\n", 2, "expected rate_req_s, requests a second such as 25.5, found 'x'"},
        {RATES "a,0,1000001\n", 2, "expected rate_req_s"},
        {RATES ",0,1\n", 2, "expected a pool's name"},
        {"\x1b]0;t\a\xff\n", 1, "known here: ?]0;t??"},
        {"\x1b \xc3\xa9\n", 1, "known here: ? \xc3\xa9"},
        {"{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n"
         "{\"timestamp\": 9223372036854775, \"input_length\": 1, \"output_length\": 1}\n",
         2, "comes more than 100 years after the start"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(slice_of(cases[i].text), (struct trace_options){0}, cases[i].line, cases[i].words);
    assert_refused(slice_of(RATES "a,0,1\nb,0,1\n"), (struct trace_options){.pool = "c"}, 3,
                   "there is no pool 'c'; there are: a, b");
    assert_refused(slice_of(HEAD "0,1,1\n3000000000,1,1\n"), (struct trace_options){.speed = 1e-6}, 3,
                   "comes more than 100 years after the start");
    assert_refused(slice_of(three), (struct trace_options){.format = TRACE_MOONCAKE}, 1,
                   "not that of a trace in the format mooncake");
    assert_refused(slice_of(three), (struct trace_options){.format = TRACE_LEDGER}, 1, "this is not a ledger");
}

/* After a bad line the next ones can be read, so that more than one can be shown. */
static void
reading_goes_on_after_a_bad_line(void **state)
{
    struct reading r = read_text(HEAD "1,2,3\nx\n2,4,5\n", (struct trace_options){0});
    struct trace_request request;

    (void)state;
    assert_request(&r, 0, 2, 3);
    assert_int_equal(trace_next(r.trace, &request), ERR_INVALID);
    assert_request(&r, USEC_PER_S, 4, 5);
    assert_int_equal(r.problems->count, 1);
    done(&r);
}

static void
long_lines_and_damaged_data(void **state)
{
    struct buffer text = {0}, bytes;

    (void)state;
    buffer_add_text(&text, HEAD "1,2,3\n");
    for (unsigned i = 0; i < 2 * TRACE_LINE_MOST; i++)
        buffer_add_byte(&text, '1');
    assert_refused(buffer_content(&text), (struct trace_options){0}, 3, "longer than 1048576 bytes");
    bytes = packed(buffer_content(&text));
    assert_refused(buffer_content(&bytes), (struct trace_options){0}, 3, "longer than 1048576 bytes");
    buffer_free(&bytes);
    bytes = packed(SLICE_LITERAL(HEAD "1,2,3\n2,2,3\n"));
    assert_refused(slice_first(buffer_content(&bytes), buffer_len(&bytes) - 9), (struct trace_options){0}, 3,
                   "damaged or cut off");
    bytes.data[bytes.end - 6] ^= 1; /* of the checksum */
    assert_refused(buffer_content(&bytes), (struct trace_options){0}, 3, "damaged or cut off");
    assert_refused(SLICE_LITERAL("\x1f\x8b nothing of the kind"), (struct trace_options){0}, 0, "damaged or cut off");
    buffer_free(&bytes);
    buffer_free(&text);
}

/* Our own ledger */

static void
add_row(struct ledger_store *store, uint64_t id, int64_t wall_us, const char *api, int64_t input)
{
    struct row row;
    bool inserted;

    row_init(&row);
    row.id = id;
    row.arrived_wall_us = wall_us;
    row.api = slice_of(api);
    row.route = SLICE_LITERAL("assistant");
    row.key_name = SLICE_LITERAL("web");
    row.input_tokens = input;
    row.output_tokens = 7;
    row.streamed = id % 2;
    assert_int_equal(store->ops->insert_row(store, &row, &inserted), OK);
}

static void
the_ledger_in_order_of_arrival(void **state)
{
    struct ledger_store *stores[2] = {ledger_memory_open(), ledger_memory_open()};
    struct trace_options options = {0};
    struct problems problems = {0};
    struct trace_request request;
    struct trace *trace;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(stores[i]->ops->begin(stores[i]), OK);
    add_row(stores[0], 1, 3000000, "chat", 10);
    add_row(stores[0], 2, 1000000, "embeddings", 20);
    add_row(stores[0], 4, 5000000, "messages", 30);
    add_row(stores[1], 3, 4000000, "chat", 40);
    add_row(stores[1], 5, 6000000, "chat", 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(stores[i]->ops->commit(stores[i]), OK);
    assert_int_equal(trace_open_ledger(stores, 2, "data", &options, &problems, &trace), OK);
    assert_int_equal(trace_next(trace, &request), OK);
    assert_int_equal(request.at_us, 0);
    assert_int_equal(request.input_tokens, 10);
    assert_int_equal(request.output_tokens, 7);
    assert_true(request.streamed);
    assert_true(slice_is(request.route, "assistant") && slice_is(request.key, "web") && slice_is(request.api, "chat"));
    assert_int_equal(trace_start_wall_us(trace), 3000000);
    assert_int_equal(trace_next(trace, &request), OK);
    assert_int_equal(request.at_us, 1000000);
    assert_int_equal(request.input_tokens, 40);
    assert_int_equal(trace_next(trace, &request), OK);
    assert_false(request.streamed);
    assert_true(slice_is(request.api, "messages"));
    assert_int_equal(trace_next(trace, &request), ERR_NOT_FOUND);
    assert_int_equal(trace_left_out(trace), 2);
    trace_close(trace);
    for (size_t i = 0; i < 2; i++)
        stores[i]->ops->close(stores[i]);
}

static void
an_empty_ledger_is_said_so(void **state)
{
    struct ledger_store *store = ledger_memory_open();
    struct trace_options options = {0};
    struct problems problems = {0};
    struct trace *trace;

    (void)state;
    assert_int_equal(trace_open_ledger(&store, 1, "data", &options, &problems, &trace), ERR_INVALID);
    assert_non_null(strstr(problems.all[0].text, "there are no requests in this ledger"));
    problems_free(&problems);
    store->ops->close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(azure_by_seconds),
        cmocka_unit_test(azure_with_names),
        cmocka_unit_test(azure_by_date),
        cmocka_unit_test(columns_stand_where_the_first_line_says),
        cmocka_unit_test(mooncake_with_blocks),
        cmocka_unit_test(rates_are_those_of_the_file),
        cmocka_unit_test(rates_come_by_the_seed),
        cmocka_unit_test(parts_and_speed),
        cmocka_unit_test(compressed_in_members),
        cmocka_unit_test(compressed_and_long),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(reading_goes_on_after_a_bad_line),
        cmocka_unit_test(long_lines_and_damaged_data),
        cmocka_unit_test(the_ledger_in_order_of_arrival),
        cmocka_unit_test(an_empty_ledger_is_said_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
