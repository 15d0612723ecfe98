/* The journal's records: what is written comes back, and damage never passes for a record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ledger_fixture.h"
#include "money/ledger/histogram.h"
#include "money/ledger/sums.h"

static struct journal_record record;

static void
rows_come_back(void **state)
{
    struct rng rng;
    struct arena arena = {0};
    struct buffer bytes = {0};

    (void)state;
    rng_seed(&rng, 1);
    for (int i = 0; i < 300; i++) {
        struct row row;
        struct slice rest;

        fixture_wild_row(&rng, &arena, &row);
        buffer_clear(&bytes);
        if (i % 2 == 0)
            journal_put_open(&bytes, &row);
        else
            journal_put_settle(&bytes, &row);
        rest = buffer_content(&bytes);
        assert_int_equal(rest.len % JOURNAL_ALIGN, 0);
        assert_int_equal(journal_take(&rest, &record), OK);
        assert_int_equal(rest.len, 0);
        assert_int_equal(record.type, i % 2 == 0 ? JOURNAL_OPEN : JOURNAL_SETTLE);
        assert_rows_equal(&record.row, &row);
        arena_reset(&arena);
    }
    buffer_free(&bytes);
}

static void
an_empty_row_is_small(void **state)
{
    struct buffer bytes = {0};
    struct row row;

    (void)state;
    row_init(&row);
    row.id = 1;
    journal_put_settle(&bytes, &row);
    assert_true(buffer_len(&bytes) <= 32);
    buffer_free(&bytes);
}

static void
attempts_and_feedback_come_back(void **state)
{
    struct attempt_line attempt = {.target = SLICE_LITERAL("here/large-1"),
                                   .state = SLICE_LITERAL("failed"),
                                   .status = 503,
                                   .cost = USD_UNKNOWN,
                                   .started_us = 12,
                                   .first_byte_us = ROW_UNKNOWN,
                                   .ended_us = 99,
                                   .why = SLICE_LITERAL("overloaded")};
    struct feedback feedback = {.id = 77,
                                .useful_ppm = 500000,
                                .value = -3,
                                .source = SLICE_LITERAL("feedback"),
                                .tenant = SLICE_LITERAL("acme"),
                                .wall_us = 5};
    struct buffer bytes = {0};
    struct slice rest;

    (void)state;
    journal_put_attempt(&bytes, 42, &attempt);
    journal_put_feedback(&bytes, &feedback);
    rest = buffer_content(&bytes);
    assert_int_equal(journal_take(&rest, &record), OK);
    assert_int_equal(record.type, JOURNAL_ATTEMPT);
    assert_int_equal(record.row.id, 42);
    assert_int_equal(record.row.tries[0].status, 503);
    assert_true(slice_is(record.row.tries[0].why, "overloaded"));
    assert_false(usd_known(record.row.tries[0].cost));
    assert_int_equal(journal_take(&rest, &record), OK);
    assert_int_equal(record.type, JOURNAL_FEEDBACK);
    assert_int_equal(record.feedback.value, -3);
    assert_true(slice_is(record.feedback.source, "feedback"));
    assert_true(slice_is(record.feedback.tenant, "acme"));
    assert_int_equal(record.feedback.wall_us, 5);
    assert_int_equal(journal_take(&rest, &record), ERR_NOT_FOUND);
    buffer_free(&bytes);
}

/* Two records; cut or damaged at each byte, the first must come whole or not at all. */
static void
two_records(struct buffer *bytes, struct row *row)
{
    struct rng rng;
    static struct arena arena;

    arena_reset(&arena);
    rng_seed(&rng, 2);
    fixture_row(&rng, &arena, 123456, 1767225600000000, row);
    journal_put_settle(bytes, row);
}

static void
a_torn_tail_is_no_record(void **state)
{
    struct buffer bytes = {0};
    struct row row;

    (void)state;
    two_records(&bytes, &row);
    for (size_t len = 1; len < buffer_len(&bytes); len++) {
        /* As in a segment: zeros where the tail was never written. */
        char *torn = must_calloc(1, buffer_len(&bytes));
        struct slice cut = slice_make(torn, len), zeros = slice_make(torn, buffer_len(&bytes));
        bool padding_only = true;

        memcpy(torn, bytes.data, len);
        for (size_t i = len; i < buffer_len(&bytes); i++)
            padding_only = padding_only && bytes.data[i] == 0;
        assert_int_not_equal(journal_take(&cut, &record), OK);
        assert_int_equal(cut.len, len);
        if (!padding_only)
            assert_int_not_equal(journal_take(&zeros, &record), OK);
        free(torn);
    }
    buffer_free(&bytes);
}

static void
damage_is_found_at_every_byte(void **state)
{
    struct buffer bytes = {0};
    struct row row;
    size_t record_len;

    (void)state;
    two_records(&bytes, &row);
    record_len = buffer_len(&bytes);
    while (bytes.data[record_len - 1] == 0)
        record_len--;
    for (size_t i = 0; i < record_len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct slice rest = buffer_content(&bytes);

            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
            assert_int_not_equal(journal_take(&rest, &record), OK);
            bytes.data[i] = (char)(bytes.data[i] ^ 1 << bit);
        }
    buffer_free(&bytes);
}

static void
kinds_of_cost_add_up(void **state)
{
    struct rng rng;
    struct arena arena = {0};

    (void)state;
    rng_seed(&rng, 3);
    for (int i = 0; i < 200; i++) {
        struct row row;
        struct row_costs costs;
        wide_int sum = 0;

        fixture_row(&rng, &arena, 1, 1, &row);
        costs = row_costs(&row);
        for (int kind = 0; kind < COST_KINDS; kind++)
            sum += costs.of[kind];
        assert_true(sum == (usd_known(row.cost) ? row.cost : 0));
    }
    arena_reset(&arena);
}

static void
histograms_know_their_quantiles(void **state)
{
    static struct histogram histogram, back;
    unsigned char bytes[HISTOGRAM_BYTES_MOST];
    struct wire_reader in;

    (void)state;
    assert_true(histogram_quantile(&histogram, 0.5) < 0);
    for (int64_t i = 1; i <= 100000; i++)
        histogram_count(&histogram, i);
    for (double share = 0.01; share < 1; share += 0.01) {
        double found = histogram_quantile(&histogram, share);

        assert_true(found > 0.97 * share * 100000 && found < 1.03 * share * 100000);
    }
    histogram_count(&histogram, INT64_MAX);
    histogram_count(&histogram, -5);
    in = (struct wire_reader){bytes, histogram_put(bytes, &histogram), false};
    histogram_take(&in, &back);
    assert_false(in.bad);
    assert_ptr_equal(in.at, in.end);
    assert_memory_equal(&histogram, &back, sizeof(back));
}

static void
sums_come_back(void **state)
{
    struct rng rng;
    struct arena arena = {0};
    struct buffer bytes = {0};
    static struct sums sums, back;

    (void)state;
    rng_seed(&rng, 4);
    for (uint64_t i = 0; i < 500; i++) {
        struct row row;

        fixture_row(&rng, &arena, i, 1, &row);
        sums_add_row(&sums, &row, row_booked(&row));
    }
    sums.cost *= (wide_int)1 << 50; /* far beyond 64 bits */
    sums_put(&bytes, &sums);
    assert_int_equal(sums_take(buffer_content(&bytes), &back), OK);
    assert_memory_equal(&sums, &back, sizeof(sums));
    for (size_t len = 0; len < buffer_len(&bytes); len++)
        assert_int_equal(sums_take(slice_first(buffer_content(&bytes), len), &back), ERR_CORRUPT);
    buffer_free(&bytes);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(an_empty_row_is_small),
        cmocka_unit_test(attempts_and_feedback_come_back),
        cmocka_unit_test(a_torn_tail_is_no_record),
        cmocka_unit_test(damage_is_found_at_every_byte),
        cmocka_unit_test(kinds_of_cost_add_up),
        cmocka_unit_test(histograms_know_their_quantiles),
        cmocka_unit_test(sums_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
