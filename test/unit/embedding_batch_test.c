/* Batches of embeddings, of which only what is not known is bought. */
#include "dialect/embedding_batch.h"

#include <yyjson.h>

#include "base/rng.h"
#include "cmocka_ready.h"

static const struct digest secret = {"a secret of a test"};
static const struct canonical_scope scope = {.secret = &secret};

static struct embedding_batch
batch_of(const char *body, struct arena *arena)
{
    struct embedding_batch batch;

    assert_int_equal(embedding_batch_read(&scope, slice_of(body), NULL, arena, &batch), OK);
    return batch;
}

static struct digest
only_key(const char *body, struct arena *arena)
{
    struct embedding_batch batch = batch_of(body, arena);

    assert_int_equal(batch.count, 1);
    return batch.inputs[0].key;
}

static void
an_element_has_one_key_wherever_it_stands(void **state)
{
    struct arena arena;
    struct digest alone, wrapped, other, tokens, wrapped_tokens;
    struct embedding_batch batch;

    (void)state;
    arena_init(&arena);
    alone = only_key("{\"model\":\"m\",\"input\":\"a\"}", &arena);
    wrapped = only_key("{\"input\":[ \"\\u0061\" ],\"model\":\"m\",\"user\":\"u\"}", &arena);
    other = only_key("{\"model\":\"m\",\"input\":\"a\",\"dimensions\":8}", &arena);
    tokens = only_key("{\"model\":\"m\",\"input\":[1,2]}", &arena);
    wrapped_tokens = only_key("{\"model\":\"m\",\"input\":[[1, 2]]}", &arena);
    batch = batch_of("{\"model\":\"m\",\"input\":[\"b\",\"a\",[1,2],\"1,2\",\"a\"]}", &arena);
    assert_true(digest_equal(&alone, &wrapped));
    assert_false(digest_equal(&alone, &other));
    other = only_key("{\"model\":\"m\",\"input\":\"b\"}", &arena);
    assert_false(digest_equal(&alone, &other));
    assert_true(digest_equal(&tokens, &wrapped_tokens));
    assert_int_equal(batch.count, 5);
    assert_true(digest_equal(&batch.inputs[1].key, &alone));
    assert_true(digest_equal(&batch.inputs[2].key, &tokens));
    assert_false(digest_equal(&batch.inputs[3].key, &tokens));
    assert_false(digest_equal(&batch.inputs[0].key, &alone));
    assert_int_equal(batch.inputs[4].same_as, 1);
    assert_int_equal(batch.inputs[3].same_as, 3);
    assert_true(slice_is(batch.inputs[2].raw, "[1,2]"));
    arena_reset(&arena);
}

static void
not_everything_can_be_split(void **state)
{
    struct embedding_batch batch;
    struct buffer many = {0};
    struct arena arena;

    (void)state;
    arena_init(&arena);
    assert_int_equal(embedding_batch_read(&scope, slice_of("{\"input\":[]}"), NULL, &arena, &batch), ERR_NOT_FOUND);
    assert_int_equal(embedding_batch_read(&scope, slice_of("{\"input\":{}}"), NULL, &arena, &batch), ERR_NOT_FOUND);
    assert_int_equal(embedding_batch_read(&scope, slice_of("{}"), NULL, &arena, &batch), ERR_NOT_FOUND);
    assert_int_equal(embedding_batch_read(&scope, slice_of("[]"), NULL, &arena, &batch), ERR_INVALID);
    buffer_add_text(&many, "{\"input\":[\"a\"");
    for (int i = 0; i < EMBEDDING_INPUTS_MOST; i++)
        buffer_add_text(&many, ",\"a\"");
    buffer_add_text(&many, "]}");
    assert_int_equal(embedding_batch_read(&scope, buffer_content(&many), NULL, &arena, &batch), ERR_LIMIT);
    buffer_free(&many);
    arena_reset(&arena);
}

static void
expect_body(const char *body, const bool *known, const char *wanted_body)
{
    struct arena arena;
    struct embedding_batch batch;
    struct splice splice;
    bool wanted[8];

    arena_init(&arena);
    batch = batch_of(body, &arena);
    embedding_batch_wanted(&batch, known, wanted);
    splice = embedding_batch_splice(&batch, wanted, slice_of(body), &arena);
    assert_string_equal(arena_printf(&arena, "%.*s%.*s%s", (int)splice.at, body, SLICE_ARGS(splice.with),
                                     body + splice.at + splice.len),
                        wanted_body);
    arena_reset(&arena);
}

static void
only_what_is_not_known_is_asked_for(void **state)
{
    static const bool none[8] = {false}, second[8] = {false, true}, both[8] = {true, true};

    (void)state;
    expect_body("{ \"input\" : [ \"a\" , \"b\\n\",[1, 2] ], \"x\":1.0}", second,
                "{ \"input\" : [\"a\",[1, 2]], \"x\":1.0}");
    expect_body("{ \"input\" : [ \"a\" , \"b\" ], \"x\":1.0}", none, "{ \"input\" : [ \"a\" , \"b\" ], \"x\":1.0}");
    expect_body("{\"input\":[\"a\",\"b\",\"c\",\"c\"]}", both, "{\"input\":[\"c\"]}");
    expect_body("{\"inp\\u0075t\":[\"a\",\"b\"]}", second, "{\"inp\\u0075t\":[\"a\"]}");
    expect_body("{\"input\":\"a\"}", none, "{\"input\":\"a\"}");
    expect_body("{\"input\":[7]}", none, "{\"input\":[7]}");
}

static void
an_answer_is_split_and_joined(void **state)
{
    static const bool wanted[] = {true, false, true};
    static const char answer[] =
        "{\"object\":\"list\",\"usage\":{\"prompt_tokens\":11,\"cost\":0.5,\"details\":{\"text\":3},\"tier\":\"x\"},"
        "\"data\":[ {\"index\":1,\"object\":\"embedding\",\"embedding\":\"AAAA\"},"
        "{\"object\":\"embedding\",\"embedding\":[0.10, -2e-3],\"index\" : 0} ],\"model\":\"m\",\"id\":7}\n";
    struct arena arena;
    struct embedding_batch batch;
    struct buffer singles[2] = {{0}, {0}}, joined = {0};
    struct slice parts[3];

    (void)state;
    arena_init(&arena);
    batch = batch_of("{\"input\":[\"aaaa\",\"known\",\"b\"]}", &arena); /* 6 and 3 bytes with their quotes */
    assert_int_equal(embedding_answer_split(&batch, wanted, slice_of(answer), singles), OK);
    assert_true(slice_is(buffer_content(&singles[0]),
                         "{\"object\":\"list\",\"usage\":{\"prompt_tokens\":7,\"details\":{\"text\":2},\"tier\":\"x\"},"
                         "\"data\":[{\"object\":\"embedding\",\"embedding\":[0.10, -2e-3],\"index\" : 0}],"
                         "\"model\":\"m\",\"id\":7}"));
    assert_true(slice_is(buffer_content(&singles[1]),
                         "{\"object\":\"list\",\"usage\":{\"prompt_tokens\":4,\"details\":{\"text\":1},\"tier\":\"x\"},"
                         "\"data\":[{\"index\":0,\"object\":\"embedding\",\"embedding\":\"AAAA\"}],"
                         "\"model\":\"m\",\"id\":7}"));
    parts[0] = buffer_content(&singles[0]);
    parts[1] = slice_of("{\"data\":[{\"embedding\":[9],\"index\":0}],\"usage\":{\"prompt_tokens\":5}}");
    parts[2] = buffer_content(&singles[1]);
    assert_int_equal(embedding_answer_join(parts, 3, &joined), OK);
    assert_true(
        slice_is(buffer_content(&joined),
                 "{\"object\":\"list\",\"usage\":{\"prompt_tokens\":16,\"details\":{\"text\":3},\"tier\":\"x\"},"
                 "\"data\":[{\"object\":\"embedding\",\"embedding\":[0.10, -2e-3],\"index\" : 0},"
                 "{\"embedding\":[9],\"index\":1},{\"index\":2,\"object\":\"embedding\",\"embedding\":\"AAAA\"}],"
                 "\"model\":\"m\",\"id\":7}"));
    buffer_clear(&joined);
    assert_int_equal(embedding_answer_join(&parts[1], 1, &joined), OK);
    assert_true(slice_equal(buffer_content(&joined), parts[1]));
    buffer_free(&joined);
    buffer_free(&singles[0]);
    buffer_free(&singles[1]);
    arena_reset(&arena);
}

static void
what_is_no_such_answer_is_refused(void **state)
{
    static const char *const answers[] = {
        "",
        "[]",
        "{}",
        "{\"data\":[]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":0,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":2,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":-1,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},7]}",
        "{\"d\\u0061ta\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"ind\\u0065x\":1,\"embedding\":[1]}]}",
        "{\"data\":[{\"index\":0,\"embedding\":[1]},{\"index\":1,\"embedding\":[1]}]",
    };
    static const bool wanted[] = {true, true};
    struct arena arena;
    struct embedding_batch batch;

    (void)state;
    arena_init(&arena);
    batch = batch_of("{\"input\":[\"a\",\"b\"]}", &arena);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct buffer singles[2] = {{0}, {0}}, joined = {0};
        struct slice answer = slice_of(answers[i]);

        if (embedding_answer_split(&batch, wanted, answer, singles) != ERR_INVALID)
            fail_msg("%s", answers[i]);
        if (i != 4 && embedding_answer_join(&answer, 1, &joined) != ERR_INVALID)
            fail_msg("joined: %s", answers[i]);
        buffer_free(&singles[0]);
        buffer_free(&singles[1]);
        buffer_free(&joined);
    }
    arena_reset(&arena);
}

/* A modelled server: an embedding says its text, a token is a byte. `backwards`: it answers in the opposite order. */
static void
serve(struct slice body, bool backwards, struct buffer *out)
{
    yyjson_doc *doc = yyjson_read(body.data, body.len, 0);
    yyjson_val *input = yyjson_obj_get(yyjson_doc_get_root(doc), "input");
    size_t count = yyjson_is_arr(input) ? yyjson_arr_size(input) : 1, tokens = 0;

    buffer_add_text(out, "{\"data\":[");
    for (size_t i = 0; i < count; i++) {
        size_t at = backwards ? count - 1 - i : i;
        const char *text = yyjson_get_str(yyjson_is_arr(input) ? yyjson_arr_get(input, at) : input);

        buffer_printf(out, "%s{\"embedding\":\"%s!\",\"index\":%zu}", i > 0 ? "," : "", text, at);
        tokens += strlen(text) + 2;
    }
    buffer_printf(out, "],\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}", tokens, tokens);
    yyjson_doc_free(doc);
}

enum { BATCH_MOST = 12 };

/* Buys what is wanted, stores it, joins it with what was known: the client sees what the server would have said. */
static void
play_batch(struct rng *rng)
{
    struct buffer body = {0}, answer = {0}, direct = {0}, joined = {0}, fresh[BATCH_MOST] = {{0}},
                  stored[BATCH_MOST] = {{0}};
    size_t count = 1 + (size_t)rng_below(rng, BATCH_MOST), at = 0;
    bool known[BATCH_MOST], wanted[BATCH_MOST];
    struct slice singles[BATCH_MOST];
    struct embedding_batch batch;
    struct splice splice;
    struct arena arena;

    arena_init(&arena);
    buffer_add_text(&body, "{\"input\":[");
    for (size_t i = 0; i < count; i++)
        buffer_printf(&body, "%s\"text%u\"", i > 0 ? "," : "", (unsigned)rng_below(rng, 15));
    buffer_add_text(&body, "],\"model\":\"m\"}");
    assert_int_equal(embedding_batch_read(&scope, buffer_content(&body), NULL, &arena, &batch), OK);
    serve(buffer_content(&body), false, &direct);
    for (size_t i = 0; i < count; i++) {
        size_t first = batch.inputs[i].same_as;

        known[i] = first < i ? known[first] : rng_below(rng, 2) == 0;
        serve(slice_of(arena_printf(&arena, "{\"input\":%.*s}", SLICE_ARGS(batch.inputs[i].raw))), false, &stored[i]);
        singles[i] = buffer_content(&stored[i]);
    }
    if (embedding_batch_wanted(&batch, known, wanted) > 0) {
        struct buffer sent = {0};

        splice = embedding_batch_splice(&batch, wanted, buffer_content(&body), &arena);
        buffer_add(&sent, slice_first(buffer_content(&body), splice.at));
        buffer_add(&sent, splice.with);
        buffer_add(&sent, slice_from(buffer_content(&body), splice.at + splice.len));
        serve(buffer_content(&sent), rng_below(rng, 2) == 0, &answer);
        assert_int_equal(embedding_answer_split(&batch, wanted, buffer_content(&answer), fresh), OK);
        buffer_free(&sent);
    }
    for (size_t i = 0; i < count; i++)
        if (wanted[i])
            singles[i] = buffer_content(&fresh[at++]);
    for (size_t i = 0; i < count; i++)
        if (!known[i])
            singles[i] = singles[batch.inputs[i].same_as];
    assert_int_equal(embedding_answer_join(singles, count, &joined), OK);
    assert_true(slice_equal(buffer_content(&joined), buffer_content(&direct)));
    for (size_t i = 0; i < BATCH_MOST; i++) {
        buffer_free(&fresh[i]);
        buffer_free(&stored[i]);
    }
    buffer_free(&body);
    buffer_free(&answer);
    buffer_free(&direct);
    buffer_free(&joined);
    arena_reset(&arena);
}

static void
random_batches_are_answered_as_if_bought_whole(void **state)
{
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    for (int i = 0; i < 2000; i++)
        play_batch(&rng);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_element_has_one_key_wherever_it_stands),
        cmocka_unit_test(not_everything_can_be_split),
        cmocka_unit_test(only_what_is_not_known_is_asked_for),
        cmocka_unit_test(an_answer_is_split_and_joined),
        cmocka_unit_test(what_is_no_such_answer_is_refused),
        cmocka_unit_test(random_batches_are_answered_as_if_bought_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
