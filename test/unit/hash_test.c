/* Hashes and random numbers against published values. */
#include "base/hash.h"

#include "base/rng.h"
#include "base/text.h"
#include "cmocka_ready.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static void
expect_sha256(struct slice bytes, const char *wanted)
{
    struct digest digest = hash_sha256(bytes);
    char text[65];

    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), text);
    assert_string_equal(text, wanted);
}

/* The examples of FIPS 180-4 and its test vectors. */
static void
sha256(void **state)
{
    static char million[1000000];
    struct digest a = hash_sha256(SLICE_LITERAL("a")), b = a;

    (void)state;
    memset(million, 'a', sizeof(million));
    expect_sha256(SLICE_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_sha256(SLICE_LITERAL("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_sha256(SLICE_LITERAL("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect_sha256(slice_make(million, sizeof(million)),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_true(digest_equal(&a, &b));
    for (size_t i = 0; i < sizeof(a.bytes); i++) {
        b = a;
        b.bytes[i] ^= 0x80;
        assert_false(digest_equal(&a, &b));
    }
}

/* RFC 4231, 4.2 and 4.3: secrets shorter than ours, which HMAC fills up with zeros. */
static void
keyed(void **state)
{
    static const struct digest jefe = {"Jefe"};
    struct digest twenty = {{0}}, digest;
    struct hasher hasher;
    char text[65];

    (void)state;
    memset(twenty.bytes, 0x0b, 20);
    hasher_init(&hasher);
    hasher_begin_keyed(&hasher, &twenty);
    hasher_add(&hasher, SLICE_LITERAL("Hi There"));
    digest = hasher_end_keyed(&hasher, &twenty);
    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), text);
    assert_string_equal(text, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hasher_begin_keyed(&hasher, &jefe);
    hasher_add(&hasher, SLICE_LITERAL("what do ya want "));
    hasher_add(&hasher, SLICE_NONE);
    hasher_add(&hasher, SLICE_LITERAL("for nothing?"));
    digest = hasher_end_keyed(&hasher, &jefe);
    text_format_hex(slice_make((const char *)digest.bytes, sizeof(digest.bytes)), text);
    assert_string_equal(text, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hasher_free(&hasher);
}

static void
fast(void **state)
{
    (void)state;
    assert_int_equal(hash_fast(SLICE_NONE, 0), UINT64_C(0x2d06800538d394c2)); /* XXH3's value for nothing */
    assert_int_equal(hash_fast(SLICE_NONE, 0), hash_fast(SLICE_LITERAL(""), 0));
    assert_true(hash_fast(SLICE_LITERAL("a"), 0) != hash_fast(SLICE_LITERAL("a"), 1));
    assert_true(hash_fast(SLICE_LITERAL("a"), 0) != hash_fast(SLICE_LITERAL("b"), 0));
    assert_int_equal(hash_xxh64(SLICE_NONE, 0), UINT64_C(0xef46db3751d8e999)); /* XXH64's value for nothing */
}

/* The authors' own generators, from the state {1, 2, 3, 4} and the seed 0. */
static void
published_random_numbers(void **state)
{
    static const uint64_t wanted[] = {UINT64_C(11520),
                                      UINT64_C(0),
                                      UINT64_C(1509978240),
                                      UINT64_C(1215971899390074240),
                                      UINT64_C(1216172134540287360),
                                      UINT64_C(607988272756665600),
                                      UINT64_C(16172922978634559625),
                                      UINT64_C(8476171486693032832),
                                      UINT64_C(10595114339597558777),
                                      UINT64_C(2904607092377533576)};
    struct rng rng = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        assert_int_equal(rng_next(&rng), wanted[i]);
    assert_int_equal(rng_mix(0), UINT64_C(0xe220a8397b1dcdaf));
    rng_seed(&rng, 0);
    assert_int_equal(rng.state[0], UINT64_C(0xe220a8397b1dcdaf));
    assert_int_equal(rng.state[1], UINT64_C(0x6e789e6aa1b965f4));
}

/* A limit of three quarters of the range: without refusing, the lowest third would come twice as often. */
static void
no_value_comes_more_often(void **state)
{
    enum { DRAWS = 90000 };
    const uint64_t quarter = (uint64_t)1 << 62;
    int counts[3] = {0};
    struct rng rng;

    (void)state;
    rng_seed(&rng, 6);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = rng_below(&rng, 3 * quarter);

        assert_true(value < 3 * quarter);
        counts[value / quarter]++;
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(counts[i], DRAWS / 3 - 1000, DRAWS / 3 + 1000); /* seven standard deviations */
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rng_below(&rng, 1), 0);
}

static void
units(void **state)
{
    double sum = 0, least = 1, most = 0;
    struct rng rng;

    (void)state;
    rng_seed(&rng, 7);
    for (int i = 0; i < 10000; i++) {
        double value = rng_unit(&rng);

        assert_true(value >= 0 && value < 1);
        sum += value;
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_true(sum > 4800 && sum < 5200 && least < 0.01 && most > 0.99);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256),
        cmocka_unit_test(keyed),
        cmocka_unit_test(fast),
        cmocka_unit_test(published_random_numbers),
        cmocka_unit_test(no_value_comes_more_often),
        cmocka_unit_test(units),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
