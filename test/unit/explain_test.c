/* What `explain` says of one request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <yyjson.h>

#include "ledger_fixture.h"
#include "money/report/explain.h"

static void
costs_add_up(void **state)
{
    struct arena arena = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    for (uint64_t id = 1; id <= 200; id++) {
        struct buffer text = {0};
        struct row row;
        yyjson_doc *doc;
        yyjson_val *cost;
        wide_int sum = 0;
        size_t i, count;

        fixture_row(&rng, &arena, id, 1767225600000000, &row);
        explain_write_json(&row, &text);
        doc = yyjson_read(text.data + text.start, buffer_len(&text), 0);
        assert_non_null(doc);
        yyjson_arr_foreach(yyjson_ptr_get(yyjson_doc_get_root(doc), "/costs"), i, count, cost)
        {
            usd part;

            assert_int_equal(usd_parse(slice_of(yyjson_get_str(yyjson_obj_get(cost, "cost_usd"))), &part), OK);
            sum += part;
        }
        assert_true(sum == (usd_known(row.cost) ? row.cost : 0));
        yyjson_doc_free(doc);
        buffer_free(&text);
    }
    arena_reset(&arena);
}

/* The words of the line that holds `needle`, single spaces between. */
static struct slice
line_with(struct slice text, const char *needle, struct arena *arena)
{
    while (text.data != NULL) {
        struct slice line = slice_split(&text, '\n');
        char *out = arena_alloc(arena, line.len + 1);
        size_t len = 0;

        if (slice_find(line, slice_of(needle)) == line.len)
            continue;
        for (size_t i = 0; i < line.len; i++)
            if (line.data[i] != ' ' || (len > 0 && out[len - 1] != ' '))
                out[len++] = line.data[i];
        return slice_make(out, len);
    }
    return SLICE_NONE;
}

static struct slice
explained_plans(const char *plans, struct buffer *text)
{
    struct row row;

    row_init(&row);
    row.id = 7;
    row.plans = slice_of(plans);
    explain_write_text(&row, false, text);
    return buffer_content(text);
}

static void
assert_text(struct slice text, const char *expected)
{
    if (!slice_is(text, expected))
        fail_msg("'%.*s' is not '%s'", SLICE_ARGS(text), expected);
}

static void
who_was_refused_was_served_by_nobody(void **state)
{
    struct buffer out = {0};
    struct row row;

    (void)state;
    row_init(&row);
    row.state = SLICE_LITERAL("refused");
    explain_write_text(&row, false, &out);
    assert_true(slice_find(buffer_content(&out), SLICE_LITERAL("served by        nobody\n")) < buffer_len(&out));
    buffer_free(&out);
}

static void
changes_are_told(void **state)
{
    struct buffer buffer = {0};
    struct row row;

    (void)state;
    row_init(&row);
    row.transforms = TRANSFORM_CAPPED | TRANSFORM_ENDED;
    explain_write_text(&row, false, &buffer);
    buffer_add_byte(&buffer, '\0');
    assert_non_null(strstr(buffer.data, "a cap on output was sent"));
    assert_non_null(strstr(buffer.data, "ended at a budget's ceiling"));
    assert_null(strstr(buffer.data, "what a budget had left"));
    buffer_free(&buffer);
}

static void
plans_are_a_table(void **state)
{
    struct arena arena = {0};
    struct buffer buffer = {0};
    struct slice text = explained_plans(
        "[{\"t\":\"a/large\",\"s\":\"reference\",\"c\":\"0.0125\",\"f\":400,\"m\":12900,\"q\":1000000,"
        "\"v\":\"a cheaper plan was acceptable\"},"
        "{\"t\":\"b/\\\"small\",\"s\":\"model\",\"c\":null,\"f\":0,\"m\":0,\"q\":973500,\"v\":\"chosen\"}]",
        &buffer);

    (void)state;
    assert_text(line_with(text, "verdict", &arena), "target source expected cost first token total quality verdict");
    assert_text(line_with(text, "a/large", &arena),
                "a/large reference $0.0125 400 ms 12.9 s 100% a cheaper plan was acceptable");
    assert_text(line_with(text, "small", &arena), "b/\"small model unknown unknown unknown 97.35% chosen");
    assert_true(slice_find(text, SLICE_LITERAL("{")) == text.len);
    buffer_free(&buffer);
    arena_reset(&arena);
}

/* A row of another program's, or a damaged one: shown, not hidden. */
static void
plans_that_are_no_list_are_shown_as_they_are(void **state)
{
    struct arena arena = {0};
    struct buffer buffer = {0};

    (void)state;
    assert_text(line_with(explained_plans("[{\"t\":", &buffer), "[{", &arena), "[{\"t\":");
    buffer_clear(&buffer);
    assert_text(line_with(explained_plans("[3]", &buffer), "0%", &arena), "- - unknown unknown unknown 0% -");
    buffer_free(&buffer);
    arena_reset(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_add_up),
        cmocka_unit_test(who_was_refused_was_served_by_nobody),
        cmocka_unit_test(changes_are_told),
        cmocka_unit_test(plans_are_a_table),
        cmocka_unit_test(plans_that_are_no_list_are_shown_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
