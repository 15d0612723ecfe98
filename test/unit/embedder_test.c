/* The table in the program, held against the vectors that its makers' own reading of it found (src/embed/vectors.json),
 * and tables that are damaged. */
#include "embed/embedder.h"

#include <math.h>
#include <yyjson.h>

#include "base/hash.h"
#include "base/rng.h"
#include "cmocka_ready.h"
#include "embed/static_table.h"
#include "embed/wordpiece.h"

enum { TEXTS_MOST = 64 };

struct pinned {
    yyjson_doc *document;
    struct embedder *embedder;
    size_t count;
    struct slice texts[TEXTS_MOST];
    float vectors[TEXTS_MOST][EMBED_DIMS_MOST];
};

static int
set_up(void **state)
{
    struct pinned *pinned = calloc(1, sizeof(*pinned));
    yyjson_val *texts;

    assert_non_null(pinned);
    pinned->document = yyjson_read_file("src/embed/vectors.json", 0, NULL, NULL);
    assert_non_null(pinned->document);
    texts = yyjson_obj_get(yyjson_doc_get_root(pinned->document), "texts");
    pinned->count = yyjson_arr_size(texts);
    assert_in_range(pinned->count, 10, TEXTS_MOST);
    assert_int_equal(embedder_open_builtin(&pinned->embedder), OK);
    for (size_t i = 0; i < pinned->count; i++) {
        yyjson_val *text = yyjson_obj_get(yyjson_arr_get(texts, i), "text");

        pinned->texts[i] = slice_make(yyjson_get_str(text), yyjson_get_len(text));
        assert_true(embedder_embed(pinned->embedder, pinned->texts[i], pinned->vectors[i], NULL));
    }
    *state = pinned;
    return 0;
}

static int
tear_down(void **state)
{
    struct pinned *pinned = *state;

    yyjson_doc_free(pinned->document);
    embedder_close(pinned->embedder);
    free(pinned);
    return 0;
}

static yyjson_val *
pinned_value(const struct pinned *pinned, const char *name)
{
    yyjson_val *value = yyjson_obj_get(yyjson_doc_get_root(pinned->document), name);

    assert_non_null(value);
    return value;
}

static double
cosine(const float *a, const float *b, unsigned dims)
{
    double sum = 0;

    for (unsigned i = 0; i < dims; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static double
pinned_cosine(const struct pinned *pinned, size_t i, size_t j)
{
    return cosine(pinned->vectors[i], pinned->vectors[j], embedder_dims(pinned->embedder));
}

static void
the_pinned_vectors_are_of_this_table(void **state)
{
    const struct pinned *pinned = *state;
    char id[17];

    snprintf(id, sizeof(id), "%016llx", (unsigned long long)embedder_table_id(pinned->embedder));
    assert_string_equal(id, yyjson_get_str(pinned_value(pinned, "table")));
    assert_int_equal(embedder_dims(pinned->embedder), yyjson_get_int(pinned_value(pinned, "dims")));
}

struct ids {
    yyjson_val *expected;
    size_t count;
};

static void
check_id(void *user, uint32_t id, struct slice text)
{
    struct ids *ids = user;
    yyjson_val *expected = yyjson_arr_get(ids->expected, ids->count++);

    assert_true(text.len > 0);
    assert_non_null(expected);
    assert_int_equal(id == PIECE_NONE ? -1 : (int64_t)id, yyjson_get_sint(expected));
}

/* The lines of the vocabulary, which stand behind the header. */
static struct slice
table_lines(void)
{
    struct slice table = static_table();
    uint32_t len;

    memcpy(&len, table.data + 24, sizeof(len));
    return slice_first(slice_from(table, 64), len);
}

static void
pieces_are_the_pinned_ones(void **state)
{
    const struct pinned *pinned = *state;
    struct vocabulary vocabulary;

    assert_int_equal(vocabulary_init(&vocabulary, table_lines()), OK);
    for (size_t i = 0; i < pinned->count; i++) {
        struct ids ids = {.expected = yyjson_obj_get(yyjson_arr_get(pinned_value(pinned, "texts"), i), "ids")};
        struct wordpiece cutter;

        wordpiece_init(&cutter, &vocabulary, check_id, &ids);
        wordpiece_feed(&cutter, pinned->texts[i]);
        wordpiece_end(&cutter);
        assert_int_equal(ids.count, yyjson_arr_size(ids.expected));
    }
    vocabulary_free(&vocabulary);
}

static void
vectors_are_the_pinned_ones(void **state)
{
    const struct pinned *pinned = *state;
    yyjson_val *rows = pinned_value(pinned, "cosines");

    for (size_t i = 0; i < pinned->count; i++) {
        yyjson_val *head = yyjson_obj_get(yyjson_arr_get(pinned_value(pinned, "texts"), i), "head");

        assert_true(yyjson_arr_size(head) > 0);
        for (size_t d = 0; d < yyjson_arr_size(head); d++)
            assert_true(fabs(yyjson_get_num(yyjson_arr_get(head, d)) - (double)pinned->vectors[i][d]) < 1e-4);
        assert_true(fabs(pinned_cosine(pinned, i, i) - 1) < 1e-5);
        for (size_t j = 0; j < pinned->count; j++) {
            double expected = yyjson_get_num(yyjson_arr_get(yyjson_arr_get(rows, i), j));

            assert_true(fabs(pinned_cosine(pinned, i, j) - expected) < 1e-4);
        }
    }
}

static double
pair_cosine(const struct pinned *pinned, yyjson_val *pair)
{
    return pinned_cosine(pinned, yyjson_get_uint(yyjson_arr_get(pair, 0)), yyjson_get_uint(yyjson_arr_get(pair, 1)));
}

static void
what_means_the_same_is_nearer_than_what_does_not(void **state)
{
    const struct pinned *pinned = *state;
    yyjson_val *same = yyjson_obj_get(pinned_value(pinned, "pairs"), "same");
    yyjson_val *other = yyjson_obj_get(pinned_value(pinned, "pairs"), "other");

    assert_true(yyjson_arr_size(same) >= 5 && yyjson_arr_size(other) >= 5);
    for (size_t i = 0; i < yyjson_arr_size(same); i++)
        for (size_t j = 0; j < yyjson_arr_size(other); j++)
            assert_true(pair_cosine(pinned, yyjson_arr_get(same, i)) > pair_cosine(pinned, yyjson_arr_get(other, j)));
}

static void
whole_numbers_keep_the_cosine(void **state)
{
    const struct pinned *pinned = *state;
    unsigned dims = embedder_dims(pinned->embedder);
    int8_t a[EMBED_DIMS_MOST], b[EMBED_DIMS_MOST];

    for (size_t i = 0; i + 1 < pinned->count; i++) {
        double ab = 0, aa = 0, bb = 0;

        assert_true(embedder_quantize(pinned->vectors[i], dims, a));
        assert_true(embedder_quantize(pinned->vectors[i + 1], dims, b));
        for (unsigned d = 0; d < dims; d++) {
            ab += a[d] * b[d];
            aa += a[d] * a[d];
            bb += b[d] * b[d];
        }
        assert_true(fabs(ab / sqrt(aa * bb) - pinned_cosine(pinned, i, i + 1)) < 0.01);
    }
}

static void
a_text_without_words_has_no_vector(void **state)
{
    const struct pinned *pinned = *state;
    float vector[EMBED_DIMS_MOST];
    int8_t whole[EMBED_DIMS_MOST];
    size_t pieces = 1;

    assert_false(embedder_embed(pinned->embedder, SLICE_NONE, vector, &pieces));
    assert_int_equal(pieces, 0);
    assert_false(embedder_embed(pinned->embedder, SLICE_LITERAL(" \n\xff\t\x01"), vector, NULL));
    for (unsigned i = 0; i < embedder_dims(pinned->embedder); i++)
        assert_true(vector[i] == 0);
    assert_false(embedder_quantize(vector, embedder_dims(pinned->embedder), whole));
    assert_int_equal(whole[0], 0);
}

/* `len` bytes: "hello hello ... ", with `first` in front, `middle` in the middle, and `last` at the end. */
static char *
long_text(size_t len, const char *first, const char *middle, const char *last)
{
    char *text = malloc(len + 8);

    assert_non_null(text);
    for (size_t i = 0; i < len; i += 6)
        memcpy(text + i, "hello ", 6);
    memcpy(text, first, strlen(first));
    memcpy(text + EMBED_TEXT_FIRST + (len - EMBED_TEXT_FIRST - EMBED_TEXT_LAST) / 2, middle, strlen(middle));
    memcpy(text + len - strlen(last), last, strlen(last));
    return text;
}

static void
of_a_long_text_both_ends_are_read(void **state)
{
    const struct pinned *pinned = *state;
    size_t len = (EMBED_TEXT_FIRST + EMBED_TEXT_LAST) * 2, pieces[2];
    unsigned dims = embedder_dims(pinned->embedder);
    float plain[EMBED_DIMS_MOST], other[EMBED_DIMS_MOST];
    const char *const words[][3] = {
        {"hello ", " rice ", " hello"}, {"rice  ", " hello ", " hello"}, {"hello ", " hello ", " rice "}};

    for (int i = 0; i < 3; i++) {
        char *text = long_text(len, "hello ", " hello ", " hello");
        char *changed = long_text(len, words[i][0], words[i][1], words[i][2]);
        bool same;

        assert_true(embedder_embed(pinned->embedder, slice_make(text, len), plain, &pieces[0]));
        assert_true(embedder_embed(pinned->embedder, slice_make(changed, len), other, &pieces[1]));
        assert_true(pieces[0] > 4000);
        same = memcmp(plain, other, dims * sizeof(float)) == 0;
        assert_int_equal(same, i == 0); /* what stands in the middle is not read */
        free(text);
        free(changed);
    }
}

/* A copy of the built-in table, to be damaged; freed by the caller. */
static struct slice
copy_table(void)
{
    struct slice table = static_table();
    char *copy = aligned_alloc(64, (table.len + 63) / 64 * 64);

    assert_non_null(copy);
    memcpy(copy, table.data, table.len);
    return slice_make(copy, table.len);
}

static char *
bytes_of(struct slice table)
{
    return (char *)(uintptr_t)table.data;
}

static void
sign(struct slice table)
{
    uint64_t checksum = hash_xxh64(slice_first(table, table.len - 8), 0);

    memcpy(bytes_of(table) + table.len - 8, &checksum, 8);
}

static void
check_refused(struct slice table)
{
    struct embedder *embedder;

    assert_int_equal(embedder_open(table, &embedder), ERR_CORRUPT);
    assert_null(embedder);
}

static void
check_accepted(struct slice table)
{
    struct embedder *embedder;

    assert_int_equal(embedder_open(table, &embedder), OK);
    embedder_close(embedder);
}

static void
a_damaged_table_is_refused(void **state)
{
    struct slice table = copy_table();
    struct embedder *embedder;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 5);
    assert_int_equal(embedder_open(table, &embedder), OK);
    embedder_close(embedder);
    for (int round = 0; round < 30; round++) {
        size_t at = rng_below(&rng, table.len);
        char bit = (char)(1 << rng_below(&rng, 8));

        bytes_of(table)[at] ^= bit;
        check_refused(table);
        bytes_of(table)[at] ^= bit;
    }
    check_refused(slice_first(table, table.len - 1));
    check_refused(slice_first(table, 64));
    check_refused(slice_first(table, 0));
    free(bytes_of(table));
}

static void
set_u32(struct slice table, size_t at, uint32_t value)
{
    memcpy(bytes_of(table) + at, &value, sizeof(value));
    sign(table);
}

/* The checksum is right, but what it signs makes no sense. */
static void
a_table_that_lies_is_refused(void **state)
{
    static const struct {
        size_t at;
        uint32_t value;
    } lies[] = {{0, 1},           {8, 2},           {12, 33},         {12, 0},         {12, 2048},     {12, 1024},
                {16, 0},          {16, 1},          {16, 1u << 21},   {20, 1u << 20},  {20, 1u << 21}, {24, 0},
                {24, UINT32_MAX}, {28, 0x7fc00000}, {28, 0xbf800000}, {64, 0x0a0a0a0a}};

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct slice table = copy_table();

        set_u32(table, lies[i].at, lies[i].value);
        check_refused(table);
        free(bytes_of(table));
    }
}

/* Pieces a, b, c; pairs a b, and a at the beginning; 32 dims. Row i has only dim i, which is 1. */
static struct slice
small_table(void)
{
    enum { DIMS = 32, PIECES = 3, PAIRS = 2, ROWS = PIECES + PAIRS + 1, LEN = 64 + 64 + 64 + 64 + 192 + 8 };
    static const uint32_t numbers[] = {1, DIMS, PIECES, PAIRS, 6};
    static const uint64_t keys[PAIRS] = {1, (uint64_t)UINT32_MAX << 32};
    char *table = aligned_alloc(64, (LEN + 63) / 64 * 64);

    assert_non_null(table);
    memset(table, 0, LEN);
    memcpy(table, "EQSTATIC", 8);
    memcpy(table + 8, numbers, sizeof(numbers));
    memcpy(table + 64, "a\nb\nc\n", 6);
    memcpy(table + 128, keys, sizeof(keys));
    for (int i = 0; i < ROWS; i++) {
        float scale = 1.0F / 127;

        memcpy(table + 192 + (size_t)i * sizeof(scale), &scale, sizeof(scale));
        table[256 + i * DIMS + i] = 127;
    }
    sign(slice_make(table, LEN));
    return slice_make(table, LEN);
}

static void
wrong_pairs_and_scales_are_refused(void **state)
{
    enum { KEYS = 128, SCALES = 192 };
    struct slice table = small_table();
    uint64_t key;

    (void)state;
    check_accepted(table);
    memcpy(&key, table.data + KEYS, sizeof(key));
    set_u32(table, KEYS, UINT32_MAX); /* the second piece of the first pair */
    check_refused(table);
    set_u32(table, KEYS, (uint32_t)key);
    set_u32(table, KEYS + 4, UINT32_MAX - 1); /* the first piece: none, and keys that fall */
    check_refused(table);
    set_u32(table, KEYS + 4, (uint32_t)(key >> 32));
    check_accepted(table);
    set_u32(table, SCALES, 0x7f800000); /* infinite */
    check_refused(table);
    free(bytes_of(table));
}

static void
check_small(const struct embedder *embedder, const char *text, const char *expected)
{
    float vector[EMBED_DIMS_MOST];

    assert_true(embedder_embed(embedder, slice_of(text), vector, NULL));
    for (unsigned i = 0; i < 6; i++) /* the last row is there once in any text: it tells the length */
        assert_true(fabsf(vector[i] / vector[5] - (float)(expected[i] - '0')) < 1e-5F);
}

static void
pairs_stand_side_by_side(void **state)
{
    struct slice table = small_table();
    struct embedder *embedder;

    (void)state;
    assert_int_equal(embedder_open(table, &embedder), OK);
    check_small(embedder, "a b", "110111");
    check_small(embedder, "b a", "110001");
    check_small(embedder, "b a b a b", "230201");
    check_small(embedder, "a unknown b", "110011");
    check_small(embedder, "unknown a b", "110101"); /* an unknown word is no beginning */
    check_small(embedder, "c", "001001");
    embedder_close(embedder);
    free(bytes_of(table));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pinned_vectors_are_of_this_table),
        cmocka_unit_test(pieces_are_the_pinned_ones),
        cmocka_unit_test(vectors_are_the_pinned_ones),
        cmocka_unit_test(what_means_the_same_is_nearer_than_what_does_not),
        cmocka_unit_test(whole_numbers_keep_the_cosine),
        cmocka_unit_test(a_text_without_words_has_no_vector),
        cmocka_unit_test(of_a_long_text_both_ends_are_read),
        cmocka_unit_test(a_damaged_table_is_refused),
        cmocka_unit_test(a_table_that_lies_is_refused),
        cmocka_unit_test(wrong_pairs_and_scales_are_refused),
        cmocka_unit_test(pairs_stand_side_by_side),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
